"""The logits of chosen places only: with a large vocabulary, the head costs more than all layers below it."""

import math
from typing import Any

import torch
from torch import Tensor

from train.encoders.opened import OpenedModel, on_device


class HiddenPlaces:
    """A masked language model that answers at some places of a batch, or several together, by the mean of their
    probabilities."""

    def __init__(self, opened: OpenedModel) -> None:
        """UserError where the model has no head for masked words or its tokenizer no mask."""
        opened.mask_token()
        self.mask_id = int(opened.tokenizer.mask_token_id)
        self.members = [_Member(one) for one in opened.members]

    def log_probabilities(self, inputs: dict[str, Tensor], rows: Tensor, places: Tensor) -> Tensor:
        """float32 [n, vocabulary], natural logarithms, at places [n] of rows [n] of a padded batch."""
        together, *others = (one.log_probabilities(inputs, rows, places) for one in self.members)
        for one in others:  # one after the other: such arrays are the largest of an evaluation
            together = torch.logaddexp(together, one.to(together.device))
        return together - math.log(len(self.members)) if others else together


class _Member:
    """The body's answer is cut to the places before the head reads it: a head works place by place in every model of
    transformers. Where body and head are not apart, all logits are made and those places taken.
    """

    def __init__(self, opened: OpenedModel) -> None:
        self.place = opened.place
        self.names = opened.tokenizer.model_input_names  # of several, one may know segments and another not
        self.model: Any = opened.model("AutoModelForMaskedLM", "masked words")
        self.body = self.model.base_model
        self.apart = self.body is not self.model

    @torch.inference_mode()
    def log_probabilities(self, inputs: dict[str, Tensor], rows: Tensor, places: Tensor) -> Tensor:
        rows, places = rows.to(self.place.device), places.to(self.place.device)
        known = {name: value for name, value in inputs.items() if name in self.names}

        def cut(module: Any, given: Any, answer: Any) -> Any:
            answer.last_hidden_state = answer.last_hidden_state[rows, places][None]
            return answer

        hook = self.body.register_forward_hook(cut) if self.apart else None
        try:
            with self.place.autocast():
                logits = self.model(**on_device(known, self.place)).logits
        finally:
            if hook is not None:
                hook.remove()
        chosen = logits[0] if self.apart else logits[rows, places]
        return torch.log_softmax(chosen.float(), -1)
