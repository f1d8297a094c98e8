"""Fits what language identification knows beside the model: words, usual evidence and thresholds by language.

    python tests/bench/fit_language.py --texts TABLE --keys KEYS.jsonl.gz --sib200 DIR --tatoeba DIR \\
        --scorer score_language.py [--web TABLE --web-keys GOLD.jsonl.gz] [--output pipeline/language/calibration.json]

TABLE: Parquet with url and text of labelled documents; KEYS: url and lang of each. First the labelled documents are
fitted on one half and scored on the other, both ways; then all are fitted, written where --output says, and scored.
With --web, also how many long texts of real pages whose language is known come out as it, and as none.
"""

import argparse
import collections
import csv
import functools
import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.kernels.arrow_text import from_strings
from pipeline.language import identifier
from pipeline.language.evidence import Evidence, Profile, save, word_list
from pipeline.language.identifier import Identifier
from pipeline.language.labels import ISO_639_3, LANGUAGES, OTHER_CODES, SCRIPTS_OF, family
from pipeline.words.scripts import main_script, scripts_of
from pipeline.words.words import words, words_of

MIN_WORDS = 10  # of a text from which the usual is taken
CHUNK = 400  # characters, where a language has few texts
FEW = 4
SCORE_QUANTILE, SCORE_BOUNDS = 0.05, (0.3, 0.7)
SURE = 0.8  # of the bare model, that a text is in another language than its label says
MISLABELLED = {("ssw", "bible_corpus_nt")}  # Swahili
LONG = 200  # characters of a web page's text


class Text(NamedTuple):
    source: str
    text: str


def individual(code: str) -> str:
    """ISO 639-3 as labels of ours are; some keys are ISO 639-1."""
    code = code.split("-")[0].lower()
    code = ISO_639_3.get(code, code) if len(code) == 2 else code
    return {"prs": "fas"}.get(code) or OTHER_CODES.get(code, code)


def read_corpora(sib200: Path, tatoeba: Path) -> dict[str, list[Text]]:
    """Trusted sentences by language. English of Tatoeba from one pair only: it is the same in all."""
    found = collections.defaultdict(list)
    for file in sorted(sib200.glob("*/train.tsv")):
        with file.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            found[individual(file.parent.name.split("_")[0])] += [Text("sib200", row["text"]) for row in rows]
    for file in sorted(tatoeba.iterdir()):
        code = file.suffix[1:]
        if code != "eng" or "cmn-eng" in file.name:
            lines = file.read_text(encoding="utf-8").splitlines()
            found[individual(code)] += [Text("tatoeba", line) for line in lines]
    return found


def fit(texts: Mapping[str, Iterable[Text]]) -> dict[str, Profile]:
    """Profiles of the languages with enough text."""
    halves: dict[str, tuple[list[Text], list[Text]]] = {}
    found = {}
    for code, samples in sorted(texts.items()):
        samples = sorted(samples)
        if len(samples) < FEW:
            samples = [Text(one.source, part) for one in samples for part in chunks(one.text)]
        halves[code] = (samples[::2], samples[1::2])
    # What is usual is measured on texts that the list was not made from.
    own: dict[str, list[float]] = collections.defaultdict(list)
    for mine, other in ((0, 1), (1, 0)):
        lists = {code: listed(code, half[mine]) for code, half in halves.items()}
        evidence = Evidence({code: Profile(one, 1.0, 0.0) for code, one in lists.items() if one})
        for number, code in enumerate(evidence.languages):
            held = from_strings(one.text for one in halves[code][other])
            values, n_words = evidence.of(words_of(held), scripts_of(held).main)
            own[code] += values[n_words >= MIN_WORDS, number].tolist()
    for code, half in halves.items():
        one = listed(code, [*half[0], *half[1]])
        if one and own[code]:
            least = min_score(code, [text.text for part in half for text in part])
            found[code] = Profile(one, round(float(np.median(own[code])), 3), least)
    return found


def chunks(text: str) -> list[str]:
    """About CHUNK characters each."""
    parts = re.split(r"\s+", text)
    found, now = [], ""
    for part in parts:
        now += " " + part
        if len(now) >= CHUNK:
            found.append(now)
            now = ""
    return [*found, now] if now else found


@functools.cache
def words_in(text: str) -> tuple[str, tuple[str, ...]]:
    """Its script and its words."""
    return main_script(text), tuple(map(sys.intern, words(text)))


def listed(code: str, samples: Iterable[Text]) -> dict[str, float]:
    """A list a script, all in one: no two scripts share a word."""
    scripts: dict[str, dict[str, list[str]]] = collections.defaultdict(lambda: collections.defaultdict(list))
    for one in samples:
        script, found = words_in(one.text)
        scripts[script][one.source] += found
    return {
        word: weight
        for script, sources in scripts.items()
        if script in SCRIPTS_OF.get(code, {script})
        for word, weight in word_list(sources).items()
    }


@functools.cache
def bare() -> Identifier:
    return Identifier(evidence=Evidence({}))


