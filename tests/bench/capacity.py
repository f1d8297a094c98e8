"""What 1, 1,000 and 90,000 archives take in time, memory, storage and money, for docs/operations.md.

PYTHONPATH=tests:. python -m bench.capacity                   the tables of the page
PYTHONPATH=tests:. python -m bench.capacity --root ROOT       bytes a document from the tables of a corpus
PYTHONPATH=tests:. python -m bench.capacity --extract-ms 6.1  another rate; --help lists all, with their sources

All is products of a few rates. Measured ones are docs/quality.md's, of one core of the machine there; those of a crawl
are assumptions, and so are prices.
"""

import argparse
import math
from dataclasses import dataclass, field, fields, replace

from pipeline.estimates import requests
from pipeline.estimates.prices import prices
from pipeline.estimates.whole import OVERHEAD
from pipeline.estimates.words import money, shown, size

ARCHIVES = (1, 1_000, 90_000)
TABLES = (
    ("extract", "documents"), ("clean", "documents"), ("dedup", "documents"), ("dedup", "signatures"),
    ("sample", "data"),
)  # fmt: skip


def rate(value: float, source: str) -> float:
    return field(default=value, metadata={"source": source})  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Rates:
    """Bytes are of files as they lie, but for `text_bytes`."""

    # A crawl
    archive_bytes: float = rate(1.05e9, "CC-MAIN-2026: 95 TB of WARC in 90,000 files")
    pages: float = rate(33_333, "three billion pages in 90,000 archives")
    with_text: float = rate(0.70, "assumed: pages with a main text")
    kept_by_clean: float = rate(0.50, "assumed, all languages; a funnel of your own says yours")
    kept_by_dedup: float = rate(0.60, "assumed, one crawl by itself")
    # Time of one core
    extract_ms: float = rate(7.05, "a page: 70.5 s, two cores, 20,000 pages; Speed of extract")
    clean_ms: float = rate(1.6, "a document: 725 a second, and 9 to 17 % for 366 labels; Speed of clean, Language")
    dedup_ms: float = rate(0.276, "a document: 138 s, two cores, a million, all by shuffles; Near-duplicates")
    sample_bytes_s: float = rate(33e6, "text a second: 66 MB on two cores; Mixture")
    text_bytes: float = rate(5_400, "text of a document; Speed of clean")
    overhead: float = rate(OVERHEAD, "assumed: starts, stragglers, lost spot machines and what is done again")
    # Bytes a document, by --root over the sample archives and 684 pages of the web
    extract_documents: float = rate(1_916, "bytes a document")
    clean_documents: float = rate(2_029, "bytes a document")
    dedup_documents: float = rate(2_080, "bytes a document")
    dedup_signatures: float = rate(2_571, "bytes a document")
    sample_data: float = rate(2_359, "bytes a document")
    shuffled_bytes: float = rate(1_090, "a document of dedup: 1,037 MiB of a million; Near-duplicates")
    # A cluster
    cores: float = rate(400, "assumed; time falls with them")
    gib_a_core: float = rate(4, "1.5 of heap, 2.5 for Python beside it")
    connection_bytes_s: float = rate(40e6, "assumed: one connection to a store")
    # s3fs
    # Dollars, list prices of November 2026 as assumed here; a store in the cluster's own region
    on_demand: float = rate(prices().core_hour, "a core-hour with 4 GiB (m7i, us-east-1)")
    spot: float = rate(prices().spot_core_hour, "a core-hour: 60 % less")
    storage: float = rate(prices().gb_month, "a GB-month")
    puts: float = rate(prices().thousand_puts, "a thousand PUT, COPY, POST, LIST")
    gets: float = rate(prices().thousand_gets, "a thousand GET and others")


@dataclass(frozen=True)
class Stage:
    name: str
    core_hours: float
    read: float  # bytes, as the next three
    written: float
    shuffled: float
    gets: float
    puts: float


def stages(archives: int, rates: Rates) -> list[Stage]:
    pages = archives * rates.pages
    documents = pages * rates.with_text
    clean = documents * rates.kept_by_clean
    unique = clean * rates.kept_by_dedup
    extracted, cleaned = documents * rates.extract_documents, documents * rates.clean_documents
    deduped = unique * rates.dedup_documents + clean * rates.dedup_signatures
    # name, seconds of a core, bytes read and written and shuffled, files read and written
    plain = [
        ("extract", pages * rates.extract_ms / 1e3, archives * rates.archive_bytes, extracted, 0.0, 1),
        ("clean", documents * rates.clean_ms / 1e3, extracted, cleaned, 0.0, 1),
        ("dedup", clean * rates.dedup_ms / 1e3, cleaned, deduped, clean * rates.shuffled_bytes, 2),
        ("sample", unique * rates.text_bytes / rates.sample_bytes_s, deduped, unique * rates.sample_data, 0.0, 1),
    ]
    answers = []
    for name, seconds, read, written, shuffled, tables in plain:
        gets = requests.gets(archives, read, whole=name == "extract")
        puts = requests.puts(archives, written, tables)
        answers.append(Stage(name, seconds * rates.overhead / 3600, read, written, shuffled, gets, puts))
    return answers


