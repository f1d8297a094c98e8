"""jobs/dedup.py by files, by the engine's tasks and by shuffles; and what only the engine can do, or refuses."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from copies import Row, family, mixed_table
from dedups import Dedup, Picky, crawls, dedup_runs, rows_of

from pipeline.duplicates import signing


@pytest.fixture
def run(spark: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dedup:
    return dedup_runs(tmp_path, monkeypatch)


WAYS: dict[str, tuple[list[str], bool]] = {
    "files by processes": ([], False),
    "files by the engine's tasks": ([], True),
    "shuffles": (["--one-task-documents", "0"], True),
}


FIRST_AND_LAST = ("files by processes", "shuffles")


def assert_alike(ways: dict[str, Path], tables: tuple[str, ...] = ("documents", "clusters", "signatures")) -> None:
    """Of folders of the job: the same rows, schemas, ledger and examples."""
    (_, first), *others = ways.items()
    ledger = json.loads((first / "_ledger.json").read_text())
    for name, other in others:
        for table in tables:
            assert rows_of(other, table) == rows_of(first, table), (name, table)
            schemas = [pq.read_schema(next((folder / table).glob("*.parquet"))) for folder in (other, first)]
            assert schemas[0].remove_metadata().equals(schemas[1].remove_metadata()), (name, table)
        assert json.loads((other / "_ledger.json").read_text()) == ledger, name
        for file in ("_examples.json", "_clusters.json"):
            assert (other / file).read_bytes() == (first / file).read_bytes(), (name, file)


@pytest.mark.faults
def test_every_way_of_running_it_answers_alike(run: Dedup) -> None:
    flags = ["--quality-column", "quality", "--max-bucket", "8", "--text-column", "text"]
    rows = mixed_table()
    ways = {
        name: run(f"way{n}", rows, *flags, *more, engine=engine)
        for n, (name, (more, engine)) in enumerate(WAYS.items())
    }
    ways["reversed"] = run(
        "reversed", rows[::-1], *flags, "--one-task-documents", "0", "--partitions", "7", engine=True
    )
    ledger = json.loads((ways["shuffles"] / "_ledger.json").read_text())
    assert ledger["dropped"]["minhash"] > 100 and ledger["dropped"]["exact"] > 8
    assert_alike(ways)


def test_a_text_that_signing_fails_on(run: Dedup, monkeypatch: pytest.MonkeyPatch) -> None:
    first = crawls()[0]
    rows: list[Row] = [*first[:20], *({**first[0], "id": f"bad{n}", "text": f"UNREADABLE raise {n}"} for n in range(3))]
    # A class of no module that the engine's workers could import, so that it goes to them as it is.
    picky = type("Picky", (Picky,), {"__module__": "__main__", "__call__": Picky.__call__})
    monkeypatch.setattr(signing, "Signer", picky)
    ways = {name: run(f"way{n}", rows, *WAYS[name][0], engine=WAYS[name][1]) for n, name in enumerate(FIRST_AND_LAST)}
    assert_alike(ways)
    assert json.loads((ways["shuffles"] / "_ledger.json").read_text())["dropped"]["failed:signing"] == 3


@pytest.mark.faults
def test_every_way_against_earlier_crawls(run: Dedup) -> None:
    first, second, third = crawls()
    one = run("one", first)
    two = run("two", second, "--against", one)
    ways = {
        name: run(f"way{n}", third, "--against", one, two, *flags, engine=engine)
        for n, (name, (flags, engine)) in enumerate(WAYS.items())
    }
    reasons = {row["drop_reason"] for row in rows_of(ways["shuffles"], "clusters")}
    assert reasons == {None, "exact", "minhash"}
    assert {row["crawl"] for row in rows_of(ways["shuffles"], "clusters")} > {None}
    assert_alike(ways)


@pytest.mark.faults
def test_every_way_with_lines_that_hosts_repeat(run: Dedup) -> None:
    ways = {
        name: run(f"way{n}", paged_rows(), "--scope", "line", "--min-line-pages", "4", *flags, engine=engine)
        for n, (name, (flags, engine)) in enumerate(WAYS.items())
    }
    ledger = json.loads((ways["shuffles"] / "_ledger.json").read_text())
    assert ledger["dropped"]["template"] > 1 and ledger["dropped"]["minhash"] and ledger["tables"]["lines"] > 5
    assert_alike(ways, ("documents", "clusters", "signatures", "lines"))


def paged_rows() -> list[Row]:
    """Pages of hosts with menus, fetched again, of nothing but menus, of no host, without a text, in two scripts."""
    menus = {
        "a.example": ["Home | About", "© 2024 A", "関連記事"],
        "www.B.example:8080": ["Menu", "Imprint", "  Home "],
    }
    rows: list[Row] = []
    for host, menu in menus.items():
        for n, article in enumerate(family(host, [0, 1, 3, 0, 90, 120, 150, 160], 17, 200)):
            text = "\n".join([menu[0], article["text"][: 400 + 10 * n], "", article["text"][400:], *menu[1:]])
            rows.append({"id": f"{host}-{n}", "text": text, "url": f"https://{host}/page{n // 2}#{n}"})
        rows += [
            {"id": f"{host}-bare{n}", "text": "\n".join(menu) + "\n", "url": f"//{host}/bare{n}"} for n in range(3)
        ]
    rows += [
        {"id": "no host", "text": "Menu\nImprint", "url": None},
        {"id": "no text", "text": None, "url": "http://a.example/x"},
    ]
    return [{"language": "eng" if n % 3 else None, "language_script": "Latn", **row} for n, row in enumerate(rows)]


def test_odd_rows(run: Dedup) -> None:
    """Null, blank and huge texts, ids of another type that occur twice, columns of any kind."""
    long = " ".join(f"word{i}" for i in range(900_000))  # about 10 MB
    texts = [
        long,
        None,
        "",
        " \n",
        long.upper(),
        long + " and more",
        "short text",
        "Short, text!",
        None,
        "x" * 3_000_000,
    ]
    table = pa.table(
        {
            "key": pa.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 9], pa.int64()),
            "body": pa.array(texts),
            "tags": pa.array([{"a": [i]} for i in range(10)]),
            "pairs": pa.array([[("k", i)] for i in range(10)], pa.map_(pa.string(), pa.int64())),
        }
    )
    folder = run("odd", table, "--text-column", "body", "--id-column", "key")
    rows = {row["key"]: row for row in pq.read_table(folder / "documents").to_pylist()}
    assert set(rows) == {"4", "6", "8", "9"}  # the longest of their likes
    assert rows["6"]["minhash_cluster_size"] == 3
    assert rows["9"]["body"].startswith("xxx") and rows["9"]["tags"] == {"a": [9]}
    ledger = json.loads((folder / "_ledger.json").read_text())
    assert ledger["dropped"] == {"exact": 3, "minhash": 2, "same_id": 1}


def test_names_with_dots_and_columns_of_our_own(run: Dedup) -> None:
    """The table of an earlier run, lines cut, is a table like any other."""
    rows = [{**row, "meta.src": "s", "cut_lines": 0, "cluster_id": "old", "minhash_cluster_size": 9}
            for row in family("f", [0, 1], 1)]  # fmt: skip
    for name, table in {"files": rows, "shuffles": [*rows, rows[0]]}.items():  # files hold no id twice
        folder = run(name, table)
        (row,) = rows_of(folder)
        assert (row["meta.src"], row["cluster_id"], row["minhash_cluster_size"]) == ("s", row["id"], 2)


@pytest.mark.faults
def test_of_rows_with_one_id_the_same_stays_in_any_order(run: Dedup) -> None:
    rows = [{"id": "z", "text": "t", "A": "v", "B": None}, {"id": "z", "text": "t", "A": None, "B": "v"}]
    assert rows_of(run("one", rows)) == rows_of(run("other", rows[::-1]))


@pytest.mark.parametrize(
    "flags",
    [
        ["--threshold", "0"],
        ["--threshold", "1.5"],
        ["--quality-column", "nope"],
        ["--quality-column", "text"],
        ["--quality-column", "language_score"],
        ["--id-column", "text"],
        ["--id-column", "cluster_id"],
    ],
)
def test_what_no_table_can_mend(run: Dedup, capfd: pytest.CaptureFixture[str], flags: list[str]) -> None:
    run("wrong", family("a", [0], 1), *flags, status=2)
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and flags[0].lstrip("-").replace("-", "_") in errors[0].replace("-", "_")
