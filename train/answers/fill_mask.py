"""Which words a masked language model would put for [MASK]."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from train.answers.texts import BadText
from train.encoders.batches import padded_batches
from train.encoders.finite import check_finite
from train.encoders.opened import OpenedModel, on_device
from train.encoders.place import BATCH_TOKENS
from train.tasks.running import accepted

MASKS = ("[MASK]", "<mask>")  # each is the model's own mask token, whatever that is
MOST_LOGITS = 1 << 25  # of a batch, 128 MB: a token has as many as there are words


@dataclass(frozen=True)
class Word:
    """word: as the tokenizer writes it; token: its id."""

    word: str
    token: int
    probability: float


@dataclass(frozen=True)
class Filled:
    """text: with the model's own mask token. masks: of each of them the likeliest words, the likeliest first."""

    text: str
    mask_token: str
    masks: tuple[tuple[Word, ...], ...]


@torch.inference_mode()
def fill_mask(
    model: OpenedModel, texts: Sequence[str], top_k: int = 5, batch_tokens: int = BATCH_TOKENS
) -> list[Filled]:
    """As the pipeline fill-mask of transformers answers, which masks are filled each by itself.

    UserError where the model has no mask token or no head for masked words; BadText for one without [MASK], and for one
    that is longer than the model takes.
    """
    own = model.mask_token()
    asked = [_with_mask(text, own) for text in texts]
    for number, text in enumerate(asked):
        if own not in text:
            raise BadText(number, "has no [MASK]: write it where a word is asked for")
    if not asked:
        return []
    masked_model = model.model("AutoModelForMaskedLM", "masked words")
    encoded = accepted(masked_model, dict(model.tokenizer(asked)))
    check_lengths(model, encoded["input_ids"])
    room = max(1, min(model.place.batch_tokens(batch_tokens), MOST_LOGITS // masked_model.config.vocab_size))
    found: list[tuple[tuple[Word, ...], ...]] = [()] * len(asked)
    for batch in padded_batches(encoded, model.tokenizer, room):
        inputs = on_device(batch.inputs, model.place)
        with model.place.autocast():
            logits = masked_model(**inputs).logits
        row, column = (batch.inputs["input_ids"] == model.tokenizer.mask_token_id).nonzero(as_tuple=True)
        chosen = logits[row.to(logits.device), column.to(logits.device)]
        check_finite(model, chosen)
        probabilities, ids = _likeliest(chosen, top_k)
        words = _words(model, probabilities, ids)
        for place, number in enumerate(batch.rows.tolist()):
            found[number] = tuple(words[one] for one in np.flatnonzero(row.numpy() == place))
    return [Filled(text, own, masks) for text, masks in zip(asked, found, strict=True)]


def check_lengths(model: OpenedModel, ids: Sequence[Sequence[int]]) -> None:
    """BadText for the first sequence that is longer than the model takes."""
    for number, one in enumerate(ids):
        if len(one) > model.longest:
            raise BadText(number, f"has {len(one):,} tokens, and the model takes {model.longest:,}: shorten it")


def _with_mask(text: str, own: str) -> str:
    for mask in MASKS:
        text = text.replace(mask, own)
    return text


def _likeliest(logits: torch.Tensor, top_k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """[masks, words] to ([masks, top_k], [masks, top_k])."""
    probabilities, ids = logits.float().softmax(-1).topk(min(top_k, logits.shape[-1]), dim=-1)
    return probabilities.cpu(), ids.cpu()


def _words(model: OpenedModel, probabilities: torch.Tensor, ids: torch.Tensor) -> list[tuple[Word, ...]]:
    spelt = {token: model.tokenizer.decode([token]) for token in ids.unique().tolist()}
    return [
        tuple(Word(spelt[token], token, share) for token, share in zip(*row, strict=True))
        for row in zip(ids.tolist(), probabilities.tolist(), strict=True)
    ]
