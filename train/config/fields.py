"""How a field of a table is declared, and how its value is read from a flag or a TOML file.

Without a library of models, since training machines have none.
"""

import math
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field
from pathlib import Path
from typing import Any, Literal

from schemas.errors import UserError

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class About:
    """What a field says of itself. fixed: a resumed run must share it. check: what its value must be."""

    description: str
    fixed: bool = False
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    check: Callable[[Any], None] | None = None


def setting(
    default: Any,
    description: str,
    *,
    fixed: bool = False,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    check: Callable[[Any], None] | None = None,
) -> Any:
    """A field of a table. `...` as its default: it must be given. Bounds are of its value; check raises UserError."""
    about = {"about": About(description, fixed, ge, gt, le, lt, check)}
    if default is ...:
        return field(metadata=about, kw_only=True)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=about, kw_only=True)
    return field(default=default, metadata=about, kw_only=True)


def about(one: "Field[Any]") -> About:
    found = one.metadata["about"]
    assert isinstance(found, About)
    return found


def default_of(one: "Field[Any]") -> Any:
    """MISSING where it must be given."""
    return one.default_factory() if one.default_factory is not MISSING else one.default


def read_value(name: str, kind: Any, value: Any, says: About) -> Any:
    """The value in the field's type. UserError, one line, where it is none or lies beyond the bounds."""
    found = _convert(name, kind, value)
    if isinstance(found, int | float) and not isinstance(found, bool):
        for bound, holds, words in (
            (says.ge, lambda limit: found >= limit, "greater than or equal to"),
            (says.gt, lambda limit: found > limit, "greater than"),
            (says.le, lambda limit: found <= limit, "less than or equal to"),
            (says.lt, lambda limit: found < limit, "less than"),
        ):
            if bound is not None and not holds(bound):
                raise wrong(name, value, f"it should be {words} {bound:g}")
    if says.check is not None:
        try:
            says.check(found)
        except UserError as error:
            raise wrong(name, value, str(error)) from None
    return found


def wrong(name: str, value: Any, why: str) -> UserError:
    return UserError(f"{name} = {value!r}: {why}; change --{name}")


def _convert(name: str, kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        kinds = [one for one in typing.get_args(kind) if one is not type(None)]
        if value is None or (value == "None" and len(kinds) < len(typing.get_args(kind))):
            return None
        return _convert(name, kinds[0], value)
    if origin is Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            *most, last = (f"'{choice}'" for choice in choices)
            raise wrong(name, value, f"it should be {', '.join(most)} or {last}")
        return value
    if origin is dict:
        return {Path: _paths, float: _shares, str: _weights}[typing.get_args(kind)[1]](name, value)
    if kind is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in (*TRUE, *FALSE):
            return str(value).lower() in TRUE
        raise wrong(name, value, "it should be true or false")
    if kind is int:
        return _integer(name, value)
    if kind is float:
        return _number(name, value)
    if kind is Path:
        if not isinstance(value, str | Path) or not str(value):
            raise wrong(name, value, "it should be a path")
        return Path(value)
    assert kind is str
    return _text(value)


def _integer(name: str, value: Any) -> int:
    try:
        if isinstance(value, str):
            return int(value.replace("_", ""))
        if isinstance(value, bool) or int(value) != value:
            raise ValueError
        return int(value)
    except (ValueError, TypeError, OverflowError):
        raise wrong(name, value, "it should be an integer") from None


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise wrong(name, value, "it should be a number")
    return number


def _text(value: Any) -> str:
    """A number, which a schedule may be, in one spelling: resumed runs compare it as text."""
    try:
        return str(value) if isinstance(value, bool) else repr(float(value)).removesuffix(".0")
    except (ValueError, TypeError, OverflowError):
        return str(value)


def _paths(name: str, value: Any) -> dict[str, Path]:
    """Of names to paths: a TOML table, or `eng_Latn=DIR,*=OTHER`; a flag's paths have no comma."""
    value = _pairs(name, value, "paths", "eng_Latn=DIR,*=OTHER")
    for key, path in value.items():
        if not isinstance(path, str | Path) or not str(path):
            raise wrong(name, {k: str(v) for k, v in value.items()}, f"that of {key} should be a path")
    return {str(key): Path(path) for key, path in value.items()}


def _shares(name: str, value: Any) -> dict[str, float]:
    """Of names to numbers: a TOML table, or `eng_Latn=0.9,zho_Hans=0.05`."""
    value = _pairs(name, value, "shares", "eng_Latn=0.9,zho_Hans=0.05")
    try:
        return {str(key): _number(name, share) for key, share in value.items()}
    except UserError:
        raise wrong(name, value, "they should be numbers") from None


def _pairs(name: str, value: Any, of: str, example: str) -> dict[Any, Any]:
    """A table, or names and values in one string."""
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if any(not sign for _, sign, _ in pairs):
            raise wrong(name, value, f"it should be names with {of}, as {example}")
        value = {key.strip(): text.strip() for key, _, text in pairs}
    if not isinstance(value, dict):
        raise wrong(name, value, f"it should be a table of {of}")
    return value


def _weights(name: str, value: Any) -> dict[str, str]:
    """Of names to numbers or schedules, as text: a TOML table, or `eng_Latn=0.5,zho_Hans=0:1;1000:0.5`, where `;`
    parts the points of a schedule."""
    value = _pairs(
        name, value, "weights", "eng_Latn=0.5,zho_Hans=0:1;1000:0.5, with ; between the points of a schedule"
    )
    return {str(key): _text(text).strip().replace(";", ",") for key, text in value.items()}
