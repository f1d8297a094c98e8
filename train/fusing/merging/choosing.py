"""Weights of parents that are chosen by the loss of held-out texts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

Loss = Callable[[Sequence[float]], float]
MOST_POINTS = 40


@dataclass(frozen=True)
class Choice:
    """weights: of the parents. tried: each set of weights that was asked, and its loss, in nats a hidden token, the
    mean over languages."""

    weights: tuple[float, ...]
    tried: list[tuple[tuple[float, ...], float]] = field(default_factory=list)


def greedy_soup(parents: int, loss: Loss, say: Callable[[str], None], names: Sequence[str]) -> Choice:
    """Wortsman et al. 2022, "Model soups" (arXiv 2203.05482), recipe 1: the best parent, and of the others, from the
    better to the worse, each with which the mean's held-out loss does not grow. Weights are 0 or 1."""
    tried = []

    def ask(weights: tuple[float, ...]) -> float:
        tried.append((weights, loss(weights)))
        return tried[-1][1]

    alone = [ask(tuple(float(which == one) for which in range(parents))) for one in range(parents)]
    order = sorted(range(parents), key=lambda one: alone[one])
    chosen, best = [order[0]], alone[order[0]]
    for one in order[1:]:
        found = ask(tuple(float(which in (*chosen, one)) for which in range(parents)))
        verdict = "stays out" if found > best else "is taken in"
        say(f"soup: {names[one]} {verdict}: {found:.4f} nats a token, {best:.4f} without")
        if found <= best:
            chosen, best = [*chosen, one], found
    return Choice(tuple(float(which in chosen) for which in range(parents)), tried)


def tuned(parents: int, loss: Loss) -> Choice:
    """The best point of `simplex`; of equals the first, which is the nearest to equal shares."""
    tried = [(weights, loss(weights)) for weights in simplex(parents)]
    return Choice(min(tried, key=lambda one: one[1])[0], tried)


def simplex(parents: int) -> list[tuple[float, ...]]:
    """Shares that add up to 1: all multiples of the largest 1/k, k 10 at most, of which there are no more than
    `MOST_POINTS`; and equal shares. Those nearest to equal shares come first."""
    steps = next((k for k in range(10, 0, -1) if sum(1 for _ in _sums(parents, k)) <= MOST_POINTS), 1)
    equal = tuple([1 / parents] * parents)
    found = {tuple(part / steps for part in parts) for parts in _sums(parents, steps)} | {equal}
    return sorted(found, key=lambda weights: (sum((one - 1 / parents) ** 2 for one in weights), weights))


def _sums(parts: int, total: int) -> Iterator[tuple[int, ...]]:
    """All tuples of whole numbers, 0 or more, with this sum."""
    for bars in combinations(range(total + parts - 1), parts - 1):
        ends = (-1, *bars, total + parts - 1)
        yield tuple(after - before - 1 for before, after in pairwise(ends))
