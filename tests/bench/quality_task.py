"""A task of quality that anyone can check: articles, laws and news in 20 languages against home pages, menus, lists of
products and text joined by machine; languages that no fit has seen; from the data of ../shared alone.

PYTHONPATH=.:tests python tests/bench/quality_task.py build ../shared/data FOLDER
PYTHONPATH=.:tests python tests/bench/quality_task.py speed FOLDER MODEL [...]
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
import time
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
from pipeline.config import CleanConfig
from pipeline.kernels.arrow_text import from_strings
from pipeline.language.identifier import Identifier
from pipeline.page.charset import decode
from pipeline.page.documents import in_utf8
from pipeline.page.main_text.engine import selection
from pipeline.page.main_text.plain_text import assemble
from pipeline.quality import profiles
from pipeline.quality.rules import PRESETS, Decider
from pipeline.scores.classifiers import Classifiers
from pipeline.scores.fitting import judging
from pipeline.scores.fitting.whole import RawScores
from pipeline.stages.annotate import PASSED_ON, Annotator
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
    sentences: tuple[str, ...] = ()


def spoken(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def draw(*seed: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(seed).encode()))


def space_of(label: str) -> str:
    """What stands between two sentences."""
    return " " if is_spaced(label.partition("_")[2]) or label == "tha_Thai" else ""


def in_paragraphs(sentences: Sequence[str], space: str, rng: np.random.Generator) -> str:
    """Of one to four sentences each."""
    paragraphs, at = [], 0
    while at < len(sentences):
        many = int(rng.integers(1, 5))
        paragraphs.append(space.join(sentences[at : at + many]))
        at += many
    return "\n".join(paragraphs)


def news(data: Path) -> Iterator[Text]:
    """Consecutive lines, in paragraphs; the same lines are the same document in every language."""
    for name, language in NEWS.items():
        with gzip.open(data / f"parallel/{name}.txt.gz", "rt", encoding="utf-8") as file:
            lines = file.read().splitlines()
        at, number = 0, 0
        space = space_of(language)
        while at < len(lines):
            rng = draw("news", number)
            size = int(rng.integers(6, 26))
            part = lines[at : at + size]
            yield Text(in_paragraphs(part, space, rng), f"news.{number}", "news", language, "", tuple(part))
            at, number = at + size, number + 1


def other_news(data: Path) -> Iterator[Text]:
    """Of two languages without parallel lines."""
    for number, row in enumerate(spoken(data / "lid/train.jsonl.gz")):
        if row["source"].startswith("ntrex") and row["lang"] in ("pol", "ita"):
            yield Text(row["text"], f"other.news.{number}", "news", f"{row['lang']}_{row['script']}")


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
            if (decoded := decode(page.body, page.http_charset)) is None:
                continue
            html = in_utf8(page.body, decoded)
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
            elif len(PRICE.findall(main)) >= 5:
                yield Text(main, host, "products", "", url)
            elif len(main) < 0.25 * len(whole):
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
    """Text that a machine might have put together, of the good sentences of a side, in paragraphs as news have them."""
    space, gap = space_of(label), " " if is_spaced(label.partition("_")[2]) else ""
    sentences = [one for text in texts for one in sentences_of(text)]
    words = [word for one in sentences for word in _words(one, gap)]
    if len(sentences) < 100:
        return
    for kind in JOINED:
        for number in range(ROUND):
            rng = draw("joined", label, side, kind, number)
            many = int(rng.integers(6, 26))
            own = [sentences[i] for i in rng.integers(len(sentences), size=many)]
            if kind == "languages":
                own = [one if rng.random() < 0.6 else everywhere[int(rng.integers(len(everywhere)))] for one in own]
            elif kind == "fragments":
                own = [_fragment(one, gap, rng) for one in own for _ in range(3)]
            elif kind == "words":
                some = [words[i] for i in rng.integers(len(words), size=many * 20)]
                own = [gap.join(some[i : i + 20]) for i in range(0, len(some), 20)]
            elif kind == "keywords":
                few = [words[i] for i in rng.integers(len(words), size=12)]
                own = [
                    gap.join(few[i] for i in rng.integers(len(few), size=int(rng.integers(2, 9)))) + ","
                    for _ in range(many * 3)
                ]
            yield Text(in_paragraphs(own, space, rng), f"joined.{side}.{label}.{kind}.{number}", kind, label)


def sentences_of(text: Text) -> list[str]:
    """Those that are long enough to be one."""
    found = text.sentences or SENTENCE.split(text.text)
    return [one.strip() for one in found if len(one.strip()) > 15]


def _words(sentence: str, gap: str) -> list[str]:
    """Words, or pairs of characters."""
    return sentence.split() if gap else [sentence[at : at + 2] for at in range(0, len(sentence), 2)]


def _fragment(sentence: str, space: str, rng: np.random.Generator) -> str:
    words = sentence.split() if space else list(sentence)
    size = int(rng.integers(3, 8)) * (1 if space else 2)
    at = int(rng.integers(max(1, len(words) - size)))
    return space.join(words[at : at + size])


def build(data: Path, folder: Path) -> None:
    """Writes the tables, and prints how many texts of each kind a language has."""
    good = identified([*news(data), *other_news(data), *laws(data)])
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
        judged = zlib.crc32(f"2 {one.host}".encode()) % 2
        return "judged" if judged else "no" if one.label in LEFT_OUT else "fit"

    good, bad = ([one for one in kept(texts) if side_of(one) != "no"] for texts in (good, bad))
    sides = {side: [one for one in good if side_of(one) == side] for side in ("fit", "judged")}
    for side, texts in sides.items():
        by_label = defaultdict(list)
        for one in texts:
            by_label[one.label].append(one)
        every = [sentence for one in texts for sentence in sentences_of(one)]
        for label in sorted(by_label):
            bad += kept(joined(by_label[label], label, side, every))
    tables: dict[str, list[tuple[Text, bool]]] = defaultdict(list)
    for texts, is_good in ((good, True), (bad, False)):
        for one in texts:
            side = one.host.split(".")[1] if one.kind in JOINED else side_of(one)
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


def rules_alone(folder: Path) -> None:
    """Writes what clean's rules say of the judged texts: less one for each rule of all presets that fires."""
    judged = pq.read_table(folder / "judged.parquet")
    config = CleanConfig(presets=[name for name in PRESETS if name != "none"])
    known = profiles.load()
    annotate = Annotator(config, config.stop_words(known))
    decide = Decider(config.chosen_rules(), config.limits(known))
    ids, fired = [], []
    for batch in judged.to_batches(500):
        given = {name: batch.column(name) if name in batch.schema.names else [""] * len(batch) for name in PASSED_ON}
        annotated = annotate(pa.RecordBatch.from_pydict(given))
        ids += batch.column("id").to_pylist()
        each = [np.broadcast_to(fires, len(batch)) for fires in decide.fires(annotated)]
        fired += np.sum(each, axis=0).tolist()
    pq.write_table(pa.table({"id": ids, "score": -np.array(fired, float)}), folder / "rules.parquet")


