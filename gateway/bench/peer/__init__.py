"""graphgate beside graphiti-core: the same engine, data and questions, measured in one run."""
