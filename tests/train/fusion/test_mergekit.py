"""The rules against mergekit, where there is one: it stays in an environment of its own.

python3.11 -m venv DIR && DIR/bin/pip install mergekit
WANYU_MERGEKIT=DIR/bin/python python -m pytest tests/train/fusion/test_mergekit.py
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from train.fusion.rules import RULES

PYTHON = os.environ.get("WANYU_MERGEKIT", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="WANYU_MERGEKIT names no Python that has mergekit")
SHAPES = {"embeddings": (211, 16), "layers.0.Wqkv.weight": (48, 16), "layers.0.norm.weight": (16,), "bias": (211,)}
FILE = "model.safetensors"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """An ancestor and three branches, as files, which mergekit merges whatever they are of."""
    folder, torch_seed = tmp_path_factory.mktemp("models"), torch.Generator().manual_seed(0)
    origin = {name: torch.randn(shape, generator=torch_seed) for name, shape in SHAPES.items()}
    paths = []
    for which in range(4):
        moved = {
            name: one + 0.3 * bool(which) * torch.randn(one.shape, generator=torch_seed) for name, one in origin.items()
        }
        paths.append(folder / f"{which}" / FILE)
        paths[-1].parent.mkdir()
        save_file(moved, paths[-1])
    return paths


def mergekit(method: str, models: list[Path], settings: list[dict[str, Any]], folder: Path, **more: Any) -> Any:
    """What it makes of models with these settings, by name."""
    recipe = {
        "merge_method": method,
        "models": [{"model": str(one), "parameters": told} for one, told in zip(models, settings, strict=True)],
        "dtype": "float32",
    } | more
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yml").write_text(json.dumps(recipe), encoding="utf-8")
    program = Path(PYTHON).with_name("mergekit-pytorch")
    command = [PYTHON, program, folder / "recipe.yml", folder / "out", "--quiet", "--random-seed", "1"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr
    return load_file(folder / "out" / FILE)


def ours(rule: str, models: list[Path], ancestor: Path, **settings: Any) -> dict[str, Tensor]:
    made, parents, origin = RULES[rule](**settings), [load_file(one) for one in models], load_file(ancestor)
    return {name: made.merge(name, [one[name] for one in parents], origin[name]) for name in origin}


def check(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert {*expected} == {*found} == {*SHAPES}
    for name, one in expected.items():
        torch.testing.assert_close(found[name], one, atol=2e-6, rtol=2e-6, msg=lambda why, name=name: f"{name}: {why}")


def test_average(models: list[Path], tmp_path: Path) -> None:
    weights = [1.0, 2.0, 0.5]
    theirs = mergekit("linear", models[1:], [{"weight": one} for one in weights], tmp_path)
    check(ours("average", models[1:], models[0], weights=weights), theirs)


@pytest.mark.parametrize("t", [0.3])
def test_slerp(models: list[Path], tmp_path: Path, t: float) -> None:
    theirs = mergekit("slerp", models[1:3], [{}, {}], tmp_path, base_model=str(models[1]), parameters={"t": t})
    check(ours("slerp", models[1:3], models[0], t=t), theirs)


def test_task_arithmetic(models: list[Path], tmp_path: Path) -> None:
    weights = [1.0, 0.5, 0.25]
    told = [{"weight": 0.4 * one} for one in weights]
    theirs = mergekit("task_arithmetic", models[1:], told, tmp_path, base_model=str(models[0]))
    check(ours("task-arithmetic", models[1:], models[0], weights=weights), theirs)


def test_ties(models: list[Path], tmp_path: Path) -> None:
    weights = [1.0, 0.5, 2.0]
    told = [{"weight": one, "density": 0.2} for one in weights]
    theirs = mergekit("ties", models[1:], told, tmp_path, base_model=str(models[0]))
    check(ours("ties", models[1:], models[0], weights=weights), theirs)


@pytest.mark.parametrize(("method", "then"), [("dare_linear", "linear"), ("dare_ties", "ties")])
def test_dare_without_dropping(models: list[Path], tmp_path: Path, method: str, then: str) -> None:
    """With dropping other numbers are drawn; see below."""
    told = [{"weight": 1.0, "density": 1.0}] * 3
    normal = {"parameters": {"normalize": then == "ties"}}
    theirs = mergekit(method, models[1:], told, tmp_path, base_model=str(models[0]), **normal)
    check(ours("dare", models[1:], models[0], drop=0, then=then, scale=1), theirs)


def test_dare_drops_as_many(models: list[Path], tmp_path: Path) -> None:
    """What is left becomes larger by 1 / (1 - p) in the paper and here, so that the mean over draws is the whole;
    mergekit makes it as large as keeps the sum of sizes of this draw (1 / (1 - p) in the mean)."""
    told = [{"weight": 1.0, "density": 0.3}]
    theirs = mergekit("dare_linear", models[1:2], told, tmp_path, base_model=str(models[0]))
    found = ours("dare", models[1:2], models[0], drop=0.7, scale=1)
    start, end = (load_file(one)["embeddings"] for one in models[:2])
    move = end - start
    for made, whose in ((theirs["embeddings"], "theirs"), (found["embeddings"], "ours")):
        kept = ((made - start) / move).abs() > 0.1
        assert abs(float(kept.float().mean()) - 0.3) < 4 * (0.21 / kept.numel()) ** 0.5
        larger = 1 / 0.3 if whose == "ours" else float(move.abs().sum() / move[kept].abs().sum())
        torch.testing.assert_close((made - start)[kept], move[kept] * larger, rtol=1e-4, atol=1e-5)


def test_where_a_tensor_is_all_zeros_slerp_differs(tmp_path: Path) -> None:
    """mergekit takes a right angle, so that the other tensor comes out longer than on a line."""
    for name, value in (("one", 1.0), ("none", 0.0)):
        (tmp_path / name).mkdir()
        save_file({"x": torch.full((4,), value)}, tmp_path / name / FILE)
    paths = [tmp_path / name / FILE for name in ("one", "none")]
    theirs = mergekit("slerp", paths, [{}, {}], tmp_path, base_model=str(paths[0]), parameters={"t": 0.5})
    assert theirs["x"].tolist() == pytest.approx([0.5**0.5] * 4)
    assert ours("slerp", paths, paths[0])["x"].tolist() == pytest.approx([0.5] * 4)
