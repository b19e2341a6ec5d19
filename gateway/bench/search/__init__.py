"""How long searches take beside the engine calls that they consist of, and what grows with what."""
