"""Accepted episodes in Redis: durable, in order within a group, fair between groups, bounded."""
