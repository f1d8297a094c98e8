"""Evaluations in the page: what their files say, whatever their size, and one line for a file that says it wrongly."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import lxml.html
import numpy as np
import pytest
from browser import headless_browser, overflow, watched_page
from hypothesis import given
from hypothesis import strategies as st
from judged import evaluation, figure, model, table, write_evaluation
from lxml.html import HtmlElement

from jobs import report
from pipeline.report.evaluations import Evaluations, read_evaluations
from pipeline.report.pictures.heat_maps import OUTLYING, SHADES, HeatMap, digits_of, heat_maps, limits, shade, written


def page(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> HtmlElement:
    assert report.main([str(one) for one in arguments]) == 0, capsys.readouterr().err
    path = Path(capsys.readouterr().out.removeprefix("report   ").rstrip("\n"))
    return lxml.html.document_fromstring(path.read_text(encoding="utf-8"))


def text(element: HtmlElement) -> str:
    return " ".join(element.text_content().split())


def cells(root: HtmlElement, name: str, body: int = 1) -> dict[str, list[str]]:
    """Of the last bodies but `body` - 1, which hold the languages."""
    (found,) = root.xpath(f"//div[@aria-label={name!r}]/table")
    bodies = found.xpath("./tbody")
    return {text(next(iter(row[0].xpath("./code")), row[0])): [text(cell) for cell in row[1:]] for row in bodies[-body]}


def drawn(*tables: dict[str, Any], models: int = 2) -> list[HeatMap]:
    names = [f"m{number}" for number in range(models)]
    return heat_maps(Evaluations([model(name) for name in names], list(tables)))  # type: ignore[arg-type, misc]


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """m0 and m1 in three languages and a baseline: m0 behind, ahead, and not measured."""
    figures = {
        "m0": {"tha_Thai": figure(0.50, 0.03), "khm_Khmr": figure(0.80, 0.03), "eng_Latn": figure(0.91, 0.01)},
        "m1": {"tha_Thai": figure(0.75, 0.03), "khm_Khmr": figure(0.76, 0.03), "amh_Ethi": figure(0.30)},
    }
    baselines = {"majority class": {label: figure(0.25, None, 204) for label in ("tha_Thai", "khm_Khmr", "eng_Latn")}}
    one = table(
        "sib", figures, title="SIB-200", baselines=baselines, settings={"seeds": 3, "train": "eng_Latn"},
        means={"m0": figure(0.7367, 0.02, 3), "m1": figure(0.6033, 0.02, 3), "majority class": figure(0.25, None, 3)},
    )  # fmt: skip
    content = {"version": 1, "models": [model("m0", step=1200), model("m1")], "tables": [one]}
    return write_evaluation(tmp_path / "judged" / "both.json", content)


def test_an_evaluation_alone(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = page(capsys, "--evaluation", two)
    assert (two.parent / "report.html").exists() and text(root.xpath("//h1")[0]) == "Evaluation report"
    assert not root.xpath("//h2[@id='training'] | //h2[@id='flow'] | //ul[@class='state']")
    for link in root.xpath("//nav//a/@href"):
        assert root.xpath(f"//*[@id='{link[1:]}']")
    shown = cells(root, "SIB-200")
    assert list(shown) == ["tha_Thai", "khm_Khmr", "eng_Latn", "amh_Ethi"]  # most behind first, then what m0 lacks
    assert shown["tha_Thai"] == ["0.250 behind", "0.500", "0.750", "0.250"]
    assert shown["khm_Khmr"] == ["0.040 ahead", "0.800", "0.760", "0.250"]
    assert shown["amh_Ethi"] == ["", "", "0.300", ""]
    assert cells(root, "SIB-200", body=2) == {
        "mean": ["0.133 ahead", "0.737 0.717–0.757".replace(" ", ""), "0.6030.583–0.623", "0.250"]
    }
    assert [text(one) for one in root.xpath("//summary")] == ["Settings seeds 3, train eng_Latn"]
    assert cells(root, "Models evaluated")["m0"] == ["modernbert", "4,200,000", "1,200", "runs/m0/export"]
    (numbers,) = root.xpath("//dl[@class='figures']/div")
    assert [text(one) for one in numbers] == ["models evaluated", "2", "in 4 languages"]


def test_cells_say_where_they_stand(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = page(capsys, "--evaluation", two).xpath("//div[@aria-label='SIB-200']/table")
    rows = {row[0].get("data-v"): row[2:] for row in found.xpath("./tbody")[-1]}
    behind, best, baseline = rows["tha_Thai"]
    assert best.xpath("./b") and not behind.xpath("./b")
    assert behind.get("class").split()[1:] == ["behind"] and "behind" not in best.get("class")
    assert behind.get("title") == "0.5000 (0.4700 to 0.5300), over 1,000; clearly behind the best"
    assert baseline.get("title") == "0.2500, over 204" and "behind" not in baseline.get("class")  # no interval
    near = rows["khm_Khmr"][1]
    assert near.get("class") == "h6" and near.get("title") == "0.7600 (0.7300 to 0.7900), over 1,000"
    assert rows["amh_Ethi"][0].get("class") == "none" and rows["amh_Ethi"][0].get("title") == "not measured"
    assert rows["eng_Latn"][0].get("class") == "h8" and baseline.get("class") == "h0"


@pytest.mark.parametrize(("models", "languages"), [(1, 2), (8, 200), (8, 2), (1, 200)])
def test_few_and_many(tmp_path: Path, models: int, languages: int, capsys: pytest.CaptureFixture[str]) -> None:
    content = evaluation(models, languages)
    path = write_evaluation(tmp_path / "e.json", content)
    root = page(capsys, "--evaluation", path)
    for one in content["tables"]:
        shown = cells(root, one["title"])
        labels = {label for rows in (one["figures"] | one["baselines"]).values() for label in rows}
        assert set(shown) == labels
        heads = [text(head) for head in root.xpath(f"//div[@aria-label={one['title']!r}]/table/thead/tr[last()]/th")]
        digits = digits_of([each["value"] for rows in one["figures"].values() for each in rows.values()])
        first = heads.index("model-0") - 1
        for name, rows in (one["figures"] | one["baselines"]).items():
            at = heads.index(name, first) - 1
            for label in labels:
                assert shown[label][at] == (written(rows[label]["value"], digits) if label in rows else "")
    assert list(cells(root, "Language probe")) == ["all"]
    assert list(cells(root, "Means")) == [one["title"] for one in content["tables"]]
    assert (tmp_path / "report.html").stat().st_size < 1_200_000


def test_same_inputs_same_bytes_and_nothing_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "<img src=x onerror=alert(1)>"
    content = evaluation(2, 3)
    content["tables"][0] |= {"title": evil, "unit": evil, "settings": {evil: evil}}
    for one in content["tables"]:
        one["figures"][evil], one["means"] = one["figures"].pop("model-0"), {}
    content["models"][0] |= {"name": evil, "folder": evil, "kind": evil}
    content["tables"][1]["figures"][evil][evil] = figure(1.0)
    path = write_evaluation(tmp_path / "e.json", content)
    root = page(capsys, "--evaluation", path)
    before = (tmp_path / "report.html").read_bytes()
    assert not root.xpath("//img | //@onerror") and len(root.xpath("//script")) == 1
    assert before.count(b"onerror=alert") > 10
    page(capsys, "--evaluation", path)
    assert (tmp_path / "report.html").read_bytes() == before


def test_lower_is_better_where_the_table_says_so() -> None:
    figures = {"m0": {"eng_Latn": figure(1.0, 0.1), "kat_Geor": figure(3.0, 0.1)},
               "m1": {"eng_Latn": figure(1.5, 0.1), "kat_Geor": figure(2.0, 0.1)}}  # fmt: skip
    (one,) = drawn(table("bits", figures, better="lower"))
    assert [(row.label, row.gap) for row in one.rows] == [
        ("kat_Geor", "1.000 behind"), ("eng_Latn", "0.500 ahead")
    ]  # fmt: skip
    (worst, second), (best, _) = (row.cells for row in one.rows)
    assert (worst.shade, best.shade) == (0, SHADES - 1) and (worst.behind, worst.best, second.best) == (
        True,
        False,
        True,
    )
    assert best.best and (one.low, one.high) == ("3.000", "1.000")
    (either,) = drawn(table("isotropy", figures, better="neither"))
    assert not any(cell.best or cell.behind or cell.gap is not None for row in either.rows for cell in row.cells)
    assert [row.label for row in either.rows] == ["eng_Latn", "kat_Geor"] and either.gaps == ""


def test_one_model_alone_is_held_against_its_best_language() -> None:
    rows = {"all": figure(0.6), "heb_Hebr": figure(0.9), "arb_Arab": figure(0.2), "cmn_Hani": figure(0.9)}
    (one,) = drawn(table("t", {"m0": rows}), models=1)
    assert [(row.label, row.tag) for row in one.rows] == [
        ("all", ""), ("arb_Arab", "ar-Arab"), ("cmn_Hani", "zh"), ("heb_Hebr", "he-Hebr")
    ]  # fmt: skip
    assert [row.gap for row in one.rows] == ["", "0.700 behind", "equal", "equal"]
    assert one.gaps == "to the best language" and not any(row.cells[0].best for row in one.rows)
    assert drawn(table("empty", {"m0": {}})) == []


def test_intervals_that_touch_are_not_apart() -> None:
    for half, apart in ((0.1, False), (0.09, True)):
        (one,) = drawn(table("t", {"m0": {"all": figure(0.4, half)}, "m1": {"all": figure(0.6, half)}}))
        assert one.rows[0].cells[0].behind is apart
    (tie,) = drawn(table("t", {"m0": {"all": figure(0.5, 0.0)}, "m1": {"all": figure(0.5, 0.0)}}))
    assert all(cell.best and not cell.behind for cell in tie.rows[0].cells) and tie.rows[0].gap == "equal"


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80))
def test_shades_keep_the_order(values: list[float]) -> None:
    low, high = limits(values)
    found = [shade(value, low, high) for value in sorted(values)]
    assert found == sorted(found) and set(found) <= set(range(SHADES))
    if low < high:
        assert found[0] == 0 and found[-1] == SHADES - 1
        assert shade(low, low, high, descending=True) == SHADES - 1
    else:
        assert set(found) == {SHADES // 2} or len(values) * OUTLYING >= 1


def test_a_few_far_out_leave_the_others_their_shades() -> None:
    values = [*np.linspace(0.1, 0.9, 99).tolist(), 1000.0]
    low, high = limits(values)
    assert high < 1.0 and len({shade(value, low, high) for value in values}) == SHADES


@pytest.mark.parametrize(
    ("most", "text"),
    [(0.0, "0.000"), (0.52341, "0.523"), (1.0, "1.000"), (9.5, "9.500"), (43.21, "43.2"), (100.0, "100.0"),
     (1234.5, "1,234"), (0.0321, "0.0321"), (-0.5, "\u22120.500"), (-1e-12, "0.00000000")],
)  # fmt: skip
def test_digits_go_by_the_largest(most: float, text: str) -> None:
    assert written(most, digits_of([most])) == text


def test_files_side_by_side(tmp_path: Path) -> None:
    """The same question of other models is one table; a model of the same name and another folder is another model."""
    one, two = evaluation(1, 3), evaluation(1, 3, seed=1)
    other = copy.deepcopy(two)
    other["models"][0]["folder"] = "elsewhere"
    other["tables"] = other["tables"][:1]
    paths = [write_evaluation(tmp_path / name, each) for name, each in (("a.json", one), ("b.json", other))]
    found = read_evaluations([str(path) for path in paths])
    assert found and [each["name"] for each in found.models] == ["model-0 (a)", "model-0 (b)"]
    assert [list(each["figures"]) for each in found.tables] == [["model-0 (a)", "model-0 (b)"]] + [["model-0 (a)"]] * 3
    assert list(found.tables[0]["means"]) == ["model-0 (a)", "model-0 (b)"]

    for each, name in ((one, "a"), (other, "b")):  # how each model was read is no other question
        each["tables"][0]["settings"]["truncated"] = {each["models"][0]["name"]: 3}
        write_evaluation(tmp_path / f"{name}.json", each)
    found = read_evaluations([str(path) for path in paths])
    assert found and list(found.tables[0]["figures"]) == ["model-0 (a)", "model-0 (b)"]
    assert found.tables[0]["settings"]["truncated"] == {"model-0 (a)": 3, "model-0 (b)": 3}

    paths[1].write_text(json.dumps(two))  # the same model judged again: apart, nothing is lost
    found = read_evaluations([str(path) for path in paths])
    assert found and [each["name"] for each in found.models] == ["model-0"]
    titles = [each["title"] for each in found.tables]
    assert titles[4:] == [f"{title} (b)" for title in titles[:4]]

    other["tables"][0]["settings"] = {"pooling": "cls"}
    paths[1].write_text(json.dumps(other))
    found = read_evaluations([str(path) for path in paths])
    assert found and [each["title"] for each in found.tables][-1] == "Tatoeba, to English, cosine (b)"


def test_found_unasked_beside_a_run_and_in_a_root(
    corpus: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_evaluation(run / "evaluation.json", evaluation(1, 2))
    root = page(capsys, "--run", run)
    assert text(root.xpath("//h1")[0]) == "Training report" and cells(root, "Bits a byte")
    write_evaluation(corpus / "evaluation" / "retrieval.json", evaluation(2, 2))
    (corpus / "evaluation" / "torn.json").write_text('{"version": 1, "mod')
    root = page(capsys, "--root", corpus)
    assert len(cells(root, "Models evaluated")) == 2 and root.xpath("//nav//a[@href='#evaluation']")
    (warning,) = root.xpath("//p[@class='warn'][starts-with(., 'Left out')]")
    assert re.fullmatch(r"Left out: .*/torn\.json is no JSON: write it again with train/evaluate\.py", text(warning))
    (corpus / "evaluation" / "retrieval.json").unlink()
    assert "Nothing was measured." in text(page(capsys, "--root", corpus).xpath("//main")[0])


def change(content: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split("/")
    place: Any = content
    for key in above:
        place = place[int(key) if isinstance(place, list) else key]
    if value is ...:
        del place[last]
    else:
        place[last] = value


FIRST = "tables/0/figures/model-0/eng_Latn"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("version", 2, "is of version 2, and this reads version 1"),
        ("version", "1", ": version should be a whole number, and is '1'"),
        ("models", ..., ": models is missing"),
        ("models", {}, r": models should be a list, and is \{\}"),
        ("models/0/parameters", 1.5, r": models\[0\]\.parameters should be a whole number, and is 1\.5"),
        ("models/0/step", "x", r": models\[0\]\.step should be a whole number, and is 'x'"),
        ("models/0/name", "model-1", r": models has two of the name 'model-1'"),
        ("tables/1/name", "sib200", r": tables has two of the name 'sib200'"),
        ("tables/0/better", "up", r": tables\[0\]\.better should be one of higher, lower, neither, and is 'up'"),
        ("tables/0/settings", None, r": tables\[0\]\.settings should be an object, and is None"),
        ("tables/0/unit", ["a" * 99], r": tables\[0\]\.unit should be text, and is \['a+ …"),
        (FIRST, 0.5, r": tables\[0\]\.figures\.model-0\.eng_Latn should be an object, and is 0\.5"),
        (
            f"{FIRST}/value",
            None,
            r": tables\[0\]\.figures\.model-0\.eng_Latn\.value should be a finite number, and is N",
        ),
        (f"{FIRST}/value", float("nan"), r".*eng_Latn\.value should be a finite number, and is nan"),
        (f"{FIRST}/value", True, r".*eng_Latn\.value should be a finite number, and is True"),
        (f"{FIRST}/count", ..., r".*eng_Latn\.count is missing"),
        (f"{FIRST}/low", 7.0, r": tables\[0\]\.figures\.model-0\.eng_Latn\.low is above its high"),
        ("tables/0/means/model-0/low", 7.0, r": tables\[0\]\.means\.model-0\.low is above its high"),
        ("tables/0/figures/gone", {}, r": tables\[0\]\.figures\.gone is of a model that models does not name"),
        ("tables/0/means/gone", figure(1), r": tables\[0\]\.means\.gone is of a model that models does not name"),
        ("tables/0/baselines/model-1", {}, r": tables\[0\]\.baselines\.model-1 has the name of a model"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], path, value, said) -> None:
    content = evaluation(2, 2)
    content["tables"][0]["figures"]["model-0"]["eng_Latn"] = figure(0.5, 0.1)
    change(content, path, value)
    file = write_evaluation(tmp_path / "e.json", content)
    assert report.main(["--evaluation", str(file)]) == 2
    err = capsys.readouterr().err
    assert re.fullmatch(rf"error: --evaluation {re.escape(str(file))}:? ?{said.removeprefix(': ')}.*\n", err), err
    assert err.endswith(": write it again with train/evaluate.py\n") and not (tmp_path / "report.html").exists()


def test_files_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "null.json").write_text("null")
    (tmp_path / "torn.json").write_text('{"version"')
    for name, said in (
        ("gone.json", "gone.json: no such file"),
        ("torn.json", "torn.json is no JSON: write it again"),
        ("null.json", "null.json: the file should be an object, and is None: write it again"),
        ("list.json", "list.json: the file should be an object, and is []: write it again"),
        ("", "is a folder: name the JSON that train/evaluate.py wrote"),
    ):
        assert report.main(["--evaluation", str(tmp_path / name)]) == 2
        err = capsys.readouterr().err
        assert err.startswith("error: --evaluation ") and said in err and err.count("\n") == 1
    assert report.main([]) == 2
    assert "--evaluation FILE" in capsys.readouterr().err


def test_gaps_of_another_model_in_a_browser(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page(capsys, "--evaluation", two)
    with headless_browser() as browser, watched_page(browser, 390) as seen:
        seen.page.goto(f"file://{two.parent / 'report.html'}")

        def order() -> list[tuple[str, str]]:
            rows = seen.page.locator("table.heat.sortable tbody:last-of-type tr")
            return [(row.locator("th code").inner_text(), row.locator("td.gap").inner_text()) for row in rows.all()]

        assert [label for label, _ in order()] == ["tha_Thai", "khm_Khmr", "eng_Latn", "amh_Ethi"]
        seen.page.get_by_label("Rows by the gap of").select_option(label="m1")
        assert order() == [
            ("khm_Khmr", "0.040 behind"), ("tha_Thai", "0.250 ahead"), ("eng_Latn", ""), ("amh_Ethi", "")
        ]  # fmt: skip
        assert seen.page.locator("tbody.means td.gap").inner_text() == "0.133 behind"
        assert seen.page.locator("thead th.gap").inner_text().startswith("m1 to the best other")
        seen.page.get_by_role("button", name="m0").click()
        assert [label for label, _ in order()] == ["eng_Latn", "khm_Khmr", "tha_Thai", "amh_Ethi"]
        assert overflow(seen.page) <= 0 and seen.said == [] and all(one.startswith("file:") for one in seen.requests)
