"""The committed stubs are what the protos generate, and what these import is what is installed."""

from importlib.metadata import files
from pathlib import Path

from tests.bootstrap.generate_protos import ROOT, generate


def test_generated_code_is_up_to_date(tmp_path: Path) -> None:
    """Whoever installs the client gets the contract as it is written; mended by `make proto`."""
    generate(tmp_path)
    fresh = {
        path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.py*") if path.is_file()
    }
    committed_root = ROOT / "proto" / "gen"
    committed = {
        path.relative_to(committed_root): path.read_text()
        for path in committed_root.rglob("*.py*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert fresh.keys() == committed.keys()
    assert [path for path, text in fresh.items() if committed[path] != text] == []


def test_protos_of_google_are_those_whose_code_is_installed() -> None:
    """Ours import them, and nothing is generated of them: googleapis-common-protos has their code."""
    installed = {
        # The one file whose name differs from what imports call it.
        str(path).replace("operations_proto.proto", "operations.proto"): path
        for path in files("googleapis-common-protos") or ()
        if path.suffix == ".proto"
    }
    copies = {path.relative_to(ROOT / "proto"): path for path in (ROOT / "proto" / "google").rglob("*.proto")}
    assert Path("google/longrunning/operations.proto") in copies
    for name, copy in copies.items():
        assert copy.read_text() == installed[name.as_posix()].read_text(), name
