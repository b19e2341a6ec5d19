"""Settings from environment variables: GRAPHGATE_GRPC__PORT is grpc.port.

Two underscores separate the parts of a path. Tables and lists are JSON (GRAPHGATE_SHARDS='[{...}]');
single values of a list are reached by number and win over the JSON (GRAPHGATE_SHARDS__0__PASSWORD). An
empty variable counts as not set. Every other variable with the prefix is an error, except those that are not
ours: what Kubernetes injects for a Service of that name.
"""

import difflib
import re
from collections.abc import Mapping

from gateway.settings.layer import Layer, Path, place_at
from gateway.settings.problem import Problem
from gateway.settings.tree import Settings

PREFIX = "GRAPHGATE_"
SETTINGS_FILE_VARIABLE = "GRAPHGATE_SETTINGS"
_OTHERS = (SETTINGS_FILE_VARIABLE,)
_OTHERS_PREFIX = "GRAPHGATE_TEST_"
"""For the tests' own use."""
_KUBERNETES = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$"
)
_KUBERNETES_VALUE = re.compile(r"(tcp|udp|sctp)://")


def environment_layer(environ: Mapping[str, str]) -> Layer:
    layer = Layer()
    # A list as a whole comes before its single values, which refine it.
    for name in sorted(environ, key=lambda variable: (variable.count("__"), variable)):
        if not name.startswith(PREFIX) or not environ[name] or _is_not_ours(name, environ[name]):
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        source = f"environment {name}"
        if place_at(path) is None and len(path) == 1:
            layer.problems.append(Problem(name, _advice(name)))
        else:
            layer.put_text(path, environ[name], source)
    return layer


def variable_of(path: Path) -> str:
    """The variable that sets this path."""
    return PREFIX + "__".join(path).upper()


def _is_not_ours(name: str, value: str) -> bool:
    return (
        name in _OTHERS
        or name.startswith(_OTHERS_PREFIX)
        or _KUBERNETES.search(name) is not None
        or (name.endswith("_PORT") and _KUBERNETES_VALUE.match(value) is not None)
    )


def _advice(name: str) -> str:
    section, _, rest = name.removeprefix(PREFIX).lower().partition("_")
    if rest and place_at((section, rest)) is not None:
        return f"there is no such variable; did you mean {variable_of((section, rest))} (two underscores)?"
    known = [variable_of((field,)) for field in Settings.model_fields]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}?" if near else "`graphgate config` lists the names"
    return f"there is no such variable; {hint}"
