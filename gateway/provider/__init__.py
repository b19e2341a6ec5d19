"""What every client of an OpenAI-compatible server has in common, whatever it asks for."""
