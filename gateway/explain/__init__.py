"""Plans of every query that the drivers send, held against the indexes that they must use."""
