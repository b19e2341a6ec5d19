"""MuSiQue-100 as the HippoRAG repository publishes it: corpus.json, openie.json and questions.json."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class DataUnusable(Exception):
    """The folder does not hold what was published."""

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(
            f"cannot read the data in {folder}: {what}; give the folder with corpus.json, openie.json and "
            "questions.json of the HippoRAG repository"
        )


def published_records(folder: Path) -> Iterator[dict[str, Any]]:
    """Passages in the order of corpus.json, then questions. Raises DataUnusable."""
    try:
        yield from _records(folder)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataUnusable(folder, str(error)) from error
    except (KeyError, TypeError, IndexError) as error:
        raise DataUnusable(folder, f"a field is not there or of another type ({error!r})") from error


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    corpus: list[dict[str, str]] = _read(folder / "corpus.json")
    extracted: list[dict[str, Any]] = _read(folder / "openie.json")["docs"]
    if len(corpus) != len(extracted):
        raise DataUnusable(folder, f"{len(corpus)} passages, but {len(extracted)} documents in openie.json")
    index_of: dict[tuple[str, str], int] = {}
    for index, (passage, extraction) in enumerate(zip(corpus, extracted, strict=True)):
        key = (passage["title"], passage["text"])
        if key != (extraction["title"], extraction["text"]) or key in index_of:
            raise DataUnusable(
                folder, f"passage {index} ({key[0]!r}) is there twice or not the same in openie.json"
            )
        index_of[key] = index
        yield {
            "title": passage["title"],
            "text": passage["text"],
            "entities": extraction["extracted_entities"],
            "triples": extraction["extracted_triples"],
        }
    questions: list[dict[str, Any]] = _read(folder / "questions.json")
    for question in questions:
        gold = [p for p in question["paragraphs"] if p["is_supporting"]]
        yield {
            "question": question["question"],
            "answer": question["answer"],
            # Titles repeat, so that only title and text together name a passage.
            "gold": sorted(index_of[p["title"], p["paragraph_text"]] for p in gold),
        }


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
