"""An accepted episode as it waits in the queue: all that a worker needs, free of transport."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from drivers.graph_model import Attributes, AttributeScalar, AttributeValue, EpisodeSource, Timestamp
from gateway.ingest.types import CustomType, ExtractionTypes, FieldType, TypeField

_FORM = 1
"""Of the encoding; one that a worker does not know is not worked on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeJob:
    group_id: str
    op_id: str
    """The caller's request_id, or the gateway's; unique in the group."""
    content_hash: str
    episode_uuid: str
    name: str
    content: str
    source: EpisodeSource
    source_description: str
    reference_time: int
    """Microseconds since the epoch; fixed when the episode was accepted."""
    attributes: Attributes = field(default_factory=dict[str, AttributeValue])
    types: ExtractionTypes = field(default_factory=ExtractionTypes)
    reflexion_passes: int = 0
    previous_uuids: tuple[str, ...] = ()
    """Empty: the last of the saga, or of the source."""
    saga_uuid: str = ""
    saga_name: str = ""
    """Not empty: the saga is made if there is none under saga_uuid, which follows from this name."""
    previous_in_saga: str = ""
    """Empty: the saga's newest episode."""

    def encode(self) -> str:
        return orjson.dumps(
            {
                "form": _FORM,
                "group_id": self.group_id,
                "op_id": self.op_id,
                "content_hash": self.content_hash,
                "episode_uuid": self.episode_uuid,
                "name": self.name,
                "content": self.content,
                "source": str(self.source),
                "source_description": self.source_description,
                "reference_time": self.reference_time,
                "attributes": {name: _plain(value) for name, value in self.attributes.items()},
                "types": _plain_types(self.types),
                "reflexion_passes": self.reflexion_passes,
                "previous_uuids": self.previous_uuids,
                "saga_uuid": self.saga_uuid,
                "saga_name": self.saga_name,
                "previous_in_saga": self.previous_in_saga,
            }
        ).decode()

    @staticmethod
    def decode(text: str) -> "EpisodeJob":
        """Raises ValueError."""
        try:
            told: dict[str, Any] = orjson.loads(text)
            form = told.pop("form")
            if form != _FORM:
                raise ValueError(f"an episode of form {form}, this gateway knows {_FORM}")
            told["source"] = EpisodeSource(told["source"])
            told["attributes"] = {name: _value(value) for name, value in told["attributes"].items()}
            told["types"] = _types(told["types"])
            told["previous_uuids"] = tuple(told["previous_uuids"])
            return EpisodeJob(**told)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"an unreadable episode: {type(error).__name__}") from error


def _plain(value: AttributeValue) -> Any:
    """JSON tells 1 from 1.0, but neither times nor lists of them from numbers."""
    if isinstance(value, tuple):
        return {"list": [_plain(one) for one in value]}
    return {"us": value.epoch_us} if isinstance(value, Timestamp) else value


def _value(told: Any) -> AttributeValue:
    if not isinstance(told, dict):
        scalar: AttributeScalar = told
        return scalar
    if "us" in told:
        return Timestamp(told["us"])
    values: list[Any] = told["list"]
    return tuple(_scalar(one) for one in values)


def _scalar(told: Any) -> AttributeScalar:
    return Timestamp(told["us"]) if isinstance(told, dict) else told


def _plain_types(types: ExtractionTypes) -> dict[str, Any]:
    return {
        "entities": [_plain_type(one) for one in types.entities],
        "facts": [_plain_type(one) for one in types.facts],
        "excluded": sorted(types.excluded_entities),
        "map": [[*pair, *names] for pair, names in types.type_map.items()],
        "instructions": types.instructions,
    }


def _plain_type(one: CustomType) -> list[Any]:
    return [one.name, one.description, [[f.name, str(f.type), f.description] for f in one.fields]]


def _types(told: Mapping[str, Any]) -> ExtractionTypes:
    return ExtractionTypes(
        entities=tuple(_type(one) for one in told["entities"]),
        facts=tuple(_type(one) for one in told["facts"]),
        excluded_entities=frozenset(told["excluded"]),
        type_map={(source, target): tuple(names) for source, target, *names in told["map"]},
        instructions=told["instructions"],
    )


def _type(told: Any) -> CustomType:
    name, description, fields = told
    return CustomType(
        name, description, tuple(TypeField(field, FieldType(kind), text) for field, kind, text in fields)
    )
