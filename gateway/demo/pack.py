"""Makes the demo's data file: `python -m gateway.demo.pack FOLDER [FILE]`.

FOLDER holds corpus.json, openie.json and questions.json as published in the HippoRAG repository. The result
is the same byte for byte as long as the input and the compressor are.
"""

import json
import lzma
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.demo.dataset import DATA_FILE


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Passages in the order of corpus.json, then questions. Raises ValueError where the files disagree."""
    corpus: list[dict[str, str]] = _read(folder / "corpus.json")
    extracted: list[dict[str, Any]] = _read(folder / "openie.json")["docs"]
    index_of: dict[tuple[str, str], int] = {}
    for index, (passage, extraction) in enumerate(zip(corpus, extracted, strict=True)):
        key = (passage["title"], passage["text"])
        if key != (extraction["title"], extraction["text"]) or key in index_of:
            raise ValueError(f"passage {index} ({key[0]!r}) is there twice or not the same in openie.json")
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


def pack(folder: Path, file: Path) -> None:
    """Writes `file`, replacing one that is there."""
    lines = [json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records(folder)]
    content = "\n".join(lines).encode() + b"\n"
    file.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


if __name__ == "__main__":
    arguments = [Path(argument) for argument in sys.argv[1:]]
    if len(arguments) not in (1, 2):
        sys.exit(__doc__)
    pack(arguments[0], arguments[1] if len(arguments) == 2 else DATA_FILE)
