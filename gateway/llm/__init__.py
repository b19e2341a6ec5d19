"""Asking language models for answers of a given form, with few calls and within every limit."""
