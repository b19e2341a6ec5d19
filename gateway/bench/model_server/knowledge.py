"""What the server knows: recorded extractions by their texts, and an answer of its own for any other text."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from gateway.corpus.dataset import Dataset, Passage
from gateway.corpus.graph_rows import fact_name
from gateway.llm.text_care import Compression, compress

ANCHOR_CHARS = 48
ANCHOR_WINDOW_CHARS = 400
"""In which the anchor is looked for, blanks included."""
OWN_ENTITIES_MAX = 20
_NAME = re.compile(r"\b[A-Z][\w'-]*(?:\s+(?:of\s+|the\s+)?[A-Z][\w'-]*)*")
_BEGINNING = re.compile(r'[\n>\]:"]\s*')
_SENTENCE = re.compile(r"[^.!?\n]+")


@dataclass(frozen=True, slots=True)
class KnownEntity:
    name: str
    type: str = ""
    summary: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class KnownFact:
    source: str
    """Name of an entity of the same extraction."""
    target: str
    name: str
    text: str
    valid_at: str | None = None
    """ISO 8601."""
    invalid_at: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    repeats: tuple[str, ...] = ()
    """Texts of facts that the judge of facts is to name, if they are candidates."""
    supersedes: tuple[str, ...] = ()
    corrects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownText:
    """One episode's extraction."""

    entities: tuple[KnownEntity, ...]
    facts: tuple[KnownFact, ...] = ()


class Knowledge:
    """Looks texts up as they are but for blanks; one that is known is found inside a longer text too."""

    def __init__(self) -> None:
        self._texts: dict[str, KnownText] = {}
        self._anchors: dict[str, list[str]] = {}
        self._facts: dict[str, KnownFact] = {}
        self._same: dict[str, str] = {}

    def learn(self, text: str, extraction: KnownText) -> None:
        """The last one counts."""
        key = _plain(text)
        self._texts[key] = extraction
        self._anchors.setdefault(key[:ANCHOR_CHARS], []).append(key)
        for fact in extraction.facts:
            self._facts[fact.text] = fact

    def learn_same(self, *names: str) -> None:
        """Names of one thing, for whoever asks which entities are the same."""
        for name in names:
            self._same[_key(name)] = _key(names[0])

    def learn_passages(self, dataset: Dataset) -> None:
        """The recorded extractions, under the passage and under "title newline passage"."""
        for passage in dataset.passages:
            known = of_passage(passage)
            self.learn(passage.text, known)
            self.learn(f"{passage.title}\n{passage.text}", known)

    def of(self, text: str) -> KnownText:
        """What is known of the text or of what it contains; else names in it and neighbours in a sentence."""
        exact = self._texts.get(_plain(text))
        if exact is not None:
            return exact
        # A passage is known with its title and without: once is enough.
        within = list({id(known): known for known in self._within(text)}.values())
        if within:
            entities = {one.name: one for known in within for one in known.entities}
            return KnownText(
                tuple(entities.values()), tuple(fact for known in within for fact in known.facts)
            )
        return own_reading(text)

    def fact(self, text: str) -> KnownFact | None:
        return self._facts.get(text)

    def same(self, one: str, other: str) -> bool:
        """Whether two names are of one thing."""
        return self._root(one) == self._root(other)

    def _root(self, name: str) -> str:
        key = _key(name)
        return self._same.get(key, key)

    def _within(self, text: str) -> Iterable[KnownText]:
        """Known texts that begin where a line, a tag or a quotation does."""
        for start in (0, *(match.end() for match in _BEGINNING.finditer(text))):
            keys = self._anchors.get(_plain(text[start : start + ANCHOR_WINDOW_CHARS])[:ANCHOR_CHARS])
            if keys:
                rest = _plain(text[start:])
                yield from (self._texts[key] for key in keys if rest.startswith(key))


def of_passage(passage: Passage) -> KnownText:
    """Entities that only triples name are entities too."""
    names = dict.fromkeys(
        (*passage.entities, *(end for one in passage.triples for end in (one.subject, one.object)))
    )
    return KnownText(
        tuple(KnownEntity(name) for name in names),
        tuple(
            KnownFact(
                one.subject,
                one.object,
                fact_name(one.predicate),
                " ".join(f"{one.subject} {one.predicate} {one.object}".split()),
            )
            for one in passage.triples
        ),
    )


def own_reading(text: str) -> KnownText:
    """Capitalised names are entities; neighbours in a sentence are joined by what stands between them."""
    names: dict[str, None] = {}
    facts: list[KnownFact] = []
    for sentence in _SENTENCE.findall(text):
        found = list(_NAME.finditer(sentence))
        for one, other in pairwise(found):
            between = sentence[one.end() : other.start()].strip()
            if between and one[0] != other[0]:
                facts.append(KnownFact(one[0], other[0], fact_name(between), sentence.strip()))
        names |= dict.fromkeys(match[0] for match in found)
        if len(names) >= OWN_ENTITIES_MAX:
            break
    kept = list(names)[:OWN_ENTITIES_MAX]
    return KnownText(
        tuple(KnownEntity(name) for name in kept),
        tuple(fact for fact in facts if fact.source in kept and fact.target in kept),
    )


def _plain(text: str) -> str:
    """As prompts of the default compression have it, and without line ends."""
    return " ".join(compress(text, Compression.LOW).split())


def _key(name: str) -> str:
    return " ".join(name.casefold().split())
