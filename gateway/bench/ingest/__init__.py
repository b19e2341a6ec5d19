"""How fast episodes become a graph through a language model of fixed latency, and by how many calls."""
