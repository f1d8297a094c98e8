"""What a page costs on a store, counted there, in a small corpus and in one of ten times its size."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import fsspec
import pytest
from counted_store import CountedStore, counted_store
from warcs import warc

from jobs import clean, corpus, remove
from pipeline.spark.session import LazySession
from pipeline.store import generations, storage
from schemas.records import LEDGER

SIZES = (2, 20)  # archives
PAGES = 8  # an archive
WORDS = 6000  # a page, so that files are larger than their footers
MORE = 1.5  # times, at most, for lists of files that grow by a name each
URL = "https://of-archive-1.example.org/3"
LONG = 6100  # words of one page of all
SETTINGS = """
[clean]
presets = ["none"]
[clean.rules]
long = "n_words > {}"
[sample]
validation_share = 0.0
[vocab]
vocab_size = 600
"""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


class Cost(NamedTuple):
    """Bytes, and all bytes of the corpus."""

    read: int
    written: int
    corpus: int


def archive(number: int) -> bytes:
    """Pages of words at random, that no two share."""
    draw = random.Random(number)
    pages = []
    for page in range(PAGES):
        count = WORDS if number or page else LONG
        words = ["".join(draw.choices("abcdefghijklmnoprstuvw", k=draw.randint(3, 9))) for _ in range(count)]
        text = "".join(f"<p>{' '.join(words[at : at + 100])}.</p>" for at in range(0, count, 100))
        pages.append(
            {
                "url": f"https://of-archive-{number}.example.org/{page}",
                "body": f"<html><body><article>{text}</article></body></html>".encode(),
                "warc": {"WARC-Record-ID": f"<urn:uuid:{number:08}-0000-4000-8000-{page:012}>"},
            }
        )
    return warc(pages)


@pytest.fixture(scope="module")
def store() -> Iterator[CountedStore]:
    with counted_store({f"archive/{number:02}.warc.gz": archive(number) for number in range(max(SIZES))}) as running:
        yield running


@pytest.fixture(scope="module")
def roots(store: CountedStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, str]]:
    """A corpus a size, on the store."""
    made = {}
    settings = tmp_path_factory.mktemp("settings") / "loose.toml"
    settings.write_text(SETTINGS.format(LONG))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LazySession, "local_cores", lambda _: 2)
        for size in SIZES:
            made[size] = f"s3://corpus/{size}"
            archives = [f"s3://corpus/archive/{number:02}.warc.gz" for number in range(size)]
            assert corpus.main(["--input", *archives, "--root", made[size], "--config", str(settings)]) == 0
        yield made


def cost(store: CountedStore, root: str, job: object, *flags: str) -> Cost:
    files = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
    held = files.du(root)
    store.behave()
    assert job.main(["--root", root, *flags]) == 0  # type: ignore[attr-defined]
    counts = store.counts()
    return Cost(counts.read, counts.written, held)


def writes_no_more(costs: dict[int, Cost]) -> None:
    small, large = (costs[size] for size in SIZES)
    assert large.corpus > 5 * small.corpus
    assert large.written <= MORE * small.written, costs


def test_new_verdicts_write_no_text(store: CountedStore, roots: dict[int, str], tmp_path: Path) -> None:
    """Another rule, by which one page goes: its signal is read of all pages, which is a small part of them."""
    (tmp_path / "strict.toml").write_text(SETTINGS.format(LONG - 1))
    flags = ["--config", str(tmp_path / "strict.toml")]
    costs = {size: cost(store, root, clean, *flags) for size, root in roots.items()}
    writes_no_more(costs)
    assert costs[max(SIZES)].read < costs[max(SIZES)].corpus / 8, costs
    for root in roots.values():
        assert storage.read_json(f"{generations.required(f'{root}/clean').place}/{LEDGER}")["dropped"] == {"long": 1}


def test_removing_a_page_rewrites_its_files(store: CountedStore, roots: dict[int, str], tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text(f"{URL}\n")
    flags = ["--urls", str(tmp_path / "urls.txt")]
    costs = {size: cost(store, root, remove, *flags) for size, root in roots.items()}
    writes_no_more(costs)
    assert costs[max(SIZES)].read <= MORE * costs[min(SIZES)].read, costs
