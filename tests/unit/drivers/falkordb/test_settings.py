"""Where a shard is."""

import pytest

from drivers.falkordb.settings import Address, FalkorDBSettings


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://127.0.0.1:7001", Address("127.0.0.1", 7001)),
        ("redis://127.0.0.1:7001/0", Address("127.0.0.1", 7001)),
        ("redis://shard-1.svc", Address("shard-1.svc", 6379)),
        ("redis://[::1]:7001", Address("::1", 7001)),
        ("rediss://shard-1:7001", Address("shard-1", 7001, tls=True)),
        ("unix:///run/falkordb/a%20b.sock", Address(path="/run/falkordb/a b.sock")),
    ],
)
def test_an_url_is_an_address(url: str, address: Address) -> None:
    """Host and port, with TLS or without, or a socket."""
    assert FalkorDBSettings(url).address() == address


@pytest.mark.parametrize("url", ["", "127.0.0.1:7001", "bolt://a:1", "redis://", "redis://:7001"])
def test_an_url_of_another_form_is_refused_at_once(url: str) -> None:
    """Not when the first query is sent."""
    with pytest.raises(ValueError, match="no address of a FalkorDB shard"):
        FalkorDBSettings(url)


def test_credentials_are_never_shown() -> None:
    """They are no part of the url, and the password no part of the text of the settings."""
    with pytest.raises(ValueError, match="credentials") as refused:
        FalkorDBSettings("redis://user:secret@host:1")
    assert "secret" not in str(refused.value)
    assert "secret" not in repr(FalkorDBSettings("redis://host:1", user="user", password="secret"))


def test_tls_is_used_where_the_url_says_so() -> None:
    """rediss:// verifies the server's name and certificate unless that is switched off."""
    assert FalkorDBSettings("redis://host:1").tls_context() is None
    verified = FalkorDBSettings("rediss://host:1").tls_context()
    assert verified is not None
    assert verified.check_hostname
    unverified = FalkorDBSettings("rediss://host:1", tls_verify=False).tls_context()
    assert unverified is not None
    assert not unverified.check_hostname
