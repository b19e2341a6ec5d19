"""Which names mean the same entity: what text alone can tell, and what is left for the model. Pure."""
