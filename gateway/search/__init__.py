"""Search: from a request's text to one fused ranking."""
