"""Documents a second a core of each part of clean, and of the peer's filter stage in the same run.

python tests/bench/clean.py --documents FOLDER [--rounds 3] [--peer "PYTHON SCRIPT ARCHIVES MODEL" --peer-tasks 2]

FOLDER holds Parquet files with columns `text` and `url`, extract/documents for one. Start-up (imports, compiled
kernels, models) is left out: the first batch runs once before the clock does. The peer is a script that prints its
seconds by stage and its documents as JSON on its last line; it works with two processes.
"""

import argparse
import json
import shlex
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.dataset

from pipeline.config import CleanConfig
from pipeline.kernels.arrow_text import from_strings
from pipeline.language.identifier import Identifier
from pipeline.privacy.masks import mask
from pipeline.privacy.repair import repair_column
from pipeline.quality import profiles
from pipeline.quality.rules import Decider
from pipeline.quality.signals import StopWords, signal_columns
from pipeline.stages.annotate import PASSED_ON, Annotator
from pipeline.words.words import words_of

T = TypeVar("T")
BATCH = 256
SEEN = ("words", "language", "signals", "rules")


def run(texts: list[str], urls: list[str], rounds: int) -> dict[str, float]:
    """Seconds of this process's own work, by part, over all texts; of each part the best of the rounds."""
    config = CleanConfig()
    known = profiles.load(config.thresholds, config.threshold_names())
    stop_words = config.stop_words(known)
    annotate = Annotator(config, stop_words)
    decide = Decider(config.chosen_rules(), config.limits(known))
    identifier, lists = Identifier(), StopWords(stop_words)
    best: dict[str, float] = {}
    for turn in range(rounds + 1):
        seconds: Counter[str] = Counter()

        def timed(part: str, work: Callable[..., T], *of: Any, seconds: Counter[str] = seconds) -> T:
            began = time.process_time()
            done = work(*of)
            seconds[part] += time.process_time() - began
            return done

        for start in range(0, len(texts) if turn else BATCH, BATCH):
            some = texts[start : start + BATCH]
            repaired = timed("repair", repair_column, from_strings(some))
            masked = timed("privacy", lambda given: [mask(text, config.mask).text for text in given], repaired)
            given = from_strings(masked)
            found = timed("words", words_of, given)
            named = timed("language", identifier.identify, given, found)
            languages, scripts = named.language.to_pylist(), named.language_script.to_pylist()
            timed("signals", lambda *of: signal_columns(*of, lists), given, found, languages, scripts)
            timed("rules", decide, _annotated(annotate, some, urls[start : start + BATCH]))
        if turn:
            best = {part: min(spent, best.get(part, spent)) for part, spent in seconds.items()}
    return best


def _annotated(annotate: Annotator, texts: list[str], urls: list[str]) -> pa.RecordBatch:
    """What the rules read; not timed, for its parts are."""
    columns = {name: [""] * len(texts) for name in PASSED_ON} | {"text": from_strings(texts), "url": urls}
    return annotate(pa.RecordBatch.from_pydict(columns))


def peer(command: str, tasks: int) -> tuple[float, dict[str, object]]:
    """Documents a second a core of its filter stage, and all it printed."""
    python, script, archives, model = shlex.split(command)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as said:
        # A file and no pipe: processes that a failed peer leaves behind would keep a pipe open.
        subprocess.run([python, script, archives, folder, model, str(tasks)], stdout=said, check=True)
        said.seek(0)
        answer = json.loads(said.read().splitlines()[-1])
    return answer["docs"]["extract"] / answer["seconds"]["filter"] / min(2, tasks), answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", help="its Python, script, folder of archives and language model")
    parser.add_argument("--peer-tasks", type=int, default=2)
    args = parser.parse_args()
    table = pa.dataset.dataset(args.documents).to_table(["text", "url"])
    texts = [text or "" for text in table.column("text").to_pylist()]
    seconds = run(texts, table.column("url").to_pylist(), args.rounds)
    for part, spent in seconds.items():
        print(f"{part:10} {spent / len(texts) * 1e6:8.0f} us a document")
    rate = len(texts) / sum(seconds[part] for part in SEEN)
    print(f"{' + '.join(SEEN)}: {rate:,.0f} documents/s a core over {len(texts):,} documents")
    print(f"all of clean: {len(texts) / sum(seconds.values()):,.0f} documents/s a core")
    if args.peer:
        theirs, answer = peer(args.peer, args.peer_tasks)
        print(f"peer: {json.dumps(answer)}")
        print(f"peer's filter stage: {theirs:,.1f} documents/s a core; ratio {rate / theirs:,.1f}")


if __name__ == "__main__":
    main()
