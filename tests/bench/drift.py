"""False alarms and detections of `jobs/report.py --compare --drift` on real pages: docs/quality.md has the figures.

python tests/bench/drift.py --web ../shared/data/web --scratch FOLDER [--halvings 10] [--archives 40]

The pages are dealt into archives, by their addresses (`pages`) or a host as a whole (`hosts`). A halving is a random
half of the archives against the other half: nothing has changed, so each drift is a false alarm. Then the pages of one
language in the one half are replaced by menus: lists of links of the page's own words.
"""

import argparse
import json
import random
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import pyarrow.dataset as ds
from fastwarc.warc import ArchiveIterator, WarcRecordType
from xxhash import xxh3_64_intdigest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from warcs import warc

from jobs import clean, dedup, extract
from pipeline.drift import thresholds
from pipeline.drift.comparison import Comparison
from pipeline.drift.roots import compare_roots

STAGES = ("extract", "clean", "dedup")
MENU_ITEMS = 60
_REAL_HOST = re.compile(r"_((?:[\w-]+\.)+[a-z]{2,})_")  # what a collection of files says in their names


class Page(NamedTuple):
    url: str
    body: bytes


class Document(NamedTuple):
    label: str
    text: str


def pages(folder: Path) -> list[Page]:
    """Of the folder's archives. Collections that lie below one made-up host get back the hosts that they came from."""
    found = []
    for path in sorted(folder.glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response):
                body = record.reader.read()
                found.append(Page(with_real_host(record.headers["WARC-Target-URI"]), body))
    return found


def with_real_host(url: str) -> str:
    host, _, path = url.partition("://")[2].partition("/")
    if not host.endswith(".example"):
        return url
    told = _REAL_HOST.search(path)
    own = told.group(1) if told else f"{xxh3_64_intdigest(path.encode()):016x}.example"  # nobody knows: of its own
    return f"https://{own}/{host}/{path}"


def host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def dealt(found: Sequence[Page], archives: int, by: str) -> dict[str, list[Page]]:
    """Archives by name. by: `pages` or `hosts`."""
    result: dict[str, list[Page]] = {f"archive-{number:03}.warc.gz": [] for number in range(archives)}
    for page in found:
        key = page.url if by == "pages" else host(page.url)
        result[f"archive-{xxh3_64_intdigest(key.encode()) % archives:03}.warc.gz"].append(page)
    return {name: held for name, held in result.items() if held}


def written(archives: Mapping[str, Sequence[Page]], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, held in archives.items():
        (folder / name).write_bytes(warc({"url": page.url, "body": page.body} for page in held))
    return folder


def menu(text: str) -> bytes:
    """A page of links alone, of the words of a text; where there are no spaces, of its characters."""
    words = text.split() if text.count(" ") > len(text) / 20 else [text[at : at + 3] for at in range(0, len(text), 3)]
    items = [" ".join(words[at : at + 2]) for at in range(0, 2 * MENU_ITEMS, 2) if words[at : at + 2]]
    links = "".join(f'<li><a href="/{n}">{escape(item)}</a></li>' for n, item in enumerate(items))
    head = '<!DOCTYPE html><html><head><meta charset="utf-8"></head>'
    return f"{head}<body><nav><ul>{links}</ul></nav></body></html>".encode()


def documents(root: Path) -> dict[str, Document]:
    """By address, as clean has them."""
    columns = ["url", "language", "language_script", "text"]
    rows = ds.dataset(root / "clean/documents", format="parquet").to_table(columns).to_pylist()
    return {row["url"]: Document(f"{row['language']}_{row['language_script']}", row["text"]) for row in rows}


def planted(archives: Mapping[str, Sequence[Page]], known: Mapping[str, Document], label: str) -> dict[str, list[Page]]:
    """The archives with the pages of one language as menus."""

    def page(one: Page) -> Page:
        document = known.get(one.url)
        return one._replace(body=menu(document.text)) if document and document.label == label else one

    return {name: [page(one) for one in held] for name, held in archives.items()}


def root_of(archives: Sequence[Path], root: Path, ready: Path | None = None) -> Path:
    """Through extract, clean and dedup. ready: a root that has read these archives, and others."""
    if ready:
        shutil.copytree(ready / "extract", root / "extract")
    assert extract.main(["--input", *map(str, archives), "--root", str(root), "--replace"]) == 0
    for stage in (clean, dedup):
        assert stage.main(["--root", str(root)]) == 0
    return root


def halves(names: Sequence[str], seed: int) -> tuple[list[str], list[str]]:
    order = sorted(names)
    random.Random(seed).shuffle(order)
    return sorted(order[: len(order) // 2]), sorted(order[len(order) // 2 :])


def compared(now: Path, before: Path) -> Comparison:
    return compare_roots(str(now), str(before), thresholds.load())


def halvings(folder: Path, whole: Path, seeds: Sequence[int], scratch: Path) -> Iterator[tuple[int, Comparison]]:
    names = [path.name for path in folder.iterdir()]
    for seed in seeds:
        roots = [
            root_of([folder / name for name in half], scratch / f"half-{place}", whole)
            for place, half in enumerate(halves(names, seed))
        ]
        yield seed, compared(roots[0], roots[1])
        for root in roots:
            shutil.rmtree(root)


def detections(
    found: Mapping[str, Sequence[Page]], folder: Path, whole: Path, labels: Sequence[str], scratch: Path
) -> Iterator[tuple[str, int, Comparison]]:
    """(language, its pages replaced, comparison)."""
    known = documents(whole)
    for seed, label in enumerate(labels):
        new, old = halves(list(found), seed)
        before = root_of([folder / name for name in old], scratch / "before", whole)
        changed = planted({name: found[name] for name in new}, known, label)
        pages = sum(known[page.url].label == label for name in new for page in found[name] if page.url in known)
        written(changed, scratch / "planted")
        now = root_of([scratch / "planted" / name for name in new], scratch / "now")
        yield label, pages, compared(now, before)
        for name in ("before", "now", "planted"):
            shutil.rmtree(scratch / name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--web", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--halvings", type=int, default=10)
    parser.add_argument("--archives", type=int, default=40)
    parser.add_argument("--languages", nargs="+", default=[])
    args = parser.parse_args()
    everything = pages(args.web)
    for by in ("pages", "hosts"):
        began = time.monotonic()
        place = args.scratch / by
        found = dealt(everything, args.archives, by)
        folder = written(found, place / "web")
        whole = root_of([folder / name for name in found], place / "whole")
        print(f"{by}: {sum(map(len, found.values()))} pages in {len(found)} archives", flush=True)
        for seed, result in halvings(folder, whole, range(args.halvings), place):
            told = [f"{change.key.kind} {change.key.language} {change.key.what}".strip() for change in result.drifted]
            print(json.dumps({"seed": seed, "judged": result.judged, "false_alarms": told}), flush=True)
        for label, planted_pages, result in detections(found, folder, whole, args.languages, place):
            theirs = [f"{one.key.kind} {one.key.what}".strip() for one in result.drifted if one.key.language == label]
            others = [" ".join(part for part in one.key if part) for one in result.drifted if one.key.language != label]
            told = {"planted": label, "pages": planted_pages, "its_figures": theirs, "others": others}
            print(json.dumps(told, ensure_ascii=False), flush=True)
        print(f"{by}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
