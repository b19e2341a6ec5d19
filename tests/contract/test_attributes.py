"""Attributes keep their types and values."""

import struct

import pytest

from drivers.graph_model import INT64_MAX, INT64_MIN, AttributeValue, Entity, Episode, Fact, Kind, Timestamp
from tests.contract.rows import canonical, entity, episode, fact, without_stamps
from tests.contract.tenant import Tenant

VALUES: dict[str, AttributeValue] = {
    "string": "text",
    "empty string": "",
    "number-like string": "1",
    "zero": 0,
    "one": 1,
    "int64 max": INT64_MAX,
    "int64 min": INT64_MIN,
    "beyond double": 2**53 + 1,
    "negative beyond double": -(2**53) - 1,
    "double one": 1.0,
    "double third": 1 / 3,
    "double max": 1.7976931348623157e308,
    "double min": -1.7976931348623157e308,
    "double least": 5e-324,
    "double epsilon": 1.0000000000000002,
    "true": True,
    "false": False,
    "epoch": Timestamp(0),
    "before 1970": Timestamp(-1),
    "latest": Timestamp(INT64_MAX),
    "earliest": Timestamp(INT64_MIN),
    "strings": ("b", "a", "b", ""),
    "ints": (INT64_MAX, INT64_MIN, 0),
    "doubles": (1.0, -2.5, 1e300),
    "bools": (True, False, True),
    "timestamps": (Timestamp(5), Timestamp(-5)),
    "empty list": (),
    "one in a list": ("a",),
}


async def test_every_type_and_extreme_comes_back_exactly(tenant: Tenant) -> None:
    """All attribute types, alone and in lists, with the ends of their ranges, on entities, episodes and
    facts: 1, 1.0, True and "1" stay four different values."""
    who = entity("a", attributes=VALUES)
    claim = fact(who.uuid, who.uuid, attributes=VALUES)
    told = episode("x", attributes=VALUES)
    await tenant.write(who, claim, told)
    for kind, row in ((Kind.ENTITY, who), (Kind.FACT, claim), (Kind.EPISODE, told)):
        found = await tenant.one(kind, row.uuid)
        assert isinstance(found, Entity | Episode | Fact)
        assert set(found.attributes) == set(VALUES)
        for name, value in VALUES.items():
            assert canonical(entity(at="x", attributes={name: found.attributes[name]})) == canonical(
                entity(at="x", attributes={name: value})
            ), name


@pytest.mark.parametrize("value", [-0.0, 0.0])
async def test_the_sign_of_zero_is_kept(tenant: Tenant, value: float) -> None:
    """A double is kept bit for bit, so that the digests of a moved group agree."""
    who = entity("a", attributes={"zero": value})
    await tenant.write(who)
    found = await tenant.one(Kind.ENTITY, who.uuid)
    assert isinstance(found, Entity)
    zero = found.attributes["zero"]
    assert isinstance(zero, float)
    assert struct.pack(">d", zero) == struct.pack(">d", value)


async def test_many_attributes_with_any_names(tenant: Tenant) -> None:
    """Names are data: operators, blanks, property names of the store and scripts are all just names."""
    names = [
        "",
        " ",
        "pk",
        "group_id",
        "uuid",
        "version",
        "vector",
        "a.b",
        "a`b",
        "'",
        '"',
        "\\",
        "$x",
        "名前",
    ]
    given: dict[str, AttributeValue] = {name: f"value of {name!r}" for name in names}
    given |= {f"n{n}": n for n in range(200)}
    who = entity("a", attributes=given)
    await tenant.write(who)
    found = await tenant.one(Kind.ENTITY, who.uuid)
    assert isinstance(found, Entity)
    assert found.attributes == given


async def test_attributes_are_replaced_as_a_whole(tenant: Tenant) -> None:
    """An UPSERT leaves none of the attributes that it does not name."""
    who = entity("a", attributes={"old": 1, "kept": 2})
    await tenant.write(who)
    changed = entity("a", at=who.uuid, attributes={"kept": 3, "new": "x"})
    await tenant.write(changed)
    found = await tenant.one(Kind.ENTITY, who.uuid)
    assert isinstance(found, Entity)
    assert found.attributes == {"kept": 3, "new": "x"}
    await tenant.write(entity("a", at=who.uuid))
    assert without_stamps(await tenant.one(Kind.ENTITY, who.uuid)) == without_stamps(
        entity("a", at=who.uuid, terms="a", term_count=1)
    )
