"""Following the changes of a group, over breaks of the connection."""

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import grpc

from gateway.cli.group_report import kind_name
from gateway.cli.patience import PAUSE_S, Patience
from graphgate.v1 import graph_service_pb2 as pb
from graphgate.v1 import graph_service_pb2_grpc

_SHOWN: Final = {
    "entities": ("ENTITY", "name"),
    "facts": ("FACT", "fact"),
    "episodes": ("EPISODE", "name"),
    "mentions": ("MENTION", "entity_uuid"),
    "communities": ("COMMUNITY", "name"),
    "memberships": ("MEMBERSHIP", "entity_uuid"),
    "sagas": ("SAGA", "name"),
    "saga_places": ("SAGA_EPISODE", "episode_uuid"),
    "episode_links": ("NEXT_EPISODE", "next_episode_uuid"),
}
"""By field of the answer: the kind of its rows, and what says most of one."""


def follow_group(channel: grpc.Channel, group: str, after: int, *, until_now: bool, as_json: bool) -> None:
    """Prints until it is interrupted. Raises grpc.RpcError when the gateway refuses or stays away."""
    stub = graph_service_pb2_grpc.GraphServiceStub(channel)
    position, patience = after, Patience()
    while True:
        try:
            for answer in stub.Watch(pb.WatchRequest(group_id=group, after_version=position)):
                position = answer.position
                patience.answered()
                _print(answer, as_json=as_json)
                if until_now and position >= answer.group_version:
                    return
        except KeyboardInterrupt:
            return
        except grpc.RpcError as error:
            patience.bear(error)
        time.sleep(PAUSE_S)


def changes_of(answer: pb.WatchResponse) -> Iterator[dict[str, Any]]:
    """In ascending version."""
    found = [
        {
            "version": row.version,
            "change": "written",
            "kind": kind,
            "uuid": row.uuid,
            "text": getattr(row, text),
        }
        for field, (kind, text) in _SHOWN.items()
        for row in getattr(answer, field)
    ]
    found += [
        {
            "version": row.version,
            "change": "deleted",
            "kind": kind_name(row.kind),
            "uuid": row.uuid,
            "text": "",
        }
        for row in answer.deleted
    ]
    yield from sorted(found, key=lambda change: change["version"])


def _print(answer: pb.WatchResponse, *, as_json: bool) -> None:
    changes = list(changes_of(answer))
    if as_json:
        whole = {"position": answer.position, "group_version": answer.group_version, "changes": changes}
        print(json.dumps(whole), flush=True)
        return
    for change in changes:
        sign = "-" if change["change"] == "deleted" else "+"
        text = str(change["text"]).replace("\n", " ")[:80]
        print(
            f"{change['version']:>8}  {sign}{change['kind']:<12}  {change['uuid']}  {text}".rstrip(),
            flush=True,
        )
