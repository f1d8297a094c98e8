"""jobs/dedup.py as its users run it: on any table, against earlier crawls. Without an engine."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from copies import VOCABULARY, Row, family
from dedups import Dedup, Picky, crawls, dedup_runs, rows_of

from pipeline.duplicates import signing


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dedup:
    return dedup_runs(tmp_path, monkeypatch)


def kept(folder: Path) -> set[str]:
    return {row["id"] for row in rows_of(folder)}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_text_that_signing_fails_on(
    run: Dedup, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is dropped with a reason, the others are as without it, and a later crawl compares with none of it."""
    first, second, _ = crawls()
    good = run("good", first)
    bad: list[Row] = [
        {**first[0], "id": f"bad-{kind}", "text": f"UNREADABLE {kind} words"} for kind in ("raise", "loop")
    ]
    monkeypatch.setattr(signing, "Signer", Picky)
    mixed = run("mixed", [*first[:7], *bad, *first[7:]], "--text-seconds", "0.2")
    assert rows_of(mixed) == rows_of(good)
    names = {row["id"] for row in bad}
    found = {row["id"]: row for row in rows_of(mixed, "clusters") if row["id"] in names}
    assert [row for row in rows_of(mixed, "clusters") if row["id"] not in names] == rows_of(good, "clusters")
    for name in names:
        assert [found[name][key] for key in ("drop_reason", "cluster_id", "kept_id")] == ["failed:signing", name, name]
        assert (found[name]["minhash_cluster_size"], found[name]["similarity"]) == (1, None)
    ledger = json.loads((mixed / "_ledger.json").read_text())
    assert ledger["dropped"]["failed:signing"] == 2 and ledger["tables"]["signatures"] == len(first) + 2
    assert "2 of " in (said := capsys.readouterr()).out and "texts failed (signing 2)" in said.out
    shown = {
        row["id"] for row in json.loads((mixed / "_examples.json").read_text()) if row["reason"] == "failed:signing"
    }
    assert shown == names
    monkeypatch.undo()
    later = run("later", [*second, *bad], "--against", mixed)
    plain = run("plain", [*second, *bad], "--against", good)
    assert kept(later) == kept(plain) >= names


def test_signing_that_fails_on_every_text_is_a_bug(run: Dedup, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(signing, "Signer", Picky)
    rows: list[Row] = [{"id": str(n), "text": f"UNREADABLE raise {n}"} for n in range(30)]
    with pytest.raises(ValueError, match="planted"):
        run("many", rows)
    with pytest.raises(RuntimeError, match="3 of 3 texts failed"):
        run("few", rows[:3])
    assert not (tmp_path / "many").exists() and not (tmp_path / "few").exists()


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
        assert (row["drop_reason"] is None) == (row["id"] == row["kept_id"] or row["crawl"] is not None)


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


def chain(name: str, texts: range) -> list[Row]:
    """Each text is like the next, and unlike the one after that."""
    words = family(name, [0], 7, length=200)[0]["text"].split()
    texts_of = (" ".join([*(f"own{w}" for w in range(12 * n)), *words[12 * n :]]) for n in texts)
    return [{"id": f"{name}{n}", "text": text} for n, text in zip(texts, texts_of, strict=True)]


def test_a_cluster_stays_whole_from_crawl_to_crawl(run: Dedup) -> None:
    """Its kept copies are unlike one another; clusters of a version that did not name them do as well."""
    first, later = chain("c", range(0, 9)), chain("c", range(9, 12))
    one = run("one", first)
    rows = {row["id"]: row for row in rows_of(one, "clusters")}
    assert {row["minhash_cluster_size"] for row in rows.values()} == {9} and 1 < len(kept(one)) < 9
    assert {row["cluster_id"] for row in rows_of(one)} == {row["cluster_id"] for row in rows.values()}
    assert len({row["cluster_id"] for row in rows.values()}) == 1
    two = run("two", later, "--against", one)
    found = {row["id"]: row for row in rows_of(two, "clusters")}
    assert set(found) == kept(one) | {row["id"] for row in later}
    assert {(row["cluster_id"], row["minhash_cluster_size"]) for row in found.values()} == {
        (next(iter(rows.values()))["cluster_id"], 12)
    }
    for row in found.values():
        stays = row["drop_reason"] is None
        assert row["kept_id"] in kept(one) | kept(two) and stays == (row["id"] == row["kept_id"])
        assert (row["kept_crawl"] is None) == (row["kept_id"] in kept(two)) and row["cluster_crawl"]
    for file in (one / "clusters").iterdir():
        pq.write_table(pq.read_table(file).drop_columns(["kept_id", "kept_crawl"]), file)
    assert rows_of(run("three", later, "--against", one), "clusters") == rows_of(two, "clusters")


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
