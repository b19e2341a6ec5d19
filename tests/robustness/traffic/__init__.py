"""The clients of a run. What they sent and were told is the history that the model judges."""
