"""Folders that appear whole; no engine is needed for it."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from pipeline.store import generations, run_records, storage
from pipeline.store.run_records import building, fingerprint, finished, make_record, publish, require
from schemas.errors import UserError
from schemas.generations import CURRENT, FILES, NAMES
from schemas.records import EXAMPLES, LEDGER, RUN, Ledger, RunRecord


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path)
        return
    name = uuid.uuid4().hex
    yield f"memory://{name}"
    if fsspec.filesystem("memory").exists(f"/{name}"):
        fsspec.filesystem("memory").rm(f"/{name}", recursive=True)


def record(seed: int = 0, stage: str = "clean", **inputs: str) -> RunRecord:
    return make_record(stage, 1, {"seed": seed}, inputs or {"extract": "0" * 16})


def ledger(rows_in: int = 3, rows_out: int = 2) -> Ledger:
    return Ledger(stage="clean", rows_in=rows_in, rows_out=rows_out, dropped={"empty": 1}, by_language={}, tables={})


DOCUMENTS = {"documents": ["part-0.parquet"]}


def write(place: str, name: str = "documents/part-0.parquet", data: bytes = b"rows") -> None:
    storage.write_bytes(storage.join(place, name), data)


def build(folder: str, made: RunRecord, data: bytes = b"rows") -> None:
    with building(folder, made) as place:
        write(place, data=data)
        publish(folder, made, ledger(), [], DOCUMENTS)


def contents(root: str) -> list[str]:
    return list(storage.listing(root, hidden=True))


def documents(folder: str) -> bytes:
    (path,) = generations.files(folder, "documents").values()
    return storage.read_bytes(path) or b""


def whole(number: int = 1) -> list[str]:
    """Names of what is there when generation `number` is all there is."""
    place = "clean/" if number == 1 else f"clean/g{number}/"
    names = [place + name for name in (*SMALL, "documents/part-0.parquet")]
    return sorted([*names, *([] if number == 1 else [f"clean/{CURRENT}"])])


SMALL = [EXAMPLES, FILES, LEDGER, NAMES, RUN]


def test_a_finished_stage(root: str) -> None:
    folder, made = storage.join(root, "clean"), record()
    assert finished(folder) is None
    with building(folder, made) as place:
        write(place)
        assert finished(folder) is None
        publish(folder, made, ledger(), [], DOCUMENTS)
    assert contents(root) == whole()
    assert finished(folder) == made
    assert storage.read_json(storage.join(folder, LEDGER)) == ledger()


def test_a_second_run_takes_the_place_of_the_first(root: str) -> None:
    folder = storage.join(root, "clean")
    build(folder, record(0))
    first = generations.current(folder)
    build(folder, record(1), b"other rows")
    assert finished(folder) == record(1)
    assert documents(folder) == b"other rows"
    assert first is not None
    (path,) = first.files("documents").values()
    assert storage.read_bytes(path) == b"rows"  # whoever reads it still does
    generations.retire(folder)
    assert contents(root) == whole(2)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, ValueError])
def test_a_failed_run_leaves_what_was_there(root: str, error: type[BaseException]) -> None:
    folder = storage.join(root, "clean")
    build(folder, record(0))
    with pytest.raises(error), building(folder, record(1)) as place:
        write(place)
        raise error
    assert contents(root) == whole()
    assert finished(folder) == record(0)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, ValueError])
def test_a_resumable_run_keeps_its_work(root: str, error: type[BaseException]) -> None:
    folder = storage.join(root, "extract")
    with pytest.raises(error), building(folder, record(0), resume=True) as place:
        write(place)
        raise error
    assert run_records.unfinished(folder)
    with building(folder, record(0), resume=True) as place:
        assert "documents/part-0.parquet" in storage.listing(place)
    assert finished(folder) is None


def test_files_that_a_writer_was_killed_over_go_when_the_run_goes_on(tmp_path: Path) -> None:
    folder = str(tmp_path / "extract")
    with pytest.raises(RuntimeError), building(folder, record(0), resume=True) as place:
        write(place)
        (Path(place) / "documents" / f".part-1.parquet.{uuid.uuid4().hex}").write_bytes(b"half")
        raise RuntimeError
    with building(folder, record(0), resume=True) as place:
        assert [file.name for file in (Path(place) / "documents").iterdir()] == ["part-0.parquet"]


def test_only_the_same_work_is_resumed(root: str) -> None:
    folder = storage.join(root, "extract")
    for again, resume in ((record(1), True), (record(0), False)):
        with pytest.raises(RuntimeError), building(folder, record(0), resume=True) as place:
            write(place)
            raise RuntimeError
        with building(folder, again, resume=resume) as place:
            assert storage.listing(place) == {}


def test_rows_unaccounted_for_stop_the_publication(root: str) -> None:
    folder = storage.join(root, "clean")
    wrong = ledger()
    wrong["by_language"] = {"eng_Latn": {"rows_in": 1, "rows_out": 2, "dropped": {}}}
    for account, named in ((ledger(rows_in=4), "all rows: 1 rows"), (wrong, "eng_Latn: -1 rows")):
        message = f"clean: the ledger does not add up for {named} unexplained"
        with pytest.raises(AssertionError, match=message), building(folder, record()):
            publish(folder, record(), account, [], DOCUMENTS)
    assert contents(root) == []


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("step", range(1, 8))
def test_a_publication_cut_short_is_completed_or_never_was(
    root: str, step: int, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before any object that publish writes: a reader sees the old table or the new one, whole."""
    folder = storage.join(root, "clean")
    if before:
        build(folder, record(0), b"old rows")
    published = 6 if not before else 7  # ledger, examples, names, files, record, and behind a former one the pointer
    with pytest.raises(Killed), building(folder, record(1)) as place:
        write(place, data=b"new rows")
        monkeypatch.setattr(run_records, "_clear", lambda made: None)  # killed, not ended by an exception
        _die_at(step, monkeypatch)
        publish(folder, record(1), ledger(), [], DOCUMENTS)
        raise Killed
    monkeypatch.undo()
    seen = contents(root)
    expected = record(1) if step >= published else record(0) if before else None
    assert finished(folder) == expected
    if expected:
        assert documents(folder) == (b"new rows" if step >= published else b"old rows")
    assert contents(root) == seen  # readers change nothing
    generations.settle(folder)
    assert finished(folder) == (record(1) if step >= 6 else expected)
    build(folder, record(2), b"newest")
    generations.retire(folder)
    assert documents(folder) == b"newest"
    assert contents(root) == whole(1 + before + (step >= 6))


