"""What extract refuses before it parses: blocked hosts, and pages in no wanted language; each is counted."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from warcs import SHARED, http, plain_record, read, warc

from jobs import extract
from pipeline.archive.records import Page
from pipeline.config import ExtractConfig
from pipeline.flags import Parser, add_stage_flags, load, parse
from pipeline.language.quick_guess import SAMPLE_BYTES, QuickLanguage, sample
from pipeline.page.charset import decode
from pipeline.page.documents import Document, extract_page
from pipeline.page.isolation import Extracted
from pipeline.spark.job import stage_flags
from pipeline.stages import extract as stage
from schemas.errors import UserError
from schemas.records import STAGES

ARTICLES = Path(__file__).resolve().parents[1] / "archive" / "articles"
LANGUAGES = "eng cmn jpn kor tha khm arb heb hin tam amh kat rus tur".split()  # noqa: SIM905
FILES = {"cmn": "zho", "arb": "ara"}


def text(language: str) -> str:
    return (ARTICLES / f"{FILES.get(language, language)}.txt").read_text(encoding="utf-8")


def page(words: str, menu: str = "Home | Contact | Cookies | Impressum") -> bytes:
    paragraphs = "".join(f"<p>{line}</p>\n" for line in words.splitlines())
    script = "<script>var words = 'The quick brown fox and the lazy dog, in English, at length';</script>"
    return f"<html><head><title>x</title>{script}</head><ul><li>{menu}</ul><article>{paragraphs}</article>".encode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_is_told_from_the_others(language: str) -> None:
    others = [other for other in LANGUAGES if other != language]
    html = page(text(language))
    assert QuickLanguage([language]).refuses(html) is None
    assert QuickLanguage([*others, language]).refuses(html) is None
    said = QuickLanguage(others).refuses(html)
    assert said is not None and said.startswith(f"{language} ")
    entities = page(text(language)).decode().encode("ascii", "xmlcharrefreplace")
    assert QuickLanguage([language]).refuses(entities) is None


def test_what_is_short_unsure_or_mixed_is_kept() -> None:
    wanted = QuickLanguage(["tha"])
    assert wanted.refuses(page("A short English sentence.")) is None
    assert wanted.refuses(b"") is None and wanted.refuses(b"<p>" * 1000) is None
    assert wanted.refuses(page("0123 4567 8901 " * 100, "1 2 3")) is None
    assert wanted.refuses(page(text("eng"))) is not None
    assert wanted.refuses(page(text("eng") + "\n" + text("tha"))) is None
    assert QuickLanguage(["hrv"]).refuses(page(text("eng"))) is not None
    croatian = (
        "Vlada je jučer usvojila novi zakon o visokom obrazovanju, a ministar je rekao da će stupiti na snagu. " * 5
    )
    assert QuickLanguage(["srp"]).refuses(page(croatian)) is None  # too close for a quick guess


def test_text_without_markup_is_taken_by_lines() -> None:
    assert QuickLanguage(["tha"]).refuses(text("tha").encode(), is_text=True) is None
    assert QuickLanguage(["tha"]).refuses(text("eng").encode(), is_text=True) is not None
    assert QuickLanguage(["tha"]).refuses(("a<b and " + text("eng")).encode(), is_text=True) is not None
    assert sample(b"one &amp; two\nthree", is_text=True) == [b"one &amp; two", b"three"]


def test_the_sample_is_the_longest_runs() -> None:
    short, long = "<li>menu</li>" * 1000, "<p>" + "words " * 500 + "</p>"
    pieces = sample((short + long + short).encode())
    assert sum(map(len, pieces)) <= SAMPLE_BYTES
    assert b"".join(pieces).count(b"words") == 500
    assert sample("<script>x</script><p>字&#x8a9e;<b>&amp;".encode()) == ["字語".encode(), b"&"]
    assert sum(map(len, sample(b"x" * 1_000_000))) == SAMPLE_BYTES


class Reader:
    """Stands in for the extraction process; counts the pages that reach it."""

    def __init__(self) -> None:
        self.calls = 0

    def extract(self, html: bytes) -> Extracted:
        self.calls += 1
        return Extracted("words")


def test_a_refused_page_is_not_parsed() -> None:
    items = read(warc([{"url": f"http://{code}.example/", "body": page(text(code))} for code in ("eng", "tha", "amh")]))
    reader = Reader()
    found = [extract_page(item, reader, QuickLanguage(["tha", "amh"])) for item in items if isinstance(item, Page)]
    assert [getattr(one, "reason", "kept") for one in found] == ["language", "kept", "kept"]
    assert reader.calls == 2 and isinstance(found[1], Document)
    assert found[0].detail.startswith("eng ")


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """Two hosts, two languages, a copy, and records that are refused for other reasons before."""
    body = {code: page(text(code)) for code in ("eng", "tha")}
    records: list[dict[str, Any]] = [
        {"url": "http://good.example/eng", "body": body["eng"]},
        {"url": "http://good.example/tha", "body": body["tha"]},
        {"url": "http://good.example/copy", "body": body["tha"]},
        {"url": "http://www.bad.example/tha", "body": body["tha"]},
        {"url": "http://www.bad.example/gone", "body": body["tha"], "status": "404 Not Found"},
        {"url": "http://good.example/secret/1", "body": body["tha"]},
        {"url": "http://bad.example/text", "type": "conversion", "http": None, "content_type": "text/plain",
         "body": text("tha").encode()},
        {"url": "http://good.example/text", "type": "conversion", "http": None, "content_type": "text/plain",
         "body": text("eng").encode()},
    ]  # fmt: skip
    (tmp_path / "a.warc.gz").write_bytes(warc(records))
    (tmp_path / "hosts.txt").write_text("bad.example\ngood.example/secret\n")
    return tmp_path


def rows(root: Path, table: str) -> list[dict[str, Any]]:
    found = ds.dataset(root / "extract" / table, format="parquet", exclude_invalid_files=True).to_table()
    return found.to_pylist()  # type: ignore[no-any-return]


def test_the_job_counts_each_reason(spark: object, crawl: Path) -> None:
    root = crawl / "root"
    given = ["--input", str(crawl / "a.warc.gz"), "--root", str(root), "--engine", "resiliparse"]
    assert extract.main([*given, "--languages", "tha", "--block-lists", str(crawl / "hosts.txt")]) == 0
    lost = {row["url"]: (row["reason"], row["detail"]) for row in rows(root, "skipped")}
    assert {url: reason for url, (reason, _) in lost.items()} == {
        "http://good.example/eng": "language",
        "http://good.example/text": "language",
        "http://www.bad.example/tha": "blocked_host",
        "http://www.bad.example/gone": "status",
        "http://good.example/secret/1": "blocked_host",
        "http://bad.example/text": "blocked_host",
    }
    assert lost["http://www.bad.example/tha"][1] == "host:hosts"
    assert lost["http://good.example/secret/1"][1] == "url:hosts"
    kept = {row["url"]: row["text"] for row in rows(root, "documents")}
    assert sorted(kept) == ["http://good.example/copy", "http://good.example/tha"]
    assert kept["http://good.example/copy"] == kept["http://good.example/tha"]
    (receipt,) = rows(root, "inputs")
    counts = Counter(
        {entry["reason"]: entry["count"] for entry in receipt["counts"] if entry["record_type"] == "response"}
    )
    assert counts == {None: 2, "language": 1, "blocked_host": 2, "status": 1}
    assert receipt["records"] == sum(entry["count"] for entry in receipt["counts"])


def test_all_is_read_without_them(spark: object, crawl: Path) -> None:
    root = crawl / "root"
    assert extract.main(["--input", str(crawl / "a.warc.gz"), "--root", str(root), "--engine", "resiliparse"]) == 0
    assert {row["reason"] for row in rows(root, "skipped")} == {"status"}
    assert len(rows(root, "documents")) == 7


def test_identity(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_text("bad.example\n")
    config = ExtractConfig(block_lists=(str(tmp_path / "hosts.txt"),))
    before = stage.lists(config)
    (tmp_path / "hosts.txt").write_text("worse.example\n")
    after = stage.lists(config)
    assert before != after and before["block_lists"].keys() == after["block_lists"].keys()
    assert stage.lists(ExtractConfig()) == {"block_lists": {}}
    with pytest.raises(UserError, match=r"\[extract\] block_lists: .*nowhere.txt: no such file or folder"):
        stage.lists(ExtractConfig(block_lists=(str(tmp_path / "nowhere.txt"),)))
    assert not {"languages", "block_lists"} & extract.NEUTRAL


def test_flags() -> None:
    def config(*argv: str, stages: tuple[str, ...] = ("extract",)) -> ExtractConfig:
        parser = Parser(allow_abbrev=False)
        add_stage_flags(parser, stages)
        return load(None, stage_flags(parse(parser, argv))).extract

    assert config("--languages", "eng,tha").languages == ("eng", "tha")
    both = ("--extract.languages", "eng", "--clean.languages", "tha")
    assert config(*both, stages=STAGES).languages == ("eng",)
    for argv, words in (
        (["--languages", "und"], "extract.languages.*und cannot be guessed"),
        (["--languages", "zho"], "extract.languages.*no language 'zho'.*cmn"),
        (["--languages", "xyz"], "extract.languages.*no language 'xyz'"),
    ):
        with pytest.raises(UserError, match=words):
            config(*argv)
    with pytest.raises(UserError, match="--languages"):  # whose?
        config("--languages", "eng", stages=STAGES)


@pytest.mark.skipif(not (SHARED / "data/text").exists(), reason="no ../shared/data/text")
def test_labelled_texts() -> None:
    """A text whose language is found on the whole text is not refused where it is wanted."""
    from pipeline.kernels.arrow_text import from_strings
    from pipeline.language.identifier import Identifier

    data = (SHARED / "data/text/labelled.warc.gz").read_bytes()
    pages = [item for item in read(data) if isinstance(item, Page)][::4]
    decoded = [found.text for one in pages if (found := decode(one.body, one.http_charset))]
    plain = [b"\n".join(sample(html.encode())).decode("utf-8", "ignore") for html in decoded]
    found = Identifier().identify(from_strings(plain)).language.to_pylist()
    wrong = wanted = refused = others = 0
    for language in ("eng", "swh", "hin", "fra", "rus", "amh", "fas", "cmn"):
        guess = QuickLanguage([language])
        for html, final in zip(decoded, found, strict=True):
            said = guess.refuses(html.encode()) is not None
            wanted, wrong = wanted + (final == language), wrong + (final == language and said)
            if final not in (language, "und"):
                others, refused = others + 1, refused + said
    assert wanted > 100 and wrong <= 0.005 * wanted
    assert refused > 0.7 * others


def test_no_language_model_is_loaded_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "QuickLanguage", None)
    assert stage._guess(()) is None
    (item,) = read(plain_record(http(page(text("eng")), "Content-Type: text/html")))
    assert isinstance(item, Page) and isinstance(extract_page(item, Reader()), Document)
