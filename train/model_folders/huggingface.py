"""Encoders as folders: ours and transformers' are opened, and written so that transformers opens them.

A folder is config.json, model.safetensors, the tokenizer's own files, and lineage.json, which says what the weights
come from. transformers itself is not needed.

What a token brings into an encoder are rows of tables, ids int64 [batch, length] in transformers and [T] in ours:
`input_ids` of [vocab_size, hidden_size]; in BERT `position_ids`, its place in the sequence, of
[max_position_embeddings, hidden_size], and `token_type_ids`, 0 in the first text and 1 in the second, of
[type_vocab_size, hidden_size]. The rows of languages, [1 + languages, hidden_size], are in checkpoints alone: exports
hold one of them, folded in.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import pad

from schemas.errors import UserError
from train.model.bert import BertConfig, BertEncoder
from train.model.encoder import Encoder, EncoderConfig
from train.model.heads import PAIR_OBJECTIVES, DecoderBias, MaskedLanguageModel, PairHead, PredictionHead
from train.model.languages import fold_language
from train.model_folders.config_json import PRETRAINING, huggingface_config, position_offset, read_config, read_object
from train.model_folders.weight_files import (
    NAMES,
    PAIRS,
    check_tensors,
    read_metadata,
    read_weights,
    to_ours,
    to_theirs,
)

TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "spm.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
)
POSITIONS = "model.embeddings.position_embeddings.weight"
CHECKPOINT_CONFIG = "encoder.json"
INPUTS = ["input_ids", "attention_mask"]
INPUTS_OF = {"bert": ["input_ids", "token_type_ids", "attention_mask"]}  # the other layouts know one segment at most


@dataclass(frozen=True)
class LoadedEncoder:
    """What a folder holds. language_model: on the CPU, in float32; its head is at its start unless `has_head`.

    lineage: what the weights come from, None where the folder does not say. pair_head: None where there is none.
    """

    language_model: MaskedLanguageModel
    has_head: bool
    lineage: dict[str, Any] | None
    pair_head: PairHead | None = None

    @property
    def encoder(self) -> Encoder | BertEncoder:
        return self.language_model.model

    @property
    def head(self) -> MaskedLanguageModel | None:
        """The encoder and its trained head in one; None where the folder has no head."""
        return self.language_model if self.has_head else None

    @property
    def config(self) -> EncoderConfig | BertConfig:
        return self.language_model.config

    @property
    def layout(self) -> str:
        """modernbert, bert or xlm-roberta."""
        return self.config.layout


def save_pretrained(
    model: MaskedLanguageModel,
    special_ids: dict[str, int],
    tokenizer: Path,
    folder: Path,
    lineage: dict[str, Any] | None = None,
    *,
    pair_head: PairHead | None = None,
    language: str | None = None,
) -> None:
    """Writes `folder`, which must not exist yet; the rows that pad the vocabulary stay behind.

    `special_ids`: ids of pad, bos, eos and mask. `lineage`, as JSON, goes into a file and into the weights' metadata.
    `pair_head` stays behind where `has_pairs` says that the layout has no place for it. A language embedding is folded
    in: `language` is one of the model's, None a language that is not told.
    """
    folder.mkdir(parents=True)
    weights = {name: value.detach().float().cpu() for name, value in model.state_dict().items()}
    config, names = model.config, NAMES[model.config.layout]
    if config.languages:
        config, weights = fold_language(config, weights, language)
    pairs = has_pairs(config, pair_head)
    if pairs and pair_head is not None:
        weights |= {PAIRS + name: value.detach().float().cpu() for name, value in pair_head.state_dict().items()}
    embeddings = f"model.{names.embeddings}"
    weights[embeddings] = weights[embeddings][: config.vocab_size]
    if POSITIONS in weights:
        weights[POSITIONS] = pad(weights[POSITIONS], (0, 0, position_offset(config, special_ids["pad"]), 0))
    metadata = {"format": "pt"} | ({"lineage": json.dumps(lineage)} if lineage is not None else {})
    tensors = {name: value.clone(memory_format=torch.contiguous_format)
               for name, value in to_theirs(weights, config.layout).items()}  # fmt: skip
    save_file(tensors, folder / "model.safetensors", metadata=metadata)
    _write_json(folder / "config.json", huggingface_config(config, special_ids, pairs))
    if lineage is not None:
        _write_json(folder / "lineage.json", lineage)
    copy_tokenizer(tokenizer, folder, config.layout)


def has_pairs(config: EncoderConfig | BertConfig, pair_head: PairHead | None) -> bool:
    """Whether an export of this shape takes the head along."""
    return pair_head is not None and config.layout in PRETRAINING


def copy_tokenizer(tokenizer: Path, folder: Path, layout: str) -> None:
    """The files of a tokenizer into the folder of a model of that layout."""
    for name in TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, folder / name)
    if (folder / TOKENIZER_CONFIG).is_file():
        _say_inputs(folder / TOKENIZER_CONFIG, layout)


def _say_inputs(path: Path, layout: str) -> None:
    """A tokenizer makes what its model takes: a vocabulary does not know for which model it is."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # as it came
        return
    if isinstance(settings, dict):
        _write_json(path, settings | {"model_input_names": INPUTS_OF.get(layout, INPUTS)})


