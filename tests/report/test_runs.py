"""Training runs in the page: each with its own figures, beside each other, whatever state their folders are in."""

import json
import re
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from lxml.html import HtmlElement

from jobs import report
from pipeline.report.comparison import figures, languages, settings
from pipeline.report.pictures.run_pictures import MOST_PICTURES, differences, pictures
from pipeline.report.runs import MOST_RUNS, Run, names, read_run, read_runs

Lines = list[dict[str, Any]]


def line(step: int, loss: float | None, split: str = "train", tokens: int = 100, **figures: Any) -> dict[str, Any]:
    of_languages = {"eng_Latn": {"loss": loss, "masked": 3, "tokens": tokens * step, "documents": step, "epochs": 0.5}}
    counted = {"tokens": tokens * step} if split == "train" else {}
    return {"step": step, "split": split, "loss": loss, "languages": of_languages} | counted | figures


def write(folder: Path, lines: Lines, record: Any = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    (folder / "_run.json").write_text(json.dumps(record or {"config": {}}), encoding="utf-8")
    return folder


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """a: three validations; b: better, ended after two of them, with half the speed."""
    a = [line(step, 5.0 - step / 10, tokens_per_second=200.0) for step in range(1, 31)]
    b = [line(step, 4.8 - step / 10, tokens_per_second=100.0, mfu=0.4) for step in range(1, 21)]
    a += [line(step, loss, "validation", accuracy=0.2) for step, loss in ((10, 4.5), (20, 3.5), (30, 2.5))]
    b += [line(step, loss, "validation", accuracy=0.3) for step, loss in ((10, 4.25), (20, 3.25))]
    told = {"config": {"output": "a", "seed": 0, "optimiser": {"name": "adamw", "betas": [0.9, 0.98]}}}
    other = {
        "config": {"output": "b", "seed": 0, "optimiser": {"name": "muon", "betas": [0.9, 0.98], "nesterov": True}}
    }
    return write(tmp_path / "runs" / "a", a, told), write(tmp_path / "runs" / "b", b, other)


def page(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> HtmlElement:
    assert report.main([str(one) for one in arguments]) == 0, capsys.readouterr().err
    path = Path(capsys.readouterr().out.removeprefix("report   ").rstrip("\n"))
    return lxml.html.document_fromstring(path.read_text(encoding="utf-8"))


def text(element: HtmlElement) -> str:
    return " ".join(element.text_content().split())


def cells(root: HtmlElement, name: str) -> dict[str, list[str]]:
    rows = root.xpath(f"//div[@aria-label={name!r}]/table/tbody/tr")
    return {text(next(iter(row[0].xpath("./code")), row[0])): [text(cell) for cell in row[1:]] for row in rows}


def test_two_runs_without_a_corpus(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    root = page(capsys, "--run", two[0], "--run", two[1])
    assert (two[0] / "report.html").exists() and text(root.xpath("//h1")[0]) == "Training report"
    assert [text(one) for one in root.xpath("//ul[@class='state']/li")] == ["a 30 steps", "b 20 steps"]
    assert not root.xpath("//h2[@id='flow'] | //nav//a[@href='#funnel']")
    for link in root.xpath("//nav//a/@href"):
        assert root.xpath(f"//*[@id='{link[1:]}']")
    shown = cells(root, "Runs compared")
    assert shown["validation loss"] == ["2.500", "3.250", "+0.750", "a"]
    assert shown["validation loss at step 20"] == ["3.500", "3.250", "\u22120.250", "b"]
    assert shown["tokens a second"] == ["200", "100", "\u2212100", "a"]
    assert shown["MFU"] == ["", "40.0 %", "", ""]
    assert shown["steps"] == ["30", "20", "\u221210", ""]
    assert cells(root, "Languages of the runs")["eng_Latn"][:4] == ["3.500", "3.250", "\u22120.250", "b"]
    legends = {text(one) for one in root.xpath("//figcaption//span[@class='key']")}
    assert legends == {"ab"}
    assert len(root.xpath("//figure[.//b='Training loss']//path[contains(@class, 'line')]")) == 2


def test_settings_that_differ_by_dotted_names(two: tuple[Path, Path]) -> None:
    assert settings(read_runs([str(one) for one in two])) == [
        ("optimiser.name", ["adamw", "muon"]),
        ("optimiser.nesterov", ["not set", "true"]),
    ]


def test_a_single_run_keeps_its_page_and_lies_where_it_is_told(
    two: tuple[Path, Path], tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = page(capsys, "--run", two[0], "--output", tmp_path / "new" / "page.html")
    assert (tmp_path / "new" / "page.html").exists() and not (two[0] / "report.html").exists()
    assert cells(root, "Loss by language")["eng_Latn"][:4] == ["3,000", "100 %", "30", "0.50"]
    assert not root.xpath("//div[@aria-label='Runs compared']")
    root = page(capsys, "--root", corpus, "--run", two[0], "--run", two[1])
    assert (corpus / "report.html").exists() and root.xpath("//h2[@id='flow']")
    assert cells(root, "Runs compared")


@pytest.mark.parametrize("state", ["empty", "unwritten", "begun", "zeros", "odd", "record"])
def test_a_run_in_a_bad_state_is_a_line_and_the_other_is_drawn(
    two: tuple[Path, Path], state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, other = two
    log = bad / "metrics.jsonl"
    if state == "empty":
        for path in bad.iterdir():
            path.unlink()
    elif state == "unwritten":
        log.write_bytes(b"")
    elif state == "begun":
        log.write_bytes(b'{"step": 1, "split": "tr')
    elif state == "zeros":
        log.write_bytes(b"\0\0\0\n" + log.read_bytes())
    elif state == "odd":
        log.write_text('[1]\n{"step": 1}\n{"step": 2, "split": "train", "loss": null}\n', encoding="utf-8")
    else:
        (bad / "_run.json").write_text('{"config": {"se', encoding="utf-8")
    root = page(capsys, "--run", bad, "--run", other)
    training = text(root.xpath("//main")[0])
    silent = state in ("empty", "unwritten", "begun")
    assert ("has logged no step yet" in training) == silent
    damaged = {"zeros": "metrics.jsonl", "odd": "metrics.jsonl", "record": "_run.json"}.get(state)
    assert ("cannot be read" in training) == bool(damaged) and (not damaged or f"A part of {damaged}" in training)
    assert root.xpath("//figure//path[contains(@class, 'line')]")


def test_what_cannot_be_shown_is_one_line(
    two: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone, file = str(tmp_path / "gone"), str(two[0] / "metrics.jsonl")
    many = [part for number in range(MOST_RUNS + 1) for part in ("--run", f"{tmp_path}/{number}")]
    for arguments, said in (
        (
            [],
            "nothing to report on: give --root FOLDER of a corpus, --run FOLDER of a training run, "
            "--evaluation FILE of train/evaluate.py, or several of them",
        ),
        (["--run", str(two[0]), "--run", gone], f"--run {gone}: no such folder"),
        (["--run", file], f"--run {file}: no such folder"),
        (many, f"--run is given {MOST_RUNS + 1} times, and a picture holds {MOST_RUNS} runs: leave some out"),
    ):
        assert report.main(arguments) == 2
        assert capsys.readouterr().err == f"error: {said}\n"


def test_losses_that_are_not_finite_are_gaps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        line(1, 4.0),
        line(2, None),
        line(3, float("nan")),
        line(3, None, "validation"),
        line(3, 2.0, "validation"),
    ]
    folder = write(tmp_path / "a", lines)
    found = read_run(str(folder))
    assert found.series("loss") == [(1, 4.0)] and found.validation == [(3, 2.0)]
    assert found.languages["eng_Latn"]["loss"] == 4.0
    for runs in (["--run", folder], ["--run", folder, "--run", write(tmp_path / "b", lines)]):
        assert "nan" not in text(page(capsys, *runs).xpath("//main")[0])


def test_runs_are_named_by_as_little_as_tells_them_apart() -> None:
    assert names(["/x/one", "/x/two"]) == ["one", "two"]
    assert names(["/x/a/run", "/x/b/run", "/x/other"]) == ["a/run", "b/run", "x/other"]
    assert names(["/x/run"]) == ["run"]


def test_the_same_folder_twice_is_one_run(two: tuple[Path, Path]) -> None:
    assert [run.name for run in read_runs([str(two[0]), f"{two[0]}/", str(two[1])])] == ["a", "b"]


def test_runs_of_unlike_batches_are_drawn_over_tokens(tmp_path: Path) -> None:
    a = read_run(str(write(tmp_path / "a", [line(step, 3.0, tokens=10**6) for step in (1, 2, 4)])))
    b = [*(line(step, 3.0, tokens=2 * 10**6) for step in (1, 2)), line(2, 2.0, "validation")]
    drawn = pictures([a, read_run(str(write(tmp_path / "b", b)))])
    assert drawn.axis == "million tokens"
    loss = next(one.curve for one in drawn.large if one.title == "Training loss")
    assert re.findall(r"[ML](\S+)", loss.lines["a"]) == ["0", "333.3", "1000"]  # 1, 2, 4 of 1 to 4 millions
    assert re.findall(r"[ML](\S+)", loss.lines["b"]) == ["333.3", "1000"]
    assert pictures([a]).axis == "step"


def test_differences_are_to_the_first_where_both_are() -> None:
    lines = {"a": [(0, 4.0), (10, 2.0)], "b": [(5, 3.5), (10, 1.5), (15, 1.0)], "c": []}
    assert differences(lines) == {"a": [(0, 0.0), (10, 0.0)], "b": [(5, 0.5), (10, -0.5)]}


def test_hundreds_of_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = []
    for shift in (0.0, 0.1):
        each = {
            f"{a:02}{b:02}_Latn": {"loss": 3.0 + shift * (-1) ** b, "masked": 1, "tokens": 100 * a + b, "epochs": 1.0}
            for a in range(20)
            for b in range(20)
        }
        lines = [line(1, 3.0, languages=each), line(1, 3.0, "validation", languages=each)]
        folders.append(write(tmp_path / f"run{shift}", lines))
    root = page(capsys, "--run", folders[0], "--run", folders[1])
    drawn = [text(one) for one in root.xpath("//div[@class='multiples']/figure/figcaption/code")]
    assert drawn == [f"19{b:02}_Latn" for b in range(19, 19 - MOST_PICTURES, -1)]
    rows = cells(root, "Languages of the runs")
    assert len(rows) == 400 and list(rows)[:20] == drawn
    assert "Better of 400 languages: run0.0 in 200, run0.1 in 200." in text(root.xpath("//main")[0])


def test_what_is_written_alike_is_equal() -> None:
    runs = [Run("a", "", {}), Run("b", "", {}), Run("c", "", {})]
    for run, loss in zip(runs, (2.0, 2.0001, 2.5), strict=True):
        run.steps = [{"step": 1, "split": "train"}]
        run.validation = [(1, loss)]
        run.validation_languages, run.held_out = {"eng_Latn": loss}, {"eng_Latn": [(1, loss)]}
    (row,) = [row for row in figures(runs) if row.title == "validation loss"]
    assert row == ("validation loss", ["2.000", "2.000", "2.500"], ["0", "+0.500"], "equal")
    texts = [cell.text for cell in languages(runs).rows[0].cells]
    assert texts[:6] == ["2.000", "2.000", "2.500", "0", "+0.500", "equal"]


def of_two(step: int, loss: float, split: str = "train", weight: float = 1.0, **languages: Any) -> dict[str, Any]:
    """A line of a run with mlm, which halves with the units, and nsp."""

    def figures(more: float) -> dict[str, Any]:
        return {
            "mlm": {"loss": loss + more, "accuracy": 0.25, "units": 100 * step},
            "nsp": {"loss": (loss + more) / 10, "accuracy": 0.75, "units": 10},
        }

    each = figures(0.0)
    each["mlm"]["weight"], each["nsp"]["weight"] = 1.0, weight
    by_language = {
        label: {"loss": loss + more, "masked": 50, "tokens": tokens * step, "epochs": 1.0, "objectives": figures(more)}
        for label, (more, tokens) in {"eng_Latn": (0.0, 900), "kat_Geor": (0.5, 100)}.items()
    }
    for label, weight_of_language in languages.items():
        by_language[label]["weight"] = weight_of_language
    counted = {"tokens": 1000 * step} if split == "train" else {}
    return {"step": step, "split": split, "loss": loss, "objectives": each, "languages": by_language} | counted


@pytest.fixture
def joint(tmp_path: Path) -> tuple[Path, Path]:
    """Runs of two objectives; in a, the weight of nsp and that of Georgian fall, in b they stay."""
    a = [
        of_two(1, 4.0, weight=1.0, kat_Geor=1.0),
        of_two(2, 3.0, weight=0.5, kat_Geor=1.0),
        of_two(2, 3.5, "validation"),
        of_two(3, 2.0, weight=0.25, kat_Geor=0.5),
    ]
    b = [of_two(step, 4.5 - step, weight=1.0) for step in (1, 2, 3)] + [of_two(2, 3.0, "validation")]
    return write(tmp_path / "runs" / "a", a), write(tmp_path / "runs" / "b", b)


def test_objectives_of_a_log_by_hand(joint: tuple[Path, Path]) -> None:
    run = read_run(str(joint[0]))
    assert list(run.objectives) == ["mlm", "nsp"]
    mlm, nsp = run.objectives.values()
    assert mlm.loss == pytest.approx((100 * 4 + 200 * 3 + 300 * 2) / 600) and mlm.units == 600
    assert (nsp.loss, nsp.accuracy, nsp.weight) == (pytest.approx(0.3), 0.75, 0.25)
    assert nsp.languages == {"eng_Latn": pytest.approx(0.3), "kat_Geor": pytest.approx(0.35)}
    assert mlm.validation == [(2, 3.5)] and nsp.validation == [(2, 0.35)] and nsp.validation_accuracy == 0.75
    assert (nsp.held_out_at("kat_Geor", None), nsp.held_out_at("kat_Geor", 3)) == (0.4, None)
    assert run.language_weights == {"kat_Geor": [(1, 1.0), (2, 1.0), (3, 0.5)]}
    alone = read_run(str(write(joint[0].parent / "alone", [line(1, 3.0), line(1, 3.0, "validation")])))
    assert not alone.objectives and not alone.language_weights


def test_objectives_have_pictures_and_tables_of_their_own(
    joint: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = pictures([read_run(str(joint[0]))]).small
    assert [one.title for one in drawn] == [
        "Loss of mlm", "Loss of nsp", "Weights of objectives", "Weights of languages"
    ]  # fmt: skip
    assert drawn[1].kinds == {"training": "kept", "validation": "r1"} and list(drawn[2].curve.lines) == ["mlm", "nsp"]
    root = page(capsys, "--run", joint[0])
    shown = cells(root, "Objectives")
    assert shown["mlm"] == ["1", "600", "2.667", "25.0 %", "3.500", "25.0 %"]
    assert shown["nsp"] == ["0.25", "30", "0.300", "75.0 %", "0.350", "75.0 %"]
    shown = cells(root, "Loss by language and objective")
    assert list(shown) == ["eng_Latn", "kat_Geor"]
    assert shown["kat_Geor"] == ["3.167", "4.000", "0.350", "0.400"]
    assert [text(one) for one in root.xpath("//figure[.//b='Weights of objectives']//span[@class='key']/span")] == [
        "mlm", "nsp"
    ]  # fmt: skip
    assert len(root.xpath("//figure[.//b='Weights of languages']//path[contains(@class, 'line')]")) == 1


def test_runs_of_several_objectives_beside_each_other(
    joint: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = page(capsys, "--run", joint[0], "--run", joint[1])
    shown = cells(root, "Runs compared")
    assert shown["validation loss of mlm"] == ["3.500", "3.000", "\u22120.500", "b"]
    assert shown["training loss of nsp"] == ["0.300", "0.250", "\u22120.050", "b"]
    assert shown["validation accuracy of nsp"] == ["75.0 %", "75.0 %", "0", "equal"]
    titles = [text(one) for one in root.xpath("//figcaption/b")]
    assert {"Training loss of nsp", "Validation loss of nsp", "Weight of nsp"} <= set(titles)
    assert "Weight of mlm" not in titles
    heads = [text(one) for one in root.xpath("//div[@aria-label='Languages of the runs']//th[@scope='colgroup']")]
    assert heads[-2:] == ["Training loss of nsp", "Validation loss of nsp"]
    assert cells(root, "Languages of the runs")["kat_Geor"][-4:] == ["0.350", "0.300", "0.400", "0.350"]
    alone = write(tmp_path / "alone", [line(1, 3.0), line(1, 3.0, "validation")])
    shown = cells(page(capsys, "--run", alone, "--run", joint[1]), "Runs compared")
    assert shown["validation loss of nsp"] == ["", "0.300", "", ""] and "validation loss of mlm" in shown


def test_names_of_folders_cannot_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "<img src=x onerror=alert(1)>"
    folders = [write(tmp_path / name, [line(1, 3.0), line(2, 2.0)]) for name in ("a", evil)]
    root = page(capsys, "--run", folders[0], "--run", folders[1])
    assert not root.xpath("//img | //@onerror") and evil in text(root.xpath("//ul[@class='state']")[0])
