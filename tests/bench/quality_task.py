"""A task of quality that anyone can check: articles, laws and news in 20 languages against home pages, menus, lists of
products and text joined by machine; languages that no fit has seen; from the data of ../shared alone.

PYTHONPATH=.:tests python tests/bench/quality_task.py build ../shared/data FOLDER
PYTHONPATH=.:tests python tests/bench/quality_task.py judge FOLDER NAME=MODEL [...] [--scores NAME=TABLE ...]

Built are FOLDER/fit/{positives,negatives}.parquet of the languages that are fitted on, and FOLDER/judged.parquet of
other hosts and documents, and of all of the languages that are left out. A model is fitted with jobs/fit_classifier.py;
a table of --scores has columns id and score. The same data give the same tables.
"""

import argparse
import gzip
import io
import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.archive.records import ArchiveLimits, Page, read_archive
from pipeline.kernels.arrow_text import from_strings
from pipeline.language.identifier import Identifier
from pipeline.page.charset import decode
from pipeline.page.documents import in_utf8
from pipeline.page.main_text.engine import selection
from pipeline.page.main_text.plain_text import assemble
from pipeline.words.characters import characters
from pipeline.words.words import is_spaced, words_of

# The 18 languages of the parallel news, and the two that pages and laws have most of beside them.
FITTED = ("eng_Latn", "deu_Latn", "cmn_Hani", "rus_Cyrl", "fra_Latn", "pol_Latn", "por_Latn", "arb_Arab", "tur_Latn",
          "vie_Latn", "ita_Latn", "swh_Latn")  # fmt: skip
LEFT_OUT = ("ell_Grek", "jpn_Jpan", "spa_Latn", "ukr_Cyrl", "kor_Hang", "fas_Arab", "hin_Deva", "tha_Thai")
NEWS = {"zho-CN": "cmn_Hani", "arb": "arb_Arab", "deu": "deu_Latn", "ell": "ell_Grek", "eng": "eng_Latn",
        "fas": "fas_Arab", "fra": "fra_Latn", "hin": "hin_Deva", "jpn": "jpn_Jpan", "kor": "kor_Hang",
        "por": "por_Latn", "rus": "rus_Cyrl", "spa": "spa_Latn", "swa": "swh_Latn", "tha": "tha_Thai",
        "tur": "tur_Latn", "ukr": "ukr_Cyrl", "vie": "vie_Latn"}  # fmt: skip
LEAST_WORDS, MOST_CHARACTERS = 40, 8000
LEGAL_LANGUAGES = {"no": "nob", "zh": "cmn", "sw": "swh"}
SENTENCE = re.compile(r"(?<=[.!?؟۔])\s+|(?<=[。！？।])\s*|\n+")
PRICE = re.compile(r"(?:[$€£¥₽₴]|USD|EUR|руб|грн|zł|元|円)\s?\d|\d\s?(?:[$€£¥₽₴]|USD|EUR|руб|грн|zł|元|円)")
JOINED = ("sentences", "languages", "fragments", "words", "keywords")
ROUND = 60  # of each kind of joined text a language and side


class Text(NamedTuple):
    text: str
    host: str
    kind: str
    label: str
    url: str = ""


def spoken(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def draw(*seed: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(seed).encode()))


def news(data: Path) -> Iterator[Text]:
    """Consecutive lines, in paragraphs; the same lines are the same document in every language."""
    for name, language in NEWS.items():
        with gzip.open(data / f"parallel/{name}.txt.gz", "rt", encoding="utf-8") as file:
            lines = file.read().splitlines()
        at, number = 0, 0
        space = " " if is_spaced(language.partition("_")[2]) or language == "tha_Thai" else ""
        while at < len(lines):
            rng = draw("news", number)
            size = int(rng.integers(6, 26))
            part, paragraphs = lines[at : at + size], []
            while part:
                many = int(rng.integers(1, 5))
                paragraphs.append(space.join(part[:many]))
                part = part[many:]
            yield Text("\n".join(paragraphs), f"news.{number}", "news", language)
            at, number = at + size, number + 1


