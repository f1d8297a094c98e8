"""Shares of a run's tokens that its settings give languages in the place of the mixture's."""

import difflib
import math
from collections.abc import Mapping, Sequence

from schemas.errors import UserError


def check_languages(shares: Mapping[str, float], languages: Sequence[str], with_text: Sequence[str]) -> None:
    """UserError for a name that is none of `languages`, or has a share and no text."""
    for name, share in shares.items():
        if name not in languages:
            near = difflib.get_close_matches(name, languages, 3, 0.4)
            known = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(languages[:5])}"
            raise UserError(f"language_shares names {name}, which the shards do not have: {known}")
        if share and name not in with_text:
            raise UserError(f"language_shares gives {name} {share:g}, but it has no text to train on: leave it out")


def with_shares(rates: Mapping[str, float], shares: Mapping[str, float]) -> dict[str, float]:
    """`rates` are what the mixture gives languages, in tokens, to any sum. Those named in `shares` have theirs of a sum
    of 1, the others the rest of it as they are to each other; `rates` come back as they are where none is named.

    UserError where a rest is left and nobody to have it.
    """
    if not shares:
        return dict(rates)
    others = {name: rate for name, rate in rates.items() if name not in shares and rate > 0}
    total, rest = math.fsum(others.values()), max(0.0, 1.0 - math.fsum(shares.values()))
    if rest > 1e-9 and not others:
        raise UserError(
            f"language_shares add up to {1 - rest:g}, and the mixture has no other language for the rest: make them 1"
        )
    found = {name: share for name, share in shares.items() if share > 0}
    return found | {name: rate * rest / total for name, rate in others.items() if rest > 1e-9}
