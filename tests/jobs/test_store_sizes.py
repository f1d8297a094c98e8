"""What a page costs on a store, counted there, in a small corpus and in one of six times its size. With -s the figures
are printed, as a table."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import fsspec
import pytest
from counted_store import CountedStore, counted_store
from warcs import warc

from jobs import clean, corpus, extract, remove
from pipeline.spark.session import LazySession
from pipeline.store import generations, storage
from schemas.records import LEDGER

SMALL, LARGE = SIZES = (2, 12)  # archives
PAGES = 8  # an archive
WORDS = 6000  # a page
LONG = 6100  # words of one page of all
URL = "https://of-archive-1.example.org/3"
NAME = 1 << 10  # bytes of lists of files, at most, that grow by a name each
FOOTER = 1 << 16  # bytes that are asked for from a Parquet file's end
NARROW = 1 << 11  # bytes a page, at most, of the columns that rules name
EXAMPLES = 1 << 18  # bytes of files opened for the examples of the report, whatever the size
RECEIPT = 1 << 12  # bytes of an archive's, at most
SETTINGS = """
[clean]
presets = ["none"]
[clean.rules]
long = "n_words > {}"
[sample]
validation_share = 0.0
shard_bytes = 200000
[vocab]
vocab_size = 600
"""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


class Cost(NamedTuple):
    """Bytes and requests, and all bytes of the root."""

    read: int
    written: int
    requests: int
    root: int


Costs = dict[int, Cost]  # by archives


def archive(number: int) -> bytes:
    """Pages of words at random, in orders that no two share."""
    draw = random.Random(0)
    lexicon = ["".join(draw.choices("abcdefghijklmnoprstuvw", k=draw.randint(3, 9))) for _ in range(3000)]
    draw = random.Random(number)
    pages = []
    for page in range(PAGES):
        count = WORDS if number or page else LONG
        words = draw.choices(lexicon, k=count)
        text = "".join(f"<p>{' '.join(words[at : at + 100])}.</p>" for at in range(0, count, 100))
        pages.append(
            {
                "url": f"https://of-archive-{number}.example.org/{page}",
                "body": f"<html><body><article>{text}</article></body></html>".encode(),
                "warc": {"WARC-Record-ID": f"<urn:uuid:{number:08}-0000-4000-8000-{page:012}>"},
            }
        )
    return warc(pages)


def named(number: int) -> str:
    return f"s3://corpus/archive/{number:02}.warc.gz"


@pytest.fixture(scope="module")
def store() -> Iterator[CountedStore]:
    """One archive more than the large corpus has."""
    with counted_store({f"archive/{number:02}.warc.gz": archive(number) for number in range(LARGE + 1)}) as running:
        yield running


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = tmp_path_factory.mktemp("settings") / "loose.toml"
    settings.write_text(SETTINGS.format(LONG))
    return settings


@pytest.fixture(scope="module")
def roots(store: CountedStore, loose: Path) -> Iterator[dict[int, str]]:
    """A corpus a size, on the store."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LazySession, "local_cores", lambda _: 2)
        for size in SIZES:
            made[size] = f"s3://corpus/{size}"
            archives = map(named, range(size))
            assert corpus.main(["--input", *archives, "--root", made[size], "--config", str(loose)]) == 0
        yield made


def cost(store: CountedStore, root: str, job: object, *flags: str) -> Cost:
    held = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True).du(root)
    store.behave()
    assert job.main(["--root", root, *flags]) == 0  # type: ignore[attr-defined]
    counts = store.counts()
    return Cost(counts.read, counts.written, counts.requests.total(), held)


def told(what: str, costs: Costs) -> Costs:
    """Prints them; what is written is the same for both but for names."""
    for size, one in costs.items():
        print(
            f"\n| {what} | {size} archives, {one.root:,} bytes | {one.written:,} written | {one.read:,} read |", end=""
        )
        print(f" {one.requests:,} requests |", end="")
    print()
    assert costs[LARGE].root > 5 * costs[SMALL].root
    assert costs[LARGE].written - costs[SMALL].written <= NAME * (LARGE - SMALL), costs
    return costs


def more_read(costs: Costs) -> int:
    return costs[LARGE].read - costs[SMALL].read


def test_new_verdicts_write_no_text(store: CountedStore, roots: dict[int, str], tmp_path: Path) -> None:
    """Another rule, by which one page goes: read are its signal of all pages, and footers of extract's and clean's
    files."""
    (tmp_path / "strict.toml").write_text(SETTINGS.format(LONG - 1))
    flags = ["--config", str(tmp_path / "strict.toml")]
    costs = {size: cost(store, root, clean, *flags) for size, root in roots.items()}
    told("re-deciding", costs)
    assert more_read(costs) <= EXAMPLES + (2 * FOOTER + NARROW * PAGES) * (LARGE - SMALL), costs
    for root in roots.values():
        ledger = storage.read_json(f"{generations.required(f'{root}/clean').place}/{LEDGER}")
        assert ledger["dropped"] == {"rule:long": 1}


def test_removing_a_page_rewrites_its_files(store: CountedStore, roots: dict[int, str], tmp_path: Path) -> None:
    """The report, made again, reads the receipts of all archives."""
    (tmp_path / "urls.txt").write_text(f"{URL}\n")
    flags = ["--urls", str(tmp_path / "urls.txt")]
    costs = {size: cost(store, root, remove, *flags) for size, root in roots.items()}
    told("removing", costs)
    assert more_read(costs) <= (RECEIPT + NAME) * (LARGE - SMALL), costs


def test_publishing_an_archive_more_copies_nothing(store: CountedStore, roots: dict[int, str], loose: Path) -> None:
    """Read are of all archives the receipts, and of their documents footers and ids."""
    costs = {}
    for size, root in roots.items():
        inputs = map(named, [*range(size), LARGE])
        costs[size] = cost(store, root, extract, "--input", *inputs, "--config", str(loose))
    told("publishing", costs)
    assert more_read(costs) <= (FOOTER + 2 * RECEIPT + NARROW * PAGES) * (LARGE - SMALL), costs
