"""Which shard serves a group, and how an answer is merged from many; knows no gRPC."""
