"""Trains the model of the engine `blocks` and says how well it does on hosts that it has not seen.

python tests/bench/train_blocks.py WEB [--more MADE ...] [--cache FILE] [--folds 5] [--out .../block_model.npz]

WEB: a folder of archives with gold.jsonl.gz beside them: a line a page with `url`, `source` and `gold_text`, or
`gold_segments` ({"with": [...], "without": [...]}), or neither. MADE: more of the same, as `layouts.py` writes them;
figures are told for each by itself. Needs lightgbm, the extra `bench`.

Labels, from the surest down: gold texts; segments that must or must not be there; what trafilatura finds where it keeps
all segments, or where Resiliparse finds nearly the same. Pages of one host share a weight and a fold. Same inputs and
versions give the same file.
"""

import argparse
import gzip
import json
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.block_labels import by_segments, by_text, host, page_f1, texts, words
from bench.structure_kept import Element, elements, shares

from pipeline.archive.records import ArchiveLimits, Page, read_archive
from pipeline.config import ExtractConfig
from pipeline.page.blocks.markup import read_markup
from pipeline.page.charset import decode
from pipeline.page.engines import Engine, extract_text
from pipeline.page.main_text import block_model
from pipeline.page.main_text.block_features import features
from pipeline.page.main_text.block_structure import unit_kinds
from pipeline.page.main_text.choice import WORDLESS, Scores, choose, expected_f1

TEACHERS: tuple[Engine, ...] = ("trafilatura", "resiliparse")
AGREEMENT = 0.9  # F1 of the teachers' texts that makes them a label
TEACHER_WEIGHT, SEGMENT_WEIGHT = 0.4, 1.0
HOST_EXPONENT = 0.5  # a host's many pages count less than those of many hosts
THINNED = 3  # of the blocks that are no text, one in so many is learnt from, so many times as heavy
MIN_GOLD = 100  # characters, as the scorer
MADE_WEIGHT = 0.25  # of a page of our own making beside a real one
UNITS_OF_A_PAGE = 10  # short blocks that a page has beside those counted, so that one is not worth a page
ROUNDS = (200, 150, 140)
PARAMETERS = {
    "objective": "cross_entropy", "learning_rate": 0.08, "num_leaves": 31, "min_data_in_leaf": 100,
    "feature_fraction": 0.2, "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 10.0,
    "min_sum_hessian_in_leaf": 0.5, "max_bin": 127, "seed": 1, "deterministic": True, "force_row_wise": True,
    "num_threads": 1, "verbose": -1,
}  # fmt: skip
THIRD_PARAMETERS = {"feature_fraction": 0.3, "min_data_in_leaf": 60}


@dataclass
class Sample:
    """A labelled page: `labels` (NaN: unknown) and `counts` of words by block."""

    url: str
    source: str
    language: str | None
    host: str
    html: bytes
    gold: str | None
    blocks: list[str]
    rows: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    elements: list[Element]
    kinds: np.ndarray  # uint8 by block, of block_structure.UNIT_NAMES
    weight: float = 1.0
    made: bool = False


def pages(folder: Path) -> Iterator[tuple[str, bytes]]:
    config = ExtractConfig()
    limits = ArchiveLimits(
        max_page_bytes=config.max_page_bytes, max_decompression_ratio=config.max_decompression_ratio,
        max_tree_depth=config.max_tree_depth, page_seconds=config.page_seconds,
        page_memory_bytes=config.page_memory_bytes,
    )  # fmt: skip
    for archive in sorted(folder.glob("*.warc.gz")):
        with archive.open("rb") as stream:
            for item in read_archive(stream, name=archive.name, limits=limits):
                if isinstance(item, Page) and (decoded := decode(item.body, item.http_charset)) is not None:
                    yield item.url, decoded.text.encode("utf-8", "replace")


def teach(html: bytes) -> list[str]:
    """What the other engines find."""
    found = []
    for engine in TEACHERS:
        try:
            found.append(extract_text(html, engine=engine))
        except Exception:
            found.append("")
    return found


