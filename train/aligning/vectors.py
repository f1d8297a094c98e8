"""`align.py vectors`: texts of each language become a file of word vectors."""

import json
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from schemas.errors import UserError
from train.config.arguments import Arguments, positive

RECORD = "vectors.json"
Say = Callable[[str], None]


def flags(program: Arguments) -> None:
    program.add_argument("--shards", type=Path, help="shards of the corpus: their training files")
    program.add_argument(
        "--texts", type=Path, nargs="+", default=[], help="the same: LANGUAGE.txt or .jsonl, or a folder"
    )
    program.add_argument("--output", type=Path, required=True, help="folder for LANGUAGE.vec")
    program.add_argument("--languages", nargs="+", default=[], help="default all that are there")
    program.add_argument("--tokenizer", type=Path, help="whose tokens are the words of scripts without spaces; default: "
                         "each character with its marks is one")  # fmt: skip
    program.add_argument("--keep-case", action="store_true", help="default lower case, as MUSE's vectors")
    program.add_argument("--dim", type=positive, default=300, help="default 300")
    program.add_argument("--min-count", type=positive, default=5, help="rarer words have no vector; default 5")
    program.add_argument("--epochs", type=positive, default=5, help="default 5")
    program.add_argument(
        "--buckets", type=positive, default=2_000_000,
        help="rows for n-grams of characters; default 2,000,000, which take 2.4 GB at 300 dimensions",
    )  # fmt: skip
    program.add_argument("--threads", type=positive, default=1, help="default 1; with more, chance has a part")
    program.add_argument("--seed", type=int, default=0, help="default 0")


def run(given: Namespace, say: Say) -> None:
    """Writes OUTPUT/LANGUAGE.vec, and in vectors.json what of; a language that is there as asked is left alone."""
    from train.aligning.vec_files import write_vec
    from train.aligning.word_vectors import (
        Training,
        library,
        sentences,
        texts_by_language,
        texts_of_shards,
        train_vectors,
    )
    from train.aligning.words import Cutter
    from train.benchmarks.languages import same_language
    from train.checkpoints.files import check_folder, digest, write_text
    from train.corpus.shards import open_shards
    from train.telemetry.progress import Progress

    if bool(given.shards) == bool(given.texts):
        raise UserError("name the texts: --shards DIR, or --texts FILE, one of the two")
    check_folder(given.output)
    library()
    cutter = Cutter(given.keep_case, given.tokenizer)
    shards = open_shards(given.shards) if given.shards else None
    texts = texts_by_language(given.texts)
    there = list(shards.languages) if shards else sorted(texts)
    for language in given.languages:
        if not any(same_language(one, language) for one in there):
            raise UserError(f"--languages {language}: there are no texts of it; there are {', '.join(there)}")
    wanted = [one for one in there if not given.languages or any(same_language(one, o) for o in given.languages)]
    settings = Training(given.dim, given.min_count, given.epochs, given.buckets, given.threads, given.seed)
    source = {
        "shards": [file.digest for file in shards.files] if shards else [],
        "texts": [
            digest(path) for each in given.texts for path in ([each] if each.is_file() else sorted(each.iterdir()))
        ],
        "tokenizer": digest(given.tokenizer / "tokenizer.json") if given.tokenizer else "",
        "keep_case": given.keep_case,
    } | asdict(settings)
    record = _record(given.output)
    made = 0
    for language in wanted:
        path = given.output / f"{language}.vec"
        done = record.get(language, {})
        if path.is_file() and done.get("source") == source and done.get("digest") == digest(path):
            say(f"{path}: as it is")
            made += 1
            continue
        counted = dict[str, int]()
        with Progress(f"words of {language}", "texts") as progress:
            of_language = texts_of_shards(shards, language) if shards else texts[language]
            found = train_vectors(sentences(of_language, cutter, progress), settings, counted)
        if found is None:
            say(f"left out {language}: no word of it stands {given.min_count} times in {counted['tokens']:,}")
            continue
        try:
            write_vec(path, *found)
            record[language] = {"words": len(found.words), **counted, "digest": digest(path), "source": source}
            write_text(given.output / RECORD, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise UserError(
                f"--output {given.output} cannot be written ({error.strerror}): name another place"
            ) from None
        say(f"{path}: {len(found.words):,} words of {counted['tokens']:,}")
        made += 1
    if not made:
        raise UserError(
            f"no word of any language stands {given.min_count} times: give more texts, or a lower --min-count"
        )


def _record(output: Path) -> dict[str, dict[str, object]]:
    """What an earlier call wrote; nothing where it is damaged."""
    try:
        found = json.loads((output / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
