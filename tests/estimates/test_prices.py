"""Price files: what is shipped, and what is wrong with a user's."""

from pathlib import Path

import pytest

from pipeline.estimates import requests
from pipeline.estimates.prices import SHIPPED, Prices, prices
from schemas.errors import UserError


def test_the_shipped_prices_say_of_what_and_when() -> None:
    found = prices()
    assert found.of and len(found.date) == 10 and found.core_hour > found.spot_core_hour > 0
    assert set(Prices._fields) == {line.split(" = ")[0] for line in SHIPPED.read_text().splitlines() if " = " in line}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("gb_month = 0.023", "", ["'gb_month' is missing", "prices.toml"]),
        ("gb_month", "gb_mont", ["unknown key gb_mont", "did you mean gb_month?"]),
        ("core_hour = 0.0504", "core_hour = -1", ["core_hour = -1", "0 or more"]),
        ("core_hour = 0.0504", 'core_hour = "cheap"', ["core_hour = 'cheap'"]),
        ("core_hour = 0.0504", "core_hour = true", ["core_hour = True"]),
        ('currency = "dollars"', "currency = 3", ["currency = 3", "string"]),
        ("core_hour = 0.0504", "core_hour = = 1", ["not readable as TOML"]),
    ],
)
def test_a_file_of_ones_own_that_is_wrong(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(SHIPPED.read_text().replace(old, new, 1))
    with pytest.raises(UserError) as refused:
        prices(str(file))
    assert all(word in str(refused.value) for word in [str(file), *words])


def test_no_file() -> None:
    with pytest.raises(UserError, match="no such file"):
        prices("/nowhere/prices.toml")


def test_requests_by_hand() -> None:
    part = requests.PART_BYTES
    assert requests.gets(3, 1e9, whole=True) == 6  # a HEAD and a GET each
    assert requests.gets(3, 3 * part) == 9  # a HEAD, a footer, a part each
    assert requests.puts(4, 4 * part) == 4 * (1 + 2)  # a part, a receipt, progress
    assert requests.puts(1, 4 * part) == 4 + 2 + 2  # four parts, begun and ended
    assert requests.puts(0, 0) == 0