def scored(judged: pa.Table, models: Sequence[str], tables: Sequence[str]) -> dict[str, np.ndarray]:
    """Scores by name; of a text that a table does not have, NaN."""
    found = {"length": np.log(np.array([len(text) for text in judged["text"].to_pylist()], float))}
    for given in tables:
        name, _, place = given.partition("=")
        rows = pq.read_table(place)
        by_id = dict(zip(rows["id"].to_pylist(), rows["score"].to_pylist(), strict=True))
        found[name] = np.array([by_id.get(one, np.nan) for one in judged["id"].to_pylist()], float)
    for given in models:
        name, _, place = given.partition("=")
        found[name] = RawScores(place)(judged["text"].to_pylist())
    return found


def judge(folder: Path, models: Sequence[str], tables: Sequence[str], wrong: str) -> None:
    """Prints AUC by language and by kind of bad text, and what the model `wrong` drops of the good ones."""
    judged = pq.read_table(folder / "judged.parquet")
    pairs = zip(judged["language"].to_pylist(), judged["language_script"].to_pylist(), strict=True)
    labels = np.array([f"{language}_{script}" for language, script in pairs], object)
    good, kinds = np.array(judged["good"].to_pylist(), bool), np.array(judged["kind"].to_pylist(), object)
    hosts = np.array(judged["host"].to_pylist(), object)
    scores = scored(judged, models, tables)
    print("| language | good | bad | hosts |", " | ".join(scores), "|")
    for group in (LEFT_OUT, FITTED):
        means = defaultdict(list)
        for label in group:
            mine = labels == label
            cells = []
            for name, values in scores.items():
                usable = mine & ~np.isnan(values)
                one = judging.judged(values[usable], good[usable], hosts[usable], 0.3)
                if one.auc is not None and one.auc_interval is not None:
                    means[name].append(one.auc)
                    cells.append(f"{one.auc:.3f} [{one.auc_interval.low:.3f}, {one.auc_interval.high:.3f}]")
            whole = judging.judged(np.zeros(mine.sum()), good[mine], hosts[mine], 0.3)
            star = "*" if group is LEFT_OUT else ""
            print(f"| {label}{star} | {whole.good} | {whole.bad} | {whole.hosts} |", " | ".join(cells), "|")
        print("| mean | | | |", " | ".join(f"{np.mean(means[name]):.3f}" for name in scores), "|")
    print("\nAUC of the bad texts of a kind against all good ones of the language, mean over languages left out")
    for kind in sorted({*kinds[~good]}):
        cells = []
        for values in scores.values():
            areas = []
            for label in LEFT_OUT:
                mine = (labels == label) & (good | (kinds == kind)) & ~np.isnan(values)
                if (mine & ~good).sum() >= 3 and (mine & good).sum() >= 3:
                    areas.append(judging.auc(values[mine], good[mine], hosts[mine])[0])
            each = " ".join(f"{area:.2f}" for area in areas)
            cells.append(f"{np.mean(areas):.3f} ({each})" if areas else "")
        print(f"| {kind} |", " | ".join(cells), "|")
    if wrong:
        dropped(judged, labels, good, kinds, scores[wrong])


