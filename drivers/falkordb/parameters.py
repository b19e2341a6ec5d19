"""Parameters of a query as the text that FalkorDB parses: `CYPHER name=value name=value `.

Values may be anything that rows hold; names and map keys are constants of this package, because the
engine escapes neither. Measured on 4.22:

- A string in double quotes needs a backslash before `"` and before `\\`, and nothing else: every code
  point but NUL comes back as itself, line ends and controls included. NUL ends the query text early
  and a lone surrogate has no UTF-8, so `statement` refuses both (the gateway validates what it is given).
- Every int64 has a literal in a parameter, -2**63 included (which has none in a query text); a larger
  one saturates silently, so it is refused.
- A vector's text is the shortest decimal of each float32 (orjson). vecf32 gives the same bits back, for
  denormals, -0.0 and exponents too. 384 numbers take 12 us, a third of "%.9g", and are shorter to parse.
- The plan cache is keyed by the text after this header.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import orjson

from drivers.graph_model import INT64_MAX, INT64_MIN, Vector

type Parameter = (
    str | int | float | bool | Vector | Verbatim | Sequence[Parameter] | Mapping[str, Parameter] | None
)


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text that `literal` or a function made of it has made already."""

    text: str


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def vector_text(vector: Vector) -> str:
    """A list of numbers, the shortest that read back as the same float32."""
    text = orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY)
    assert b"n" not in text, "a vector must be finite"
    return text.decode()


def strings_text(values: Sequence[str]) -> str:
    return "[" + ",".join([quoted(value) for value in values]) + "]"


def map_text(properties: Mapping[str, Parameter]) -> str:
    """A map; its keys go into the text as they are."""
    return "{" + ",".join([f"{key}:{literal(value)}" for key, value in properties.items()]) + "}"


def literal(value: Parameter) -> str:
    """The text of one value. AssertionError for what has no literal."""
    # Rows consist of these three: told by their exact type they cost a fifth of what a match takes.
    exact = type(value)
    if exact is str:
        return quoted(cast("str", value))
    if exact is list:
        return (
            "[" + ",".join([literal(item) for item in cast("list[Parameter]", value)]) + "]"
            if value
            else "[]"
        )
    if exact is int:
        return _int_text(cast("int", value))
    match value:
        case str():
            return quoted(value)
        case bool():
            return "true" if value else "false"
        case int():
            return _int_text(value)
        case None:
            return "null"
        case Verbatim():
            return value.text
        case float():
            assert value - value == 0.0, f"{value} is not finite"
            return repr(float(value))
        case np.ndarray():
            return vector_text(value)
        case Mapping():
            return map_text(value)
        case _:
            return "[" + ",".join([literal(item) for item in value]) + "]"


def _int_text(value: int) -> str:
    assert INT64_MIN <= value <= INT64_MAX, f"{value} is no int64"
    return str(int(value))


def statement(text: str, parameters: Mapping[str, Parameter]) -> bytes:
    """The query with its parameters, ready to send. AssertionError for NUL and lone surrogates."""
    values = " ".join([f"{name}={literal(value)}" for name, value in parameters.items()])
    whole = f"CYPHER {values} {text}" if values else text
    assert "\0" not in whole, "a parameter holds NUL"
    try:
        return whole.encode()
    except UnicodeEncodeError:
        raise AssertionError("a parameter holds a lone surrogate") from None
