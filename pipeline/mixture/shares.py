"""What a rule wants of a budget: a share a language, before anything is capped.

- `temperature`: share ~ size^(1/T) (Conneau et al. 2020, arXiv 1911.02116). Papers also write alpha = 1/T: XLM-R's 0.3
  is T = 3.33, multilingual BERT's 0.7 is T = 1.43.
- `unimax`: the same for every language; a language's cap sends what it cannot use to the others, evenly (Chung et al.
  2023, arXiv 2304.09151).
- `natural`: share ~ size.
- `weights`: as given, by language or group; the members of one key share its weight by size.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from schemas.errors import UserError

Method = Literal["temperature", "unimax", "natural", "weights"]

REST = "*"  # in weights: all languages that no other key names


def shares(
    sizes: Mapping[str, float],
    method: Method,
    temperature: float = 1.0,
    weights: Mapping[str, float] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, float]:
    """Shares of the languages by label (`eng_Latn`); they sum to 1, and languages that get nothing are not there.

    sizes: what there is, in any unit. temperature: of that method. weights: of that method, by label, by language
    (`srp`: all its scripts), by a name of `groups`, or `*`.

    Raises UserError for weights that name what is not there, or sum to nothing.
    """
    there = {label: size for label, size in sizes.items() if size > 0}
    if not there:
        return {}
    if method == "temperature":
        largest = max(there.values())
        wanted = {label: (size / largest) ** (1 / temperature) for label, size in there.items()}
    elif method == "unimax":
        wanted = dict.fromkeys(there, 1.0)
    elif method == "natural":
        wanted = there
    else:
        wanted = _by_weight(there, weights or {}, groups or {})
    total = sum(wanted.values())
    return {label: share / total for label, share in sorted(wanted.items()) if share > 0}


def members(key: str, labels: Collection[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """The labels that a key stands for: a group's, a language's in all its scripts, or its own. None: not there."""
    if key in groups:
        return sorted({label for name in groups[key] for label in members(name, labels, {})})
    return sorted(label for label in labels if label == key or label.split("_")[0] == key)


def check_keys(keys: Collection[str], labels: Collection[str], groups: Mapping[str, Sequence[str]], what: str) -> None:
    """UserError for the first key that stands for no label."""
    for key in keys:
        if key != REST and not members(key, labels, groups):
            raise UserError(f"{what} names {key!r}, which the corpus lacks; it has {listed(labels)}")


def listed(labels: Collection[str], most: int = 12) -> str:
    """Labels as a message has them."""
    first = sorted(labels)[:most]
    rest = len(labels) - len(first)
    return ", ".join(first) + (f" and {rest:,} more" if rest else "")


def _by_weight(
    sizes: Mapping[str, float], weights: Mapping[str, float], groups: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    check_keys(weights, sizes, groups, "weights")
    if sum(weights.values()) <= 0:
        raise UserError("weights sum to nothing: give a language more than 0, or choose another method")
    wanted: dict[str, float] = {}
    # The narrower key goes before the wider one: a label before its language, both before a group.
    for key in sorted(weights, key=lambda key: (key == REST, key in groups, "_" not in key)):
        named = sorted(sizes) if key == REST else members(key, sizes, groups)
        free = [label for label in named if label not in wanted]
        size = sum(sizes[label] for label in free)
        wanted |= {label: weights[key] * sizes[label] / size for label in free}
    return wanted
