"""Tables of texts whose language is known, for jobs/fit_thresholds.py: documents/ and sentences/.

PYTHONPATH=tests python -m bench.trusted_texts --data DATA --output FOLDER
PYTHONPATH=tests python -m bench.trusted_texts --data DATA --hold-out [--each 5]

DATA is the folder of development data: text, sib200, lid, tatoeba, parallel. A row's host names its collection.

With --hold-out nothing is written: thresholds and stop words are fitted on one half of the labelled texts, by hash of
their address, and the other half is judged with them as clean does by default; then the other way round. Printed is
what is dropped of the good texts, and what of the defects planted in them is dropped for a right reason.
"""

import argparse
import csv
import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from bench import labelled, planted

from pipeline.config import CleanConfig
from pipeline.privacy.repair import repair
from pipeline.quality import fitting, profiles
from pipeline.quality.fitting_limits import SIGNALS_USED
from pipeline.quality.rules import Decider
from pipeline.stages.annotate import PASSED_ON, Annotator
from pipeline.stages.fit_thresholds import of_language
from pipeline.words.scripts import main_script

# Texts that are not what their label says: this part of the collection is Swahili.
MISLABELLED = {("ssw", "bible_corpus_nt")}
PARALLEL = "ntrex128"  # its sentences are those of labelled texts

Row = tuple[str, str, str, str]  # collection, language, script, text


def trusted(data: Path) -> Iterator[labelled.Labelled]:
    return (one for one in labelled.read(data) if (one.language, one.source) not in MISLABELLED)


def documents(data: Path) -> Iterator[Row]:
    for one in trusted(data):
        yield one.source, one.language, one.script, one.text


def sentences(data: Path) -> Iterator[Row]:
    """Of one-line sentences, each in the script that its file is in."""
    for folder in sorted((data / "sib200").iterdir()):
        language, script = folder.name.split("_")
        for file in ("train.tsv", "dev.tsv"):
            with open(folder / file, encoding="utf-8", newline="") as rows:
                for row in csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE):
                    yield "sib200", language, script, row["text"]
    yield from labelled_sentences(data)
    files: dict[tuple[str, str], set[str]] = defaultdict(set)
    for path in sorted((data / "tatoeba").iterdir()):
        files["tatoeba", path.suffix[1:]].update(path.read_text(encoding="utf-8").splitlines())
    for path in sorted((data / "parallel").glob("*.txt.gz")):
        language = path.name.split(".")[0].split("-")[0]
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            files[PARALLEL, language].update(line.strip() for line in lines)
    for (collection, language), found in sorted(files.items()):
        script = Counter(map(main_script, found)).most_common(1)[0][0]
        for line in sorted(found):
            yield collection, language, script, line


def labelled_sentences(data: Path) -> Iterator[Row]:
    """Of SIB-200 in the languages that have no folder."""
    known = {folder.name for folder in (data / "sib200").iterdir()}
    with gzip.open(data / "lid" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["source"].startswith("sib200") and f"{row['lang']}_{row['script']}" not in known:
                yield "sib200", row["lang"], row["script"], row["text"]


def table(rows: Iterator[Row]) -> pa.Table:
    names = ("id", "url", "language", "language_script", "text")
    columns: dict[str, list[str]] = {name: [] for name in names}
    for i, (collection, language, script, text) in enumerate(rows):
        host = collection.replace("_", "-")
        values = (f"{collection}-{i}", f"http://{host}.example/{i}", *labelled.label(language, script), repair(text))
        for name, value in zip(names, values, strict=True):
            columns[name].append(value)
    return pa.table(columns)


def half(url: str) -> int:
    """0 or 1, by hash."""
    return hashlib.md5(url.encode()).digest()[0] & 1


def fitted(texts: pa.Table, more: pa.Table, min_texts: int) -> profiles.Profiles:
    """What jobs/fit_thresholds.py makes of two tables of `table`, the second for stop words alone."""
    both = pa.concat_tables(
        part.append_column("only_words", pa.array([only] * part.num_rows, pa.bool_()))
        for part, only in ((texts, False), (more, True))
    )
    places = [hashlib.md5(name.encode()).hexdigest() for name in both.column("id").to_pylist()]
    both = both.append_column("place", pa.array(places))
    both = both.append_column("language_score", pa.nulls(both.num_rows, pa.float64()))
    rows: dict[fitting.Key, list[int]] = defaultdict(list)
    for i, key in enumerate(zip(*(both.column(n).to_pylist() for n in ("language", "language_script")), strict=True)):
        rows[key].append(i)
    signals: dict[fitting.Key, fitting.Signals] = {}
    words: dict[str, tuple[str, ...]] = {}
    for key, places_of_key in rows.items():
        row = of_language(both.take(pa.array(places_of_key))).to_pylist()[0]
        signals[key] = {name: np.array(row[name], np.float64) for name in SIGNALS_USED}
        if row["stop_words"]:
            words["_".join(key)] = tuple(row["stop_words"])
    defaults = {name: float(CleanConfig.model_fields[name].default) for name in CleanConfig.threshold_names()}
    return profiles.Profiles(fitting.fit(signals, defaults, min_texts=min_texts), words, "")


def verdicts(texts: Sequence[str], known: profiles.Profiles) -> list[str | None]:
    """What clean says by default, but with these profiles."""
    settings = CleanConfig()
    annotate = Annotator(settings, settings.stop_words(known))
    decide = Decider(settings.chosen_rules(), settings.limits(known))
    found: list[str | None] = []
    for start in range(0, len(texts), 500):
        batch = texts[start : start + 500]
        empty = pa.nulls(len(batch), pa.string())
        columns = [pa.array(batch, pa.string()) if name == "text" else empty for name in PASSED_ON]
        found += decide(annotate(pa.RecordBatch.from_arrays(columns, names=list(PASSED_ON)))).to_pylist()
    return found


def hold_out(
    texts: Sequence[labelled.Labelled], more: pa.Table, each: int, min_texts: int = fitting.MIN_TEXTS // 2
) -> planted.Score:
    """The score of each half with what is fitted on the other. As a half has half the texts of a language, half as many
    are asked for."""
    ids: list[str] = []
    reasons: list[str | None] = []
    for side in (0, 1):
        mine, other = ([one for one in texts if (half(one.url) == side) is same] for same in (True, False))
        known = fitted(table((one.source, one.language, one.script, one.text) for one in other), more, min_texts)
        goods = [planted.Good(one.language, one.script, one.text) for one in mine]
        rows = [("good", *good) for good in goods]
        rows += planted.plant((g for g in goods if f"{g.language}_{g.script}" in planted.LANGUAGES), each)
        ids += [f"{kind}/{language}_{script}/{side}-{i}" for i, (kind, language, script, _) in enumerate(rows)]
        reasons += verdicts([row[-1] for row in rows], known)
    return planted.score(ids, reasons)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--hold-out", action="store_true")
    parser.add_argument("--each", type=int, default=5, help="defects of a kind and a language in each half [5]")
    args = parser.parse_args()
    if args.hold_out == bool(args.output):
        parser.error("give --output FOLDER or --hold-out")
    if args.hold_out:
        more = table(row for row in sentences(args.data) if row[0] != PARALLEL)
        planted.report(hold_out(list(trusted(args.data)), more, args.each))
        return
    for name, rows in (("documents", documents(args.data)), ("sentences", sentences(args.data))):
        (args.output / name).mkdir(parents=True, exist_ok=True)
        found = table(rows)
        pa.parquet.write_table(found, args.output / name / "part-0.parquet")
        print(f"{name}: {found.num_rows:,} texts")


if __name__ == "__main__":
    main()