def tables(rates: Rates) -> str:
    """Markdown."""
    every = {archives: stages(archives, rates) for archives in ARCHIVES}
    lines = [
        "| core-hours | " + " | ".join(f"{a:,} archive{'s' * (a > 1)}" for a in ARCHIVES) + " |",
        "|---|---|---|---|",
    ]
    for number, name in enumerate(stage.name for stage in every[1]):
        lines.append(row(name, [shown(every[a][number].core_hours) for a in ARCHIVES]))
    total = {a: sum(stage.core_hours for stage in every[a]) for a in ARCHIVES}
    lines.append(row("**all**", [f"**{shown(total[a])}**" for a in ARCHIVES]))
    lines.append(
        row(f"hours on {rates.cores:,.0f} cores", [shown(total[a] / min(rates.cores, a * 1.0)) for a in ARCHIVES])
    )
    lines += ["", "| | " + " | ".join(f"{a:,}" for a in ARCHIVES) + " |", "|---|---|---|---|"]

    def add(name: str, of: object) -> None:
        lines.append(row(name, [of(a) for a in ARCHIVES]))  # type: ignore[operator]

    add("pages, documents, in the shards", lambda a: ", ".join(shown(x) for x in counts(a, rates)))
    add("memory of the cluster", lambda a: size(min(rates.cores, a) * rates.gib_a_core * 2**30))
    add("read from the crawl", lambda a: size(every[a][0].read))
    add("connections that keep extract's cores busy", lambda a: f"{connections(a, every[a][0], rates):,}")
    add("shuffle at most at once (dedup)", lambda a: size(max(s.shuffled for s in every[a])))
    for number, name in enumerate(stage.name for stage in every[1]):
        add(f"written by {name}", lambda a, n=number: size(every[a][n].written))
    add("GET, PUT", lambda a: f"{shown(sum(s.gets for s in every[a]))}, {shown(sum(s.puts for s in every[a]))}")
    add("dollars: cores on demand", lambda a: money(total[a] * rates.on_demand))
    add("dollars: spot cores", lambda a: money(total[a] * rates.spot))
    add("dollars: requests", lambda a: money(sum(s.gets * rates.gets + s.puts * rates.puts for s in every[a]) / 1e3))
    add("dollars: all tables kept a month", lambda a: money(sum(s.written for s in every[a]) / 1e9 * rates.storage))
    return "\n".join(lines)


def counts(archives: int, rates: Rates) -> tuple[float, float, float]:
    documents = archives * rates.pages * rates.with_text
    return archives * rates.pages, documents, documents * rates.kept_by_clean * rates.kept_by_dedup


def connections(archives: int, extract: Stage, rates: Rates) -> int:
    """As many as bring in an archive for each core in the time that a core takes for one."""
    cores = min(rates.cores, archives)
    seconds = extract.core_hours * 3600 / archives
    return math.ceil(cores * rates.archive_bytes / rates.connection_bytes_s / seconds)


def row(name: str, cells: list[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def measured(root: str) -> dict[str, float]:
    """Bytes a document of each table of a corpus."""
    from pipeline.store import generations, storage
    from schemas.records import LEDGER

    found = {}
    for stage, table in TABLES:
        folder = storage.join(root, stage)
        files = generations.files(folder, table)
        total = sum(sum(storage.listing(path).values()) for path in files.values())
        rows = storage.read_json(storage.join(generations.current(folder).place, LEDGER))["tables"][table]
        found[f"{stage}_{table}"] = total / rows
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", help="a corpus, whose tables say the bytes a document")
    for one in fields(Rates):
        flag = f"--{one.name.replace('_', '-')}"
        text = f"{one.metadata['source']} ({one.default})".replace("%", "%%")
        parser.add_argument(flag, type=float, metavar="X", help=text)
    given = vars(parser.parse_args(argv))
    root = given.pop("root")
    rates = replace(Rates(), **(measured(root) if root else {}))
    rates = replace(rates, **{name: value for name, value in given.items() if value is not None})
    if root:
        for stage, table in TABLES:
            print(f"{stage}/{table}: {getattr(rates, f'{stage}_{table}'):,.0f} bytes a row")
    print(tables(rates))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
