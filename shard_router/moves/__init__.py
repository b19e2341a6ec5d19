"""Moves of groups between shards: a persisted state machine that any gateway can go on with."""
