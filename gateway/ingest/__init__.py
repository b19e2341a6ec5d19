"""Episodes in, graph out: what is asked of models, and what becomes of the answers."""
