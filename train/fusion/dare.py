"""What parents have learnt, thinned out by chance."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.fusion.parts import parts, result
from train.fusion.task_arithmetic import ANCESTOR, SCALE, needed
from train.fusion.ties import agreed
from train.fusion.weights import check_count, check_scale, check_weights, factors

GRID = 1 << 16  # chances are multiples of its inverse


class Dare:
    """Each number of theta_i - theta_0 is dropped with the chance p, the others times 1 / (1 - p); then as task
    arithmetic does (`linear`), or as TIES does after its trimming, whose place the dropping takes (`ties`).

    Yu et al. 2024, "Language models are super Mario" (arXiv 2311.03099), section 3. They search p from 0.1 to
    0.9; 0.5 is our default. scale: of the rule that follows, 0.4 or 1, unless given. Numbers are drawn by a generator
    with a counter (Philox; Salmon et al. 2011) keyed by seed, tensor and the parent's place, so the order of tensors
    decides nothing.
    """

    needs_ancestor = True

    def __init__(
        self,
        drop: float = 0.5,
        then: Literal["linear", "ties"] = "linear",
        scale: float | None = None,
        weights: Sequence[float] | None = None,
        seed: int = 0,
    ) -> None:
        if not 0 <= drop < 1:
            raise ValueError(f"drop {drop:g} is not at least 0 and below 1")
        if then not in ("linear", "ties"):
            raise ValueError(f"after dropping comes linear or ties, not {then}")
        self.scale = {"linear": SCALE, "ties": 1.0}[then] if scale is None else scale
        check_scale(self.scale)
        check_weights(weights)
        self.kept = max(1, round((1 - drop) * GRID))  # of GRID
        self.then, self.weights, self.seed = then, weights, seed

    def check(self, parents: int) -> None:
        check_count(self.weights, parents)

    def merge(self, name: str, parents: Sequence[Tensor], ancestor: Tensor | None) -> Tensor:
        origin = needed(name, ancestor)
        weights = factors(self.weights, len(parents))
        out = result(name, [*parents, origin])
        flat = out.view(-1)
        draws = [self._kept(name, which) for which in range(len(parents))]
        for place, (*found, start) in parts(name, parents, {ANCESTOR: origin}):
            thin = []
            for one, draw in zip(found, draws, strict=True):
                mask = torch.from_numpy(draw(place.stop - place.start)).to(start.device)
                thin.append((one - start).mul_(mask).mul_(GRID / self.kept))
            if self.then == "ties":
                total = agreed(thin, weights)
            else:
                total = thin[0].mul_(weights[0])
                for one, weight in zip(thin[1:], weights[1:], strict=True):
                    total.add_(one, alpha=weight)
            torch.add(start, total, alpha=self.scale, out=flat[place])
        return out

    def _kept(self, name: str, which: int) -> Callable[[int], NDArray[np.bool_]]:
        """Draws for so many numbers more: a multiple of four each time but the last."""
        key = hashlib.blake2b(f"{self.seed}/{which}/{name}".encode(), digest_size=16).digest()
        generator: Any = np.random.Philox(key=int.from_bytes(key, "little"))

        def draw(count: int) -> NDArray[np.bool_]:
            found: NDArray[np.uint64] = generator.random_raw(-(-count // 4))
            return found.astype("<u8", copy=False).view("<u2")[:count] < self.kept

        return draw
