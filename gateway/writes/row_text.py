"""The text of a row: what is embedded, and what keyword search looks at."""

from drivers.graph_model import AnyTextRow, Community, Entity, Episode, Fact


def embedded_text(row: AnyTextRow) -> str:
    """The text that the row's vector stands for."""
    match row:
        case Fact():
            return row.fact
        case Episode():
            return _joined(row.name, row.content)
        case Entity() | Community():
            return _joined(row.name, row.summary)


def indexed_text(row: AnyTextRow) -> str:
    """The text whose terms keyword search finds."""
    match row:
        case Fact():
            return _joined(row.name, row.fact)
        case _:
            return embedded_text(row)


def _joined(head: str, body: str) -> str:
    return f"{head}\n{body}" if head and body else head or body
