"""The address of a Neo4j shard and what may be in it."""

import pytest

from drivers.neo4j import Neo4jSettings


@pytest.mark.parametrize(
    ("url", "plain", "tls"),
    [
        ("bolt://db:7000", "bolt://db:7000", False),
        ("bolt://db", "bolt://db:7687", False),
        ("bolt+s://db.example:7687", "bolt://db.example:7687", True),
        ("bolt://[::1]:7001", "bolt://[::1]:7001", False),
    ],
)
def test_an_address_names_host_port_and_tls(url: str, plain: str, tls: bool) -> None:
    """TLS is told by the scheme, and handed to the client library beside a scheme without it."""
    address = Neo4jSettings(url).address()
    assert (address.plain_url, address.tls) == (plain, tls)


@pytest.mark.parametrize("url", ["neo4j://db:7687", "http://db", "bolt://", "db:7687", "bolt://me:pw@db"])
def test_another_address_is_refused(url: str) -> None:
    """A routing scheme, another protocol or credentials in the address are errors at once."""
    with pytest.raises(ValueError, match=r"url|address"):
        Neo4jSettings(url)


def test_the_password_is_not_shown() -> None:
    """Settings may be logged."""
    assert "hunter2" not in repr(Neo4jSettings("bolt://db", "me", "hunter2"))
