"""A gateway of one's own on this machine: a `graphgate serve` process, and a client that calls it.

For what has to look at the gateway from outside: demo, benchmarks, tests of kills and restarts.
"""
