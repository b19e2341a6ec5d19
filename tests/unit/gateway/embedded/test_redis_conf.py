"""Quoting in redis.conf."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.embedded.redis_process import quoted


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_stays_one_argument(text: str):
    """Whatever a password or a path holds, it can neither end its argument nor start a new line, and Redis's
    own rules (backslash x and two hex digits stand for a byte) give the text back."""
    line = quoted(text)
    assert line.isascii()
    assert line.isprintable()
    assert line[0] == line[-1] == '"'
    assert '"' not in line[1:-1]
    assert line[1:-1].encode().decode("unicode_escape").encode("latin-1").decode() == text
