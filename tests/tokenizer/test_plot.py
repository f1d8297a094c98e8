"""The picture is well-formed, and its dots stand where their values say."""

import math
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from tokenizer.plot import COLOURS, Panel, Row, dots, picture

SVG = "{http://www.w3.org/2000/svg}"


def circles(picture: str) -> dict[str, ET.Element]:
    """By tooltip; those of the legend have none."""
    found = {}
    for circle in ET.fromstring(picture).iter(f"{SVG}circle"):
        title = circle.find(f"{SVG}title")
        if title is not None and title.text:
            found[title.text] = circle
    return found


def test_equal_ratios_are_equally_far_apart() -> None:
    found = circles(dots("t", "u", ["one", "two"], [Row("eng", [1.0, 2.0]), Row("deu", [4.0, None])], reference=1.0))
    assert set(found) == {"eng, one: 1.00", "eng, two: 2.00", "deu, one: 4.00"}
    one, two, four = (float(circle.get("cx", "")) for circle in (
        found["eng, one: 1.00"], found["eng, two: 2.00"], found["deu, one: 4.00"]))  # fmt: skip
    assert two - one == pytest.approx(four - two, abs=0.2)
    assert [found[title].get("fill") for title in ("eng, one: 1.00", "eng, two: 2.00")] == list(COLOURS[:2])
    assert float(found["deu, one: 4.00"].get("cy", "")) > float(found["eng, one: 1.00"].get("cy", ""))


def test_names_are_text() -> None:
    picture = dots('<a> & "b"', "<u>", ["<x>&"], [Row("<&>", [1.0])])
    assert set(circles(picture)) == {"<&>, <x>&: 1.00"}


@pytest.mark.parametrize(("languages", "tokenizers"), [(0, 1), (1, 1), (18, 3), (200, 12)])
def test_nothing_stands_outside_the_picture_or_on_another_row(languages: int, tokenizers: int) -> None:
    rows = [Row(f"l{i:03}_Latn", [1.0 + i / 9 + j / 5 for j in range(tokenizers)]) for i in range(languages)]
    picture = dots("Title", "unit", [f"a tokenizer of a long name {j}" for j in range(tokenizers)], rows, 1.0)
    root = ET.fromstring(picture)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    drawn = list(root.iter(f"{SVG}circle"))
    assert len(drawn) == tokenizers * (languages + 1)
    assert all(5 < float(one.get("cx", "")) < width - 5 and 5 < float(one.get("cy", "")) < height - 5 for one in drawn)
    labels = [float(one.get("y", "")) for one in root.iter(f"{SVG}text") if one.get("class") == "label"]
    assert len(labels) == languages
    assert all(b - a >= 15 for a, b in pairwise(labels))
    ticks = [one for one in root.iter(f"{SVG}text") if one.get("class") == "tick"]
    assert 4 <= len(ticks) <= 24


@pytest.mark.parametrize("values", [[0.0], [None], [1.0, 1.0], [1e-4, 1e6], [math.pi]])
def test_odd_values(values: list[float | None]) -> None:
    picture = dots("t", "u", [f"n{i}" for i in range(len(values))], [Row("eng", values)])
    assert len(circles(picture)) == sum(1 for value in values if value)
    assert "nan" not in picture and "inf" not in picture


def test_equal_differences_are_equally_far_apart_on_a_linear_axis() -> None:
    """And 0 and what is below it have a place there."""
    rows = [Row("eng", [0.0, 0.5]), Row("deu", [1.0, -0.5])]
    found = circles(picture("t", [Panel("t", "share", ["one", "two"], rows, 0.25, linear=True)]))
    places = [
        float(found[title].get("cx", ""))
        for title in ("deu, two: -0.500", "eng, one: 0.000", "eng, two: 0.500", "deu, one: 1.000")
    ]
    steps = [b - a for a, b in pairwise(places)]
    assert max(steps) - min(steps) < 0.2 and min(steps) > 100


@pytest.mark.parametrize("values", [[0.0], [None], [0.3], [-1.0, -1.0], [1e-7, 1e9], [0.1, 0.99]])
def test_odd_values_on_a_linear_axis(values: list[float | None]) -> None:
    drawn = picture("t", [Panel("t", "u", [f"n{i}" for i in range(len(values))], [Row("eng", values)], linear=True)])
    assert len(circles(drawn)) == sum(value is not None for value in values)
    assert "nan" not in drawn and "inf" not in drawn
    ticks = [one for one in ET.fromstring(drawn).iter(f"{SVG}text") if one.get("class") == "tick"]
    assert 4 <= len(ticks) <= 26


def test_panels_stand_below_each_other() -> None:
    panels = [
        Panel(f"panel {i}", "u", ["n"], [Row(f"l{j}", [j / 9]) for j in range(4)], linear=i % 2 == 0) for i in range(3)
    ]
    root = ET.fromstring(picture("all", panels))
    titles = [float(one.get("y", "")) for one in root.iter(f"{SVG}text") if one.get("class") == "title"]
    labels = [float(one.get("y", "")) for one in root.iter(f"{SVG}text") if one.get("class") == "label"]
    assert len(titles) == 3 and len(labels) == 12
    for i, title in enumerate(titles):
        assert all(title < y for y in labels[4 * i : 4 * i + 4])
    assert all(below > max(labels[4 * i : 4 * i + 4]) for i, below in enumerate(titles[1:]))
    assert max(labels) < float(root.get("height", ""))


def test_twenty_eight_names_have_marks_of_their_own() -> None:
    root = ET.fromstring(dots("t", "u", [f"n{i}" for i in range(28)], [Row("eng", [1.0 + i for i in range(28)])]))
    marks = [one for one in root.iter() if one.find(f"{SVG}title") is not None]
    assert len({(one.tag, one.get("fill"), one.get("stroke")) for one in marks}) == len(marks) == 28
