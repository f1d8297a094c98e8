"""Branches become one model, by `merge_models`, on texts that no arm is judged by.

What needs texts (whose a token's row is, Fisher diagonals, Gram matrices, weights that are chosen) is given some of
those to train on: held-out texts would decide what they are then to judge.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow.parquet as pq

from schemas.errors import UserError
from train.branching.rules import NamedRule
from train.checkpoints.files import write_text
from train.corpus.shards import open_shards
from train.fusing.merging.merge import merge_models
from train.fusing.merging.settings import MergeSettings

TEXT_BYTES = 1 << 19  # of each language
ASKED_BYTES = 8192  # of each language, by which weights are chosen and losses told
ROWS = 64


def merge(
    rule: NamedRule,
    parents: Mapping[str, Path],
    ancestor: Path,
    output: Path,
    texts: Path,
    seed: int,
    device: str,
    say: Callable[[str], None],
) -> None:
    """parents: by language. ancestor: the seed. Whole or not at all. UserError where the rule cannot be followed."""
    more = dict(rule.settings)
    if rule.rule == "dare":
        more.setdefault("seed", seed)
    settings = MergeSettings(
        parents=[f"{language}={folder}" for language, folder in parents.items()],
        output=output,
        rule=rule.rule,
        ancestor=ancestor,
        own={language: language for language in parents},
        texts=[texts],
        masked_bytes=ASKED_BYTES,
        device=device,
        **more,
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    merge_models(settings, say)


def write_texts(shards: Path, folder: Path) -> None:
    """`LANGUAGE.jsonl` of the first training documents of each language, which are drawn by hash already; those that
    are there stay."""
    found = open_shards(shards)
    for language in found.languages:
        target = folder / f"{language}.jsonl"
        if target.is_file():
            continue
        lines, size = [], 0
        files = (one.path for one in found.files if one.language == language and one.split == "train")
        for path in files:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(ROWS, columns=["id", "text"]):
                    for row in batch.to_pylist():
                        if size < TEXT_BYTES and row["text"]:
                            lines.append(json.dumps(row, ensure_ascii=False))
                            size += len(row["text"].encode())
                    if size >= TEXT_BYTES:
                        break
            if size >= TEXT_BYTES:
                break
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(target, "\n".join(lines) + "\n")
        except OSError as error:
            raise UserError(f"{target} cannot be written ({error}): free space there") from None
