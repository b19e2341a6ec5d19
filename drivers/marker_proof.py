"""Whether the server behind a new connection is the shard that was admitted."""

from drivers.fence import ShardMarker


def proves(found: ShardMarker | None, admitted: ShardMarker | None) -> bool:
    """`found`: the marker behind the connection, None when there is none.

    A beat below the known one is an older copy of the disk. Before a shard is admitted (no marker, or one
    that is only proposed and so has no beat) there is nothing to prove.
    """
    if admitted is None or admitted.beat == 0:
        return True
    if found is None or found.beat < admitted.beat:
        return False
    # The root ring of a shard may change while connections to it are made; its identity does not.
    same = (admitted.fleet, admitted.shard, admitted.incarnation, admitted.schema_version)
    return (found.fleet, found.shard, found.incarnation, found.schema_version) == same


REPLACED = "another server or an older copy of its data answers there now"
"""Why a connection whose marker does not prove it is not used."""
