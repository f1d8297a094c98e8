"""Parents of different vocabularies become a folder: one tokenizer, and each parent with its rows for it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from schemas.errors import UserError
from tokenizer.fast import TOKENIZER
from tokenizer.growing.forms import Vocabulary, shared, vocabulary
from tokenizer.growing.union import Union, unite
from train.checkpoints.files import publish
from train.corpus.vocabulary import open_vocabulary
from train.fusing.merging.parents import Parent
from train.model_folders.huggingface import TOKENIZER_FILES, load_encoder, save_pretrained
from train.telemetry.progress import Progress
from train.vocabularies.reembedding import NewRows, Rows, new_table, table_of, with_table
from train.vocabularies.token_vectors import token_vectors

FOLDER, TOLD = "tokenizer", "vocabulary.json"


@dataclass(frozen=True)
class Making:
    """How rows are made. texts: asked for where new_rows is focus; text_bytes: how many they are, for the progress."""

    new_rows: NewRows
    least: int
    seed: int
    texts: Callable[[], Iterator[str]]


def read_vocabulary(parent: Parent) -> Vocabulary:
    """UserError for a tokenizer that is broken, or of a kind that is not supported."""
    folder = parent.tokenizer
    opened = open_vocabulary(folder)
    content = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
    roles = {number: role for role, number in opened.special_ids.items()}
    return vocabulary(content, roles, f"--parent {parent.given}")


def united(parents: Sequence[Parent]) -> tuple[list[Vocabulary], Union]:
    """UserError where one has no token in common with the first, which proves that nothing is known of the other's."""
    found = [read_vocabulary(one) for one in parents]
    for parent, other in zip(parents[1:], found[1:], strict=True):
        if not shared([found[0], other]):
            raise UserError(
                f"--parent {parents[0].given} and {parent.given} have no token in common: no new row can be made of "
                "known ones; name parents that share some text"
            )
    folder = parents[0].tokenizer
    files = {name: (folder / name).read_bytes() for name in TOKENIZER_FILES if (folder / name).is_file()}
    return found, unite(files, found[0], found[1:], f"--parent {parents[0].given}")


def write(
    parents: Sequence[Parent], making: Making, identity: dict[str, Any], output: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Makes `output` at once: tokenizer/, NAME/ of each parent, and vocabulary.json, which is the answer too. identity:
    what it is made of, as JSON; the parents' digests are read already."""
    vocabularies, union = united(parents)
    told: dict[str, Any] = identity | {
        "tokens": len(union.forms),
        "added": union.added,
        "bridges": union.bridges,
        "left_out": {one.name: count for one, count in zip(parents[1:], union.left_out, strict=True)},
        "rows": {},
    }
    say(
        f"{len(union.forms):,} tokens: {union.first:,} of {parents[0].name}, {union.added:,} more"
        + (f", {union.bridges:,} of them to reach others" if union.bridges else "")
        + "".join(f"; {count:,} of {name} have no place" for name, count in told["left_out"].items() if count)
    )
    publish(output, partial(_write, parents, vocabularies, union, making, told, say))
    return told


def _write(
    parents: Sequence[Parent],
    vocabularies: Sequence[Vocabulary],
    union: Union,
    making: Making,
    told: dict[str, Any],
    say: Callable[[str], None],
    part: Path,
) -> None:
    folder = part / FOLDER
    folder.mkdir(parents=True)
    for name, content in union.files.items():
        (folder / name).write_bytes(content)
    opened = open_vocabulary(folder)
    if opened.size != len(union.forms):
        raise AssertionError(f"{opened.size} tokens were written, and {len(union.forms)} meant")
    vectors = _vectors(union, making, opened.encode) if making.new_rows == "focus" else None
    for place, (parent, own) in enumerate(zip(parents, vocabularies, strict=True)):
        loaded = load_encoder(parent.folder)
        encode = open_vocabulary(parent.tokenizer).encode
        table = table_of(loaded.language_model)
        rows: Rows = new_table(
            table, own, union.forms, making.new_rows, encode, vectors, same_ids=not place, seed=making.seed
        )
        told["rows"][parent.name] = rows.counts
        say(f"{parent.name}: rows " + ", ".join(f"{count:,} {how}" for how, count in rows.counts.items()))
        lineage = {
            "parent": {"folder": str(parent.given), "weights": parent.digest, "lineage": parent.lineage or None},
            "vocabulary": {key: value for key, value in told.items() if key != "rows"} | {"rows": rows.counts},
        }
        save_pretrained(
            with_table(loaded.language_model, rows.table),
            opened.special_ids,
            folder,
            part / parent.name,
            lineage,
            pair_head=loaded.pair_head,
        )
    (part / TOLD).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _vectors(union: Union, making: Making, encode: Callable[[list[str]], list[list[int]]]) -> NDArray[np.float32]:
    listed = Tokenizer.from_str(union.files[TOKENIZER].decode("utf-8")).get_vocab(with_added_tokens=True)
    tokens: list[str | None] = [None] * len(union.forms)
    for token, number in listed.items():
        tokens[number] = token
    with Progress("texts for fastText", "bytes") as progress:
        return token_vectors(making.texts(), encode, tokens, least=making.least, progress=progress.add)
