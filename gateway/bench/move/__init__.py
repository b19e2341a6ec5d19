"""How fast groups move, how long their writers wait, and what other groups notice of it."""
