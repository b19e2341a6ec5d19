"""Messages of any type from their descriptors: values that a service knows, mixed with hostile ones.

Identifiers never hold what `leaks` looks for, for errors repeat them; free texts may, for nothing does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

DEPTH_MAX = 4
_MANY = 2_001
"""Past most limits on numbers of items."""

_F = FieldDescriptor
_INTEGERS = {
    _F.TYPE_INT32: (-(2**31), 2**31 - 1),
    _F.TYPE_INT64: (-(2**63), 2**63 - 1),
}

IDENTIFIERS = st.sampled_from(
    (
        "",
        " ",
        "\0",
        "\x1f",
        "a b",
        "..",
        "%",
        "é",
        "日本",
        "\U0001f642" * 200,
        "x" * 5_000,
        "0" * 36,
        "-",
        "\u202e",
    )
)
FREE_TEXTS = st.one_of(
    st.sampled_from(
        (
            "",
            " \t\n",
            "\0",
            "\x01\x1f\x7f\x85\u2028",
            "\ufeff\ufffe\U0010ffff",
            "a'b\"c\\d`e$f{g}",
            "') MATCH (n) DETACH DELETE n //",
            "Traceback ValueError: /etc/passwd",
            "@group_key:{*} | -(%~",
            "e\u0301" * 300,
            "\U0001f642" * 1_000,
            "x" * 1_025,
            "word " * 14_000,
        )
    ),
    st.text(max_size=12),
)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """By name of a field: values that the service knows."""

    texts: Mapping[str, Sequence[str]]
    dimension: int
    """Of vectors that fit."""

    def of(self, field: str) -> Sequence[str]:
        """A field of uuids has the uuids, whatever its own name."""
        if field in self.texts:
            return self.texts[field]
        return self.texts["uuid"] if field.endswith(("uuid", "uuids")) else ()


@cache
def messages(descriptor: Descriptor, known: Known, depth: int = 0) -> st.SearchStrategy[Message]:
    """Any message of the type; fields are left out as often as not."""
    kind = GetMessageClass(descriptor)
    fields = [field for field in descriptor.fields if depth < DEPTH_MAX or field.message_type is None]

    @st.composite
    def build(draw: st.DrawFn) -> Message:
        message = kind()
        for field in fields:
            # The group is what decides whether anything else is looked at.
            if field.name in ("group_id", "group_ids") or draw(st.booleans()):
                _fill(draw, message, field, known, depth)
        return message

    return build()


def _fill(draw: st.DrawFn, message: Message, field: FieldDescriptor, known: Known, depth: int) -> None:
    target = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        entry = field.message_type.fields_by_name
        for key in draw(st.lists(st.one_of(IDENTIFIERS, st.text(max_size=5)), max_size=3)):
            if entry["value"].message_type is None:
                target[key] = draw(_scalar(entry["value"], known))
            else:
                target[key].CopyFrom(draw(messages(entry["value"].message_type, known, depth + 1)))
    elif field.is_repeated:
        if field.type == _F.TYPE_FLOAT:
            target.extend(draw(_vectors(known.dimension)))
            return
        items = st.lists(_item(field, known, depth), max_size=3)
        some = draw(items)
        if some and sum(map(_size, some)) < _MANY and draw(st.integers(0, 99)) == 0:
            some *= _MANY
        target.extend(some)
    elif field.message_type is not None:
        target.CopyFrom(draw(messages(field.message_type, known, depth + 1)))
        target.SetInParent()
    else:
        setattr(message, field.name, draw(_scalar(field, known)))


def _size(item: object) -> int:
    return item.ByteSize() if isinstance(item, Message) else len(str(item))


@cache
def _item(field: FieldDescriptor, known: Known, depth: int) -> st.SearchStrategy[object]:
    if field.message_type is not None:
        return messages(field.message_type, known, depth + 1)
    return _scalar(field, known)


@cache
def _scalar(field: FieldDescriptor, known: Known) -> st.SearchStrategy[object]:
    if field.type == _F.TYPE_STRING:
        fitting = known.of(field.name)
        if not fitting:
            return FREE_TEXTS
        return st.one_of(st.sampled_from(fitting), st.sampled_from(fitting), IDENTIFIERS)
    if field.type == _F.TYPE_BOOL:
        return st.booleans()
    if field.type == _F.TYPE_ENUM:
        assert field.enum_type is not None
        numbers = [value.number for value in field.enum_type.values]
        return st.sampled_from([*numbers, *numbers, -1, 99, 2**31 - 1])
    if field.type == _F.TYPE_DOUBLE:
        return st.one_of(st.floats(), st.sampled_from((0.5, 1.0)))
    least, most = _INTEGERS[field.type]
    return st.sampled_from((0, 1, 2, 7, -1, least, most, 1_700_000_000 % most))


@cache
def _vectors(dimension: int) -> st.SearchStrategy[list[float]]:
    fitting = [1.0] + [0.0] * (dimension - 1)
    nan, infinite = float("nan"), float("inf")
    return st.sampled_from(
        (
            [],
            fitting,
            fitting,
            [0.0] * dimension,
            [nan] * dimension,
            [infinite, -infinite],
            [3.4e38] * dimension,
            [1e-45] * dimension,
            [1.0],
            [1.0] * 4_097,
        )
    )
