"""Direct writes: what the caller wants, the plan that a shard applies, and the loop between them."""
