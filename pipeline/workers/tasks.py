"""Functions over items by whatever workers there are: processes of this machine (`pipeline.workers.processes`) or an
engine's tasks (`pipeline.spark.tasks`)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Step(NamedTuple):
    """What a person is told of the items' progress. `sizes`: how much of `unit` each item has."""

    name: str
    sizes: Sequence[int]
    unit: str


class TaskRunner(Protocol):
    """Calls a function with each item, a task an item, begun in their order; answers what it gave, in their order.

    Function, items and answers are pickled, and answers come to the caller, so they must be small. What a task raises
    is raised; a `UserError` stays one.
    """

    def __call__(self, function: Callable[[T], R], items: Sequence[T], /, step: Step | None = None) -> list[R]: ...
