"""Makes the data file of this package: `python -m gateway.corpus.pack FOLDER [FILE]`.

FOLDER holds corpus.json, openie.json and questions.json as published in the HippoRAG repository. The result
is the same byte for byte as long as the input and the compressor are.
"""

import json
import lzma
import sys
from pathlib import Path

from gateway.corpus.dataset import DATA_FILE
from gateway.corpus.published import published_records


def pack(folder: Path, file: Path) -> None:
    """Writes `file`, replacing one that is there. Raises DataUnusable."""
    records = published_records(folder)
    lines = [json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records]
    content = "\n".join(lines).encode() + b"\n"
    file.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    arguments = [Path(argument) for argument in sys.argv[1:]]
    if len(arguments) not in (1, 2):
        sys.exit(__doc__)
    pack(arguments[0], arguments[1] if len(arguments) == 2 else DATA_FILE)
