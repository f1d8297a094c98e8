"""What held-out texts cost weights that lie in no folder: put into a model of transformers, tensor by tensor."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from train.encoders.opened import OpenedModel
from train.likelihood.held_out_texts import HeldOutText
from train.likelihood.masked_accuracy import masked_accuracy
from train.model_folders.huggingface import POSITIONS
from train.model_folders.weight_files import NAMES, PAIRS, to_theirs

KIND = "AutoModelForMaskedLM"
Texts = Mapping[str, Sequence[HeldOutText]]


class Vessel:
    """A model that is given other weights of its shape. layout: of our names."""

    def __init__(self, opened: OpenedModel, layout: str, names: Iterable[str]) -> None:
        self.opened, self.layout = opened, layout
        self.names = [name for name in names if not name.startswith(PAIRS)]

    @torch.no_grad()
    def fill(self, tensor: Callable[[str], Tensor]) -> OpenedModel:
        """The model with these weights, by our names; the same one at each call."""
        self._fill(self.opened.model(KIND, "masked words"), tensor)
        return self.opened

    @torch.no_grad()
    def twin(self, name: str, tensor: Callable[[str], Tensor]) -> OpenedModel:
        """Another one in memory, called so."""
        found = self.opened.holding(KIND, deepcopy(self.opened.model(KIND, "masked words")))
        found.name = name
        self._fill(found.model(KIND), tensor)
        return found

    def losses(self, tensor: Callable[[str], Tensor], texts: Texts, told: Callable[[int], None]) -> dict[str, float]:
        """Nats a hidden token, by language; languages of which nothing is hidden are left out."""
        return losses(self.fill(tensor), texts, told)

    def _fill(self, module: Any, tensor: Callable[[str], Tensor]) -> None:
        state = module.state_dict()
        for name, key in to_theirs({name: name for name in self.names}, self.layout).items():
            value = tensor(key)
            for place in (name, *NAMES[self.layout].head.get(key, ())):
                if place in state:
                    rows = state[place]
                    (rows[len(rows) - len(value) :] if key == POSITIONS else rows).copy_(value)


def losses(model: OpenedModel, texts: Texts, told: Callable[[int], None]) -> dict[str, float]:
    found = {}
    for language, of in texts.items():
        each = masked_accuracy(model, of, progress=told)
        if each.hidden.any():
            found[language] = float(each.loss.sum() / each.hidden.sum())
    return found


def mean(by_language: Mapping[str, float]) -> float:
    """All languages alike."""
    return sum(by_language.values()) / max(len(by_language), 1)


def size(texts: Texts) -> int:
    """Bytes."""
    return sum(one.bytes for of in texts.values() for one in of)


def halves(texts: Texts) -> tuple[dict[str, list[HeldOutText]], dict[str, list[HeldOutText]]]:
    """(to choose by, to tell by) of each language every other text; one that stands alone is in both."""
    return {name: list(of[::2]) for name, of in texts.items()}, {
        name: list(of[1::2] or of) for name, of in texts.items()
    }
