"""What a parent's own texts say of its weights, as files of tensors under our names of the weights.

Fisher diagonals have the shapes of the weights; the Gram matrix of a linear layer, [in, in], stands under the name of
its weight. The metadata say what they are (`kind`), how many `tokens` they were taken over, and how.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from torch import Tensor

from schemas.errors import UserError
from train.model_folders.tensor_files import Described, TensorReader, TensorWriter

FISHER, GRAM = "fisher", "gram"


def write_statistics(target: Path, kind: str, tensors: Mapping[str, Tensor], told: Mapping[str, object]) -> None:
    """Whole or not at all. told: of what and how they were taken, as JSON. UserError where the disk is full."""
    described = [Described(name, one.dtype, tuple(one.shape)) for name, one in tensors.items()]
    with TensorWriter(target, described, {"kind": kind} | {key: json.dumps(one) for key, one in told.items()}) as file:
        for name, one in tensors.items():
            file.write(name, one)


class Statistics:
    """Those of several parents, in their order, read one tensor at a time; a context that closes the files.

    UserError for a file of another kind. told: of each parent."""

    def __init__(self, paths: Sequence[Path], kind: str) -> None:
        self._readers: list[TensorReader] = []
        self.told: list[dict[str, object]] = []
        try:
            for path in paths:
                self._readers.append(TensorReader([path]))
                metadata = dict(self._readers[-1].metadata)
                if metadata.pop("kind", None) != kind:
                    raise UserError(f"{path} holds no {kind} statistics: take them again")
                self.told.append({key: json.loads(one) for key, one in metadata.items()})
        except BaseException:
            self.close()
            raise

    def of(self, name: str) -> list[Tensor] | None:
        """One a parent; None where not all have it."""
        if not all(name in one.described for one in self._readers):
            return None
        return [one.read(name) for one in self._readers]

    def close(self) -> None:
        for one in self._readers:
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
