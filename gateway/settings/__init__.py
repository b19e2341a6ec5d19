"""What an operator can set: one tree, where each value came from, and what is wrong with it."""
