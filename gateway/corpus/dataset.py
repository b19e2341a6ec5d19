"""Passages with their entities and triples, and questions with their gold passages."""

import json
import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.corpus.published import published_records

DATA_FILE = Path(__file__).parent / "data" / "musique100.jsonl.xz"


@dataclass(frozen=True, slots=True)
class Triple:
    subject: str
    predicate: str
    object: str


@dataclass(frozen=True, slots=True)
class Passage:
    title: str
    """Not unique: 85 of the 1,890 passages share theirs with an earlier one."""
    text: str
    entities: tuple[str, ...]
    triples: tuple[Triple, ...]
    malformed_triples: int
    """Extracted triples that do not have three parts, left out of `triples`."""


@dataclass(frozen=True, slots=True)
class Question:
    question: str
    answer: str
    gold: tuple[int, ...]
    """Indexes of the passages that are needed for the answer, ascending."""


@dataclass(frozen=True, slots=True)
class Dataset:
    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]

    @property
    def malformed_triples(self) -> int:
        return sum(passage.malformed_triples for passage in self.passages)

    def first(self, passages: int) -> "Dataset":
        """The first passages, with the questions whose gold passages are all among them."""
        if passages >= len(self.passages):
            return self
        return Dataset(
            self.passages[:passages],
            tuple(question for question in self.questions if max(question.gold) < passages),
        )


def load_dataset(source: Path = DATA_FILE) -> Dataset:
    """Reads a folder as it was published, or the file that gateway/corpus/pack.py makes of it.

    Raises DataUnusable, only for a folder.
    """
    if source.is_dir():
        return _dataset(published_records(source))
    with lzma.open(source, "rt", encoding="utf-8") as lines:
        return _dataset(json.loads(line) for line in lines)


def _dataset(records: Iterable[dict[str, Any]]) -> Dataset:
    passages: list[Passage] = []
    questions: list[Question] = []
    for record in records:
        if "question" in record:
            questions.append(Question(record["question"], record["answer"], tuple(sorted(record["gold"]))))
        else:
            passages.append(_passage(record))
    return Dataset(tuple(passages), tuple(questions))


def _passage(record: dict[str, Any]) -> Passage:
    given: list[list[str]] = record["triples"]
    triples = tuple(Triple(*parts) for parts in given if len(parts) == 3 and all(map(str.strip, parts)))
    return Passage(
        title=record["title"],
        text=record["text"],
        entities=tuple(record["entities"]),
        triples=triples,
        malformed_triples=len(given) - len(triples),
    )
