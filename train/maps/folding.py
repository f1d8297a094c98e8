"""A map of token rows put into the table of embeddings itself: each row is brought where its languages' map has it.

Rows keep their length, so that what reads them meets numbers of the size it has learnt from. That a mapped table is
where joint training begins follows from-the-start alignment of embeddings (as Artetxe et al. 2018, arXiv 1710.11041,
begin with mapped ones); the mix for tokens of several languages, by p(language | token), is our own choice.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from train.maps.map_folder import LanguageMap, VectorMap, unit

CANCELLED = 1e-4  # of length 1: below, a mix points nowhere


def posteriors(counts: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float64]]:
    """p(language | token), [vocabulary] by language, of how often a token stands in the texts of each language. All
    languages are as likely before: a count is a share of its language's tokens first, so that the language of most
    texts does not take all that is shared. Zeros of a token that stands nowhere."""
    rates = {language: of / max(1, of.sum()) for language, of in counts.items()}
    whole = np.sum(list(rates.values()), 0)
    return {language: of / np.where(whole > 0, whole, 1) for language, of in rates.items()}


def of_rows(found: VectorMap, table: NDArray[np.float32], shares: Mapping[str, NDArray[np.float64]]) -> VectorMap:
    """The map with means of token rows, in the place of those of sentences: these are near 0.9 long, and less them
    each row would point away from what sentences share more than anywhere of its own. Each language's is that of its
    tokens' unit rows, by share; one without tokens keeps its own, and so do maps that take no mean away."""

    def of(language: str, one: LanguageMap) -> LanguageMap:
        share = shares.get(language)
        if share is None or not share.any() or not one.mean.any():
            return one
        mean = np.average(unit(table), axis=0, weights=share)
        return LanguageMap(np.asarray(mean, np.float32), one.matrix)

    return replace(found, languages={language: of(language, one) for language, one in found.languages.items()})


def folded(
    table: NDArray[np.float32], found: VectorMap, shares: Mapping[str, NDArray[np.float64]], stays: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(float32 [vocabulary, width], bool [vocabulary]): the table, and which rows of it were brought elsewhere.

    A row e becomes |e| times the unit vector of the sum of share times `found.apply(language, e)`. shares:
    `posteriors`, by the map's names. stays: rows that are left as they are, as those of special tokens; so are rows
    without a share, of zeros, and those whose languages' places cancel out. ValueError where the map's space is of
    another width than the table.
    """
    if found.width != table.shape[1]:
        raise ValueError(f"the map's space has {found.width} dimensions, and the table {table.shape[1]}")
    mixed = np.zeros_like(table)
    for language, share in shares.items():
        rows = np.flatnonzero((share > 0) & ~stays)
        mixed[rows] += share[rows, None].astype(np.float32) * found.apply(language, table[rows])
    lengths = np.linalg.norm(table, axis=1)
    moved = np.linalg.norm(mixed, axis=1) > CANCELLED
    moved &= lengths > 0
    result = table.copy()
    result[moved] = unit(mixed[moved]) * lengths[moved, None]
    return result, moved
