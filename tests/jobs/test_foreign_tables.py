"""Tables as the world writes them, through jobs/dedup.py and jobs/clean.py: types that engines refuse, files that
differ, names with any letter, Hive's folders, damage. All columns pass through, or one line says what is wrong."""

import datetime
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from copies import family
from odd_tables import ODD_TYPES, dictionary, of, read, run_tasks_here

from jobs import clean, dedup, fit_thresholds, sample
from pipeline.spark.session import LazySession
from schemas.records import unbalanced

Job = Callable[..., pa.Table]
TEXTS = [row["text"] for n in range(3) for row in family(f"f{n}", [0, 0], n, length=60)]  # three, each twice
IDS = [f"a{n}" for n in range(6)]
WAYS: dict[str, list[str]] = {"processes": [], "tasks": ["--partitions", "2"]}
SHUFFLES = ["--partitions", "2", "--one-task-documents", "0"]


def rows(**columns: Any) -> pa.Table:
    return pa.table({"id": IDS, "text": TEXTS, **columns})


def with_ids(ids: Iterable[Any], table: pa.Table) -> pa.Table:
    return table.set_column(0, "id", pa.array(list(ids)))


@pytest.fixture
def run(run_whole: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    run_tasks_here(monkeypatch)
    return run_whole


@pytest.fixture
def run_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Runs a job on a folder or file and answers its documents, by id."""
    monkeypatch.setattr(LazySession, "local_cores", lambda given: None if given.partitions else 2)

    def go(job: ModuleType, table: Path, *flags: str) -> pa.Table:
        out = tmp_path / f"out {len(list(tmp_path.glob('out *')))}"
        assert job.main(["--input", str(table), "--output", str(out), *flags]) == 0
        ledger = json.loads((out / "_ledger.json").read_text())
        found = read(sorted((out / "documents").glob("part-*.parquet")))
        assert unbalanced(ledger) == 0 and ledger["tables"]["documents"] == len(found)
        id_column = flags[flags.index("--id-column") + 1] if "--id-column" in flags and job is dedup else "id"
        return found.sort_by(id_column)

    return go


@pytest.fixture
def refused(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    run_tasks_here(monkeypatch)

    def go(job: ModuleType, table: Path, *flags: str) -> str:
        capfd.readouterr()
        assert job.main(["--input", str(table), "--output", str(tmp_path / "refused"), *flags]) == 2
        lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1 and not (tmp_path / "refused").exists()
        return lines[0]

    return go


def write(path: Path, table: pa.Table, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        pq.write_table(table, file, **options)
    return path


def test_types_and_names_that_engines_refuse_pass_through(run: Job, tmp_path: Path) -> None:
    path = write(tmp_path / "odd.parquet", rows(**ODD_TYPES), row_group_size=4)
    given = read([path])  # a dictionary of numbers is none any more
    found = run(dedup, path)
    assert found["id"].to_pylist() == ["a0", "a2", "a4"]
    for name in ODD_TYPES:
        assert same(found[name], given[name].take(pa.array([0, 2, 4])).combine_chunks()), name
    cleaned = run(clean, path)
    assert cleaned.schema.names[-1] == "drop_reason"
    for name in ODD_TYPES:
        if name != "date":  # clean's own, a string
            assert same(cleaned[name], given[name].combine_chunks()), name
    assert cleaned["date"].to_pylist() == [*["0001-01-01"] * 5, None]


def same(found: pa.ChunkedArray, cells: pa.Array) -> bool:
    whole = found.combine_chunks()
    whole = whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)
    if pa.types.is_dictionary(cells.type):
        return bool(whole.type == cells.type and whole.dictionary_decode().equals(cells.dictionary_decode()))
    return bool(whole.equals(cells))


@pytest.mark.parametrize(
    ("column", "label"),
    [
        (pa.nulls(6), "und_Zyyy"),
        (of(pa.int64(), 3), "3_Zyyy"),
        (of(pa.list_(pa.string()), ["eng"]), "und_Zyyy"),
        (dictionary(pa.string(), "eng"), "eng_Zyyy"),
    ],
)
def test_a_column_of_our_name_with_another_type(run: Job, tmp_path: Path, column: pa.Array, label: str) -> None:
    """What can be written as a string is the label; anything else says nothing. The column itself stays as it is."""
    path = write(
        tmp_path / "table.parquet", rows(language=column, url=pa.nulls(6), drop_reason=pa.array(["theirs"] * 6))
    )
    found = run(dedup, path)
    assert same(found["language"], column.take(pa.array([0, 2, 4]))) and found["url"].null_count == 3
    assert found["drop_reason"].to_pylist() == ["theirs"] * 3  # no reason of ours
    assert label in json.loads((tmp_path / "out 0" / "_ledger.json").read_text())["by_language"]


def test_times_decide_as_dates_do(run: Job, tmp_path: Path) -> None:
    times = pa.array([datetime.datetime(2024, 1, day) for day in (2, 1, 1, 2, 1, 1)], pa.timestamp("ms"))
    path = write(tmp_path / "table.parquet", rows(date=times))
    assert run(dedup, path)["id"].to_pylist() == ["a1", "a2", "a4"]  # the earlier copy
    assert run(clean, path)["date"].to_pylist()[0] == "2024-01-02T00:00:00.000"


def test_files_of_one_table_differ(run: Job, tmp_path: Path) -> None:
    first = rows(note=pa.nulls(6), n=of(pa.int32(), 1), tag=dictionary(pa.string(), "x"))
    write(tmp_path / "table" / "0.parquet", first)
    more = {"extra": of(pa.float64(), 1.5), "n": of(pa.int64(), 2**40), "note": of(pa.string(), "n"), "text": TEXTS}
    write(tmp_path / "table" / "1.parquet", pa.table({**more, "id": [f"b{n}" for n in range(6)]}))
    write(tmp_path / "table" / "2.parquet", first.select(["id", "text"]).slice(0, 0))
    write(
        tmp_path / "table" / "3.parquet", rows(tag=of(pa.string(), "y")).set_column(0, "id", pa.array(list("cdefgh")))
    )
    (tmp_path / "table" / "4.parquet").touch()
    for hidden in (".5.parquet", "_6.parquet", "_temporary/0/7.parquet", "README.md"):
        (tmp_path / "table" / hidden).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "table" / hidden).write_bytes(b"no Parquet")
    write(tmp_path / "table" / "part-8", with_ids("ijklmn", rows()))  # Parquet by its bytes
    for job in (dedup, clean):
        found = run(job, tmp_path / "table")
        kinds = {name: found.schema.field(name).type for name in ("note", "n", "tag", "extra")}
        assert list(kinds.values()) == [pa.string(), pa.int64(), pa.string(), pa.float64()]
        by_id = {row["id"]: row for row in found.to_pylist()}
        assert len(by_id) == (3 if job is dedup else 24)
        assert (by_id["a0"]["n"], by_id["a0"]["tag"], by_id["a0"]["extra"]) == (1, "x", None)
    assert (by_id["b0"]["n"], by_id["b0"]["note"], by_id["c"]["tag"]) == (2**40, "n", "y")


def test_folders_in_the_layout_of_hive(run: Job, tmp_path: Path) -> None:
    folders = {"lang=a%3D2/year=2024": 0, "lang=x y/year=2025": 1, "lang=__HIVE_DEFAULT_PARTITION__/year=07": 2}
    for name, n in folders.items():
        write(tmp_path / "table" / name / "0.parquet", rows().slice(2 * n, 2))
    write(tmp_path / "table" / "_n=1" / "0.parquet", pa.table({"id": ["z"], "text": ["of a folder not hidden"]}))
    for job in (dedup, clean):
        found = {row["id"]: row for row in run(job, tmp_path / "table").to_pylist()}
        assert [found[name]["lang"] for name in ("a0", "a2", "a4", "z")] == ["a=2", "x y", None, None]
        assert [found[name]["year"] for name in ("a0", "a2", "a4")] == ["2024", "2025", "07"]  # not all numbers
        assert (found["z"]["_n"], found["a0"]["_n"]) == (1, None)


@pytest.mark.parametrize("name", ["a [1], {b}*?", "100%20 ümläut 文 ክ", "l=1,m=2", "a:b::c #~"])
def test_names_with_any_letter(run: Job, tmp_path: Path, name: str) -> None:
    write(tmp_path / name / f"{name}.parquet", rows(), compression="zstd")
    for job in (dedup, clean):
        for table in (tmp_path / name, tmp_path / name / f"{name}.parquet"):
            assert len(run(job, table)) == (3 if job is dedup else 6)
    new = write(tmp_path / "new.parquet", rows())
    assert dedup.main(["--input", str(tmp_path / name), "--output", str(tmp_path / name / "old, of it")]) == 0
    assert len(run(dedup, new, "--against", str(tmp_path / name / "old, of it"))) == 0


def test_columns_named_by_flags_beside_ours(run: Job, tmp_path: Path) -> None:
    table = pa.table({"text.raw": TEXTS, "Doc Id": IDS, "text": [1] * 6, "id": [[2]] * 6, "n_words": ["x"] * 6})
    path = write(tmp_path / "table.parquet", table)
    flags = ["--text-column", "text.raw", "--id-column", "Doc Id"]
    found = run(dedup, path, *flags)
    assert found.schema.names[:5] == table.schema.names and found["Doc Id"].to_pylist() == ["a0", "a2", "a4"]
    assert found["id"].to_pylist() == [[2]] * 3
    cleaned = run(clean, path, *flags)
    assert cleaned["id"].to_pylist() == IDS and cleaned["n_words"].to_pylist() == [60] * 6


def test_ids_and_texts_of_other_types(run: Job, tmp_path: Path) -> None:
    """Each is written as a string; what is no UTF-8 in a text becomes U+FFFD."""
    kinds: list[tuple[pa.Array, pa.Array]] = [
        (pa.array(IDS).dictionary_encode(), pa.array(TEXTS, pa.large_string())),
        (pa.array(range(6), pa.uint64()), pa.array(TEXTS).dictionary_encode()),
        (pa.array([b"a%d" % n for n in range(6)], pa.binary(2)), pa.array([text.encode() for text in TEXTS])),
        (
            pa.array(IDS, pa.string_view()),
            pa.array([*(text.encode() for text in TEXTS[:5]), b"\xff"]).view(pa.string()),
        ),
    ]
    for n, (ids, texts) in enumerate(kinds):
        found = run(dedup, write(tmp_path / f"{n}.parquet", pa.table({"id": ids, "text": texts})))
        assert found.schema.field("id").type == found.schema.field("text").type == pa.string()
        assert len(found) == (3 if n < 3 else 4)
    assert found["text"].to_pylist()[-1] == "\ufffd"


def damaged(folder: Path) -> None:
    write(folder / "0.parquet", rows())
    data = bytearray(write(folder / "1.parquet", with_ids("bcdefg", rows())).read_bytes())
    data[60:400] = bytes(340)
    (folder / "1.parquet").write_bytes(data)


def cut_off(folder: Path) -> None:
    (folder / "1.parquet").write_bytes(write(folder / "1.parquet", rows()).read_bytes()[:-20])


def of_two_types(folder: Path) -> None:
    write(folder / "0.parquet", rows(note=["x"] * 6))
    write(folder / "1.parquet", rows(note=[1] * 6))


def too_large(folder: Path) -> None:
    write(folder / "0.parquet", rows(note=[1.5] * 6))
    write(folder / "1.parquet", with_ids("bcdefg", rows(note=[2**63 - 1] * 6)))


def twice(folder: Path) -> None:
    write(folder / "0.parquet", pa.table([IDS, TEXTS, IDS], ["id", "text", "id"]))


REFUSED: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "damaged pages": (damaged, ["1.parquet", "Parquet"]),
    "a file cut off": (cut_off, ["1.parquet", "Parquet"]),
    "types that nothing holds": (of_two_types, ["'note'", "0.parquet", "1.parquet", "string", "int64"]),
    "values that no double is": (too_large, ["'note'", "1.parquet", "double"]),
    "a name twice": (twice, ["0.parquet", "two columns 'id'"]),
    "ids that are no UTF-8": (
        lambda folder: write(folder / "0.parquet", with_ids([b"\xff%d" % n for n in range(6)], rows())),
        ["0.parquet", "'id'", "UTF-8"],
    ),
    "rows without id": (
        lambda folder: write(folder / "0.parquet", with_ids([None] * 6, rows())),
        ["0.parquet", "without 'id'", "--id-column"],
    ),
    "a file without text": (
        lambda folder: write(folder / "0.parquet", pa.table({"id": IDS, "Text": TEXTS})),
        ["no column 'text'", "Text"],
    ),
    "texts that are lists": (
        lambda folder: write(folder / "0.parquet", rows().set_column(1, "text", pa.array([["a"]] * 6))),
        ["'text'", "list", "--text-column"],
    ),
    "nothing": (lambda folder: write(folder / "_0.parquet", rows()), ["no Parquet file"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_one_line_that_names_file_and_column(refused: Callable[..., str], tmp_path: Path, kind: str) -> None:
    make, words = REFUSED[kind]
    (tmp_path / "table").mkdir()
    make(tmp_path / "table")
    for job in (dedup, clean):
        line = refused(job, tmp_path / "table")
        assert [word for word in words if word not in line] == [], line


def everything(folder: Path) -> None:
    """All odd types, files that differ, folders that are values."""
    odd = rows(**ODD_TYPES, language=dictionary(pa.string(), "eng", "deu"))
    write(folder / "lang=a%3D2" / "0.parquet", odd, row_group_size=4)
    other = pa.table({"uint8": of(pa.int64(), 7), "text": TEXTS[::-1], "id": [f"b{n}" for n in range(6)]})
    write(folder / "lang=b [x], y" / "1.parquet", other)


def answers(run: Job, job: ModuleType, table: Path, ways: dict[str, list[str]], *flags: str) -> None:
    """Of several ways: the same rows, columns and types, ledger and examples."""
    found = {name: run(job, table, *way, *flags) for name, way in ways.items()}
    (first, *others) = found.values()
    folders = sorted(table.parent.glob("out *"))[-len(found) :]
    for other in others:
        assert other.schema.equals(first.schema)
        assert all(same(other[name], first[name].combine_chunks()) for name in first.schema.names)
    for file in ("_ledger.json", "_examples.json"):
        assert len({(folder / file).read_text() for folder in folders}) == 1


def test_with_the_engine_as_without(spark: object, run_whole: Job, tmp_path: Path) -> None:
    everything(tmp_path / "table")
    answers(run_whole, dedup, tmp_path / "table", WAYS)
    answers(run_whole, clean, tmp_path / "table", WAYS)


@pytest.mark.faults
def test_with_shuffles_as_without(spark: object, run_whole: Job, tmp_path: Path) -> None:
    everything(tmp_path / "table")
    shuffled = {"processes": [], "shuffles": SHUFFLES}
    answers(run_whole, dedup, tmp_path / "table", shuffled, "--quality-column", "half")
    menu = "Home\nImprint\n"
    pages = {"url": [f"https://a.example/{n}" for n in range(6)], "text": [menu + text for text in TEXTS], "id": IDS}
    pages["text"][5] = menu
    write(tmp_path / "pages" / "0.parquet", pa.table({**pages, **ODD_TYPES}), row_group_size=2)
    answers(run_whole, dedup, tmp_path / "pages", shuffled, "--scope", "line", "--min-line-pages", "3")


def test_fit_thresholds_reads_them_too(spark: object, tmp_path: Path) -> None:
    """With conditions over columns that engines refuse."""
    write(tmp_path / "0.parquet", rows(language=["eng"] * 6, language_script=["Latn"] * 6, **ODD_TYPES))
    flags = ["--input", str(tmp_path / "0.parquet"), "--output", str(tmp_path / "fit.toml"), "--min-texts", "2"]
    assert fit_thresholds.main([*flags, "--trusted", "uint8 = 255 and half > 1 and `large string` = '文'"]) == 0
    assert "Fitted from 5 texts" in (tmp_path / "fit.toml").read_text()


def test_sample_reads_them_too(spark: object, tmp_path: Path) -> None:
    everything(tmp_path / "table")
    assert sample.main(["--input", str(tmp_path / "table"), "--output", str(tmp_path / "out")]) == 0
    found = pq.read_table(tmp_path / "out" / "data" / "eng_Zyyy")
    assert sorted(found["id"].to_pylist()) == ["a0", "a2", "a4"]
