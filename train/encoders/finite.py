"""Answers that are no numbers, of weights that are damaged: no figure and no vector is made of them."""

from typing import Any

import torch

from schemas.errors import UserError
from train.encoders.opened import OpenedModel


def check_finite(model: OpenedModel, *values: Any) -> None:
    """values: tensors or arrays of any shape. UserError where one of them has a number that is not finite."""
    for one in values:
        if not bool(torch.isfinite(torch.as_tensor(one)).all()):
            raise UserError(
                f"--model {model.given} answers with numbers that are not finite: its weights are damaged, or too "
                "large for the precision; take another checkpoint, or --precision fp32"
            )
