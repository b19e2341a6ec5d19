"""Benchmarks of the gateway against the layers below it and the engine's own floor."""
