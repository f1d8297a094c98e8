"""A merged model becomes a folder like an export, a tensor at a time, whole or not at all."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from schemas.errors import UserError
from train.checkpoints.files import FULL, publish
from train.corpus.vocabulary import Vocabulary
from train.fusing.merging.tensors import Merging
from train.model.languages import LANGUAGE_TABLE
from train.model_folders.ancestry import weights_digest
from train.model_folders.config_json import huggingface_config, position_offset
from train.model_folders.huggingface import POSITIONS, copy_tokenizer
from train.model_folders.tensor_files import Described, TensorWriter
from train.model_folders.weight_files import to_theirs
from train.telemetry.progress import Progress

Tensors = Callable[[str], Tensor]
Finish = Callable[[Path, str], dict[str, Any]]  # of a part of a folder and the digest of its weights: more of lineage


def check_output(output: Path, overwrite: bool, parents: list[Path]) -> None:
    """UserError where something is there that must stay, or that is not a model."""
    if not output.exists():
        return
    for folder in parents:
        if folder.resolve() == output.resolve() or output.resolve() in folder.resolve().parents:
            raise UserError(f"--output {output} holds the model {folder}: name another folder")
    if not overwrite:
        raise UserError(f"--output {output} is there already: name another folder, or --overwrite")
    if not (output / "config.json").is_file() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(
            f"--output {output} is no model, which --overwrite would take the place of: name another folder"
        )


def write_merged(
    output: Path, merging: Merging, tensor: Tensors, vocabulary: Vocabulary, lineage: dict[str, Any], finish: Finish
) -> dict[str, Any]:
    """What lineage.json says in the end. Replaces `output` at once. UserError where the disk fails, and for numbers
    that are not finite; nothing is left of it then.

    A language embedding is in the file beside what transformers knows: its row of a language that is not told is
    folded in, as in any export, and taken from the others, so that the sum of both is what it was.
    """
    told: dict[str, Any] = {}
    try:
        publish(output, partial(_write, told, merging, tensor, vocabulary, lineage, finish))
    except OSError as error:
        way_out = "free space there, or name another folder" if error.errno in FULL else "mend that"
        raise UserError(f"--output {output} cannot be written ({error.strerror}): {way_out}") from None
    return told


def _write(
    told: dict[str, Any],
    merging: Merging,
    tensor: Tensors,
    vocabulary: Vocabulary,
    lineage: dict[str, Any],
    finish: Finish,
    part: Path,
) -> None:
    part.mkdir()
    languages = merging.languages
    bare = replace(merging.lead.stored.config, languages=())
    config = replace(bare, languages=languages.languages if languages else ())
    offset = position_offset(config, vocabulary.special_ids["pad"])
    theirs = to_theirs({name: name for name in [*merging.names, LANGUAGE_TABLE]}, config.layout)
    name_of = {ours: name for name, ours in theirs.items()}
    shapes = {name: merging.shape(name) for name in merging.names}
    if POSITIONS in shapes:
        shapes[POSITIONS] = (shapes[POSITIONS][0] + offset, *shapes[POSITIONS][1:])
    if languages:
        shapes[LANGUAGE_TABLE] = tuple(languages.table.shape)
        lineage = lineage | {"language": None}
    described = [Described(name_of[name], torch.float32, shape) for name, shape in shapes.items()]
    metadata = {"format": "pt", "lineage": json.dumps(lineage)}
    size = sum(one.bytes for one in described)
    with (
        TensorWriter(part / "model.safetensors", described, metadata) as file,
        Progress("merge", "MB", size >> 20) as progress,
    ):

        def look(name: str, value: Tensor, finite: bool) -> None:
            if not finite:
                raise UserError(f"the result is not finite in {name}: take a smaller --scale or --drop")
            file.write(name_of[name], pad(value, (0, 0, offset, 0)) if name == POSITIONS else value)
            progress.add((4 * value.numel()) >> 20)

        digest = weights_digest(bare, merging.names, tensor, look)
        if languages:
            file.write(name_of[LANGUAGE_TABLE], languages.table - languages.table[0])
    _json(part / "config.json", huggingface_config(config, vocabulary.special_ids, merging.pairs))
    copy_tokenizer(merging.lead.tokenizer, part, config.layout)
    told |= lineage | {"weights": digest} | finish(part, digest)
    _json(part / "lineage.json", told)


def _json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