def laws(data: Path) -> Iterator[Text]:
    """Licences of all languages, a family on one side, and the declaration of human rights."""
    for row in pq.read_table(data / "neardup/legalcode.parquet").to_pylist():
        yield Text(row["text"], f"law.{row['family']}", "law", "")
    for row in spoken(data / "lid/train.jsonl.gz"):
        if row["source"].startswith("udhr"):
            yield Text(row["text"], "law.udhr", "law", "")


def pages(data: Path) -> Iterator[Text]:
    """Articles by their gold texts; home pages and lists of products as they stand, menus alone."""
    gold = {row["url"]: row for row in spoken(data / "web/gold.jsonl.gz")}
    for path in sorted((data / "web").glob("*.warc.gz")):
        for page in read_archive(io.BytesIO(path.read_bytes()), name=path.name, limits=ArchiveLimits()):
            if not isinstance(page, Page):
                continue
            url = page.url
            host = urlsplit(url).hostname or ""
            html = in_utf8(page.body, decode(page.body, page.http_charset))
            markup, chosen = selection(html)
            whole, menu, main = (
                assemble(markup, part, characters()).tobytes().decode("utf-8", "ignore")
                for part in (np.ones_like(chosen), ~chosen, chosen)
            )
            if article := gold.get(url, {}).get("gold_text"):
                yield Text(article, host, "article", "", url)
                yield Text(menu, host, "menu", "", url)
                continue
            parts = urlsplit(url)
            if parts.path.strip("/") in ("", "index.html", "index.php", "en", "de", "home") and not parts.query:
                yield Text(whole, host, "home", "", url)
            elif len(PRICE.findall(main)) >= 8:
                yield Text(main, host, "products", "", url)
            elif len(main) < 0.1 * len(whole):
                yield Text(whole, host, "index", "", url)
            else:
                yield Text(menu, host, "menu", "", url)


def identified(texts: list[Text]) -> list[Text]:
    """Each with its language_Script, those alone that the task has."""
    identifier = Identifier()
    found: list[Text] = []
    for at in range(0, len(texts), 500):
        batch = texts[at : at + 500]
        answer = identifier.identify(from_strings(one.text for one in batch))
        labels = [
            f"{a}_{b}" for a, b in zip(answer.language.to_pylist(), answer.language_script.to_pylist(), strict=True)
        ]
        found += [one if one.label else one._replace(label=label) for one, label in zip(batch, labels, strict=True)]
    return [one for one in found if one.label in (*FITTED, *LEFT_OUT)]


def stretch(text: str, seed: str) -> str:
    """At most MOST_CHARACTERS, from a line's beginning."""
    if len(text) <= MOST_CHARACTERS:
        return text
    at = int(draw("stretch", seed).integers(len(text) - MOST_CHARACTERS))
    at = text.find("\n", at) + 1
    return text[at : at + MOST_CHARACTERS]


def joined(texts: Sequence[Text], label: str, side: str, everywhere: Sequence[str]) -> Iterator[Text]:
    """Text that a machine might have put together, of the good sentences of a side."""
    script = label.partition("_")[2]
    space = " " if is_spaced(script) else ""
    sentences = [one.strip() for text in texts for one in SENTENCE.split(text.text) if len(one.strip()) > 15]
    words = [
        word
        for one in sentences
        for word in (one.split() if space else [one[i : i + 2] for i in range(0, len(one), 2)])
    ]
    if len(sentences) < 100:
        return
    for kind in JOINED:
        for number in range(ROUND):
            rng = draw("joined", label, side, kind, number)
            many = int(np.exp(rng.uniform(np.log(5), np.log(60))))
            own = [sentences[i] for i in rng.integers(len(sentences), size=many)]
            gaps = [
                " " if space and rng.random() < 0.7 else "\n" if rng.random() < 0.5 else " " if space else ""
                for _ in own
            ]
            if kind == "languages":
                own = [one if rng.random() < 0.6 else everywhere[int(rng.integers(len(everywhere)))] for one in own]
            elif kind == "fragments":
                own = [_fragment(one, space, rng) for one in own for _ in range(2)]
                gaps = gaps * 2
            elif kind == "words":
                some = [words[i] for i in rng.integers(len(words), size=many * 12)]
                own = [space.join(some[i : i + 12]) for i in range(0, len(some), 12)]
            elif kind == "keywords":
                few = [words[i] for i in rng.integers(len(words), size=12)]
                own = [
                    space.join(few[i] for i in rng.integers(len(few), size=int(rng.integers(2, 9))))
                    for _ in range(many * 2)
                ]
                gaps = [", " if rng.random() < 0.5 else "\n" for _ in own]
            text = "".join(one + gap for one, gap in zip(own, gaps, strict=True)).strip()
            yield Text(text, f"joined.{side}.{kind}.{number}", kind, label)


