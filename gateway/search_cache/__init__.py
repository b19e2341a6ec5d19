"""Whole answers of searches, kept in memory and given again as long as they are what a search would find.

An acknowledged write through any gateway is never hidden. Before a search begins, and again before a kept
answer is given, the marks of all its groups are read from the shards that own them (group_marks.py): one
cheap call to each shard. A version only grows, so equal marks say that no group was written from before the
first read of the search until after the call that gets the answer had come. The marks of the search's own
reads would not do: a group that is written between two of them gives rows of both versions under the later
one.

Searches that take the present time for the time at which facts must hold are kept until the next fact of
their groups begins or ceases to hold (validity.py).
"""
