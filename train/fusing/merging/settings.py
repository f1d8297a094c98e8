"""What is asked of a merge; light, so that wrong flags are told at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import UserError

SOUP = "soup"
MOST_SCALE = 1e6
STATISTICS = ("fisher", "regmean")  # rules that need texts for them
# Of each rule the settings that it takes; without weights it cannot be tuned.
TAKES = {
    "average": ("weights",),
    "slerp": ("t",),
    "task-arithmetic": ("scale", "weights"),
    "ties": ("density", "scale", "weights"),
    "dare": ("drop", "then", "scale", "weights", "seed"),
    "fisher": ("weights",),
    "regmean": (),
    SOUP: (),
}


@dataclass(frozen=True)
class MergeSettings:
    """parents: `NAME=DIR` or `DIR`. rule: one of TAKES; None of a setting is the rule's own default. tune: weights by
    held-out loss. ancestor: where the lineages do not tell, or have another place. own: language -> its own parent.
    order_of: the parent whose order of tokens the result has, "" for the first. shards, texts, languages, masked_bytes:
    held-out texts, by which losses are told. statistic_tokens: of each parent for fisher and regmean."""

    parents: Sequence[str]
    output: Path
    rule: str = "average"
    weights: Sequence[float] | None = None
    t: float | None = None
    scale: float | None = None
    density: float | None = None
    drop: float | None = None
    then: str | None = None
    seed: int | None = None
    tune: bool = False
    ancestor: Path | None = None
    own: Mapping[str, str] = field(default_factory=dict)
    order_of: str = ""
    shards: Path | None = None
    texts: Sequence[Path] = ()
    languages: Sequence[str] = ()
    masked_bytes: int = 32768
    statistic_tokens: int = 20_000
    without_pair_head: bool = False
    force: bool = False
    overwrite: bool = False
    device: str = "auto"
    precision: str = "auto"

    @property
    def paths(self) -> list[Path]:
        return [*([self.shards] if self.shards else []), *self.texts]

    @property
    def chooses(self) -> bool:
        """Whether the result hangs on held-out texts, of which one half chooses then and the other tells losses."""
        return self.tune or self.rule == SOUP or self.rule in STATISTICS

    def of_rule(self) -> dict[str, Any]:
        """The settings of the rule that are given."""
        names = ("weights", "t", "scale", "density", "drop", "then", "seed")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def check_settings(settings: MergeSettings) -> None:
    """UserError for what no files are needed to tell."""
    if settings.rule not in TAKES:
        raise UserError(f"--rule {settings.rule} is none: take one of {', '.join(TAKES)}")
    takes = TAKES[settings.rule]
    for name in settings.of_rule():
        if name not in takes:
            others = ", ".join(f"--{one}" for one in takes) or "none"
            raise UserError(f"--{name} is no setting of --rule {settings.rule}: it takes {others}")
    if settings.scale is not None and not abs(settings.scale) <= MOST_SCALE:
        raise UserError(f"--scale {settings.scale:g} is out of bounds: 0 to a few have a meaning")
    if settings.tune and ("weights" not in takes or settings.rule in STATISTICS):
        raise UserError(f"--tune: --rule {settings.rule} has no weights that can be tuned: leave it out")
    if settings.tune and settings.weights is not None:
        raise UserError("--tune finds the weights: leave --weights out, or --tune")
    if settings.chooses and not settings.paths:
        what = "--tune" if settings.tune else f"--rule {settings.rule}"
        raise UserError(f"{what} needs held-out texts: name --shards or --texts")
