"""jobs/dedup.py as its users run it: on any table, against earlier crawls, with what a table may have wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from copies import VOCABULARY, Row, family, mixed_table

from jobs import dedup
from pipeline.spark.session import LazySession
from schemas.records import unbalanced

Dedup = Callable[..., Path]


@pytest.fixture
def run(spark: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dedup:
    """Runs the job on rows, or a table, and answers its folder; a small table without an engine unless `engine`."""

    def go(name: str, rows: list[Row] | pa.Table, *flags: object, status: int = 0, engine: bool = False) -> Path:
        monkeypatch.setattr(LazySession, "local_cores", lambda _: None if engine else 2)
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=50)
        output = tmp_path / name
        argv = ["--input", tmp_path / f"{name}.parquet", "--output", output, *flags]
        assert dedup.main([str(word) for word in argv]) == status
        if status == 0:
            assert unbalanced(json.loads((output / "_ledger.json").read_text())) == 0
            assert {path.name for path in output.iterdir()} - {"lines"} == {
                "_examples.json", "_ledger.json", "_run.json", "clusters", "documents", "signatures",
            }  # fmt: skip
        return output

    return go


def rows_of(folder: Path, name: str = "documents") -> list[Row]:
    return sorted(pq.read_table(folder / name).to_pylist(), key=lambda row: str(row.get("id", row.get("line_hash"))))


def kept(folder: Path) -> set[str]:
    return {row["id"] for row in rows_of(folder)}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


WAYS: dict[str, tuple[list[str], bool]] = {
    "files by processes": ([], False),
    "files by the engine's tasks": ([], True),
    "shuffles": (["--one-task-documents", "0"], True),
}


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
        assert json.loads((other / "_examples.json").read_text()) == json.loads((first / "_examples.json").read_text())


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


def test_a_stage_of_a_corpus_without_an_engine(
    corpus_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LazySession, "local_cores", lambda _: 2)
    root = tmp_path / "root"
    shutil.copytree(corpus_root, root)
    shutil.rmtree(root / "dedup")
    assert dedup.main(["--root", str(root)]) == 0
    for table in ("documents", "clusters", "signatures"):
        assert rows_of(root / "dedup", table) == rows_of(corpus_root / "dedup", table)
    for name in ("_ledger.json", "_examples.json"):
        assert (root / "dedup" / name).read_bytes() == (corpus_root / "dedup" / name).read_bytes()
    record = json.loads((root / "dedup" / "_run.json").read_text())
    assert record["fingerprint"] == json.loads((corpus_root / "dedup" / "_run.json").read_text())["fingerprint"]


# Three crawls: copies inside and across them, exact and near, and texts that are in one only.
FAMILIES = [
    *(family(f"near{n}", [0, 2, 5, 1, 3, 7], n) for n in range(6)),
    *(family(f"same{n}", [0, 0, 0, 4, 0, 0], 100 + n) for n in range(4)),
    *(family(f"pair{n}", [0, 6], 200 + n) for n in range(8)),
    *(family(f"alone{n}", [0], 300 + n) for n in range(10)),
]


def crawls() -> list[list[Row]]:
    parts: list[list[Row]] = [[], [], []]
    rng = np.random.default_rng(5)
    for members in FAMILIES:
        start = int(rng.integers(3))
        for number, row in enumerate(members):
            parts[(start + number) % 3].append({**row, "age": (start + number) % 3})
    return parts


def test_an_earlier_crawl_is_as_if_both_were_one(run: Dedup, tmp_path: Path) -> None:
    first, second, third = crawls()
    one = run("one", first)
    before = tree(one)
    two = run("two", second, "--against", one)
    three = run("three", third, "--against", one, two)
    assert tree(one) == before  # untouched
    both = run("both", [{**row, "quality": -row["age"]} for row in first + second], "--quality-column", "quality")
    everything = [{**row, "quality": -row["age"]} for row in first + second + third]
    union = run("union", everything, "--quality-column", "quality")
    ids = [{row["id"] for row in part} for part in (first, second, third)]
    assert kept(two) == kept(both) & ids[1]
    assert kept(three) == kept(union) & ids[2]
    assert kept(one) >= kept(union) & ids[0]
    assert kept(one) | kept(two) == kept(both)  # no new page joins two old clusters here
    size = {row["id"]: row["minhash_cluster_size"] for row in rows_of(union)}
    found = {row["id"]: row for row in rows_of(three, "clusters")}
    assert {row["cluster_id"] for row in found.values()} & ids[0]  # some went to the first crawl's copies
    for row in found.values():
        assert row["minhash_cluster_size"] == size[row["cluster_id"]], row
        assert row["similarity"] == 1.0 if row["drop_reason"] == "exact" else 0.5 < row["similarity"] <= 1
    fingerprints = [json.loads((folder / "_run.json").read_text())["fingerprint"] for folder in (one, two)]
    for name, row in found.items():
        where = [fingerprints[age] if age < 2 else None for age in range(3) if name in ids[age]]
        assert [row["crawl"]] == where
        assert (row["drop_reason"] is None) == (row["id"] == row["cluster_id"] or row["crawl"] is not None)


def changed(row: Row, name: str, *places: int) -> Row:
    """A copy with other words in some places."""
    words = row["text"].split()
    for place in places:
        words[place] = f"other{place}"
    return {"id": name, "text": " ".join(words)}


def test_a_copy_of_a_dropped_copy_goes_whatever_the_earlier_crawls_knew(run: Dedup) -> None:
    """The second crawl never saw the first: its kept page has the text of the first one's, and its dropped page is what
    the new crawl brings again."""
    page = family("p", [0], 1)[0]
    one = run("one", [page])
    near = changed(page, "qx", 20)
    near["text"] = near["text"].rsplit(" ", 1)[0]
    two = run("two", [{**page, "id": "q"}, near])
    assert kept(two) == {"q"}
    three = run("three", [{**near, "id": "n"}], "--against", one, two)
    assert kept(three) == set()
    (row,) = (row for row in rows_of(three, "clusters") if row["id"] == "n")
    assert (row["cluster_id"], row["minhash_cluster_size"], row["drop_reason"]) == ("p-0", 4, "minhash")
    assert 0.8 < row["similarity"] < 1


def test_a_page_that_joins_two_old_clusters(run: Dedup) -> None:
    """It goes, both old pages stay where they are, and what comes later finds all of them to be one cluster."""
    base = family("b", [0], 2)[0]
    first = [changed(base, "a1", 20, 60, 100), changed(base, "a3", 40, 80, 120), changed(base, "a3x", 40, 80, 120)]
    first[2]["text"] = first[2]["text"].rsplit(" ", 1)[0]  # the shorter one goes
    one = run("one", first)
    assert kept(one) == {"a1", "a3"}
    two = run("two", [base], "--against", one)
    assert kept(two) == set()
    rows = {row["id"]: row for row in rows_of(two, "clusters")}
    assert {name: row["drop_reason"] for name, row in rows.items()} == {"a1": None, "a3": None, "b-0": "minhash"}
    assert {(row["cluster_id"], row["minhash_cluster_size"]) for row in rows.values()} == {
        ("a3", 4)
    }  # the longer of the two
    three = run("three", [{**first[2], "id": "c"}, changed(first[2], "c2", 180)], "--against", one, two)
    assert kept(three) == set()
    assert {(row["cluster_id"], row["minhash_cluster_size"]) for row in rows_of(three, "clusters")} == {("a3", 6)}


def test_a_root_that_was_compared_needs_its_own_earlier_one(run: Dedup, capfd: pytest.CaptureFixture[str]) -> None:
    first, second, third = crawls()
    one = run("one", first)
    two = run("two", second, "--against", one)
    run("three", third, "--against", two, status=2)
    assert "was compared with an earlier crawl in its turn" in capfd.readouterr().err


def test_against_what_is_no_crawl(run: Dedup, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = crawls()[0]
    one, other = run("one", rows), run("other", rows, "--ngram-size", "4")
    assert json.loads((one / "_run.json").read_text())["config"]["bands"] == 20
    bare = tmp_path / "bare"
    shutil.copytree(one, bare)
    shutil.rmtree(bare / "signatures")
    (tmp_path / "empty").mkdir()
    for against, says in [
        ([tmp_path / "nowhere"], "no finished dedup there"),
        ([tmp_path / "empty"], "no finished dedup there"),
        ([bare], "it has no signatures"),
        ([other], "its signatures are words2-signature2-affine32-seed1-n4-20x6"),
        ([one, one], "given twice"),
    ]:
        run("two", rows, "--against", *against, status=2)
        errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1 and says in errors[0]
        assert not (tmp_path / "two").exists()


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


def test_no_rows(run: Dedup) -> None:
    nothing = pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.string())})
    folder = run("nothing", nothing)
    assert rows_of(folder) == rows_of(folder, "clusters") == rows_of(folder, "signatures") == []
    other = run("something", family("a", [0, 1], 1), "--against", folder)
    assert len(rows_of(other)) == 1


def test_the_threshold_is_the_similarity(run: Dedup) -> None:
    """One: only the same shingles. The lower it is, the more go."""
    rows = [row for n in range(12) for row in family(f"f{n}", [0, n], n)]
    sizes = {}
    for threshold in ("1", "0.9", "0.8", "0.5"):
        folder = run(f"t{threshold}", rows, "--threshold", threshold)
        sizes[threshold] = len(rows_of(folder))
        for row in rows_of(folder, "clusters"):
            assert row["similarity"] >= float(threshold)
    assert 23 == sizes["1"] > sizes["0.9"] > sizes["0.8"] > sizes["0.5"] >= 12


def test_containment(run: Dedup) -> None:
    """A text within a longer one: a quarter of its shingles by Jaccard, all by containment."""
    whole = family("whole", [0], 1, length=400)[0]
    part = {"id": "part", "text": " ".join(whole["text"].split()[100:300])}
    flags = ["--threshold", "0.9", "--bands", "60", "--rows", "2"]
    assert kept(run("jaccard", [whole, part], *flags)) == {"whole-0", "part"}
    folder = run("containment", [whole, part], *flags, "--verify", "containment")
    assert kept(folder) == {"whole-0"}
    assert [row["similarity"] for row in rows_of(folder, "clusters")] == [1.0, 1.0]


def test_without_verification_chains_collapse_templates(run: Dedup) -> None:
    """Pages of a template that share two thirds of it are no copies; unverified buckets say that they are."""
    rng = np.random.default_rng(3)
    template = rng.choice(VOCABULARY, 400).tolist()
    rows = []
    for number in range(60):
        own = rng.choice(VOCABULARY, 60).tolist()
        rows.append({"id": f"page-{number:02d}", "text": " ".join([*template, *own])})
    assert len(kept(run("verified", rows, "--threshold", "0.9"))) == 60
    unverified = run("unverified", rows, "--threshold", "0.9", "--verify", "none", "--bands", "20", "--rows", "6")
    assert len(kept(unverified)) == 1
    assert {row["similarity"] for row in rows_of(unverified, "clusters")} == {1.0, None}


def test_lines_that_a_host_repeats_are_cut_first(run: Dedup) -> None:
    """Under one long menu all pages of a host look alike; without it they do not. A page of nothing else goes."""
    menu = "\n".join(" ".join(words) for words in np.random.default_rng(1).choice(VOCABULARY, (40, 12)))
    rows = [
        {"id": f"p{n:02d}", "url": f"https://www.shop.example/{n}", "text": f"{menu}\n{row['text']}\n{menu}"}
        for n, row in enumerate(row for n in range(12) for row in family(f"f{n}", [0], n, length=30))
    ]
    rows.append({"id": "menu", "url": "https://shop.example/menu", "text": menu})
    rows.append({"id": "elsewhere", "url": "https://other.example/", "text": menu})
    assert len(kept(run("whole", rows))) < 5
    folder = run("cut", rows, "--scope", "line")
    assert kept(folder) == {row["id"] for row in rows} - {"menu"}
    for row in rows_of(folder):
        assert (menu in row["text"]) == (row["id"] == "elsewhere")
        assert row["cut_lines"] == (0 if row["id"] == "elsewhere" else 80)
    ledger = json.loads((folder / "_ledger.json").read_text())
    assert ledger["dropped"] == {"template": 1} and ledger["tables"]["lines"] == 40
    assert len(pq.read_table(folder / "lines")) == 40


def test_names_with_dots_and_columns_of_our_own(run: Dedup) -> None:
    """The table of an earlier run, lines cut, is a table like any other."""
    rows = [{**row, "meta.src": "s", "cut_lines": 0, "cluster_id": "old", "minhash_cluster_size": 9}
            for row in family("f", [0, 1], 1)]  # fmt: skip
    for engine in (False, True):
        folder = run(f"dots{engine}", [*rows, rows[0]], engine=engine)
        (row,) = rows_of(folder)
        assert (row["meta.src"], row["cluster_id"], row["minhash_cluster_size"]) == ("s", row["id"], 2)


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
