"""Two processes with FSDP2 come where one comes without it, and each takes up what the other left."""

from pathlib import Path

import pytest
from forks import Fork
from safetensors.torch import load_file
from torch import Tensor

from train.optim.build import NAMES

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the two processes left their results."""
    folder = tmp_path_factory.mktemp("sharded")
    both = [Fork(HERE / "two_processes.py", [rank, folder]) for rank in range(2)]
    try:
        said = [run.communicate() for run in both]
        assert [run.returncode for run in both] == [0, 0], said
    finally:
        for run in both:
            run.kill()
    return folder


def of(way: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{way}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{way}/")}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["sharded", "scattered", "gathered"])
def test_same_trajectory(folder: Path, name: str, way: str) -> None:
    """Parameters, moments, averages, norms with the skipped step among them, and logits of both kinds of weights."""
    tensors = load_file(folder / f"{name}.safetensors")
    alone, other = of("alone", tensors), of(way, tensors)
    assert alone.keys() == other.keys()
    norms = other.pop("norms")
    assert norms[-2].tolist()[1] == 1 and norms[-2].isnan()[0] and not norms[:, 1].sum() > 1
    expected = alone["norms"][-len(norms) :]
    assert (norms - expected).nan_to_num().abs().max() <= 1e-6
    for key, tensor in other.items():
        assert tensor.shape == alone[key].shape, key
        assert (tensor - alone[key]).abs().max() <= (1e-5 if key.startswith("logits") else 1e-6), key


def test_the_comparison_is_of_runs_that_learn(folder: Path) -> None:
    alone = of("alone", load_file(folder / "muon.safetensors"))
    assert alone["state/step.tok_embeddings.weight"] == 5 and alone["average/updates"] == 5
    assert (alone["logits/own"] - alone["logits/averaged"]).abs().max() > 1e-3
