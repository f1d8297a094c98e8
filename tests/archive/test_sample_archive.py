"""The sample archive is what it says: the builder gives the tracked bytes, and expected.jsonl fits the records."""

import importlib.util
import itertools
import json
import subprocess
import sys
import zlib
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import ftfy
import pytest
import regex
from fastwarc.warc import ArchiveIterator as FastIterator
from warcio.archiveiterator import ArchiveIterator as WarcioIterator
from webencodings import lookup

from pipeline.kernels.arrow_text import from_strings
from pipeline.language.identifier import Identifier
from pipeline.language.labels import iso_639_3
from schemas.clean import REASONS as CLEAN_REASONS
from schemas.extract import REASONS as EXTRACT_REASONS

ARCHIVE = Path(__file__).resolve().parent
ARCHIVES = ("sample.warc.gz", "sample-truncated.warc.gz", "sample.warc.wet.gz")
EXPECTED = "expected.jsonl"
UNSPACED = ("zho", "zho-Hant", "jpn", "tha", "khm")


@cache
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_archive_build", ARCHIVE / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@cache
def expected() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ARCHIVE / EXPECTED).read_text(encoding="utf-8").splitlines()]


def shingles(text: str, lang: str) -> set[str]:
    """Sets of 5 words, or of 5 characters where words are not spaced."""
    found = regex.findall(r"\p{L}\p{M}*" if lang in UNSPACED else r"[\p{L}\p{M}\p{N}]+", text.lower())
    return {" ".join(found[i : i + 5]) for i in range(len(found) - 4)}


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b)


def articles() -> list[Any]:
    return [pytest.param(name, text, id=name) for name, text in builder().ARTICLES.items()]


def page_shingles(*, cluster: bool) -> dict[str, list[set[str]]]:
    """Shingles of the pages of each cluster, or of each family of lookalikes."""
    groups = defaultdict(list)
    for page in builder().load_pages():
        name = page.cluster if cluster else page.shared
        if name and page.extract == "document":
            groups[name].append(shingles("\n".join(page.paragraphs), page.text.lang))
    return groups


@pytest.mark.skipif("ng" in zlib.ZLIB_RUNTIME_VERSION, reason="no classic zlib: zlib-ng compresses to other bytes")
def test_builder_gives_the_tracked_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ARCHIVE / "build.py", tmp_path], check=True)
    for name in (*ARCHIVES, EXPECTED):
        assert (tmp_path / name).read_bytes() == (ARCHIVE / name).read_bytes(), f"{name} is stale: run build.py"


@pytest.mark.parametrize("name", ARCHIVES)
def test_expected_names_each_record_once_and_in_order(name: str) -> None:
    want = [(e["record_id"], e["record_type"], e["url"]) for e in expected() if e["archive"] == name]
    with (ARCHIVE / name).open("rb") as f:
        names = ("WARC-Record-ID", "WARC-Type", "WARC-Target-URI")
        fast = [[r.headers.get(n) for n in names] for r in FastIterator(f, parse_http=False)]
    assert [(rid[10:-1], kind, url) for rid, kind, url in fast] == want
    with (ARCHIVE / name).open("rb") as f:  # without its HTTP parser, which wants an address in every record
        heads = [r.rec_headers for r in WarcioIterator(f, no_record_parse=True)]
    assert [h.get_header("WARC-Record-ID")[10:-1] for h in heads] == [record_id for record_id, _, _ in want]


def test_digests_of_the_main_archive_hold() -> None:
    with (ARCHIVE / ARCHIVES[0]).open("rb") as f:
        digests = Counter(
            (r.verify_block_digest(), "WARC-Payload-Digest" in r.headers) for r in FastIterator(f, parse_http=False)
        )
    assert set(digests) <= {(True, True), (True, False)}
    assert digests[True, True] > 150


def test_truncated_archive_ends_inside_its_last_record() -> None:
    data = (ARCHIVE / "sample-truncated.warc.gz").read_bytes()
    members = 0
    while data:
        inflate = zlib.decompressobj(31)
        inflate.decompress(data)
        data, members = inflate.unused_data, members + inflate.eof
    lines = [e for e in expected() if e["archive"] == "sample-truncated.warc.gz"]
    assert members == len(lines) - 1
    assert [e["extract"] for e in lines].index("truncated") == members