def write_checkpoint_config(
    folder: Path, config: EncoderConfig | BertConfig, special_ids: dict[str, int], lineage: dict[str, Any] | None = None
) -> None:
    """Writes what `load_encoder` needs beside a checkpoint's model.safetensors: encoder.json, and lineage.json."""
    _write_json(folder / CHECKPOINT_CONFIG, huggingface_config(config, special_ids))
    if lineage is not None:
        _write_json(folder / "lineage.json", lineage)


def config_file(folder: Path) -> Path:
    """The file that says what a folder holds. UserError where there is none."""
    for name in (CHECKPOINT_CONFIG, "config.json"):
        if (folder / name).is_file():
            return folder / name
    raise UserError(
        f"{folder} is no exported model: it has no config.json; point to a folder `export` or "
        "`checkpoints/step-*` of a run, or to a model of transformers on this disk"
    )


def load_encoder(
    folder: Path, compute_dtype: torch.dtype = torch.float32, activation_checkpointing: bool = False
) -> LoadedEncoder:
    """Opens a checkpoint of ours (`checkpoints/step-*`), an export, or a folder of transformers: ModernBERT, BERT or
    XLM-RoBERTa, with or without its heads for masked words and for pairs. Other heads are left behind.

    UserError where there is no such folder, where it holds another architecture or asks for what our layers do not do,
    and where tensors are missing, of another shape, more than the encoder has, or not finite.
    """
    path = config_file(folder)
    ours = path.name == CHECKPOINT_CONFIG
    config, offset = read_config(path)
    weights = read_weights(folder)
    if not ours:
        weights = to_ours(weights, config.layout, folder)
    with torch.device("meta"):  # no weights: drawing those of a large vocabulary takes longer than reading them
        model = MaskedLanguageModel(config, compute_dtype, activation_checkpointing)
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    embeddings = f"model.{NAMES[config.layout].embeddings}"
    if not ours:
        shapes[embeddings] = torch.Size((config.vocab_size, config.hidden_size))
        if POSITIONS in shapes:
            shapes[POSITIONS] = torch.Size((config.max_position_embeddings + offset, config.hidden_size))
    pair_head = _pair_head(config, weights, folder)
    has_head = any(name.startswith(("head.", "decoder.")) for name in weights)
    expected = {name: shape for name, shape in shapes.items() if has_head or name.startswith("model.")}
    check_tensors(weights, expected, folder)
    weights = {name: weights[name].float() for name in expected}
    if not ours:
        weights[embeddings] = pad(weights[embeddings], (0, 0, 0, config.padded_vocab_size - config.vocab_size))
        if POSITIONS in weights:
            weights[POSITIONS] = weights[POSITIONS][offset:].clone()
    model.load_state_dict(weights, strict=has_head, assign=True)
    if not has_head:
        with torch.random.fork_rng(devices=[]):  # what is drawn elsewhere must not hang on what is opened
            model.head, model.decoder = PredictionHead(config), DecoderBias(config.vocab_size)
    return LoadedEncoder(model, has_head, _lineage(folder), pair_head)


def from_pretrained(folder: Path) -> MaskedLanguageModel:
    """The masked language model of a folder that `load_encoder` opens. UserError where it has no head."""
    head = load_encoder(folder).head
    if head is None:
        raise UserError(f"{folder} has no masked-language-model head: take the model that has one")
    return head


def _pair_head(
    config: EncoderConfig | BertConfig, weights: Mapping[str, Tensor], folder: Path
) -> PairHead | None:  # fmt: skip
    """Of an export or of transformers; of a checkpoint that of the first objective that has one."""
    for prefix in (PAIRS, *(f"modules_of.{name}." for name in PAIR_OBJECTIVES)):
        found = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        if found:
            with torch.device("meta"):
                head = PairHead(config)
            check_tensors(found, {name: value.shape for name, value in head.state_dict().items()}, folder)
            head.load_state_dict({name: found[name].float() for name in head.state_dict()}, assign=True)
            return head
    return None


def _lineage(folder: Path) -> dict[str, Any] | None:
    path = folder / "lineage.json"
    if path.is_file():
        return read_object(path)
    weights = folder / "model.safetensors"
    try:
        lineage = json.loads(read_metadata(weights).get("lineage", "null"))
    except ValueError as error:
        raise UserError(f"{weights}: the lineage in its metadata is no JSON: {error}; copy it again") from None
    return lineage if isinstance(lineage, dict) else None


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
