"""Files of word vectors, a language each, and a record of what they are made of."""

import json
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.aligning.word_vectors import (
    Training,
    digests,
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
from train.maps.vec_files import write_vec
from train.telemetry.progress import Progress

RECORD = "vectors.json"
Say = Callable[[str], None]


def make_vectors(given: Namespace, say: Say) -> None:
    """Writes OUTPUT/LANGUAGE.vec, and in vectors.json what of; a language that is there as asked is left alone.
    UserError for whatever the user can mend."""
    if bool(given.shards) == bool(given.texts):
        raise UserError("name the texts: --shards DIR, or --texts FILE, one of the two")
    check_folder(given.output)
    library()
    cutter = Cutter(given.keep_case, given.tokenizer)
    shards = open_shards(given.shards) if given.shards else None
    texts = texts_by_language(given.texts)
    settings = Training(given.dim, given.min_count, given.epochs, given.buckets, given.threads, given.seed)
    source = {
        "texts": [file.digest for file in shards.files] if shards else digests(given.texts),
        "tokenizer": digest(given.tokenizer / "tokenizer.json") if given.tokenizer else "",
        "keep_case": given.keep_case,
    } | asdict(settings)
    record = _record(given.output)
    made = 0
    for language in _wanted(given.languages, list(shards.languages) if shards else sorted(texts)):
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
            why = error.strerror or str(error)
            raise UserError(f"--output {given.output} cannot be written ({why}): name another place") from None
        say(f"{path}: {len(found.words):,} words of {counted['tokens']:,}")
        made += 1
    if not made:
        raise UserError(f"no word of any language stands {given.min_count} times: take more texts, or less --min-count")


def _wanted(languages: Sequence[str], there: Sequence[str]) -> list[str]:
    """UserError where one is not there."""
    for language in languages:
        if not any(same_language(one, language) for one in there):
            raise UserError(f"--languages {language}: there are no texts of it; there are {', '.join(there)}")
    return [one for one in there if not languages or any(same_language(one, language) for language in languages)]


def _record(output: Path) -> dict[str, dict[str, Any]]:
    """What an earlier call wrote; nothing where it is damaged."""
    try:
        found = json.loads((output / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
