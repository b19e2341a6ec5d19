"""What orders the best rows of the fusion anew: one file per reranker."""
