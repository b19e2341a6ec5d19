"""Commands that come from outside the gateway, by the entry points of the installed distributions."""

import importlib.metadata
from collections.abc import Callable, Iterator

ENTRY_POINT_GROUP = "graphgate.commands"
"""An entry point of this group names a function with typer's annotations, e.g. `crash`."""


def further_commands() -> Iterator[Callable[..., None]]:
    """Those whose module is there: a development tool is registered by the same distribution that is
    installed without its tests. What fails in a module that is there is raised."""
    for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name):
        try:
            yield entry.load()
        except ModuleNotFoundError as error:
            if error.name is None or not f"{entry.module}.".startswith(f"{error.name}."):
                raise
