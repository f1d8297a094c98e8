"""Vectors come back from their files as they were written, whatever the parts; others' files are read or refused."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from answering import SENTENCES

from schemas.errors import UserError
from train.answers.embed import check_stored
from train.answers.nearest import Candidate, unit
from train.answers.texts import Text
from train.answers.vector_files import Making, StoredVectors, vector_file
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Reading

MAKING = Making("tiny", "cls", 2, [0.5, -1.0, 2.0])
TEXTS = [Text((text,), "a.txt", 2 * row) for row, text in enumerate(SENTENCES.values(), 1)]
LANGUAGES = [*list(SENTENCES)[:-1], None]
MATRIX = np.random.default_rng(0).standard_normal((len(TEXTS), 3)).astype(np.float32)


def write(path: Path, step: int = 4) -> Path:
    with vector_file(path, MAKING) as file:
        for at in range(0, len(TEXTS), step):
            file.write(TEXTS[at : at + step], LANGUAGES[at : at + step], MATRIX[at : at + step])
        assert not path.exists()
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    return path


@pytest.mark.parametrize("step", [1, 4, 100])
def test_numpy(tmp_path: Path, step: int) -> None:
    path = write(tmp_path / "new" / "x.npy", step)
    assert np.array_equal(np.load(path), MATRIX) and np.load(path).dtype == np.float32
    stored = StoredVectors(path)
    (part,) = stored.parts()
    assert np.array_equal(part.vectors, unit(MATRIX)) and stored.width == 3 and stored.languages() == set()
    assert part.about[2] == Candidate(None, None, str(path), 3)


def test_parquet(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet")
    table = pq.read_table(path)
    assert table.column_names == ["file", "row", "text", "language", "vector"]
    assert table["text"].to_pylist() == list(SENTENCES.values()) and table["language"].to_pylist() == LANGUAGES
    assert np.array_equal(np.array(table["vector"].to_pylist(), np.float32), MATRIX)
    stored = StoredVectors(path)
    assert stored.making == MAKING and stored.languages() == set(LANGUAGES) - {None}
    parts = list(stored.parts())
    assert np.array_equal(np.concatenate([part.vectors for part in parts]), unit(MATRIX))
    assert parts[0].about[2] == Candidate(TEXTS[2].parts[0], LANGUAGES[2], "a.txt", 6)
    assert [name for part in parts for name in part.languages] == LANGUAGES


@pytest.mark.parametrize("name", ["x.npy", "x.parquet"])
def test_no_text_is_a_file_too_and_one_that_is_broken_off_is_none(
    tmp_path: Path, name: str, model: OpenedModel
) -> None:
    with vector_file(tmp_path / name, MAKING):
        pass
    assert StoredVectors(tmp_path / name).width == 3 and list(StoredVectors(tmp_path / name).parts()) == []
    with pytest.raises(UserError, match=rf"--vectors .*{name} has no vector in it: embed its texts again"):
        check_stored(StoredVectors(tmp_path / name), model, Reading())
    (tmp_path / name).write_text("old")
    with pytest.raises(KeyboardInterrupt), vector_file(tmp_path / name, MAKING) as file:
        file.write(TEXTS, LANGUAGES, MATRIX)
        raise KeyboardInterrupt
    assert (tmp_path / name).read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_file_of_another_s_with_lists(tmp_path: Path) -> None:
    """Neither texts nor rows nor how it was made; lists of any length, in doubles."""
    path = tmp_path / "theirs.parquet"
    pq.write_table(pa.table({"vector": pa.array(MATRIX.astype(float).tolist())}), path)
    stored = StoredVectors(path)
    (part,) = stored.parts()
    assert stored.width == 3 and stored.making is None and stored.languages() == set()
    np.testing.assert_allclose(part.vectors, unit(MATRIX), atol=1e-6)
    assert part.about[1] == Candidate(None, None, str(path), 2)


def test_what_is_no_file_of_vectors(tmp_path: Path) -> None:
    write(tmp_path / "x.parquet")
    torn = (tmp_path / "x.parquet").read_bytes()[:-10]
    np.save(tmp_path / "flat.npy", np.zeros(4))
    np.save(tmp_path / "words.npy", np.array([["a"]]))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    for name, content, said in (
        ("gone.npy", None, r"gone\.npy is not there: make it by predict\.py embed --output .*gone\.npy"),
        ("x.csv", b"1,2\n", r"x\.csv is none of \.npy, \.parquet: make it by predict\.py embed"),
        ("torn.parquet", torn, r"torn\.parquet cannot be read \(.*\): embed its texts again"),
        ("torn.npy", b"\x93NUMPY", r"torn\.npy cannot be read \(.*\): embed its texts again"),
        ("flat.npy", None, r"flat\.npy is no matrix of numbers, a row a text"),
        ("words.npy", None, r"words\.npy is no matrix of numbers"),
        ("objects.npy", None, r"objects\.npy cannot be read"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=said):
            StoredVectors(tmp_path / name)
    pq.write_table(pa.table({"vector": ["a"]}), tmp_path / "y.parquet")
    with pytest.raises(UserError, match=r"y\.parquet has no column vector of numbers"):
        StoredVectors(tmp_path / "y.parquet")
    for rows in ([[1.0, 2.0], [1.0]], [[1.0, 2.0], None]):
        pq.write_table(pa.table({"vector": pa.array(rows)}), tmp_path / "y.parquet")
        with pytest.raises(UserError, match=r"y\.parquet:2 is no vector of 2 numbers: embed its texts again"):
            list(StoredVectors(tmp_path / "y.parquet").parts())
    assert json.loads(pq.read_schema(tmp_path / "x.parquet").metadata[b"wanyu.vectors"])["pooling"] == "cls"


@pytest.mark.parametrize("name", ["x.npy", "x.parquet"])
def test_a_row_that_is_not_finite_is_named_and_not_searched(tmp_path: Path, name: str) -> None:
    rows = MATRIX.copy()
    rows[1, 0] = np.nan
    with vector_file(tmp_path / name, MAKING) as file:
        file.write(TEXTS, LANGUAGES, rows)
    with pytest.raises(UserError, match=rf"--vectors .*{name}:2 has numbers that are not finite: embed its texts"):
        list(StoredVectors(tmp_path / name).parts())