def model_scores(texts: list[str]) -> np.ndarray:
    data = [text.encode("utf-8", "ignore")[: identifier.SAMPLE_BYTES] for text in texts]
    ends = np.cumsum([len(one) for one in data])
    starts = ends - [len(one) for one in data]
    return bare()._scores(*bare()._model.sums(np.frombuffer(b"".join(data), np.uint8), starts, ends))


def min_score(code: str, texts: list[str]) -> float:
    """What the model must give the language where words say little: nearly all of its own texts get more."""
    mine = [place for place, one in enumerate(bare()._codes) if family(one) == family(code)]
    if not mine:
        return identifier.MIN_SCORE_UNLISTED
    own = model_scores(texts[:500])[:, mine].max(axis=1)
    return round(float(np.clip(np.quantile(own, SCORE_QUANTILE), *SCORE_BOUNDS)), 3)


def said(texts: list[str]) -> list[str]:
    """The family of which the bare model is sure, "" where it is not: many a translation was never made."""
    scores = model_scores(texts)
    best = scores.argmax(axis=1)
    return [family(bare()._codes[one]) if row[one] >= SURE else "" for one, row in zip(best, scores, strict=True)]


def predict(identifier: Identifier, texts: list[str]) -> pa.Table:
    return pa.table(identifier.identify(from_strings(texts))._asdict())


def score(scorer: Path, keys: Path, urls: list[str], found: pa.Table) -> str:
    """The scorer's own words, on one line."""
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(found.append_column("url", pa.array(urls)), f"{folder}/part.parquet")
        ran = subprocess.run([sys.executable, scorer, folder, keys], capture_output=True, text=True, check=True)
    return " | ".join(ran.stdout.splitlines())


def read_table(folder: Path) -> tuple[list[str], list[str]]:
    table = pa.concat_tables([pq.ParquetFile(one).read(["url", "text"]) for one in sorted(folder.rglob("*.parquet"))])
    return table["url"].to_pylist(), table["text"].to_pylist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("texts", "keys", "sib200", "tatoeba", "scorer"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("web", "web-keys", "output"):
        parser.add_argument(f"--{name}", type=Path)
    flags = parser.parse_args()

    with gzip.open(flags.keys, "rt", encoding="utf-8") as lines:
        keys = {one["url"]: one for one in map(json.loads, lines)}
    urls, texts = read_table(flags.texts)
    codes = [individual(keys[url]["lang"]) for url in urls]
    corpora = read_corpora(flags.sib200, flags.tatoeba)
    nth: collections.Counter[str] = collections.Counter()
    folds = []
    for url in sorted(urls, key=lambda url: keys[url]["source"] + url):
        code = individual(keys[url]["lang"])
        folds.append((url, nth[code] % 2))
        nth[code] += 1
    fold_of = dict(folds)

    sure = said(texts)
    trusted = {
        url
        for url, code, one in zip(urls, codes, sure, strict=True)
        if (keys[url]["lang"], keys[url]["source"]) not in MISLABELLED
        and (code not in LANGUAGES or one in ("", family(code)))
    }

    def training(fold: int | None) -> dict[str, list[Text]]:
        found = {code: list(samples) for code, samples in corpora.items()}
        for url, text, code in zip(urls, texts, codes, strict=True):
            if (fold is None or fold_of[url] != fold) and url in trusted:
                found.setdefault(code, []).append(Text(keys[url]["source"], text))
        return found

    held_out = []
    for fold in (0, 1):
        profiles = fit(training(fold))
        mine = [place for place, url in enumerate(urls) if fold_of[url] == fold]
        found = predict(Identifier(evidence=Evidence(profiles)), [texts[place] for place in mine])
        held_out.append((found, [urls[place] for place in mine]))
    scored = [url for _, mine in held_out for url in mine]
    print("cross-validated:", score(flags.scorer, flags.keys, scored, pa.concat_tables([one for one, _ in held_out])))
    profiles = fit(training(None))
    if flags.output:
        save(profiles, flags.output)
    identifier = Identifier(evidence=Evidence(profiles))
    print(f"{len(profiles)} languages")
    print("all fitted:", score(flags.scorer, flags.keys, urls, predict(identifier, texts)))
    if flags.web:
        report_web(identifier, flags.web, flags.web_keys)


def report_web(identifier: Identifier, table: Path, keys: Path) -> None:
    with gzip.open(keys, "rt", encoding="utf-8") as lines:
        known = {one["url"]: one.get("lang_if_known") for one in map(json.loads, lines)}
    rows = [(url, text) for url, text in zip(*read_table(table), strict=True) if len(text) > LONG]
    found = predict(identifier, [text for _, text in rows])["language"].to_pylist()
    labelled = [(family(individual(known[url])), family(one))
                for (url, _), one in zip(rows, found, strict=True) if known.get(url)]  # fmt: skip
    right, none = sum(gold == one for gold, one in labelled), sum(one == "und" for _, one in labelled)
    print(f"web: {len(rows)} texts, {found.count('und')} und; of {len(labelled)} labelled {right} right, {none} und")


if __name__ == "__main__":
    main()
