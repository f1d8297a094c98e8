"""Several models that answer as one: at hidden places by the mean of their probabilities, in vectors side by side.

The mean of probabilities is what an ensemble of experts is judged by where their parameters are not averaged (Li et
al. 2022, Branch-Train-Merge, arXiv 2208.03306, section 3). All members are in memory together, and each is asked.
"""

from collections.abc import Sequence
from copy import copy, deepcopy
from typing import Any, NoReturn

from schemas.errors import UserError
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Reading, Vectors, embed, side_by_side


class Ensemble(OpenedModel):
    """Of models of one vocabulary: an OpenedModel wherever guesses or vectors are asked. It has no weights of its own:
    UserError for what needs one module, as fine-tuning does."""

    one_module = False

    def __init__(self, members: Sequence[OpenedModel], name: str) -> None:
        """UserError where a token of one has another id, or is none, in another."""
        first = members[0]
        tokens = first.tokenizer.get_vocab()
        for one in members[1:]:
            theirs = one.tokenizer.get_vocab()
            if theirs != tokens or one.config.vocab_size != first.config.vocab_size:
                raise UserError(
                    f"--model {name}: {first.given} and {one.given} have not the same tokens"
                    f"{_differ(tokens, theirs)}: the members of an ensemble share one vocabulary"
                )
        self._members = tuple(members)
        self.library, self.given, self.folder, self.source = first.library, first.given, first.folder, first.source
        self.name, self.place, self.tokenizer = name, first.place, first.tokenizer
        self.config = deepcopy(first.config)
        self.config.hidden_size = sum(one.config.hidden_size for one in members)
        self._models: dict[str, Any] = {}
        self._seed: int | None = None

    @property
    def kind(self) -> str:
        return " + ".join(one.kind for one in self._members)

    @property
    def members(self) -> Sequence[OpenedModel]:
        return self._members

    @property
    def longest(self) -> int:
        return min(one.longest for one in self._members)

    @property
    def lineage(self) -> dict[str, Any]:
        return {}

    @property
    def parameters(self) -> int:
        return sum(one.parameters for one in self._members)

    def own_vectors(self, texts: Sequence[str], reading: Reading) -> Vectors:
        """The members', `side_by_side`."""
        shorter = min(reading.max_tokens or self.longest, self.longest)
        parts, cut = [], 0
        for one in self._members:
            of_one = Reading(reading.pooling, reading.layer, shorter, reading.batch_tokens)
            parts.append(embed(one, texts, of_one))
            cut = max(cut, of_one.truncated)
        reading.truncated += cut
        return side_by_side(parts)

    def untrained(self, seed: int = 0) -> "Ensemble":
        twin = copy(self)
        twin.name, twin._seed = f"{self.name}, untrained", seed
        twin._members = tuple(one.untrained(seed + number) for number, one in enumerate(self._members))
        return twin

    def model(self, kind: str, needs: str = "") -> NoReturn:
        raise UserError(f"--model {self.name} is an ensemble, which has no one module for this: ask its members")

    def to_train(self, kind: str, seed: int, **settings: Any) -> NoReturn:
        raise UserError(f"--model {self.name} is an ensemble, which is not fine-tuned: fine-tune its members")


def _differ(tokens: dict[str, int], theirs: dict[str, int]) -> str:
    other = next((token for token in sorted(tokens) if theirs.get(token) != tokens[token]), None)
    return (
        "" if other is None else f" ({other!r} has another id)" if other in theirs else f" ({other!r} is in one alone)"
    )
