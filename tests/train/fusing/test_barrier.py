"""The loss between two models is that of a plain model with averaged weights, asked by itself."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import headless_browser, watched_page
from hypothesis import given
from hypothesis import strategies as st
from related_models import permute, save_family
from safetensors.torch import load_file, save_file
from tiny_encoders import SENTENCES, save_encoder

from schemas.errors import UserError
from train.encoders.named import open_models
from train.encoders.opened import open_model
from train.fuse import main
from train.fusing.barrier import alphas, excess, loss_barrier, passes
from train.likelihood.held_out_texts import HeldOutText
from train.likelihood.masked_accuracy import masked_accuracy

TEXTS = {
    language: [HeldOutText(f"{language}-{n}", f"{text} {n}") for n in range(3)] for language, text in SENTENCES.items()
}


@pytest.fixture(scope="module", params=["modernbert", "bert"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp(request.param)
    return [save_encoder(request.param, root / name, seed) for seed, name in enumerate(("one", "two"))]


def averaged(pair: list[Path], alpha: float, folder: Path) -> Path:
    """The average as a folder, made of files alone."""
    folder.mkdir()
    one, two = (load_file(path / "model.safetensors") for path in pair)
    mixed = {name: (alpha * one[name].double() + (1 - alpha) * two[name].double()).float() for name in one}
    save_file(mixed, folder / "model.safetensors", {"format": "pt"})
    for path in pair[0].iterdir():
        if path.name != "model.safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_the_curve_is_that_of_averaged_folders(pair: list[Path], tmp_path: Path) -> None:
    parents = open_models([str(one) for one in pair], device="cpu")
    before = {name: value.clone() for name, value in parents[0].model("AutoModelForMaskedLM").state_dict().items()}
    read: list[int] = []
    (found,) = loss_barrier(parents, TEXTS, 5, progress=read.append)
    assert (found.first, found.second) == ("one", "two") and set(found.curves) == set(SENTENCES)
    assert sum(read) == passes(2, 5) * sum(one.bytes for of in TEXTS.values() for one in of)
    for number, alpha in enumerate(alphas(5)):
        model = open_model(averaged(pair, float(alpha), tmp_path / str(number)), device="cpu")
        for language, texts in TEXTS.items():
            each = masked_accuracy(model, texts)
            expected = each.loss.sum() / each.hidden.sum()
            assert found.curves[language].losses[number] == pytest.approx(expected, abs=1e-5)
    for curve in found.curves.values():
        above = [curve.losses[n] - (n / 4 * curve.losses[4] + (1 - n / 4) * curve.losses[0]) for n in range(5)]
        assert curve.barrier["value"] == pytest.approx(max(above), abs=1e-9)
        assert curve.at == int(np.argmax(above)) / 4
        low, high = curve.barrier["low"], curve.barrier["high"]
        assert low is not None and high is not None and low <= high
    after = parents[0].model("AutoModelForMaskedLM").state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)  # it is itself again


def test_a_model_has_no_barrier_to_itself(pair: list[Path]) -> None:
    twins = open_models([f"a={pair[0]}", f"b={pair[0]}"], device="cpu")
    (found,) = loss_barrier(twins, {"tha_Thai": TEXTS["tha_Thai"]}, 3)
    assert found.curves["tha_Thai"].barrier["value"] == pytest.approx(0, abs=1e-6)


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=12))
def test_what_lies_above_the_line(losses: list[float]) -> None:
    values, at = np.array(losses), alphas(len(losses))
    found = excess(values, at)
    assert found[0] == pytest.approx(0, abs=1e-9) and found[-1] == pytest.approx(0, abs=1e-9)
    straight = np.interp(at, [0, 1], [values[0], values[-1]])
    assert np.allclose(found, values - straight, atol=1e-9)
    assert np.allclose(excess(values[::-1], at), found[::-1], atol=1e-9)


def test_too_few_points() -> None:
    with pytest.raises(ValueError, match="3 or more"):
        alphas(2)


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    across = one["l"] < other["r"] - 1 and other["l"] < one["r"] - 1
    return bool(across and one["y"] < other["b"] - 3 and other["y"] < one["b"] - 3)


def write_texts(root: Path, languages: dict[str, list[str]]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for language, lines in languages.items():
        (root / f"{language}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def fused(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    status = main([*map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out if not status else captured.err


def test_three_parents_and_more_languages_than_colours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """Every pair, every language; numbers, table and picture say the same, and a browser shows the picture."""
    folders = [save_encoder("bert", tmp_path / name, seed) for seed, name in enumerate("abc")]
    texts = {f"{language}": [text, f"{text} 2"] for language, text in SENTENCES.items()}
    texts |= {f"x{n:02}_Latn": [f"Anna lives {n} lives.", "Paris and York"] for n in range(10)}
    root = write_texts(tmp_path / "texts", texts)
    parents = [word for one in folders for word in ("--parent", one)]
    status, told = fused(capsys, "barrier", *parents, "--texts", root, "--points", 3, "--output", tmp_path / "out")
    assert not status and "a and b" in told and "b and c" in told
    content = json.loads((tmp_path / "out" / "barrier.json").read_text(encoding="utf-8"))
    assert [(pair["first"], pair["second"]) for pair in content["found"]] == [("a", "b"), ("a", "c"), ("b", "c")]
    ends: dict[str, dict[str, float]] = {}
    for pair in content["found"]:
        assert set(pair["languages"]) == set(texts)
        for language, curve in pair["languages"].items():
            assert f"{curve['barrier']['value']:.3f}" in told
            for name, loss in ((pair["second"], curve["losses"][0]), (pair["first"], curve["losses"][-1])):
                assert ends.setdefault(name, {}).setdefault(language, loss) == loss  # a parent is asked once
    assert (tmp_path / "out" / "barrier.txt").read_text(encoding="utf-8") == told
    drawn = (tmp_path / "out" / "barrier.svg").read_text(encoding="utf-8")
    assert len(re.findall(r"<title>", drawn)) == 3 * len(texts)
    with headless_browser() as browser, watched_page(browser) as watched:
        watched.page.goto((tmp_path / "out" / "barrier.svg").as_uri())
        boxes: list[dict[str, Any]] = watched.page.evaluate(
            "[...document.querySelectorAll('text')].map(e => { const b = e.getBoundingClientRect();"
            " return {t: e.textContent, l: b.left, r: b.right, y: b.top, b: b.bottom} })"
        )
        box = "document.querySelector('svg').viewBox.baseVal"
        width, height = watched.page.evaluate(f"[{box}.width, {box}.height]")
    assert {one["t"] for one in boxes} >= set(texts)
    assert all(one["l"] >= 0 and one["r"] <= width and one["y"] >= 0 and one["b"] <= height for one in boxes)
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]


def test_what_cannot_be_measured_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = save_encoder("bert", tmp_path / "one"), save_encoder("modernbert", tmp_path / "other")
    texts = write_texts(tmp_path / "texts", {"eng_Latn": ["Anna lives."]})
    out = tmp_path / "out"
    base = ["barrier", "--texts", texts, "--output", out]
    assert fused(capsys, *base, "--parent", one) == (
        2, "fuse: --parent: a barrier lies between two models or more: name another\n",
    )  # fmt: skip
    both = ["--parent", one, "--parent", other]
    assert "of different kinds, bert and modernbert" in fused(capsys, *base, *both)[1]
    assert "--points 2 leaves nothing" in fused(capsys, *base, *both, "--points", 2)[1]
    assert "--languages fra: the texts do not have it; there are eng_Latn" in fused(
        capsys, *base, *both, "--languages", "fra"
    )[1]  # fmt: skip
    assert "--shards or --texts is missing" in fused(capsys, "barrier", *both, "--output", out)[1]
    assert f"--parent {tmp_path} holds no model" in fused(capsys, *base, "--parent", one, "--parent", tmp_path)[1]
    headless = save_encoder("bert", tmp_path / "headless", head="AutoModel")
    assert "has no head for masked words" in fused(capsys, *base, "--parent", one, "--parent", headless)[1]
    wide = save_encoder("bert", tmp_path / "wide", type_vocab_size=3)
    assert "are of different shapes" in fused(capsys, *base, "--parent", one, "--parent", wide)[1]
    words = (one / "tokenizer.json").read_text(encoding="utf-8").replace('"York"', '"Yorks"')
    renamed = save_encoder("bert", tmp_path / "renamed")
    (renamed / "tokenizer.json").write_text(words, encoding="utf-8")
    (renamed / "vocab.txt").write_text((one / "vocab.txt").read_text(encoding="utf-8").replace("York", "Yorks"))
    assert (
        "have not the same tokens: bring them into one vocabulary"
        in fused(capsys, *base, "--parent", one, "--parent", renamed)[1]
    )
    damaged = save_encoder("bert", tmp_path / "damaged", seed=1)
    weights = load_file(damaged / "model.safetensors")
    next(iter(weights.values())).view(-1)[0] = float("nan")
    save_file(weights, damaged / "model.safetensors", {"format": "pt"})
    assert "not finite" in fused(capsys, *base, "--parent", one, "--parent", damaged)[1]
    assert not out.exists()


@pytest.mark.parametrize("kind", ["modernbert", "bert", "xlm-roberta"])
def test_rows_are_matched_by_their_tokens(kind: str, tmp_path: Path) -> None:
    """Between a model and one whose tokens were moved to other rows lies what lay there before."""
    folders = save_family(tmp_path, kind, ("one", "two", "three"))
    before = loss_barrier(open_models([*map(str, folders)], device="cpu"), TEXTS, 3)
    assert permute(folders[1], kind, 3) != permute(folders[2], kind, 4)
    moved = open_models([*map(str, folders)], device="cpu")
    module = moved[1].model("AutoModelForMaskedLM")
    own = {name: value.clone() for name, value in module.state_dict().items()}
    for expected, found in zip(before, loss_barrier(moved, TEXTS, 3), strict=True):
        for language, curve in expected.curves.items():
            np.testing.assert_allclose(found.curves[language].losses, curve.losses, atol=1e-5)
    after = module.state_dict()
    assert all(torch.equal(own[name], after[name]) for name in own)  # what was given is as it was


def test_models_of_other_kinds_are_refused(tmp_path: Path) -> None:
    one, other = (open_model(save_encoder(kind, tmp_path / kind), device="cpu") for kind in ("bert", "distilbert"))
    with pytest.raises(UserError, match="of different kinds"):
        loss_barrier([one, other], TEXTS)
