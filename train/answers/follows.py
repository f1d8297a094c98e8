"""Whether a text follows another, by BERT's head for pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from schemas.errors import UserError
from train.answers.fill_mask import check_lengths
from train.encoders.batches import padded_batches
from train.encoders.finite import check_finite
from train.encoders.opened import OpenedModel, on_device
from train.encoders.place import BATCH_TOKENS

FOLLOWS = 0  # BERT's class (Devlin et al. 2019, arXiv 1810.04805)


@dataclass(frozen=True)
class Follows:
    """probability: that the second text follows the first; where `is_order`, as the head learnt by sentence-order
    prediction, that two texts of which one follows the other are in this order."""

    first: str
    second: str
    probability: float
    is_order: bool


@torch.inference_mode()
def follows(
    model: OpenedModel, firsts: Sequence[str], seconds: Sequence[str], batch_tokens: int = BATCH_TOKENS
) -> list[Follows]:
    """UserError where the model has no head for pairs; BadText for a pair that is longer than the model takes."""
    if model.config.model_type != "bert":
        raise UserError(f"--model {model.given} has no head for pairs: take a BERT trained with [objectives.nsp]")
    pairs = model.model("BertForNextSentencePrediction", "pairs")
    if not firsts:
        return []
    encoded = dict(model.tokenizer(list(firsts), list(seconds)))
    check_lengths(model, encoded["input_ids"])
    found = [0.0] * len(firsts)
    for batch in padded_batches(encoded, model.tokenizer, model.place.batch_tokens(batch_tokens)):
        with model.place.autocast():
            logits = pairs(**on_device(batch.inputs, model.place)).logits
        check_finite(model, logits)
        shares = logits.float().softmax(-1)[:, FOLLOWS].tolist()
        for number, share in zip(batch.rows.tolist(), shares, strict=True):
            found[number] = share
    is_order = model.lineage.get("pair_objective") == "sop"
    return [Follows(*pair, is_order) for pair in zip(firsts, seconds, found, strict=True)]