class Killed(BaseException):
    pass


def _die_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The `step`-th small file written from now on is not, nor is any after it."""
    calls: list[str] = []
    real = storage.write_json

    def write_json(path: str, value: object) -> None:
        calls.append(path)
        if len(calls) >= step:
            raise Killed
        real(path, value)

    monkeypatch.setattr(storage, "write_json", write_json)


def test_what_a_stage_reads_must_fit(root: str) -> None:
    extract, clean = storage.join(root, "extract"), storage.join(root, "clean")
    with pytest.raises(UserError, match=r"extract is missing or unfinished: run jobs/extract\.py first"):
        require(extract, "extract")
    first = record(0, "extract", archives="a" * 16)
    build(extract, first)
    assert require(extract, "extract") == first
    with pytest.raises(UserError, match="was written by extract, not by clean"):
        require(extract, "clean")
    build(clean, record(0, extract=first["fingerprint"]))
    assert require(clean, "clean", extract)["stage"] == "clean"
    build(extract, record(1, "extract", archives="a" * 16))
    with pytest.raises(UserError, match=r"clean was made from an earlier .*extract: run jobs/clean\.py again"):
        require(clean, "clean", extract)
    storage.remove(extract)
    assert require(clean, "clean", extract)["stage"] == "clean"  # the stage above may be gone


def test_a_stage_of_a_foreign_table_needs_no_stage_above(root: str) -> None:
    clean, extract = storage.join(root, "clean"), storage.join(root, "extract")
    build(extract, record(0, "extract", archives="a" * 16))
    build(clean, record(0, input="b" * 16))
    assert require(clean, "clean", extract)["inputs"] == {"input": "b" * 16}


def test_equal_work_has_equal_fingerprints() -> None:
    base = make_record("clean", 1, {"a": 1, "b": 2}, {"extract": "x"})
    assert make_record("clean", 1, {"b": 2, "a": 1}, {"extract": "x"})["fingerprint"] == base["fingerprint"]
    others = [
        make_record("dedup", 1, {"a": 1, "b": 2}, {"extract": "x"}),
        make_record("clean", 2, {"a": 1, "b": 2}, {"extract": "x"}),
        make_record("clean", 1, {"a": 1, "b": 3}, {"extract": "x"}),
        make_record("clean", 1, {"a": 1, "b": 2}, {"extract": "y"}),
    ]
    assert len({one["fingerprint"] for one in [base, *others]}) == 5
    assert fingerprint({"語": [1, None]}) == fingerprint({"語": [1, None]})
    assert len(fingerprint("")) == 16


def test_a_record_names_versions_and_revision() -> None:
    made = record()
    assert made["versions"]["pyarrow"] == pa.__version__
    assert set(run_records.LIBRARIES) < set(made["versions"])
    assert "absent" not in made["versions"].values()
    assert made["code_revision"]


def test_a_folder_of_somebody_else_is_left_alone(root: str) -> None:
    folder = storage.join(root, "sample")
    storage.write_bytes(storage.join(folder, "thesis.tex"), b"precious")
    with pytest.raises(UserError, match="was not written by clean"), building(folder, record()):
        raise AssertionError("nothing may be built")
    assert storage.exists(storage.join(folder, "thesis.tex"))


def test_a_record_holds_no_secret_and_goes_by_none() -> None:
    """An address that is signed anew asks for no other tables; what only looks like one stays."""

    def made(user: str, token: str) -> RunRecord:
        url = f"https://{user}:pa55word@host.example/語/list one.txt?part=1&token={token}"
        where = "url = 'https://host.example/?token=1'"
        config = {"model": url, "block_lists": [f"ads={url}"], "decontaminate": {"sources": (url,)}, "where": where}
        return make_record("clean", 1, config, {f"block_lists ads={url}": "0" * 64})

    one, other = made("me", "5ecret"), made("you", "an0ther")
    assert one == other
    address = "https://host.example/語/list one.txt?part=1"
    assert one["config"]["model"] == address
    assert one["config"]["block_lists"] == [f"ads={address}"]
    assert one["config"]["where"] == "url = 'https://host.example/?token=1'"
    assert list(one["inputs"]) == [f"block_lists ads={address}"]
    assert not {"pa55word", "5ecret", "you"} & set(re.findall(r"\w+", str(one)))
