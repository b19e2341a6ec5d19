"""Fences and the shard's marker."""

from drivers.fence_codec import MARKER_COLUMNS
from drivers.neo4j.queries import FENCE, FENCE_OR_NULL, PREFIX, fence_of, fences_of_groups, values
from drivers.register_gate import RegisterGate

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

CHANGE_MARKER = f"""{PREFIX}
MATCH (m:_Marker {{key: $p.key}}) SET m += {{}}
WITH m WHERE m.root_version = $p.seen.root_version AND m.root_ring = $p.seen.root_ring
  AND coalesce(m.pending_version, 0) = $p.seen.pending_version
  AND coalesce(m.pending_ring, '[]') = $p.seen.pending_ring
  AND coalesce(m.removed, 0) = $p.seen.removed
SET m += $p.after
RETURN m.root_version"""
"""The comparison comes after the lock."""

CLOCK = f"""{PREFIX} WITH datetime.realtime() AS now
RETURN now.epochSeconds * 1000000 + now.microsecond"""

READ_GATE = f"""{PREFIX}
UNWIND $p.stripes AS stripe
MATCH (g:_Gate {{key: stripe}}) USING INDEX SEEK g:_Gate(key)
RETURN max(g.root), max(g.seal)"""

RAISE_GATE = f"""{PREFIX}
UNWIND $p.stripes AS stripe
MERGE (g:_Gate {{key: stripe}}) ON CREATE SET g.root = $p.root, g.seal = $p.seal
SET g += {{}}
WITH g
SET g.root = CASE WHEN g.root < $p.root THEN $p.root ELSE g.root END,
    g.seal = CASE WHEN g.seal < $p.seal THEN $p.seal ELSE g.seal END
RETURN count(g)"""

CREATE_FENCE = f"""{PREFIX}
MERGE (g:_Gate {{key: $p.stripe}})
ON CREATE SET g.root = {RegisterGate().root}, g.seal = {RegisterGate().seal}
SET g += {{}}
WITH g
WITH g.seal % 2 = 0 AND (size($p.roots) = 0 OR g.root IN $p.roots) AS lets
FOREACH (once IN CASE WHEN lets THEN [1] ELSE [] END |
  MERGE (f:_Fence {{group_id: $p.fence.group_id}}) ON CREATE SET f += $p.fence)
WITH lets
{fence_of("$p.fence.group_id")}
RETURN {FENCE_OR_NULL}"""
"""The lock on the gate is held until the commit: whoever raises it afterwards sees the fence. The gate has
stripes, so that creations do not stand in one queue."""

READ_FENCES = f"""{PREFIX}
{fences_of_groups("")}
RETURN fences"""

LOCKED_FENCES = f"""{PREFIX}
UNWIND $p.groups AS wanted
MATCH (f:_Fence {{group_id: wanted.group_id}}) USING INDEX SEEK f:_Fence(group_id)
SET f += {{}}
RETURN {FENCE}"""
"""`groups` sorted, so that two of these wait for each other in one direction only. Every commit up to their
versions is wholly visible to later reads; see queries_write.images_statement."""

LIST_FENCES = f"""{PREFIX}
MATCH (f:_Fence) USING INDEX SEEK f:_Fence(group_id)
WHERE f.group_id > $p.after AND f.state IN ['OPEN', 'FROZEN']
WITH f ORDER BY f.group_id LIMIT $p.limit
RETURN {FENCE}"""
"""The index gives the order, which for strings is that of code points."""

LIST_ALL_FENCES = f"""{PREFIX}
MATCH (f:_Fence) USING INDEX SEEK f:_Fence(group_id)
WHERE f.group_id > $p.after
WITH f ORDER BY f.group_id LIMIT $p.limit
RETURN {FENCE}"""
