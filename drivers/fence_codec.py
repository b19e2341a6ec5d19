"""Fences and markers as the property maps that both engines store.

Statistics are one integer property per kind, because the shard adds to them inside a write; the
embedding specs are one JSON text, because a write only ever compares and replaces it.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, cast

import orjson

from drivers.fence import EmbeddingSpec, Fence, FenceState, KindStats, RootMember, ShardMarker
from drivers.graph_model import KINDS, TEXT_KINDS, Kind

ROWS_PROPERTY: Mapping[Kind, str] = {kind: f"{kind.lower()}_rows" for kind in KINDS}
TERMS_PROPERTY: Mapping[Kind, str] = {kind: f"{kind.lower()}_terms" for kind in TEXT_KINDS}
STATS_PROPERTIES: tuple[str, ...] = (*ROWS_PROPERTY.values(), *TERMS_PROPERTY.values())

_NO_STATS = dict.fromkeys(STATS_PROPERTIES, 0)
_NO_ROWS = KindStats()

FENCE_COLUMNS: tuple[str, ...] = (
    "group_id",
    "epoch",
    "state",
    "version",
    "space",
    "moved_to",
    "moved_space",
    "moved_epoch",
    "token",
    "move_id",
    "applied",
    "cursor",
    "last_created_at",
    "prune_floor",
    "embeddings",
    "created_at",
    *STATS_PROPERTIES,
)
"""Properties of a fence, in the order in which decode_fence takes their values."""

FENCES_CACHED_MAX = 2_048
"""Decoded fences, some 2 KB each, kept by their values: 15 us each are below 1 us then."""

MARKER_COLUMNS: tuple[str, ...] = (
    "fleet",
    "shard",
    "incarnation",
    "schema_version",
    "root_version",
    "root_ring",
    "pool_graphs",
    "beat",
    "pending_version",
    "pending_ring",
    "removed",
)


ROOT_COLUMNS: tuple[str, ...] = ("root_version", "root_ring", "pending_version", "pending_ring", "removed")
"""Properties of a marker that change while its fleet does."""


def encode_stats(stats: Mapping[Kind, KindStats]) -> dict[str, int]:
    """Every statistics property, zeros included."""
    properties = _NO_STATS.copy()
    for kind, of_kind in stats.items():
        properties[ROWS_PROPERTY[kind]] = of_kind.rows
        if kind in TERMS_PROPERTY:
            properties[TERMS_PROPERTY[kind]] = of_kind.terms
    return properties


def encode_embeddings(embeddings: Mapping[Kind, EmbeddingSpec]) -> str:
    """Canonical: equal specs give equal text."""
    return orjson.dumps(
        {
            str(kind): [spec.model, spec.dimension, spec.revision, spec.slot]
            for kind, spec in embeddings.items()
        },
        option=orjson.OPT_SORT_KEYS,
    ).decode()


def encode_embeddings_change(
    seen: Mapping[Kind, EmbeddingSpec], after: Mapping[Kind, EmbeddingSpec]
) -> tuple[str, str]:
    """Both texts; most writes leave the specs as they are."""
    text = encode_embeddings(seen)
    return text, text if after == seen else encode_embeddings(after)


@lru_cache(maxsize=256)
def decode_embeddings(text: str) -> Mapping[Kind, EmbeddingSpec]:
    """The groups of a fleet have few texts between them."""
    if not text:
        return MappingProxyType({})
    return MappingProxyType({Kind(kind): EmbeddingSpec(*parts) for kind, parts in orjson.loads(text).items()})


def encode_fence(fence: Fence) -> dict[str, str | int]:
    return {
        "group_id": fence.group_id,
        "epoch": fence.epoch,
        "state": str(fence.state),
        "version": fence.version,
        "space": fence.space,
        "moved_to": fence.moved_to,
        "moved_space": fence.moved_space,
        "moved_epoch": fence.moved_epoch,
        "token": fence.token,
        "move_id": fence.move_id,
        "applied": fence.applied,
        "cursor": fence.cursor,
        "last_created_at": fence.last_created_at,
        "prune_floor": fence.prune_floor,
        "embeddings": encode_embeddings(fence.embeddings),
        "created_at": fence.created_at,
        **encode_stats(fence.stats),
    }


def decode_fence(values: Sequence[Any]) -> Fence:
    return _fence(tuple(values))


@lru_cache(maxsize=FENCES_CACHED_MAX)
def _fence(values: tuple[Any, ...]) -> Fence:
    """A search over many groups reads the fences of each with every part: seven times 100 for 100 groups."""
    v = dict(zip(FENCE_COLUMNS, values, strict=True))
    stats: dict[Kind, KindStats] = {}
    for kind, rows_property in ROWS_PROPERTY.items():
        rows = v[rows_property]
        terms = v[TERMS_PROPERTY[kind]] if kind in TERMS_PROPERTY else 0
        stats[kind] = KindStats(rows, terms) if rows or terms else _NO_ROWS
    return Fence(
        group_id=v["group_id"],
        epoch=v["epoch"],
        state=FenceState(v["state"]),
        version=v["version"],
        space=v["space"],
        moved_to=v["moved_to"],
        moved_space=v["moved_space"],
        moved_epoch=v["moved_epoch"],
        token=v["token"],
        move_id=v["move_id"],
        # Fences from before moves have neither.
        applied=v["applied"] or 0,
        cursor=v["cursor"] or "",
        last_created_at=v["last_created_at"],
        prune_floor=v["prune_floor"],
        embeddings=decode_embeddings(v["embeddings"]),
        created_at=v["created_at"],
        stats=MappingProxyType(stats),
    )


def encode_members(members: Sequence[RootMember]) -> str:
    return orjson.dumps([[m.shard_id, m.weight] for m in members]).decode()


def decode_members(text: str | None) -> tuple[RootMember, ...]:
    members = cast("list[tuple[str, float]]", orjson.loads(text or "[]"))
    return tuple(RootMember(shard_id, weight) for shard_id, weight in members)


def encode_root(marker: ShardMarker) -> dict[str, str | int]:
    """ROOT_COLUMNS."""
    return {
        "root_version": marker.root_version,
        "root_ring": encode_members(marker.root_ring),
        "pending_version": marker.pending_version,
        "pending_ring": encode_members(marker.pending_ring),
        "removed": int(marker.removed),
    }


def encode_marker(marker: ShardMarker) -> dict[str, str | int]:
    return {
        "fleet": marker.fleet,
        "shard": marker.shard,
        "incarnation": marker.incarnation,
        "schema_version": marker.schema_version,
        "pool_graphs": marker.pool_graphs,
        "beat": marker.beat,
        **encode_root(marker),
    }


def decode_marker(values: Sequence[Any]) -> ShardMarker:
    v = dict(zip(MARKER_COLUMNS, values, strict=True))
    return ShardMarker(
        fleet=v["fleet"],
        shard=v["shard"],
        incarnation=v["incarnation"],
        schema_version=v["schema_version"],
        root_version=v["root_version"],
        root_ring=decode_members(v["root_ring"]),
        pool_graphs=v["pool_graphs"],
        beat=v["beat"],
        # Markers from before the root ring could change have none of these.
        pending_version=v["pending_version"] or 0,
        pending_ring=decode_members(v["pending_ring"]),
        removed=bool(v["removed"]),
    )
