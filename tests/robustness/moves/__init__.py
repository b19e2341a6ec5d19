"""Groups that move about while the traffic runs, and kills of what a move needs in a phase of it."""
