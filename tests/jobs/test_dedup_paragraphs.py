"""jobs/dedup.py --scope paragraph as a user runs it; what jobs/explain.py and the report say of it, and a takedown."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lxml.html
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from copies import Row, family
from dedups import Dedup, dedup_runs, rows_of
from shared_paragraphs import SHARED, own, web
from stage_tables import table

from jobs import dedup, explain, remove
from pipeline.report.page import write_report
from pipeline.spark.session import LazySession
from pipeline.store import generations


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dedup:
    return dedup_runs(tmp_path, monkeypatch)


LICENCE = "\n".join([*SHARED.values()][:8])


def test_what_hosts_share_is_cut_before_pages_are_compared(run: Dedup) -> None:
    """Under one long licence pages of many hosts look alike, without it they do not; its own page keeps it."""
    rows = [{"id": f"p{n:02d}", "url": f"https://h{n}.example/", "text": f"{row['text']}\n\n{LICENCE}"}
            for n, row in enumerate(row for n in range(12) for row in family(f"f{n}", [0], n, length=300))]  # fmt: skip
    rows.append({"id": "licence", "url": "https://licence.example/", "text": f"{LICENCE}\n\n{SHARED['tur']}"})
    folder = run("cut", rows, "--scope", "paragraph")
    documents = {row["id"]: row for row in rows_of(folder)}
    assert documents.keys() == {row["id"] for row in rows}
    for row in rows:
        whole = row["id"] == "licence"
        assert documents[row["id"]]["text"] == (row["text"] if whole else row["text"].partition("\n\n")[0])
        assert documents[row["id"]]["cut_paragraphs"] == (0 if whole else 1)
    listed = pq.read_table(folder / "paragraphs").to_pylist()
    assert len(listed) == 9 and {(row["pages"], row["hosts"]) for row in listed} == {(13, 13)}
    assert {(row["cut_documents"], row["kept_documents"], row["is_cut"]) for row in listed} == {(12, 1, True)}
    ledger = json.loads((folder / "_ledger.json").read_text())
    assert ledger["dropped"] == {} and ledger["tables"]["paragraphs"] == 9
    version = pq.read_table(folder / "signatures")["signature_version"][0].as_py()
    assert version.endswith("-paragraphs10-3-60")


def test_a_table_of_texts_alone(run: Dedup) -> None:
    rows: list[Row] = [{"id": n, "text": "\n".join([*own(n), SHARED["tha"]])} for n in range(12)]
    folder = run("bare", rows, "--scope", "paragraph", "--min-paragraph-pages", "12", "--min-paragraph-hosts", "12")
    assert {row["text"] for row in rows_of(folder)} == {"\n".join(own(n)) for n in range(12)}


def test_earlier_crawls(run: Dedup, capfd: pytest.CaptureFixture[str]) -> None:
    """With those that a text is on ten pages; a crawl that has counted nothing is named."""

    def pages(first: int, last: int) -> list[Row]:
        return [{"id": f"{n}", "url": f"http://h{n}.example/", "text": "\n".join([*own(n), SHARED["amh"]])}
                for n in range(first, last)]  # fmt: skip

    before = run("before", pages(0, 6), "--scope", "paragraph")
    assert {row["cut_paragraphs"] for row in rows_of(before)} == {0}
    now = run("now", pages(4, 10), "--scope", "paragraph", "--against", before)
    assert [row["pages"] for row in pq.read_table(now / "paragraphs").to_pylist()] == [10]
    documents = rows_of(now)  # of those that are fetched again the earlier ones stay
    assert {row["id"]: row["cut_paragraphs"] for row in documents} == dict.fromkeys("6789", 1)
    plain = run("plain", pages(0, 3))
    capfd.readouterr()
    run("wrong", pages(0, 3), "--scope", "paragraph", "--against", plain, status=2)
    assert f"error: --against {plain}: it has no counts of paragraphs; run " in capfd.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        ["--min-paragraph-pages", "1"],
        ["--min-paragraph-pages", "2000000"],
        ["--min-paragraph-hosts", "1"],
        ["--min-paragraph-hosts", "65"],
        ["--min-paragraph-letters", "0"],
        ["--min-paragraph-letters", "many"],
        ["--scope", "paragraphs"],
    ],
)
def test_settings_out_of_their_range(run: Dedup, capfd: pytest.CaptureFixture[str], flags: list[str]) -> None:
    run("wrong", [{"id": "1", "text": "x"}], "--scope", "paragraph", *flags, status=2)
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and flags[0].lstrip("-").replace("-", "_") in errors[0].replace("-", "_")


@pytest.mark.faults
def test_every_way_of_running_it_answers_alike(spark: object, run: Dedup) -> None:
    ways = {"files": ([], False), "tasks": ([], True), "shuffles": (["--one-task-documents", "0"], True)}
    made = {
        name: run(name, web(), "--scope", "paragraph", "--min-paragraph-pages", "5", *flags, engine=engine)
        for name, (flags, engine) in ways.items()
    }
    for name in ("documents", "signatures", "clusters", "paragraphs", "paragraph_examples", "paragraph_counts"):
        first, *others = (rows_of(folder, name) for folder in made.values())
        assert all(other == first for other in others) and first, name
    ledgers = {(folder / "_ledger.json").read_bytes() for folder in made.values()}
    assert len(ledgers) == 1 and b'"paragraphs"' in ledgers.pop()


PLANTED = ("eng", "cmn", "tha", "arb", "hin", "rus", "khm", "kor")


def plant(root: Path) -> dict[str, list[str]]:
    """Puts texts that hosts share into every kept page of clean; by id, which. A page of nothing else is among them."""
    now = generations.current(str(root / "clean"))
    assert now
    planted: dict[str, list[str]] = {}
    for path in now.files("documents").values():
        file = pq.ParquetFile(path)
        groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
        with pq.ParquetWriter(path, file.schema_arrow) as out:
            for group in groups:
                texts = group["text"].to_pylist()
                for at, (name, reason) in enumerate(
                    zip(group["id"].to_pylist(), group["drop_reason"].to_pylist(), strict=True)
                ):
                    if reason is None:
                        own_texts = [SHARED[PLANTED[len(planted) % 8]]]
                        texts[at] = own_texts[0] if len(planted) == 8 else f"{own_texts[0]}\n\n{texts[at]}"
                        planted[name] = own_texts
                place = group.schema.get_field_index("text")
                out.write_table(group.set_column(place, group.schema.field("text"), pa.array(texts)))
    return planted


@pytest.fixture(scope="module")
def root(corpus_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("shared") / "root"
    shutil.copytree(corpus_root, root)
    (root / "planted.json").write_text(json.dumps(plant(root)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LazySession, "local_cores", lambda _: 1)
        assert dedup.main(["--root", str(root), "--scope", "paragraph", "--min-paragraph-pages", "5"]) == 0
    yield root


@pytest.fixture
def told(root: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def ask(*flags: object) -> str:
        assert explain.main(["--root", str(root), *map(str, flags)]) == 0
        return capsys.readouterr().out

    return ask


def test_explain_tells_what_was_cut_and_where_else_it_stands(
    root: Path, told: Callable[..., Any], tmp_path: Path
) -> None:
    planted = json.loads((root / "planted.json").read_text())
    urls = {row["id"]: row["url"] for row in table(root, "clean/documents")}
    names = list(planted)
    for at in (0, 1, 6, 8):
        (text,) = planted[names[at]]
        (answer,) = json.loads(told("--id", names[at], "--json"))
        repeated = answer["stories"][0]["repeated"]
        (one,) = [paragraph for paragraph in repeated["paragraphs"] if paragraph["text"] == text]
        assert repeated["are_cut"] == (at < 8) and (repeated["share"] == 1) == (at == 8)
        assert one["pages"] > 4 and one["cut_documents"] + one["kept_documents"] >= one["pages"]
        assert one["kept_documents"] == (text == SHARED["eng"])
        assert len(one["elsewhere"]) >= 4
        assert all(planted[page["id"]] == [text] and urls[page["id"]] == page["url"] for page in one["elsewhere"])
    lines = told("--id", names[8], "--html", tmp_path / "page.html") + told("--id", names[8])
    assert f"on {one['pages']} pages of {one['hosts']} hosts" in lines and one["elsewhere"][0]["url"] in lines
    shown = lxml.html.document_fromstring((tmp_path / "page.html").read_text("utf-8")).text_content()
    assert text in shown and one["elsewhere"][0]["url"] in shown
    page = lxml.html.document_fromstring(Path(write_report(str(root))).read_text("utf-8")).text_content()
    assert "Paragraphs that hosts share" in page and all(SHARED[name] in page for name in PLANTED)


def test_a_page_that_is_taken_down_is_an_example_no_more(root: Path, tmp_path: Path) -> None:
    """Its id, its address and the text as it stood there go; the counts and the other pages stay."""
    copied = tmp_path / "root"
    shutil.copytree(root, copied)
    before = table(copied, "dedup/paragraph_examples")
    gone = {row["paragraph"]: row for row in before}.values()
    (tmp_path / "urls.txt").write_text("\n".join(row["url"] for row in gone) + "\n")
    paragraphs = table(copied, "dedup/paragraphs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LazySession, "local_cores", lambda _: 1)
        assert remove.main(["--root", str(copied), "--urls", str(tmp_path / "urls.txt")]) == 0
    ids = {row["id"] for row in gone}
    after = table(copied, "dedup/paragraph_examples")
    assert after == [row for row in before if row["id"] not in ids] and after
    assert table(copied, "dedup/paragraphs") == paragraphs
    for file in (copied / "dedup").rglob("*.parquet"):
        rows = pq.read_table(file).to_pylist()
        assert not any(name in str(row.get("id")) for row in rows for name in ids), file
    now = generations.current(str(copied / "dedup"))
    assert now and now.read_json("_ledger.json")["tables"]["paragraph_examples"] == len(after)
