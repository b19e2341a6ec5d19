"""Aligned text."""

from gateway.cli.columns import aligned


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Readable on a terminal, and no blanks at the ends of lines for who compares outputs."""
    assert (
        aligned([("A", "BB", "C"), ("long", "", "x"), ("", "b", "")]) == "A     BB  C\nlong      x\n      b"
    )
