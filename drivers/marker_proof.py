"""Whether the server behind a new connection is the shard that was admitted."""

from dataclasses import replace

from drivers.fence import ShardMarker


def proves(found: ShardMarker | None, admitted: ShardMarker | None) -> bool:
    """`found`: the marker behind the connection, None when there is none.

    A beat below the known one is an older copy of the disk. Before a shard is admitted (no marker, or one
    that is only proposed and so has no beat) there is nothing to prove.
    """
    if admitted is None or admitted.beat == 0:
        return True
    return found is not None and replace(admitted, beat=found.beat) == found and found.beat >= admitted.beat


REPLACED = "another server or an older copy of its data answers there now"
"""Why a connection whose marker does not prove it is not used."""