def taught(folder: Path, cache: Path | None) -> dict[str, list[str]]:
    """The teachers' texts by address; a cache spares minutes when only the features change."""
    if cache and cache.exists():
        with gzip.open(cache, "rt") as file:
            return dict(map(json.loads, file))
    urls, bodies = zip(*pages(folder), strict=True)
    with ProcessPoolExecutor(2) as pool:
        found = dict(zip(urls, pool.map(teach, bodies, chunksize=16), strict=True))
    if cache:
        with gzip.open(cache, "wt") as file:
            file.writelines(json.dumps(pair) + "\n" for pair in found.items())
    return found


def sample(html: bytes, gold: dict, teachers: list[str]) -> Sample | None:
    """A page with whatever labels can be had, None without any."""
    markup = read_markup(html)
    blocks = texts(markup)
    if not blocks:
        return None
    counts = np.array([len(words(block)) for block in blocks], np.float64)
    weight, labels = 1.0, np.full(len(blocks), np.nan)
    text = gold.get("gold_text") or ""
    segments = gold.get("gold_segments")
    if len(text) >= MIN_GOLD:
        labels, counts = by_text(blocks, text)
    else:
        trusted = ""
        if segments:
            folded = " ".join(words(teachers[0]))
            wanted, unwanted = ([" ".join(words(s)) for s in segments.get(k) or []] for k in ("with", "without"))
            if wanted and all(s in folded for s in wanted) and not any(s and s in folded for s in unwanted):
                trusted = teachers[0]
        elif min(map(len, teachers)) >= 5 * MIN_GOLD and page_f1(*teachers) >= AGREEMENT:
            trusted = teachers[0]
        if trusted:
            labels, weight = by_text(blocks, trusted)[0], TEACHER_WEIGHT
        if segments:
            said = by_segments(blocks, segments.get("with") or [], segments.get("without") or [])
            labels = np.where(np.isnan(said), labels, said)
        if np.isnan(labels).all():
            return None
        text = ""
    return Sample(
        gold["url"], gold["source"], gold.get("lang_if_known"), host(gold["url"], gold["source"]), html,
        text or None, blocks, features(html, markup), labels, counts, elements(html, text) if text else [],
        unit_kinds(markup), weight,
    )  # fmt: skip


def made_samples(folder: Path) -> list[Sample]:
    """Pages of our own, which all have a gold text; those of one layout share a fold."""
    pages = labelled(folder, {}, made=True)
    for page in pages:
        page.made, page.weight = True, page.weight * MADE_WEIGHT
    return pages


def labelled(folder: Path, known: dict[str, list[str]], *, made: bool = False) -> list[Sample]:
    """The folder's pages that have a label. known: the teachers' texts by address.  made: a layout is a host."""
    bodies = dict(pages(folder))
    with gzip.open(folder / "gold.jsonl.gz", "rt") as file:
        rows = [row for row in map(json.loads, file) if row["url"] in bodies]
    found = [sample(bodies[row["url"]], row, known.get(row["url"], ["", ""])) for row in rows]
    usable = [page for page in found if page is not None]
    if made:
        for page in usable:
            page.host = page.source
    counts = Counter(page.host for page in usable if page.gold)
    for page in usable:
        page.weight /= max(counts[page.host], 1) ** HOST_EXPONENT
    return usable


def row_weights(page: Sample) -> np.ndarray:
    """An error costs about its share of the page's F1: its words over the words of text and choice."""
    known = ~np.isnan(page.labels)
    right = float(np.nansum(page.labels * page.counts))
    if not known.all():
        return np.where(known, (np.minimum(page.counts, 60) + 2) / 300 * SEGMENT_WEIGHT, 0.0)
    if right < 10:
        return np.zeros(len(known))
    thin = np.where(page.labels > 0.02, 1, np.where(np.arange(len(known)) % THINNED == 0, THINNED, 0))
    return thin * (page.counts + 2) / (right + 50) * page.weight


def unit_weights(page: Sample) -> np.ndarray:
    """In the third round each short block counts the same, and a page the less by block the more it has: a heading of
    two words is as much of a document's structure as one of ten. Other engines are half as sure of them."""
    known = ~np.isnan(page.labels)
    if np.nansum(page.labels * page.counts) < 10:
        return np.zeros(len(known))
    own = page.weight * (1.0 if page.gold else 0.5)
    return np.where(known, own / np.sqrt(UNITS_OF_A_PAGE + np.count_nonzero(page.kinds * (page.labels > 0.5))), 0.0)


