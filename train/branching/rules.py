"""Rules of fusion as a flag names them: `ties`, `ties:density=0.5,scale=1`, `average:tune`, `average:weights=2/1/1`."""

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.fusing.merging.settings import SOUP, STATISTICS, TAKES, MergeSettings, check_settings

TUNE = "tune"
WORDS = ("then",)  # settings that are no numbers


@dataclass(frozen=True)
class NamedRule:
    """label: of its folder and its arm. settings: fields of MergeSettings."""

    label: str
    rule: str
    settings: dict[str, Any] = field(default_factory=dict)


def read_rule(text: str, parents: int) -> NamedRule:
    """UserError for what is no rule, no setting of it, or out of its bounds."""
    rule, _, rest = text.partition(":")
    if rule not in TAKES:
        near = difflib.get_close_matches(rule, TAKES, 1)
        raise UserError(f"--rules {text}: {rule} is no rule: {_known(near, TAKES)}")
    settings: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        name, sign, value = part.partition("=")
        if name == TUNE and not sign:
            settings[TUNE] = True
        elif name not in TAKES[rule] or not value:
            takes = [*TAKES[rule], *([TUNE] if "weights" in TAKES[rule] else [])]
            raise UserError(f"--rules {text}: {part} is no setting of {rule}, which takes {', '.join(takes) or 'none'}")
        else:
            settings[name] = _value(text, name, value)
    found = NamedRule(text.replace(":", "-").replace(",", "-").replace("=", "").replace("/", "_"), rule, settings)
    _check(text, found, parents)
    return found


def _value(text: str, name: str, value: str) -> Any:
    if name in WORDS:
        return value
    try:
        if name == "weights":
            return tuple(float(one) for one in value.split("/"))
        return int(value) if name == "seed" else float(value)
    except ValueError:
        raise UserError(f"--rules {text}: {name} = {value} is no number") from None


def _check(text: str, found: NamedRule, parents: int) -> None:
    """All that merge would say of the settings when the branches are long trained."""
    from train.fusion.rules import RULES

    try:
        check_settings(MergeSettings((), Path(), found.rule, texts=(Path(),), **found.settings))
    except UserError as error:
        raise UserError(f"--rules {text}: {str(error).replace('--', '')}") from None
    if found.rule == SOUP:
        return
    settings = {name: value for name, value in found.settings.items() if name != TUNE}
    if found.rule in STATISTICS:
        settings["of"] = lambda name: None
    try:
        RULES[found.rule](**settings).check(parents)
    except ValueError as error:
        raise UserError(f"--rules {text}: {error}") from None


def _known(near: list[str], names: Any) -> str:
    return f"did you mean {near[0]}?" if near else f"take some of {', '.join(names)}"
