"""Contrast of the style sheet's colours in both schemes, by the formula of WCAG 2.2 (criteria 1.4.3 and 1.4.11)."""

import re
from itertools import product

import pytest

from pipeline.report.page import style
from pipeline.report.pictures.heat_maps import SHADES

TEXT, PICTURE = 4.5, 3.0
DRAWN = ("kept", *(f"r{n}" for n in range(7)), "rest")


def palettes() -> dict[str, dict[str, str]]:
    sheet = style()
    light = re.search(r":root \{(.*?)\}", sheet, re.S)
    dark = re.search(r"prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}", sheet, re.S)
    assert light and dark
    found = {}
    for name, block in (("light", light[1]), ("dark", dark[1])):
        found[name] = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})\b", block))
    assert found["light"].keys() == found["dark"].keys()
    return found


PALETTES = palettes()


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def blended(colour: str, over: str, opacity: float) -> str:
    parts = [
        round(opacity * int(colour[at : at + 2], 16) + (1 - opacity) * int(over[at : at + 2], 16)) for at in (1, 3, 5)
    ]
    return "#" + "".join(f"{one:02x}" for one in parts)


def test_by_hand() -> None:
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert blended("#000000", "#ffffff", 0.5) == "#808080"


@pytest.mark.parametrize("scheme", PALETTES)
def test_text(scheme: str) -> None:
    colours = PALETTES[scheme]
    pairs = [*product(("ink", "soft", "accent", "warn"), ("paper", "panel")), ("ink", "more"), ("ink", "less")]
    pairs += [(f"t{n}", f"h{n}") for n in range(SHADES)]
    weak = {pair: round(contrast(*(colours[name] for name in pair)), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < TEXT} == {}


@pytest.mark.parametrize("scheme", PALETTES)
def test_pictures(scheme: str) -> None:
    colours = PALETTES[scheme]
    weak = {name: contrast(colours[name], colours["paper"]) for name in DRAWN}
    assert {name: ratio for name, ratio in weak.items() if ratio < PICTURE} == {}


@pytest.mark.parametrize("scheme", PALETTES)
def test_text_on_the_band_of_what_is_kept(scheme: str) -> None:
    opacity = float(re.search(r"\.band\.kept \{ opacity: ([\d.]+)", style())[1])  # type: ignore[index]
    colours = PALETTES[scheme]
    assert contrast(colours["ink"], blended(colours["kept"], colours["paper"], opacity)) >= TEXT


def test_no_colour_of_text_is_untested() -> None:
    """Text is drawn by `color`, in pictures by `fill`; whole colours, so that what was computed is what is seen."""
    sheet = style()
    named = set(re.findall(r"(?<![-\w])color: var\(--(\w+)\)", sheet))
    named |= set(re.findall(r"text[^{}]*\{[^}]*fill: var\(--(\w+)\)", sheet))
    assert named <= {"ink", "soft", "accent", "warn", "kept", *(f"t{n}" for n in range(SHADES))}
    assert not re.findall(r"(?<![-\w])color: (?!var|inherit)[^;}]+", sheet.replace("color-scheme: light", ""))
