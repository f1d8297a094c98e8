"""Which weights a model has, and which it comes from, by the lineage in its folder.

Weights have an identity wherever they lie and in whatever layout: XXH3-128 over our names, shapes and float32 bytes.
Only models that share an ancestor can be averaged: two that were begun apart have their units in different orders, and
the mean of their weights is of neither (Entezari et al. 2022, arXiv 2110.06296).
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import xxhash
from torch import Tensor

from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.languages import LANGUAGE_TABLE, folded_into, row_of
from train.model_folders.ahead import ahead
from train.model_folders.huggingface import LoadedEncoder
from train.model_folders.stored_weights import StoredWeights
from train.model_folders.weight_files import NAMES, PAIRS

Look = Callable[[str, Tensor, bool], None]
PART = 1 << 17  # numbers: half a megabyte


def weights_digest(
    config: EncoderConfig | BertConfig,
    names: Iterable[str],
    tensor: Callable[[str], Tensor],
    look: Look = lambda name, value, finite: None,
) -> str:
    """Of the encoder and its head for masked words, in hex, by tensors under our names; look is shown each of `names`,
    in order, once, and told whether all its numbers are finite. `tensor` is called by a thread, one name ahead.

    Rows that pad the vocabulary do not count, nor does the pair head. A language embedding counts as an export has it,
    folded in as of a language that is not told, so that a checkpoint is the same as its export.
    """
    found = xxhash.xxh3_128()
    embeddings, names = f"model.{NAMES[config.layout].embeddings}", sorted(names)
    row = tensor(LANGUAGE_TABLE)[row_of(config.languages, None)] if LANGUAGE_TABLE in names else None
    with closing(ahead(names, lambda name: tensor(name).detach().float().cpu().contiguous())) as tensors:
        for name, value in tensors:
            if name == embeddings:
                value = value[: config.vocab_size]
            counts = name != LANGUAGE_TABLE and not name.startswith(PAIRS)
            added = row if name == folded_into(config) else None
            if counts:
                found.update(f"{name} {list(value.shape)}\n".encode())
            finite = True
            for part in value.view(-1).split(PART):  # seen and digested while it is in the processor's cache
                finite = finite and bool(torch.isfinite(torch.stack(torch.aminmax(part))).all())
                if counts and added is None:
                    found.update(part.numpy().data)
            if counts and added is not None:
                found.update((value + added).numpy().data)
            look(name, value, finite)
    return found.hexdigest()


def digest_of(loaded: LoadedEncoder) -> str:
    """Of a model in memory, as the folder was that it came from."""
    weights = loaded.language_model.state_dict()
    names = [name for name in weights if loaded.has_head or name.startswith("model.")]
    return weights_digest(loaded.config, names, weights.__getitem__)


def digest_of_folder(folder: Path) -> str:
    """The same, a tensor at a time."""
    with StoredWeights(folder) as stored:
        names = [name for name in stored.shapes if stored.has_head or name.startswith("model.")]
        return weights_digest(stored.config, names, stored.tensor)


@dataclass(frozen=True)
class Ancestor:
    """A model that another comes from. weights: its digest, None where an older release wrote none. run: digest of the
    settings of the run that made it, and the step. folder: where it lay. distance: of how many beginnings."""

    weights: str | None
    run: tuple[str, int] | None
    folder: str
    distance: int = 0

    def known_by(self, other: "Ancestor") -> str | None:
        """How it is known to be the other, or an earlier step of the other's run: by "weights", "run" or, where there
        is nothing better, "folder"; None where it is not."""
        if self.weights and other.weights and self.weights == other.weights:
            return "weights"
        if self.run and other.run:
            return "run" if self.run[0] == other.run[0] and self.run[1] <= other.run[1] else None
        if self.weights and other.weights:
            return None
        return "folder" if self.folder and self.folder == other.folder else None


@dataclass(frozen=True)
class Common:
    """ancestor: the nearest that all share. known_by: how it is known in the parents' lineages, the weakest of them."""

    ancestor: Ancestor
    known_by: str


def of_model(folder: str, weights: str | None, lineage: Mapping[str, Any] | None, distance: int = 0) -> Ancestor:
    told = lineage or {}
    digest, step = told.get("config_digest"), told.get("step")
    run = (digest, step) if isinstance(digest, str) and isinstance(step, int) else None
    return Ancestor(weights, run, folder, distance)


def ancestors(lineage: Mapping[str, Any] | None) -> list[Ancestor]:
    """Of a model with this lineage, nearest first; of a merged one all its parents', and theirs."""
    found, waiting = list[Ancestor](), deque([(lineage or {}, 1)])
    while waiting:
        told, distance = waiting.popleft()
        for parent in _parents(told):
            found.append(of_model(parent.get("folder", ""), parent.get("weights"), parent.get("lineage"), distance))
            waiting.append((parent.get("lineage") or {}, distance + 1))
    return found


def common_ancestor(parents: Sequence[tuple[Ancestor, Mapping[str, Any] | None]]) -> Common | None:
    """Of models and their lineages; one of them may be the ancestor of the others. None where they share none."""
    chains = [[model, *ancestors(lineage)] for model, lineage in parents]
    strength = ("weights", "run", "folder")
    best: tuple[int, int, Common] | None = None
    for candidate in (one for chain in chains for one in chain):
        distance, weakest = 0, 0
        for chain in chains:
            ways = [(one.distance, strength.index(way)) for one in chain if (way := candidate.known_by(one))]
            if not ways:
                break
            nearest = min(ways)
            distance, weakest = distance + nearest[0], max(weakest, nearest[1])
        else:
            if best is None or (distance, weakest) < best[:2]:
                best = distance, weakest, Common(candidate, strength[weakest])
    return best[2] if best else None


def scratch_seed(lineage: Mapping[str, Any] | None) -> int | None:
    """The seed that a model was begun with from scratch; None where its line does not lead there."""
    told = lineage or {}
    while parents := _parents(told):
        told = parents[0].get("lineage") or {}
    seed = told.get("config", {}).get("run", {}).get("seed")
    return seed if isinstance(seed, int) else None


def beginning(lineage: Mapping[str, Any] | None) -> str:
    """How a model began, in words: `from scratch with seed 1`."""
    seed = scratch_seed(lineage)
    if seed is not None:
        return f"from scratch with seed {seed}"
    line = ancestors(lineage)
    return f"from {line[-1].folder or 'another model'}, which does not say where it comes from" if line else "untold"


def _parents(lineage: Mapping[str, Any]) -> list[dict[str, Any]]:
    several, one = lineage.get("parents"), lineage.get("parent")
    found = several if isinstance(several, list) else [one]
    return [parent for parent in found if isinstance(parent, dict)]