def fit(rows: np.ndarray, labels: np.ndarray, weight: np.ndarray, number: int):  # type: ignore[no-untyped-def]
    """Trees of round 0, 1 or 2."""
    import lightgbm

    used = weight > 0
    scaled = weight[used] * used.sum() / weight[used].sum()
    data = lightgbm.Dataset(rows[used], labels[used], weight=scaled)
    return lightgbm.train(PARAMETERS | (THIRD_PARAMETERS if number == 2 else {}), data, ROUNDS[number])


def trees(booster) -> block_model.Trees:  # type: ignore[no-untyped-def]
    """LightGBM's trees as ours."""
    roots: list[int] = []
    nodes: list[tuple[float, int, int]] = []

    def add(node: dict) -> None:
        if "leaf_value" in node:
            nodes.append((node["leaf_value"], -1, 0))
            return
        threshold = np.float32(node["threshold"])
        if float(threshold) > node["threshold"]:  # rounded down, so that no float32 changes sides
            threshold = np.nextafter(threshold, np.float32(-np.inf))
        place = len(nodes)
        nodes.append((float(threshold), node["split_feature"], 0))
        add(node["left_child"])
        nodes[place] = (*nodes[place][:2], len(nodes) - place)
        add(node["right_child"])

    for tree in booster.dump_model()["tree_info"]:
        roots.append(len(nodes))
        add(tree["tree_structure"])
    return block_model.Trees(np.array(roots, np.int32), np.array(nodes, block_model.NODE))


class Set:
    """All pages' rows in one matrix."""

    def __init__(self, pages: list[Sample], folds: int):
        self.pages = pages
        self.folds = folds
        self.rows = np.concatenate([page.rows for page in pages])
        self.labels = np.nan_to_num(np.concatenate([page.labels for page in pages]))
        self.weight = np.concatenate([row_weights(page) for page in pages])
        self.unit_weight = np.concatenate([unit_weights(page) for page in pages])
        self.short = np.concatenate([page.kinds for page in pages]) > 0
        ends = np.cumsum([len(page.blocks) for page in pages])
        self.places = [slice(end - len(page.blocks), end) for end, page in zip(ends, pages, strict=True)]
        fold = [zlib.crc32(page.host.encode()) % folds for page in pages]
        self.fold = np.repeat(fold, [len(page.blocks) for page in pages])

    def cross(self, rows: np.ndarray, weight: np.ndarray, number: int) -> np.ndarray:
        """Scores of round `number` by models that have not seen the host."""
        scores = np.zeros(len(rows), np.float32)
        _FORKED[:] = [self, rows, weight, number]
        with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
            for fold, found in enumerate(pool.map(_held_out, range(self.folds))):
                scores[self.fold == fold] = found
                print(f"  round {number + 1}, fold {fold + 1} of {self.folds}", file=sys.stderr, flush=True)
        return scores

    def _by_page(self, describe: Callable[[Sample, slice], np.ndarray]) -> np.ndarray:
        return np.concatenate([describe(page, place) for page, place in zip(self.pages, self.places, strict=True)])

    def with_scores(self, scores: np.ndarray) -> np.ndarray:
        """The rows of the second round."""
        more = self._by_page(lambda page, place: block_model.score_features(page.html, scores[place]))
        return np.concatenate([self.rows, more], axis=1)

    def with_structure(self, scores: np.ndarray) -> np.ndarray:
        """The rows of the third round."""
        more = self._by_page(lambda page, place: block_model.structure_features(page.html, scores[place]))
        return np.concatenate([self.with_scores(scores), more], axis=1)

    def found(self, scores: Scores) -> Iterator[tuple[Sample, str, float]]:
        """(page, chosen text, F1 expected of the choice) of the pages with a gold text."""
        for page, place in zip(self.pages, self.places, strict=True):
            if page.gold is not None:
                weight, of_page = page.counts + WORDLESS, Scores(scores.text[place], scores.choice[place])
                chosen = choose(of_page, weight)
                text = "\n".join(block for block, kept in zip(page.blocks, chosen, strict=True) if kept)
                yield page, text, expected_f1(of_page.text, weight)

    def write(self, path: Path, scores: Scores) -> None:
        with path.open("w") as file:
            for page, text, expected in self.found(scores):
                row = {"url": page.url, "source": page.source, "f1": page_f1(text, page.gold or ""), "text": text}
                file.write(json.dumps(row | {"expected_f1": expected}, ensure_ascii=False) + "\n")

    def show(self, title: str, scores: Scores) -> None:
        tell(f"{title}, unseen hosts", [(page, text) for page, text, _ in self.found(scores)])


