"""The committed stubs are what the protos generate."""

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
