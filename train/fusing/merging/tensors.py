"""Parents' tensors become the result's, one at a time: aligned, by the rule, and with what is one parent's alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from train.fusing.merging.language_rows import LanguageRows
from train.fusing.merging.matching import Rows
from train.fusing.merging.parents import Parent
from train.fusion.average import Average
from train.fusion.rule import Rule
from train.model.languages import LANGUAGE_TABLE, folded_into
from train.model_folders.weight_files import PAIRS

BIAS = "decoder.bias"
PLAIN = Average()


@dataclass(frozen=True)
class Merging:
    """ancestor: None where it is not at hand. languages: None where the result has no rows of languages; those of the
    parents are then folded in. pairs: whether it has a head for pairs."""

    parents: Sequence[Parent]
    ancestor: Parent | None
    rows: Rows
    languages: LanguageRows | None
    pairs: bool

    @property
    def lead(self) -> Parent:
        """Whose order of tokens the result has."""
        return self.parents[self.rows.lead]

    @property
    def names(self) -> list[str]:
        """Of the result's tensors, by ours, but for the rows of languages."""
        names = (name for name in self.lead.stored.shapes if name != LANGUAGE_TABLE)
        return sorted(name for name in names if self.pairs or not name.startswith(PAIRS))

    def shape(self, name: str) -> tuple[int, ...]:
        return self.lead.stored.shapes[name]

    def by(self, rule: Rule) -> Callable[[str], Tensor]:
        """The result's tensor of a name, float32, in memory of its own."""

        def tensor(name: str) -> Tensor:
            values, before = self._aligned(name, rule.needs_ancestor)
            # A head that the ancestor has not yet has learnt everything since.
            result = (PLAIN if rule.needs_ancestor and before is None else rule).merge(name, values, before)
            if name in self._tables:
                self.rows.settle(result, values)
            if self.languages is not None and name == folded_into(self.lead.stored.config):
                result += self.languages.table[0]
            return result

        return tensor

    def of(self, which: int) -> Callable[[str], Tensor]:
        """A parent's own tensors, in the result's order of tokens, for a language that is not told."""
        one = self.parents[which]

        def tensor(name: str) -> Tensor:
            value = one.tensor(name, fold=True)
            order = self.rows.orders[which]
            return value[order] if name in self._tables and order is not None else value

        return tensor

    @property
    def _tables(self) -> tuple[str, str]:
        """Those with a row a token."""
        return self.lead.stored.embeddings, BIAS

    def _aligned(self, name: str, with_ancestor: bool) -> tuple[list[Tensor], Tensor | None]:
        fold = self.languages is None
        values = [one.tensor(name, fold) for one in self.parents]
        before = None
        if with_ancestor and self.ancestor is not None and name in self.ancestor.stored.shapes:
            before = self.ancestor.tensor(name, fold)
        return self.rows.aligned(values, before) if name in self._tables else (values, before)