def _fragment(sentence: str, space: str, rng: np.random.Generator) -> str:
    words = sentence.split() if space else list(sentence)
    size = int(rng.integers(3, 8)) * (1 if space else 2)
    at = int(rng.integers(max(1, len(words) - size)))
    return space.join(words[at : at + size])


def build(data: Path, folder: Path) -> None:
    """Writes the tables, and prints how many texts of each kind a language has."""
    good = identified([*news(data), *laws(data)])
    found = identified(list(pages(data)))
    good += [one for one in found if one.kind == "article"]
    bad = [one for one in found if one.kind != "article"]

    def kept(texts: Iterable[Text]) -> list[Text]:
        cut = [one._replace(text=stretch(one.text, one.host + one.url)) for one in texts]
        words = np.diff(words_of(from_strings(one.text for one in cut)).offsets)
        return [
            one for one, many in zip(cut, words.tolist(), strict=True)
            if many >= LEAST_WORDS * (1 if is_spaced(one.label.partition("_")[2]) else 2)
        ]  # fmt: skip

    def side_of(one: Text) -> str:
        return "judged" if one.label in LEFT_OUT or zlib.crc32(one.host.encode()) % 2 else "fit"

    good, bad = kept(good), kept(bad)
    sides = {side: [one for one in good if side_of(one) == side] for side in ("fit", "judged")}
    for side, texts in sides.items():
        by_label = defaultdict(list)
        for one in texts:
            by_label[one.label].append(one)
        every = [s for one in texts for s in SENTENCE.split(one.text) if len(s) > 15]
        for label in sorted(by_label):
            bad += kept(one._replace(host=f"{side}.{one.host}") for one in joined(by_label[label], label, side, every))
    tables: dict[str, list[tuple[Text, bool]]] = defaultdict(list)
    for texts, is_good in ((good, True), (bad, False)):
        for one in texts:
            side = one.host.partition(".")[0] if one.kind in JOINED else side_of(one)
            place = "judged" if side == "judged" else f"fit/{'positives' if is_good else 'negatives'}"
            tables[place].append((one, is_good))
    (folder / "fit").mkdir(parents=True, exist_ok=True)
    for place, rows in tables.items():
        table = pa.table(
            {
                "id": [f"{one.kind}.{number}" for number, (one, _) in enumerate(rows)],
                "text": [one.text for one, _ in rows],
                "host": [one.host for one, _ in rows],
                "url": [one.url for one, _ in rows],
                "language": [one.label.partition("_")[0] for one, _ in rows],
                "language_script": [one.label.partition("_")[2] for one, _ in rows],
                "kind": [one.kind for one, _ in rows],
                "good": [is_good for _, is_good in rows],
            }
        )
        pq.write_table(table, folder / f"{place}.parquet")
    kinds = sorted({one.kind for rows in tables.values() for one, _ in rows})
    print("place language", *kinds)
    for place in sorted(tables):
        counts = Counter((one.label, one.kind) for one, _ in tables[place])
        for label in sorted({label for label, _ in counts}):
            print(place, label, *(counts[label, kind] for kind in kinds))


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build")
    building.add_argument("data", type=Path)
    building.add_argument("folder", type=Path)
    args = parser.parse_args()
    if args.command == "build":
        build(args.data, args.folder)


if __name__ == "__main__":
    main()
