"""Fences and the shard's marker."""

from drivers.fence_codec import MARKER_COLUMNS
from drivers.neo4j.queries import FENCE, PREFIX, fences_of_groups, values

_MARKER = values("m", MARKER_COLUMNS)

PING = f"{PREFIX} RETURN 1"

READ_MARKER = f"{PREFIX} MATCH (m:_Marker {{key: $p.key}}) RETURN {_MARKER}"
"""No hint: it is read before the shard has a schema, and there is one marker."""

CREATE_MARKER = f"""{PREFIX}
MERGE (m:_Marker {{key: $p.key}}) ON CREATE SET m += $p.marker
RETURN {_MARKER}"""

ADVANCE_BEAT = f"""{PREFIX}
MATCH (m:_Marker {{key: $p.key}}) SET m += {{}}
WITH m SET m.beat = CASE WHEN m.beat = $p.seen THEN $p.beat ELSE m.beat END
RETURN m.beat"""
"""The comparison comes after the lock."""

CREATE_FENCE = f"""{PREFIX}
MERGE (f:_Fence {{group_id: $p.fence.group_id}}) ON CREATE SET f += $p.fence
RETURN {FENCE}"""

READ_FENCES = f"""{PREFIX}
{fences_of_groups("")}
RETURN fences"""

LIST_FENCES = f"""{PREFIX}
MATCH (f:_Fence) USING INDEX SEEK f:_Fence(group_id)
WHERE f.group_id > $p.after AND f.state IN ['OPEN', 'FROZEN']
WITH f ORDER BY f.group_id LIMIT $p.limit
RETURN {FENCE}"""
"""The index gives the order, which for strings is that of code points."""
