"""The catalog against the fences of all shards: what contradicts what, and the records made anew."""
