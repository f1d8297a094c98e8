"""What things cost: a TOML file with a key a price, and the date on which it held."""

import datetime
import tomllib
from pathlib import Path
from typing import NamedTuple

from pipeline.quality.expressions import nearest
from schemas.errors import UserError

SHIPPED = Path(__file__).with_name("prices.toml")


class Prices(NamedTuple):
    """Of one core for an hour, of 10^9 bytes, of a thousand requests. of, date: what they are prices of, and when."""

    of: str
    date: str
    currency: str
    core_hour: float
    spot_core_hour: float
    gb_month: float
    thousand_puts: float
    thousand_gets: float
    gb_in: float
    gb_out: float


def prices(path: str | None = None) -> Prices:
    """Of the file, else those shipped. UserError names a key that is missing, unknown or no price."""
    try:
        told = tomllib.loads(Path(path or SHIPPED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"--prices {path}: no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"--prices {path}: not readable as TOML: {error}") from None
    for name in told:
        if name not in Prices._fields:
            raise UserError(f"--prices {path}: unknown key {name}{nearest(name, Prices._fields)}")
    for name, kind in Prices.__annotations__.items():
        if name not in told:
            raise UserError(
                f"--prices {path}: the key {name!r} is missing: {SHIPPED} has every key, with what it means"
            )
        value = told[name]
        if name == "date" and isinstance(value, datetime.date):
            told[name] = value.isoformat()
        elif kind is float:
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise UserError(f"--prices {path}: {name} = {value!r} is no price: a number of 0 or more")
            told[name] = float(value)
        elif not isinstance(value, str):
            raise UserError(f"--prices {path}: {name} = {value!r}: write it as a string")
    return Prices(**told)
