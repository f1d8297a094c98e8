"""Teachers as folders, and labelled batches of the tiny corpus' tokens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from train.config.load import load_config
from train.config.tables import PretrainConfig
from train.corpus.hashing import combine
from train.corpus.vocabulary import Vocabulary, open_vocabulary
from train.data.batches import Labels, PackedBatch, Sequences
from train.joint.build import build_objectives
from train.joint.joint_model import JointModel
from train.loop.device_batches import DeviceBatches
from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.model_folders.huggingface import save_pretrained
from train.objectives.objective import Batch, Objective

CPU = torch.device("cpu")
LANGUAGES = ("eng_Latn", "rus_Cyrl", "zho_Hans")
SHAPE: dict[str, Any] = {"num_hidden_layers": 2, "intermediate_size": 24, "max_position_embeddings": 40}


def new_model(kind: str, vocab_size: int, seed: int, **settings: Any) -> MaskedLanguageModel:
    """Of random weights, larger than those of a start, so that it is sure of something."""
    torch.manual_seed(seed)
    sizes = SHAPE | {"hidden_size": 24, "num_attention_heads": 3, "vocab_size": vocab_size} | settings
    config = BertConfig(**sizes) if kind == "bert" else EncoderConfig(
        **{"local_attention": 6, "global_attn_every_n_layers": 2} | sizes
    )  # fmt: skip
    model = MaskedLanguageModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return model


def write_teacher(folder: Path, tokenizer: Path, kind: str = "modernbert", seed: int = 1, **settings: Any) -> Path:
    vocabulary = open_vocabulary(tokenizer)
    size = settings.pop("vocab_size", vocabulary.size)
    save_pretrained(new_model(kind, size, seed, **settings), vocabulary.special_ids, tokenizer, folder)
    return folder


def config_of(corpus: Any, **settings: object) -> PretrainConfig:
    return load_config(corpus.flags(Path("nowhere"), **settings))


def sequences_of(
    vocabulary: Vocabulary, lengths: tuple[int, ...] = (20, 7, 32, 3, 12, 18), language: tuple[int, ...] | None = None
) -> Sequences:
    """Of drawn tokens, in the languages 0, 1, 2, 0 ..."""
    draw = np.random.default_rng(4)
    special = vocabulary.special_ids
    parts = [[special["bos"], *draw.choice(vocabulary.ordinary, n - 2), special["eos"]] for n in lengths]
    rows = np.array(language if language is not None else [n % 3 for n in range(len(lengths))], np.int64)
    keys = combine(3, np.arange(len(lengths)))
    return Sequences(np.concatenate(parts).astype(np.int64), np.array(lengths), rows, keys)


def labelled(objectives: Mapping[str, Objective], sequences: Sequences) -> dict[str, Labels]:
    labels: dict[str, Labels] = {}
    for name, one in objectives.items():
        labels[name] = one.labeller(sequences, 0, labels)
    return labels


def batch_of(objectives: Mapping[str, Objective], sequences: Sequences) -> Batch:
    labels = labelled(objectives, sequences)
    lengths = sequences.lengths
    positions = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    ids = next((one.input_ids for one in labels.values() if one.input_ids is not None), sequences.tokens)
    packed = PackedBatch(ids, positions, lengths, labels, np.zeros((3, 3), np.int64))
    return DeviceBatches(CPU, torch.float32, 8, 40)(packed)


def built(config: PretrainConfig, student: MaskedLanguageModel) -> dict[str, Objective]:
    """All objectives of a config, bound to a student."""
    torch.manual_seed(0)
    objectives = build_objectives(config, open_vocabulary(config.data.tokenizer), LANGUAGES)
    for one in objectives.values():
        one.bind(student, CPU, torch.float32)
    return objectives


def loss_of(student: MaskedLanguageModel, objectives: Mapping[str, Objective], batch: Batch, name: str) -> Any:
    """(loss, sums) of one objective of unit weights."""
    joint = JointModel(student, objectives)
    total, sums = joint(batch, {name: torch.ones(len(LANGUAGES))}, {name: objectives[name]})
    return total, sums[name]
