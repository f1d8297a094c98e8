"""Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): momentum made orthogonal, for hidden matrices.

The update of a matrix is scaled by 0.2 * sqrt(max(rows, columns)), as in Moonlight (Liu et al. 2025, arXiv
2502.16982): its root mean square is then that of a usual AdamW update, and one learning rate serves both.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from train.optim.grouping import ParameterGroup
from train.optim.optimizer import Rule
from train.optim.sharding import local, part_of, whole

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's: steepest at zero, singular values end between about 0.7 and 1.2
ITERATIONS = 5
# Matrices that are several in one, by the ends of their names: so many blocks of rows.
BLOCKS = {"Wqkv.weight": 3, "Wi.weight": 2}


def orthogonalise(matrices: Tensor) -> Tensor:
    """Matrices [n, rows, columns] with their singular values brought near 1 by a Newton–Schulz iteration, same dtype.

    Zero stays zero. Nothing is scaled by the shape.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(Rule):
    """Nesterov momentum, then `orthogonalise`, block by block for the matrices that `blocks` names by their ends.

    Computes in `dtype`; by default in bfloat16 on CUDA, where it costs nothing in quality (Jordan), else in float32.
    Momentum stays cut under FSDP2; the matrix to be made orthogonal is gathered, and every process does the same work
    on it and keeps its own part.
    """

    moments = ("momentum",)

    def __init__(
        self,
        group: ParameterGroup,
        momentum: float,
        blocks: Mapping[str, int] = BLOCKS,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(group)
        self.momentum = momentum
        on_cuda = group.parameters[0].device.type == "cuda"
        self.dtype = dtype or (torch.bfloat16 if on_cuda else torch.float32)
        ends = [[count for end, count in blocks.items() if name.endswith(end)] for name in group.names]
        self.blocks = [counts[0] if counts else 1 for counts in ends]

    def update(self, learning_rate: Tensor, found_inf: Tensor) -> None:
        skipped = found_inf != 0
        # Blocks of one shape go through the iteration together: few large products instead of many small ones.
        alike: dict[tuple[int, int], list[int]] = {}
        for index in self.with_gradient():
            rows, columns = self.group.parameters[index].shape
            alike.setdefault((rows // self.blocks[index], columns), []).append(index)
        for (rows, columns), indices in alike.items():
            directions = [self._direction(index, skipped) for index in indices]
            stacked = torch.cat([matrix.view(-1, rows, columns) for matrix in directions])
            results = orthogonalise(stacked).split([self.blocks[index] for index in indices])
            for index, result in zip(indices, results, strict=True):
                self._apply(index, result, learning_rate, 0.2 * max(rows, columns) ** 0.5, skipped)

    def _direction(self, index: int, skipped: Tensor) -> Tensor:
        """Advances the momentum; the whole matrix [rows, columns] that it and the gradient point along."""
        momentum, gradient = self.state["momentum"][index], self.gradient(index)
        advanced = momentum.lerp(gradient, 1 - self.momentum)
        momentum.copy_(torch.where(skipped, momentum, advanced))
        return whole(gradient.lerp(advanced, self.momentum).to(self.dtype), self.group.parameters[index])

    def _apply(self, index: int, result: Tensor, learning_rate: Tensor, scale: float, skipped: Tensor) -> None:
        parameter = self.group.parameters[index]
        part = local(parameter)
        change = part_of(result.reshape(parameter.shape), parameter).to(part.dtype)
        decayed = part * (1 - learning_rate * self.group.weight_decay)
        part.copy_(torch.where(skipped, part, decayed - change * (learning_rate * scale)))
