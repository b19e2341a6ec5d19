"""Workers: they take turns out of the queue and carry units through the pipeline."""
