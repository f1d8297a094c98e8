"""The whole measurement on the CPU, and what of it a CPU does not show."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

import train.measure.parity
import train.measure.suite
from train.bench import main
from train.config.load import read_preset
from train.loop.distributed import Processes
from train.measure.kernels import GROUPS, group_of
from train.measure.made_up import made_up_config, make_input
from train.measure.parity import attention_parity
from train.measure.suite import Report, lines, measure_all

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("bench")
    assert main(["--seconds", "0.5", "--output", str(folder)]) == 0
    assert [path.name for path in folder.iterdir()] == ["bench.json"], "something of the made-up input is left"
    return json.loads((folder / "bench.json").read_text())


def test_every_part_is_there(parts: dict[str, Any]) -> None:
    of_a_preset = [f"tiny: {part}" for part in ("model", "speed", "synchronisations", "kernels", "checkpoint")]
    assert list(parts) == ["device", "attention", "parity", "loader", *of_a_preset]
    assert parts["device"]["torch"] == torch.__version__ and parts["device"]["measured_peak"] > 1e8


def test_float32_is_near_float64(parts: dict[str, Any]) -> None:
    """More than zero: else a thing is compared with itself."""
    errors = [value for name, value in parts["attention"].items() if name.endswith("error")]
    assert len(errors) == 4
    for error in (*errors, parts["parity"]["gradient_error"]):
        assert 0 < error < 1e-5
    assert parts["parity"]["loss_error"] < 1e-6


def test_speeds_agree_with_one_another(parts: dict[str, Any]) -> None:
    speed, model = parts["tiny: speed"], parts["tiny: model"]
    per_step = speed["tokens_per_second"] * speed["step_seconds"] / model["step_tokens"]
    assert 0.5 < per_step < 1.5
    assert speed["mfu"] is None and 0 < speed["mfu_of_measured"] < 1.5
    assert speed["flops_per_token"] > 6 * (model["parameters"] - model["vocab_size"] * 128)
    assert 0 <= speed["data_wait"] <= 1 and speed["loss_is_finite"]
    assert speed["graphs"] == speed["compile_seconds"] == 0 and speed["graph_breaks"] == []
    assert parts["loader"]["tokens_per_second"] > speed["tokens_per_second"]


def test_groups_of_kernels_add_up(parts: dict[str, Any]) -> None:
    kernels = parts["tiny: kernels"]
    assert {row["group"] for row in kernels["groups"]} == {*GROUPS, "elementwise"}
    assert sum(row["seconds"] for row in kernels["groups"]) == pytest.approx(kernels["kernel_seconds"])
    assert all(row["seconds"] > 0 for row in kernels["groups"]), "a group that a step of ours has none of"
    assert [row["ms"] for row in kernels["top"]] == sorted((row["ms"] for row in kernels["top"]), reverse=True)
    assert kernels["kernel_seconds"] >= sum(row["ms"] for row in kernels["top"]) / 1e3


def test_a_checkpoint_has_weights_and_two_moments(parts: dict[str, Any]) -> None:
    checkpoint = parts["tiny: checkpoint"]
    assert checkpoint["bytes"] > 12 * parts["tiny: model"]["parameters"]
    assert checkpoint["first_on_disk_seconds"] >= checkpoint["first_still_seconds"] > 0
    every, step = checkpoint["save_every"], parts["tiny: speed"]["step_seconds"]
    assert checkpoint["share"] == pytest.approx(checkpoint["still_seconds"] / (every * step), rel=0.1)


@pytest.mark.parametrize(
    ("kernel", "group"),
    [
        ("nvjet_tst_192x192_64x4_2x1_v_bz_coopB_TNT", "matrix products"),
        (
            "void cutlass::Kernel2<cutlass_80_wmma_tensorop_bf16_s161616gemm_bf16_32x32_64x2_nn_align8>",
            "matrix products",
        ),
        (
            "void pytorch_flash::flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<Flash_bwd_kernel_traits<cutlass",
            "attention",
        ),
        ("triton_red_fused__to_copy_add_amax_exp_gather_sub_sum_0", "cross-entropy"),
        ("triton_poi_fused_gelu_mul_split_2", "elementwise"),
        ("triton_per_fused_expand_native_layer_norm_1", "elementwise"),
        ("void at::native::(anonymous namespace)::multi_tensor_apply_kernel<FusedAdamMathFunctor<float>", "optimiser"),
        ("Memcpy HtoD (Pinned -> Device)", "copies"),
        ("void at::native::vectorized_elementwise_kernel<4, at::native::bfloat16_copy_kernel_cuda", "copies"),
        ("void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>", "elementwise"),
    ],
)
def test_kernels_of_a_gpu_find_their_group(kernel: str, group: str) -> None:
    assert group_of(kernel) == group


def test_a_window_that_is_too_narrow_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = train.measure.parity.build_layout

    def narrow(lengths: Any, local: int, device: torch.device, dtype: torch.dtype) -> Any:
        return right(lengths, local - 2 * (dtype == torch.float32), device, dtype)

    monkeypatch.setattr(train.measure.parity, "build_layout", narrow)
    errors = attention_parity(CPU, torch.float32)
    assert errors["local_result_error"] > 1e-3 > errors["global_result_error"]


def test_a_part_that_fails_is_told_and_the_next_one_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    report = Report(tmp_path / "out", said.append)
    report.part("first", lambda: {}["absent"])
    report.part("second", lambda value: {"value": value}, 7)
    found = json.loads(report.path.read_text())
    assert report.failed == ["first"] and found["second"]["value"] == 7
    assert found["first"]["error"] == "KeyError: 'absent'" and "lambda" in "".join(found["first"]["trace"])
    assert "KeyError" in said[0] and "value" in said[1]


def test_what_does_not_fit_is_measured_with_smaller_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Heavy:
        def __init__(self, config: Any, *_: Any) -> None:
            self.config = config

        def about(self) -> dict[str, Any]:
            return {"micro_batch_tokens": self.config.data.micro_batch_tokens}

        def speed(self, *_: Any) -> dict[str, Any]:
            if self.config.data.micro_batch_tokens > 2048:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return {"tokens_per_second": 1.0}

        synchronisations = kernels = checkpoint = lambda self: {}

    monkeypatch.setattr(train.measure.suite, "Run", Heavy)
    monkeypatch.setattr(train.measure.suite, "forget", lambda device: None)
    monkeypatch.setattr(train.measure.suite, "training_parity", lambda *_: {})
    monkeypatch.setattr(train.measure.suite, "steps_in_process", lambda *_: nullcontext([]))
    report = Report(tmp_path, lambda text: None)
    measure_all(report, {"tiny": read_preset("tiny")}, 300, 0.1, Processes(0, 1, CPU, None), tmp_path / "made-up")
    assert report.parts["tiny: model"]["micro_batch_tokens"] == 2048
    assert report.parts["tiny: speed"]["tokens_per_second"] == 1.0 and report.failed == []


def test_the_made_up_input_is_the_same_each_time(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        make_input(tmp_path / name, 300, 10_000)
        files.append({p.name: p.read_bytes() for p in sorted((tmp_path / name).rglob("*.tokens"))})
    assert files[0] == files[1] and files[0]
    assert made_up_config(read_preset("base"), tmp_path).data.bin_tokens == 16_384


def test_lists_become_tables() -> None:
    rows = [{"group": "copies", "share": 0.5}, {"group": "attention", "share": 0.25}]
    assert lines({"groups": rows, "none": []}) == [
        "  groups",
        "    group      share",
        "    copies     0.5  ",
        "    attention  0.25 ",
        "  none  none",
    ]


def test_a_preset_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--presets", "huge", "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("bench: there is no preset huge: take one of base")
