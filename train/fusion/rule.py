"""What a rule of fusion is: parents' tensors of one name become one tensor."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class Rule(Protocol):
    """Knows no model and no file. needs_ancestor: whether it works on what each parent has learnt since the tensor that
    all of them began with."""

    needs_ancestor: bool

    def check(self, parents: int) -> None:
        """ValueError, fit for a user, where the rule or its weights cannot take so many parents."""

    def merge(self, name: str, parents: Sequence[Tensor], ancestor: Tensor | None) -> Tensor:
        """float32, of the parents' shape and on their device, computed in float32. Parents are left as they are.

        parents: of any floating type, in the order of the command. ancestor: None where the rule needs none.
        ValueError that names the tensor, for shapes that differ and for numbers that are not finite."""
