"""Where a model computes, and in which numbers."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from schemas.errors import UserError

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "bf16"]
BATCH_TOKENS = 0
DEVICES, PRECISIONS = ("auto", "cpu", "cuda"), ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class Place:
    """mixed: products in bfloat16, weights and sums in float32 (torch's autocast)."""

    device: torch.device
    mixed: bool = False

    def batch_tokens(self, asked: int = BATCH_TOKENS) -> int:
        """Of a padded batch; 0 asks for what suits the device: on a CPU what its caches hold (of a small encoder 2,048
        tokens are read 1.4 times as fast as 8,192), on a GPU enough to keep it busy."""
        return asked or (2048 if self.device.type == "cpu" else 16_384)

    def autocast(self) -> AbstractContextManager[None]:
        """A context for forward passes."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.mixed else nullcontext()


def place(device: str = "auto", precision: str = "auto") -> Place:
    """auto: the first GPU where there is one, and bfloat16 there. UserError where there is no such device."""
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise UserError("--device cuda: torch sees no GPU here; take --device cpu")
    kind = "cuda" if there and device != "cpu" else "cpu"
    return Place(torch.device(kind), precision == "bf16" or (precision == "auto" and kind == "cuda"))