def dropped(judged: pa.Table, labels: np.ndarray, good: np.ndarray, kinds: np.ndarray, values: np.ndarray) -> None:
    """What a threshold that keeps as many texts as there are good ones would drop of these, by kind, worst first."""
    ranks = np.zeros(len(values))
    lost = np.zeros(len(values), bool)
    for label in (*LEFT_OUT, *FITTED):
        mine = np.flatnonzero(labels == label)
        ranks[mine] = judging.ranks(values[mine])
        lost[mine] = (ranks[mine] < 1 - good[mine].mean()) & good[mine]
    for held in (True, False):
        of_group = np.isin(labels, LEFT_OUT) == held
        print("\ndropped of good texts in languages", "left out" if held else "fitted on")
        for kind in sorted({*kinds[good]}):
            mine = of_group & good & (kinds == kind)
            print(f"{kind}: {lost[mine].sum()} of {mine.sum()}")
    for row in sorted(np.flatnonzero(lost), key=lambda row: (ranks[row], row))[:12]:
        text = " / ".join(judged["text"][int(row)].as_py().split("\n"))[:160]
        print(f"{ranks[row]:.2f} {labels[row]} {kinds[row]} {judged['url'][int(row)].as_py()}: {text}")


def speed(folder: Path, places: Sequence[str]) -> None:
    """Prints microseconds of one core a text of 5 KB: words, which clean has anyway, and one and all of the models."""
    judged = pq.read_table(folder / "judged.parquet")
    one, every = Classifiers({"0": places[0]}), Classifiers({str(i): place for i, place in enumerate(places)})
    for label in (*FITTED, *LEFT_OUT):
        pairs = zip(judged["text"].to_pylist(), judged["language"].to_pylist(), strict=True)
        whole = "\n".join(text for text, language in pairs if language == label.partition("_")[0]).encode()
        cut = [whole[at : at + 5000].decode("utf-8", "ignore") for at in range(0, min(len(whole), 1_000_000), 5000)]
        texts = from_strings(cut)
        words = words_of(texts)
        best = [float("inf")] * 3
        for _ in range(5):
            marks = [time.process_time()]
            for ask in (lambda t, w: words_of(t), one.raw, every.raw):
                ask(texts, words)
                marks.append(time.process_time())
            best = [min(pair) for pair in zip(best, np.diff(marks).tolist(), strict=True)]
        print(label, *(f"{seconds / len(cut) * 1e6:.0f}" for seconds in best))


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build")
    building.add_argument("data", type=Path)
    building.add_argument("folder", type=Path)
    judging_ = commands.add_parser("judge")
    judging_.add_argument("folder", type=Path)
    judging_.add_argument("models", nargs="*", metavar="NAME=MODEL")
    judging_.add_argument("--scores", nargs="+", default=[], metavar="NAME=TABLE")
    judging_.add_argument("--wrong", default="", metavar="NAME", help="whose mistakes are listed")
    timing = commands.add_parser("speed")
    timing.add_argument("folder", type=Path)
    timing.add_argument("models", nargs="+", metavar="MODEL")
    args = parser.parse_args()
    if args.command == "build":
        build(args.data, args.folder)
        rules_alone(args.folder)
    elif args.command == "speed":
        speed(args.folder, args.models)
    else:
        rules = f"rules={args.folder}/rules.parquet"
        judge(args.folder, args.models, [rules, *args.scores], args.wrong)


if __name__ == "__main__":
    main()