def test_size_and_breadth() -> None:
    tracked = [p for p in ARCHIVE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert sum(p.stat().st_size for p in tracked) < 1_000_000
    documents = [e for e in expected() if e["extract"] == "document"]
    assert len(documents) >= 120
    assert len({e["language"] for e in documents} - {None}) >= 24
    assert len({e["script"] for e in documents} - {None}) >= 10
    counts = Counter(name.split("/")[0] for name in builder().ARTICLES)
    assert min(counts.values()) >= 3


def test_every_page_has_an_address_kept_for_examples() -> None:
    hosts = {regex.match(r"https?://([^/]+)/", e["url"])[1] for e in expected() if e["url"]}
    assert all(h.endswith((".example.com", ".example.org", ".example.net", ".test")) for h in hosts)


def test_values_are_of_the_closed_lists() -> None:
    families = {reason.split(":")[0] for reason in CLEAN_REASONS}
    for e in expected():
        assert e["extract"] == "document" or e["extract"] in EXTRACT_REASONS
        assert e["clean"] in {None, "kept", *families}
        assert (e["dedup"] is not None) == (e["extract"] == "document" and e["clean"] in {None, "kept"})
        if e["encoding"]:
            assert lookup(e["encoding"]), e["encoding"]


def test_one_page_of_each_cluster_is_kept() -> None:
    kept = Counter(e["cluster"] for e in expected() if e["cluster"] and e["dedup"] == "kept")
    assert set(kept.values()) == {1}
    assert set(kept) == {e["cluster"] for e in expected() if e["cluster"]}
    sizes = Counter(e["cluster"] for e in expected() if e["cluster"])
    assert min(sizes.values()) >= 2


@pytest.mark.parametrize(("name", "text"), articles())
def test_article_is_prose_of_500_characters(name: str, text: Any) -> None:
    body = "\n".join(text.paragraphs)
    assert len(body) >= 500
    assert len(text.paragraphs) >= 3
    sentences = [s.strip() for s in regex.split(r"(?<=[.!?।។。！？።])\s*", body) if s.strip()]
    assert len(sentences) == len(set(sentences))
    assert body.count("\ufffd") == 0 and ftfy.fix_encoding(body) == body
    if text.lang != "tha":  # Thai ends a sentence with a space
        assert all(p[-1] in ".!?।។。！？።" for p in text.paragraphs)
    if text.lang not in UNSPACED:
        assert len(body.split()) >= 80


@pytest.mark.parametrize(("name", "text"), articles())
def test_the_article_is_in_its_language(name: str, text: Any) -> None:
    found = Identifier().identify(from_strings(["\n".join(text.paragraphs)]))
    assert found.language[0].as_py() == iso_639_3(text.lang.partition("-")[0])
    assert found.language_score[0].as_py() >= 0.4


def test_articles_are_different() -> None:
    by_lang = defaultdict(list)
    for text in builder().ARTICLES.values():
        by_lang[text.lang].append(shingles("\n".join(text.paragraphs), text.lang))
    for lang, sets in by_lang.items():
        worst = max(jaccard(a, b) for a, b in itertools.combinations(sets, 2))
        assert worst < 0.1, lang


def test_planted_duplicates_share_most_shingles() -> None:
    for name, sets in page_shingles(cluster=True).items():
        for a, b in itertools.combinations(sets, 2):
            assert jaccard(a, b) >= 0.8, name


def test_lookalikes_share_some_shingles_only() -> None:
    families = page_shingles(cluster=False)
    assert len(families) >= 4
    for name, (a, b) in families.items():
        assert 0.2 < jaccard(a, b) < 0.6, name


def test_double_encoded_page_is_repaired_by_fix_encoding() -> None:
    """The damage is real, and line by line ftfy undoes it."""
    (page,) = [p for p in builder().load_pages() if p.kind == "double_encoded"]
    damaged = builder().BODIES["twice"](page, 1).decode("utf-8")
    for phrase in page.contains:
        assert phrase not in damaged
        assert any(phrase in ftfy.fix_encoding(line) for line in damaged.splitlines())


def test_page_with_the_wrong_header_is_repaired_by_fix_encoding() -> None:
    (page,) = [p for p in builder().load_pages() if p.kind == "wrong_charset_header"]
    read, _ = lookup(page.http_charset).codec_info.decode(builder().render(page, 1))
    for phrase in page.contains:
        assert any(phrase in ftfy.fix_encoding(line) for line in read.splitlines())
    assert "fÃ¼hrt" in read
