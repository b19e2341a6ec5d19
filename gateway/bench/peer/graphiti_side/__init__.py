"""What runs in graphiti-core's own virtual environment: a script that imports nothing of graphgate."""
