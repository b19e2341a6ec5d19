"""The data that the repository ships."""

import json
import lzma
from pathlib import Path

import pytest

from gateway.corpus.dataset import DATA_FILE, Dataset, load_dataset
from gateway.corpus.pack import pack
from gateway.corpus.published import DataUnusable


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_dataset()


def test_the_whole_of_musique_100_is_there(dataset: Dataset):
    """Recall is comparable with published figures only on the same passages and questions."""
    assert len(dataset.passages) == 1_890
    assert len(dataset.questions) == 100
    assert sum(len(question.gold) for question in dataset.questions) == 237


def test_malformed_triples_are_left_out_and_counted(dataset: Dataset):
    """Nothing is dropped in silence: what is no triple is in the count that the demo reports."""
    assert sum(len(passage.triples) for passage in dataset.passages) == 17_234
    assert dataset.malformed_triples == 185


def test_passages_with_the_same_title_stay_apart(dataset: Dataset):
    """Gold passages are matched by title and text, for titles repeat."""
    assert len({(passage.title, passage.text) for passage in dataset.passages}) == 1_890
    assert len({passage.title for passage in dataset.passages}) < 1_890


def test_gold_passages_exist(dataset: Dataset):
    """An index out of range, or one twice, would make recall meaningless."""
    for question in dataset.questions:
        assert question.gold == tuple(sorted(set(question.gold)))
        assert 2 <= len(question.gold) <= 4
        assert question.gold[0] >= 0
        assert question.gold[-1] < 1_890


def test_a_part_has_only_questions_that_it_can_answer(dataset: Dataset):
    """A shorter tour must not count passages as missed that it never wrote."""
    part = dataset.first(100)
    assert part.passages == dataset.passages[:100]
    assert part.questions
    assert all(question.gold[-1] < 100 for question in part.questions)
    assert all(question in part.questions or question.gold[-1] >= 100 for question in dataset.questions)


def test_the_licences_are_beside_the_data():
    """The data may be shipped only with the terms that it is under."""
    folder = DATA_FILE.parent
    assert "MIT License" in (folder / "LICENSE.HippoRAG").read_text(encoding="utf-8")
    assert "CC BY 4.0" in (folder / "README.md").read_text(encoding="utf-8")


def test_packing_keeps_everything(tmp_path: Path):
    """The committed file can be made anew: the script takes the published files and loses nothing."""
    write = {
        "corpus.json": [{"title": "A", "text": "one"}, {"title": "A", "text": "two"}],
        "openie.json": {
            "docs": [
                {
                    "title": "A",
                    "text": "one",
                    "extracted_entities": ["a"],
                    "extracted_triples": [["a", "is", "b"]],
                },
                {"title": "A", "text": "two", "extracted_entities": [], "extracted_triples": [["a", "is"]]},
            ]
        },
        "questions.json": [
            {
                "question": "Which?",
                "answer": "b",
                "paragraphs": [
                    {"title": "A", "paragraph_text": "two", "is_supporting": True},
                    {"title": "A", "paragraph_text": "one", "is_supporting": False},
                ],
            }
        ],
    }
    for name, content in write.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    pack(tmp_path, tmp_path / "packed.xz")
    packed = load_dataset(tmp_path / "packed.xz")
    assert [(p.title, p.text, len(p.triples), p.malformed_triples) for p in packed.passages] == [
        ("A", "one", 1, 0),
        ("A", "two", 0, 1),
    ]
    assert packed.questions[0].gold == (1,)


def test_packing_refuses_files_that_disagree(tmp_path: Path):
    """A graph under the wrong passage would be found by nobody."""
    (tmp_path / "corpus.json").write_text('[{"title": "A", "text": "one"}]', encoding="utf-8")
    docs = {"docs": [{"title": "A", "text": "other", "extracted_entities": [], "extracted_triples": []}]}
    (tmp_path / "openie.json").write_text(json.dumps(docs), encoding="utf-8")
    with pytest.raises(DataUnusable, match="passage 0"):
        pack(tmp_path, tmp_path / "packed.xz")


def test_the_file_is_small():
    """It is part of every clone."""
    assert DATA_FILE.stat().st_size < 1024 * 1024
    with lzma.open(DATA_FILE) as content:
        assert len(content.read()) > 1024 * 1024


def test_a_folder_and_the_file_made_of_it_are_the_same_data(tmp_path: Path):
    """`graphgate eval --data FOLDER` measures on what the repository ships, if the folder holds the same."""
    write = {
        "corpus.json": [{"title": "A", "text": "one"}],
        "openie.json": {
            "docs": [
                {"title": "A", "text": "one", "extracted_entities": ["a"], "extracted_triples": [["a", "is"]]}
            ]
        },
        "questions.json": [
            {
                "question": "Which?",
                "answer": "A",
                "paragraphs": [{"title": "A", "paragraph_text": "one", "is_supporting": True}],
            }
        ],
    }
    for name, content in write.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    pack(tmp_path, tmp_path / "packed.xz")
    assert load_dataset(tmp_path) == load_dataset(tmp_path / "packed.xz")
    assert load_dataset(tmp_path).questions[0].gold == (0,)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("openie.json", "{", "openie.json|Expecting"),
        ("corpus.json", "[]", "0 passages"),
        ("questions.json", '[{"question": "Which?"}]', "a field"),
        ("questions.json", None, "No such file"),
    ],
)
def test_a_folder_that_is_not_the_data_is_refused(
    tmp_path: Path, name: str, content: str | None, problem: str
):
    """One error for the command to show, whatever is wrong with the folder."""
    docs = {"docs": [{"title": "A", "text": "one", "extracted_entities": [], "extracted_triples": []}]}
    (tmp_path / "corpus.json").write_text('[{"title": "A", "text": "one"}]', encoding="utf-8")
    (tmp_path / "openie.json").write_text(json.dumps(docs), encoding="utf-8")
    (tmp_path / "questions.json").write_text("[]", encoding="utf-8")
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataUnusable, match=problem):
        load_dataset(tmp_path)
