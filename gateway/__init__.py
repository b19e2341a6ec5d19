"""The gateway process: gRPC services, ingestion, search, embedding, configuration and the command line."""
