"""The protocol of placing and moving a group, explored in every state that it can reach.

    python -m tests.model_check [--json]

A state is checked when it is reached; the search is breadth-first, so that a trace is a shortest one. The
fences change by the rules of drivers/fence_changes.py and by nothing else: a change of that table is a change
of the model. What routers know is over-approximated: any number of them, each with any route that was ever
true, so that a write is tried at any time at every shard that would take it; this is what a catalog that is
lost or rolled back can do at most. A coordinator that crashes is one that makes no further step; whoever
takes over, the old one may go on at any time.

Left out: homeless edges, spaces, statistics, several rows in one write, a shard restored from an older copy,
the deletion of a group, the age limit of operation records.
"""
