"""What runs in graphiti-core's own virtual environment: programs that import nothing of graphgate."""
