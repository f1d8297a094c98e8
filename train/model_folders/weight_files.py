"""The tensors of a folder, in whatever files it keeps them, and under the names that our modules have for them."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from schemas.errors import UserError

FILES = ("model.safetensors", "pytorch_model.bin")
PAIRS = "pairs."  # before our names of the pair head's tensors
T = TypeVar("T")
UNUSED = ("position_ids", "token_type_ids", "inv_freq")  # buffers that old versions wrote down


@dataclass(frozen=True)
class Names:
    """What transformers calls the parts of a masked language model.

    base: before the encoder's tensors. embeddings: of them, the token embeddings. head: our name of a tensor of the
    head -> theirs, the one that is written first. pairs: our name of a tensor of the pair head -> theirs, whole.
    """

    base: str
    embeddings: str
    head: dict[str, tuple[str, ...]]
    pairs: dict[str, str] = field(default_factory=dict)


def _bert_head(dense: str, norm: str, decoder: str) -> dict[str, tuple[str, ...]]:
    names = {
        f"head.{ours}.{kind}": (f"{theirs}.{kind}",)
        for ours, theirs in (("dense", dense), ("norm", norm))
        for kind in ("weight", "bias")
    }
    return names | {"decoder.bias": (f"{decoder}.bias", f"{decoder}.decoder.bias")}


NAMES = {
    "modernbert": Names(
        "model.",
        "embeddings.tok_embeddings.weight",
        {name: (name,) for name in ("head.dense.weight", "head.norm.weight", "decoder.bias")},
    ),
    "bert": Names(
        "bert.",
        "embeddings.word_embeddings.weight",
        _bert_head("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions"),
        {
            f"{PAIRS}{ours}.{kind}": f"{theirs}.{kind}"
            for ours, theirs in (("pooler.dense", "bert.pooler.dense"), ("seq_relationship", "cls.seq_relationship"))
            for kind in ("weight", "bias")
        },
    ),
    "xlm-roberta": Names(
        "roberta.",
        "embeddings.word_embeddings.weight",
        _bert_head("lm_head.dense", "lm_head.layer_norm", "lm_head"),
    ),
}


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Tensors on the CPU: of safetensors, whole or in shards; else of pytorch_model.bin, without running its code."""
    return {key: tensor for file in files_of(folder) for key, tensor in _read(file).items()}


def files_of(folder: Path) -> list[Path]:
    """Those that the weights are in. UserError where one is missing."""
    for name in FILES:
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
            for shard in shards:
                if not (folder / shard).is_file():
                    raise UserError(f"{folder} lacks {shard}, which {index.name} names: copy the rest of the folder")
            return [folder / shard for shard in shards]
    raise UserError(f"{folder} has no weights, {' or '.join(FILES)}: copy the rest of the folder")


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no mapping
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        cause = str(error).splitlines()[0] if str(error) else "it ends early"
        raise UserError(f"{path} is broken, or more than weights: {cause}; copy it again") from None
    return dict(tensors)


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file; nothing for a folder that keeps its weights otherwise."""
    if not path.is_file():
        return {}
    with safe_open(path, "pt") as file:
        return dict(file.metadata() or {})


def to_ours(weights: Mapping[str, T], layout: str, folder: Path) -> dict[str, T]:
    """Tensors of transformers, or what stands for them, under our names; what is of neither the encoder nor its heads
    for words and pairs falls away.

    The encoder may lie under any prefix: none in `BertModel`, `bert.` in `BertForMaskedLM`.
    """
    names = NAMES[layout]
    weights = {_modern(key): tensor for key, tensor in weights.items()}
    found = sorted((key for key in weights if f".{key}".endswith(f".{names.embeddings}")), key=len)
    if not found:
        raise UserError(f"{folder} lacks the tensor {names.embeddings}: it is no {layout}, as its config.json says")
    base = found[0].removesuffix(names.embeddings)
    outer = base[: base.rstrip(".").rfind(".") + 1]
    ours = {
        f"model.{key.removeprefix(base)}": tensor
        for key, tensor in weights.items()
        if key.startswith(base) and not key.endswith(UNUSED)
    }
    for name, spellings in names.head.items():
        present = [outer + spelling for spelling in spellings if outer + spelling in weights]
        if base and present:
            ours[name] = weights[present[0]]
    if all(outer + name in weights for name in names.pairs.values()):
        ours |= {name: weights[outer + spelling] for name, spelling in names.pairs.items()}
    return ours


def to_theirs(weights: Mapping[str, T], layout: str) -> dict[str, T]:
    """Our tensors, or what stands for them, under the names of transformers."""
    names = NAMES[layout]
    known = {ours: theirs[0] for ours, theirs in names.head.items()} | names.pairs
    return {known.get(key, names.base + key.removeprefix("model.")): tensor for key, tensor in weights.items()}


def _modern(key: str) -> str:
    """TensorFlow's names of a norm's tensors, which the first PyTorch checkpoints kept."""
    return key.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def check_tensors(found: Mapping[str, Tensor], expected: Mapping[str, torch.Size], folder: Path) -> None:
    """UserError where a tensor is missing, of another shape, not finite, or more than the encoder has."""
    missing = [name for name in expected if name not in found]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(f"{folder} lacks the tensor {missing[0]}{more}, which its config calls for: copy it again")
    parts = {name.split(".")[1] for name in expected if name.startswith("model.")}
    for name in found:
        if name not in expected and name.startswith("model.") and name.split(".")[1] in parts:
            raise UserError(
                f"{folder} has a tensor {name} more than its config calls for: take the config of the weights"
            )
    for name, shape in expected.items():
        tensor = found[name]
        if tensor.shape != shape:
            raise UserError(
                f"{folder}: {name} has the shape {list(tensor.shape)}, but its config means {list(shape)}: "
                "take the config that belongs to these weights"
            )
        if not torch.isfinite(tensor).all():
            raise UserError(f"{folder}: {name} holds numbers that are not finite: take an earlier checkpoint")
