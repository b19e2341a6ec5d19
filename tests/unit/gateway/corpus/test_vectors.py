"""The file that keeps vectors between runs."""

from pathlib import Path

import numpy as np

from gateway.corpus.vectors import VectorFile, VectorTable
from gateway.embedding.port import EmbeddingModel

MODEL = EmbeddingModel("model", 4, "abc")


def _vector(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_vectors_come_back_bit_for_bit(tmp_path: Path):
    """Fleets that are compared must get the same vectors, in this run and in the next."""
    VectorFile(tmp_path, MODEL).append(["a", "ä\n"], [_vector(0.1, 0.2, 0.3, 0.4), _vector(1, 2, 3, 4)])
    VectorFile(tmp_path, MODEL).append(["c"], [_vector(5, 6, 7, 8)])
    table = VectorTable(VectorFile(tmp_path, MODEL).load())
    assert table.of("a") == _vector(0.1, 0.2, 0.3, 0.4).tolist()
    assert table.of("ä\n") == [1, 2, 3, 4]
    assert table.of("c") == [5, 6, 7, 8]


def test_another_revision_of_the_model_has_another_file(tmp_path: Path):
    """Vectors of two revisions may not be compared."""
    VectorFile(tmp_path, MODEL).append(["a"], [_vector(1, 0, 0, 0)])
    assert VectorFile(tmp_path, EmbeddingModel("model", 4, "def")).load() == {}


def test_a_record_that_was_cut_off_is_dropped(tmp_path: Path):
    """A crash while writing must not shift every later vector onto another text."""
    file = VectorFile(tmp_path, MODEL)
    file.append(["a", "b"], [_vector(1, 0, 0, 0), _vector(0, 1, 0, 0)])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    assert len(file.load()) == 1
    file.append(["c"], [_vector(0, 0, 1, 0)])
    table = VectorTable(file.load())
    assert (table.of("a"), table.of("c")) == ([1, 0, 0, 0], [0, 0, 1, 0])
