"""Writes the error table into the README, between its two marker comments."""

from pathlib import Path

from drivers.errors import GraphgateError
from gateway.errors import TABLE, ErrorEntry

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- errors:begin -->", "<!-- errors:end -->"


def table() -> str:
    """One row per domain error: by status code, then by reason."""
    rows = sorted(TABLE.items(), key=lambda item: (item[1].code.name, item[0].reason))
    return "\n".join(
        (
            "| code | reason | retryable | what to do | domain error |",
            "|---|---|---|---|---|",
            *(_row(error, entry) for error, entry in rows),
        )
    )


def _row(error: type[GraphgateError], entry: ErrorEntry) -> str:
    retryable = "yes" if error.retryable else "no"
    return f"| {entry.code.name} | {error.reason} | {retryable} | {entry.action} | `{error.__name__}` |"


def updated(readme: str) -> str:
    """The README with the table of today. Raises ValueError where a marker is missing."""
    before, found_begin, rest = readme.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not found_begin or not found_end:
        raise ValueError(f"the README lacks {BEGIN} or {END}; put both where the error table belongs")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
