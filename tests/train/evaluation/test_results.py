"""Tables, means and gaps of an evaluation."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import UserError
from schemas.evaluation import Evaluation, Figure, Model, Rows, Table, gaps
from train.benchmarks.languages import same_language
from train.evaluation.measures import SEEN, Measure, table
from train.evaluation.results import Results, summary
from train.evaluation.settings import Settings
from train.evaluation.suite import add
from train.evaluation.word_translation import row_of

MEASURE = Measure("m", lambda model, settings: [])


def rows(**values: float) -> Rows:
    return {language: Figure(value=value, low=None, high=None, count=10) for language, value in values.items()}


def one(model: str, figures: Rows, **settings: Any) -> Table:
    return table("t", "title", "share found", figures={model: figures}, settings=settings)


def test_gaps_are_to_the_best_other_in_the_row_and_the_largest_comes_first() -> None:
    found = table(
        "t", "t", "u", figures={"a": rows(x=0.5, y=0.2, z=0.9, all=1.0), "b": rows(x=0.7, y=0.1, w=1.0)},
        baselines={"c": rows(x=0.6, y=0.4)},
    )  # fmt: skip
    assert gaps(found, "a") == approximately([("x", 0.2), ("y", 0.2), ("w", None), ("z", None)], "y x w z")
    assert gaps(found, "b") == approximately([("y", 0.3), ("x", -0.1), ("w", None), ("z", None)])
    found["better"] = "lower"
    assert gaps(found, "a") == approximately([("y", 0.1), ("x", -0.1), ("w", None), ("z", None)])
    found["better"] = "neither"
    assert gaps(found, "a") == [("w", None), ("x", None), ("y", None), ("z", None)]


def approximately(expected: list[tuple[str, float | None]], order: str = "") -> list[tuple[str, Any]]:
    """order: by value where gaps are equal."""
    found = {name: gap if gap is None else pytest.approx(gap) for name, gap in expected}
    return [(name, found[name]) for name in order.split() or found]


def test_a_column_without_a_model_has_no_gaps() -> None:
    found = table("t", "t", "u", baselines={"c": rows(x=1.0, y=0.0)})
    assert gaps(found, "a") == [("x", None), ("y", None)]


def test_the_gap_of_one_model_is_to_its_best_language() -> None:
    found = table("t", "t", "u", figures={"a": rows(x=0.5, y=0.25, all=0.9)})
    assert gaps(found, "a") == [("y", 0.25), ("x", 0.0)]
    found["better"] = "lower"
    assert gaps(found, "a") == [("x", 0.25), ("y", 0.0)]


def test_means_leave_out_what_was_learnt_in_and_the_row_of_all() -> None:
    tables: list[Table] = []
    add(tables, [one("a", rows(x=0.2, y=0.4, z=1.0, all=0.9), **{SEEN: ["z"]}, truncated={"a": 1})], MEASURE)
    add(tables, [one("b", rows(x=0.0, y=0.2, z=1.0), **{SEEN: ["z"]}, truncated={"b": 2})], MEASURE)
    (found,) = tables
    assert found["means"]["a"]["value"] == pytest.approx(0.3) and found["means"]["a"]["count"] == 2
    assert found["means"]["b"]["value"] == pytest.approx(0.1)
    assert found["settings"] == {"measure": "m", "seen": ["z"], "truncated": {"a": 1, "b": 2}}


def test_what_one_model_lacks_has_a_mark_and_files_are_whole(tmp_path: Path) -> None:
    models = [Model(name=name, folder="f", kind="bert", parameters=1) for name in ("a", "b")]
    found = Evaluation(version=1, models=models, tables=[])
    add(found["tables"], [one("b", rows(x=0.2, y=0.4))], MEASURE)
    lines = Results(tmp_path / "new").finish(found)
    assert lines[: len(summary(found))] == summary(found)
    assert summary(found)[2].split()[-6:] == ["—", "30.0", "%", "(20.0", "to", "40.0)"]
    assert [line.split()[1:] for line in lines if line.startswith("x ")] == [["—", "20.0", "%", "20.0", "%", "behind"]]
    ET.parse(tmp_path / "new" / "plot.svg")
    assert json.loads((tmp_path / "new" / "evaluation.json").read_text(encoding="utf-8")) == found
    assert not list((tmp_path / "new").glob("*unfinished*")) and not list((tmp_path / "new").glob(".*"))


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--output .*/file/out cannot be written .*: name another folder"):
        Results(tmp_path / "file" / "out").finish(Evaluation(version=1, models=[], tables=[]))


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ("fra", "fra_Latn", True),
        ("zho_Hans", "zho_Hant", False),
        ("zho", "zho_Hans", True),
        ("fr", "fra", True),
        ("fr", "fur", False),
    ],
)
def test_codes_with_and_without_script(first: str, second: str, equal: bool) -> None:
    assert same_language(first, second) is same_language(second, first) is equal
    assert Settings(languages=(first,)).wanted([second, "deu"]) == ([second] if equal else [])


def test_names_of_dictionaries_tell_their_languages() -> None:
    names = {"en_yue.tsv": ("from", "yue"), "en-es.0-5000.txt": ("from", "es"), "fr-en.5000-6500.txt": ("to", "fr")}
    names |= {"eng_Latn-zho_Hans.tsv": ("from", "zho_Hans"), "fr-de.txt": ("between", "fr-de")}
    for name, expected in names.items():
        assert row_of(Path("d") / name) == expected
    with pytest.raises(UserError, match=r"d/words.txt does not tell its languages: name it as"):
        row_of(Path("d/words.txt"))
