"""Shards at run time: added, weighed, drained and removed while the fleet serves."""
