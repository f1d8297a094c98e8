"""Which parent a language is the own one of, and the result's rows of the language embedding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from schemas.errors import UserError
from train.fusing.merging.parents import Parent, find
from train.fusion.rule import Rule
from train.model.languages import LANGUAGE_TABLE, row_of

MAJORITY = 0.5  # of a branch's tokens in one language: that is what it was branched for
UNTRAINED = 1e-5  # of a row's length: what of its change is rounding


def owners(parents: Sequence[Parent], given: Mapping[str, str]) -> dict[str, int]:
    """Language -> the number of its own parent: as given by name or folder, else the one whose settings gave it the
    most of its tokens, and more than half. UserError for a name that is none."""
    found: dict[str, int] = {}
    most: dict[str, float] = {}
    for number, one in enumerate(parents):
        shares = one.lineage.get("config", {}).get("data", {}).get("language_shares") or {}
        for language, share in shares.items():
            if share > max(MAJORITY, most.get(language, 0.0)):
                found[language], most[language] = number, share
    return found | {language: parents.index(find(name, parents, "--own")) for language, name in given.items()}


@dataclass(frozen=True)
class LanguageRows:
    """table: float32 [1 + languages, hidden_size], row 0 of a language that is not told. whose: by language, names of
    the parents whose rows made its."""

    languages: tuple[str, ...]
    table: Tensor
    whose: dict[str, list[str]]


def language_rows(
    parents: Sequence[Parent], ancestor: Parent | None, own: Mapping[str, int], rule: Rule
) -> LanguageRows | None:
    """None where a parent has no such rows: the others' are folded in then, as in an export.

    A language's row is its own parent's; else of those parents that trained it: all, by the rule; some, their mean;
    none, the first's. A parent without a row for it counts with that of a language that is not told, which is what such
    a language has been there. Rows that have but shrunk since the ancestor (weight decay) were not trained.
    """
    if not all(one.languages for one in parents):
        return None
    languages = tuple(dict.fromkeys(name for one in parents for name in one.languages))
    tables = [_table(one, languages) for one in parents]
    before = _table(ancestor, languages) if ancestor is not None and ancestor.languages else None
    start = before if before is not None or not rule.needs_ancestor else torch.zeros_like(tables[0])
    table, whose = rule.merge(LANGUAGE_TABLE, tables, start), {}
    for number, language in enumerate(languages, 1):
        trained = [
            which
            for which, one in enumerate(parents)
            if language in one.languages and (before is None or _changed(tables[which][number], before[number]))
        ]
        if language in own:
            trained = [own[language]]
        if len(trained) < len(parents):
            table[number] = torch.stack([tables[which][number] for which in trained or [0]]).mean(0)
        whose[language] = [parents[which].name for which in trained]
    return LanguageRows(languages, table, whose)


def check_own(parents: Sequence[Parent], own: Mapping[str, str], known: Sequence[str]) -> None:
    """UserError for a language of --own that neither rows nor texts have. known: the languages of the texts."""
    there = {*known, *(language for one in parents for language in one.languages)}
    for language in own:
        if language not in there:
            names = ", ".join(sorted(there)) or "no language: name --shards or --texts"
            raise UserError(
                f"--own {language}: neither the parents' language embeddings nor the texts have it, but {names}"
            )


def _table(one: Parent, languages: Sequence[str]) -> Tensor:
    """[1 + languages, hidden_size]."""
    own = one.stored.tensor(LANGUAGE_TABLE)
    rows = [0, *(row_of(one.languages, language) if language in one.languages else 0 for language in languages)]
    return own[rows]


def _changed(row: Tensor, before: Tensor) -> bool:
    """Whether a row is another than before, but for its length."""
    length = float(before @ before)
    rest = row if not length else row - float(row @ before) / length * before
    return float(rest.norm()) > UNTRAINED * length**0.5
