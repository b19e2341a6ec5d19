"""A public data set as a graph: reading it, its rows, their vectors and the calls that write them.

What the demo shows and `graphgate eval` measures: the same rows under the same uuids in every fleet.
"""
