"""Texts to vectors: one port, three embedders (local, openai, none) and a wrapper that shares their work."""
