"""The gRPC services: each method translates, calls, and translates back."""
