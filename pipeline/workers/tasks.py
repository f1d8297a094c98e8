"""A function over items by whatever workers there are: processes of this machine here, an engine's tasks elsewhere."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Each(Protocol):
    """Calls a function with each item, a task an item, begun in their order; answers what it gave, in their order."""

    def __call__(self, function: Callable[[T], R], items: Sequence[T], /) -> list[R]: ...
