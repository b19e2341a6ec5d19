"""Regenerates proto/gen from proto/graphgate: messages, stubs and their types.

proto/google is only imported: its code comes from the package googleapis-common-protos.
"""

import subprocess
import sys
from pathlib import Path

import grpc_tools

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "proto"
PACKAGE_INIT = '"""Generated from proto/graphgate: never edited by hand."""\n'


def generate(output: Path) -> None:
    """Writes the generated package below `output`. Raises CalledProcessError with protoc's message."""
    output.mkdir(parents=True, exist_ok=True)
    protos = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.glob("graphgate/**/*.proto"))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{SOURCES}",
            f"-I{Path(grpc_tools.__file__).parent / '_proto'}",
            f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).parent / 'protoc-gen-mypy_grpc'}",
            f"--python_out={output}",
            f"--pyi_out={output}",
            f"--grpc_python_out={output}",
            f"--mypy_grpc_out={output}",
            *protos,
        ],
        check=True,
        capture_output=True,
    )
    for folder in (output / "graphgate", output / "graphgate" / "v1"):
        (folder / "__init__.py").write_text(PACKAGE_INIT)
    (output / "graphgate" / "py.typed").touch()


if __name__ == "__main__":
    generate(SOURCES / "gen")