def tell(title: str, found: list[tuple[Sample, str]]) -> None:
    """F1 of texts found on pages with a gold text, by source and language, and what they keep of their structure; of
    made pages by themselves."""
    for made in sorted({page.made for page, _ in found}):
        print(f"{title}, {'made' if made else 'real'} pages")
        values: dict[str, list[float]] = defaultdict(list)
        for page, text in found:
            if page.made == made:
                one = page_f1(text, page.gold or "")
                for key in ("all", page.source, *([f"{page.source}:{page.language}"] * bool(page.language))):
                    values[key].append(one)
        for key, list_of in sorted(values.items()):
            if not made or ":" not in key:
                print(f"  {key:32s} pages={len(list_of):5d} f1={np.mean(list_of):.4f}")
        sources = [np.mean(list_of) for key, list_of in values.items() if key != "all" and ":" not in key]
        print(f"  mean of sources f1={np.mean(sources):.4f}")
        for kind, row in shares((page.elements, text) for page, text in found if page.made == made).items():
            print("  {:10s} of the gold {:6d} kept {:.3f}  others {:6d} taken {:.3f}".format(kind, *row), flush=True)


_FORKED: list = []  # what the processes of a pool share without a copy


def _held_out(fold: int) -> np.ndarray:
    data, rows, weight, number = _FORKED
    out = data.fold == fold
    return fit(rows[~out], data.labels[~out], weight[~out], number).predict(rows[out], num_threads=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("web", type=Path)
    parser.add_argument("--more", type=Path, nargs="*", default=[], help="folders of made pages")
    parser.add_argument("--cache", type=Path, help="file that keeps the teachers' texts")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=block_model.MODEL)
    parser.add_argument("--only-cross-validate", action="store_true")
    parser.add_argument("--pages", type=Path, help="JSONL file for the texts found on unseen hosts, and their F1")
    args = parser.parse_args()
    known = taught(args.web, args.cache)
    real, made = labelled(args.web, known), [page for folder in args.more for page in made_samples(folder)]
    for teacher, name in enumerate(TEACHERS):
        tell(name, [(page, known[page.url][teacher]) for page in real if page.gold])
    data = Set([*real, *made], args.folds)
    print(f"{len(data.pages)} pages, {len(data.rows)} blocks, {len({page.host for page in data.pages})} hosts")
    first = data.cross(data.rows, data.weight, 0)
    data.show("first round", Scores(first, first))
    rows, weight = data.with_scores(first), np.where(first < block_model.HOPELESS, 0.0, data.weight)
    second = np.where(first < block_model.HOPELESS, first, data.cross(rows, weight, 1))
    data.show("two rounds", Scores(second, second))
    structure = data.with_structure(second)
    looked_at = data.short & (first >= block_model.CONSIDERED) & (second >= block_model.HOPELESS)
    unit_weight = np.where(looked_at, data.unit_weight, 0.0)
    third = np.where(looked_at, data.cross(structure, unit_weight, 2), second)
    for page, place in zip(data.pages, data.places, strict=True):
        block_model.stand_together(page.html, second[place], third[place])
    scores = Scores(second, third)
    data.show("all rounds", scores)
    if args.pages:
        data.write(args.pages, scores)
    if not args.only_cross_validate:
        rounds = ((data.rows, data.weight), (rows, weight), (structure, unit_weight))
        trained = (trees(fit(of, data.labels, by, number)) for number, (of, by) in enumerate(rounds))
        block_model.save(args.out, block_model.Model(*trained))
        print(f"{args.out}: {args.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
