"""Whole runs: stopped and resumed, killed, on several processes, with losses that are not finite."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import train.loop.stepping
import train.objectives.mlm
from schemas.errors import UserError
from train.config.load import load_config
from train.loop.setup import check_identity
from train.pretrain import main
from train.pretrain import train as run_training

REPOSITORY = Path(__file__).resolve().parents[2]
Program = Callable[..., Any]
TIMING = {"tokens_per_second", "data_wait", "seconds"}


def pretrain(flags: list[str]) -> None:
    run_training(load_config(flags))


def log(output: Path, split: str = "train") -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMING} for line in lines if line["split"] == split]


def weights(output: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(output / "checkpoints" / f"step-{step:08d}" / "model.safetensors")


def assert_same_run(one: Path, other: Path, step: int) -> None:
    """Bit for bit: weights, moments, counters and every figure of the log."""
    left, right = weights(one, step), weights(other, step)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)
    moments = [load_file(run / "checkpoints" / f"step-{step:08d}" / "optimizer.safetensors") for run in (one, other)]
    assert moments[0].keys() == moments[1].keys()
    assert all(torch.equal(value, moments[1][name]) for name, value in moments[0].items())
    for split in ("train", "validation"):
        assert log(one, split) == log(other, split)


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of 6 steps."""
    torch.set_num_threads(1)
    output = tmp_path_factory.mktemp("runs") / "whole"
    pretrain(corpus.flags(output))
    return output


def test_a_run_leaves_what_it_promises(finished: Path, corpus) -> None:
    assert [path.name for path in sorted((finished / "checkpoints").iterdir())] == [
        "latest",
        "step-00000003",
        "step-00000006",
    ]
    assert (finished / "checkpoints" / "latest").read_text() == "step-00000006\n"
    record = json.loads((finished / "_run.json").read_text())
    assert record["config"]["run"]["steps"] == 6 and record["config"]["optim"]["weight_decay"] == 0.01
    assert record["inputs"]["languages"]["rus_Cyrl"]["documents"] == 50
    assert not list(finished.rglob("*.part"))
    for line in log(finished):
        assert line["loss"] > 0 and line["grad_norm"] > 0


def test_it_learns(corpus, tmp_path: Path) -> None:
    pretrain(corpus.flags(tmp_path, steps=40, log_every=5, eval_every=40))
    losses = [line["loss"] for line in log(tmp_path)]
    assert losses[-1] < losses[0] - 1.0


def test_the_log_adds_up(finished: Path) -> None:
    tokens = 0
    for line in log(finished):
        languages = line["languages"].values()
        assert sum(entry["tokens"] for entry in languages) == line["tokens"]
        assert sum(entry.get("masked", 0) for entry in languages) == line["masked"]
        assert 0 < line["tokens"] - tokens <= 512
        tokens = line["tokens"]
        for score in ("loss", "accuracy"):
            mean = sum(entry[score] * entry["masked"] for entry in languages if "masked" in entry) / line["masked"]
            assert mean == pytest.approx(line[score])
    last = log(finished)[-1]["languages"]
    assert set(last) == {"eng_Latn", "rus_Cyrl", "zho_Hans"}
    assert last["zho_Hans"]["epochs"] > last["eng_Latn"]["epochs"] > last["rus_Cyrl"]["epochs"] > 0
    held_out = log(finished, "validation")
    assert [line["step"] for line in held_out] == [3, 6]
    assert set(held_out[0]["languages"]) == {"eng_Latn", "rus_Cyrl"}


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str], int], None]:
    """Runs with SIGTERM arriving in the middle of a step."""

    def run(flags: list[str], in_step: int) -> None:
        original = train.loop.stepping.Stepper.step

        def step(self: Any, number: int, *arguments: Any) -> Any:
            if number == in_step - 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(self, number, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(train.loop.stepping.Stepper, "step", step)
            pretrain(flags)

    return run


@pytest.mark.parametrize("in_step", [3, 4])
def test_stopped_and_resumed_is_the_same_run(
    finished: Path, corpus, tmp_path: Path, capsys, stopped: Callable[..., None], in_step: int
) -> None:
    """3 + 3 steps, where a checkpoint was due, and 4 + 2, where none was."""
    stopped(corpus.flags(tmp_path), in_step)
    assert f"stopped and saved after step {in_step} of 6" in capsys.readouterr().out
    assert not (tmp_path / "export").exists()
    pretrain(corpus.flags(tmp_path))
    assert f"goes on after step {in_step} of 6" in capsys.readouterr().out
    assert_same_run(finished, tmp_path, 6)


def test_sums_of_an_unfinished_line_survive_a_restart(corpus, tmp_path: Path, stopped: Callable[..., None]) -> None:
    one, two = (corpus.flags(tmp_path / name, log_every=4, save_every=2) for name in ("one", "two"))
    pretrain(one)
    stopped(two, 2)
    pretrain(two)
    assert [line["step"] for line in log(tmp_path / "two")] == [4, 6]
    assert_same_run(tmp_path / "one", tmp_path / "two", 6)


def test_a_finished_run_is_left_as_it_is(finished: Path, corpus) -> None:
    before = (finished / "metrics.jsonl").read_bytes()
    pretrain(corpus.flags(finished))
    assert (finished / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 64}, "hidden_size = 64, but the run was started with 32"),
        ({"seed": 1}, "seed = 1, but the run was started with 0"),
        ({"mlm_probability": 0.2}, "mlm_probability = 0.2, but"),
        ({"streams": 2}, "streams = 2, but the run was started with 4"),
    ],
)
def test_a_run_is_not_resumed_as_another(finished: Path, corpus, change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pretrain(corpus.flags(finished, **change))


def test_another_version_of_order_and_masks_is_refused(finished: Path, corpus) -> None:
    config = load_config(corpus.flags(finished))
    state = json.loads((finished / "checkpoints" / "step-00000006" / "state.json").read_text())
    check_identity(state, state["identity"], config)
    with pytest.raises(UserError, match="was begun with version 2 of the order of the data and its masks") as error:
        check_identity(state | {"order_version": 2}, state["identity"], config)
    assert "\n" not in str(error.value)


def test_other_data_is_not_taken_for_the_old(finished: Path, corpus, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(corpus.shards, tmp_path / "sample")
    shutil.copytree(corpus.tokenizer, tmp_path / "vocab")
    mixture = tmp_path / "sample" / "mixture.json"
    mixture.write_text(mixture.read_text().replace('"epochs": 2.0', '"epochs": 3.0'))
    with pytest.raises(UserError, match=r"shards = .* is not what the run was started with"):
        pretrain(corpus.flags(finished, shards=tmp_path / "sample"))
    tokenizer = tmp_path / "vocab" / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + "\n")
    with pytest.raises(UserError, match=r"tokenizer = .* is not what the run was started with"):
        pretrain(corpus.flags(finished, tokenizer=tmp_path / "vocab"))


def test_a_longer_run_with_another_rate_goes_on(corpus, tmp_path: Path) -> None:
    pretrain(corpus.flags(tmp_path, steps=2))
    pretrain(corpus.flags(tmp_path, steps=4, learning_rate=1e-3, warmup_ratio=0, decay_ratio=0))
    assert [line["step"] for line in log(tmp_path)] == [1, 2, 3, 4]
    assert log(tmp_path)[-1]["lr"] == 1e-3


def spoil(monkeypatch: pytest.MonkeyPatch, factor: Callable[[int], float]) -> None:
    """Multiplies the n-th loss of all that have a gradient by a factor."""
    original = train.objectives.mlm.masked_cross_entropy
    calls = iter(range(1000))

    def spoilt(*arguments: Any) -> Any:
        total, losses, correct = original(*arguments)
        return (total * factor(next(calls)) if total.requires_grad else total), losses, correct

    monkeypatch.setattr(train.objectives.mlm, "masked_cross_entropy", spoilt)


def test_a_step_that_is_not_finite_is_skipped_and_counted(corpus, tmp_path: Path, monkeypatch) -> None:
    spoil(monkeypatch, lambda call: float("nan") if call in (2, 3) else 1.0)
    pretrain(corpus.flags(tmp_path, steps=3, eval_every=50, save_every=1))
    lines = log(tmp_path)
    assert [line["skipped_steps"] for line in lines] == [0, 1, 1]
    assert lines[1]["loss"] is None and lines[2]["loss"] > 0
    assert not (tmp_path / "checkpoints" / "step-00000002").exists(), "a skipped step is no good one"
    one, three = (weights(tmp_path, step)["head.dense.weight"] for step in (1, 3))
    assert not torch.equal(one, three)


def test_a_run_that_is_never_finite_stops_and_keeps_the_last_good_checkpoint(
    corpus, tmp_path: Path, monkeypatch
) -> None:
    spoil(monkeypatch, lambda call: float("inf") if call >= 4 else 1.0)
    with pytest.raises(UserError, match="3 steps in a row up to step 5 had a loss or gradient that is not finite"):
        pretrain(corpus.flags(tmp_path, max_skipped_steps=3, save_every=1, steps=9))
    assert (tmp_path / "checkpoints" / "latest").read_text() == "step-00000002\n"


def test_weights_that_are_not_finite_are_not_saved(corpus, tmp_path: Path, monkeypatch) -> None:
    original = train.loop.stepping.Stepper.step

    def step(self: Any, number: int, *arguments: Any) -> Any:
        done = original(self, number, *arguments)
        if number == 4:
            with torch.no_grad():
                next(iter(self.parallel.joint.parameters()))[0] = float("nan")
        return done

    monkeypatch.setattr(train.loop.stepping.Stepper, "step", step)
    with pytest.raises(UserError, match=r"step 5: model is not finite in model\.") as error:
        pretrain(corpus.flags(tmp_path, save_every=1, steps=9))
    assert "\n" not in str(error.value)
    assert (tmp_path / "checkpoints" / "latest").read_text() == "step-00000004\n"


def test_a_validation_that_is_not_finite_is_null(corpus, tmp_path: Path, monkeypatch, capsys) -> None:
    original = train.objectives.mlm.masked_cross_entropy

    def spoilt(*arguments: Any) -> Any:
        total, losses, correct = original(*arguments)
        return total, losses if total.requires_grad else losses * float("inf"), correct

    monkeypatch.setattr(train.objectives.mlm, "masked_cross_entropy", spoilt)
    pretrain(corpus.flags(tmp_path, steps=1))
    assert log(tmp_path, "validation")[0]["loss"] is None
    assert "validation loss is not finite" in capsys.readouterr().out


def test_bfloat16_autocast_is_near(finished: Path, corpus, tmp_path: Path) -> None:
    pretrain(corpus.flags(tmp_path, steps=2, precision="bf16"))
    assert log(tmp_path)[0]["loss"] == pytest.approx(log(finished)[0]["loss"], rel=5e-3)


def test_the_export_opens_in_transformers(finished: Path, corpus) -> None:
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
    tokenizer = transformers.AutoTokenizer.from_pretrained(finished / "export")
    model = transformers.AutoModelForMaskedLM.from_pretrained(finished / "export")
    batch = tokenizer(["the river <mask> light", "河水"], padding=True, return_tensors="pt")
    assert (batch["input_ids"] == model.config.mask_token_id).sum() == 1
    with torch.no_grad():
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    assert logits.shape[-1] == len(tokenizer) == 200 and torch.isfinite(logits).all()


def test_a_language_without_validation_and_no_validation_at_all(corpus, tmp_path: Path) -> None:
    import shutil

    shards = tmp_path / "sample"
    shutil.copytree(corpus.shards, shards)
    for path in shards.glob("data/*/validation-*.parquet"):
        path.unlink()
    pretrain(corpus.flags(tmp_path / "run", shards=shards, steps=1))
    assert log(tmp_path / "run", "validation") == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shards": "nowhere"}, "there is no folder nowhere"),
        ({"tokenizer": "nowhere"}, "nowhere holds no tokenizer.json"),
        ({"stepps": 3}, "did you mean --steps?"),
        ({"output": "/dev/null/run"}, "cannot use /dev/null"),
        ({"language_weights": "deu_Latn=2"}, "language_weights names deu_Latn, which the shards do not have"),
        ({"init": "nowhere"}, "nowhere is no exported model"),
        ({"weight": "1,2"}, "weight = '1,2': schedule '1,2'"),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    corpus, tmp_path: Path, monkeypatch, capsys, settings: dict[str, object], message: str
) -> None:
    monkeypatch.setattr("sys.argv", ["pretrain.py", *corpus.flags(**{"output": tmp_path} | settings)])
    assert main() == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("pretrain: ") and captured.err.count("\n") == 1
    assert message in captured.err


def test_a_bug_is_no_mistake_of_the_user(corpus, tmp_path: Path, monkeypatch, capsys) -> None:
    """Python's own ValueError in the middle of a run."""
    spoil(monkeypatch, lambda call: next(zip((1,), (), strict=True)))
    monkeypatch.setattr("sys.argv", ["pretrain.py", *corpus.flags(tmp_path)])
    with pytest.raises(ValueError, match="shorter than argument 1"):
        main()
    assert "pretrain: " not in capsys.readouterr().err


def test_a_bug_ends_the_program_with_its_trace_and_status_1(corpus, tmp_path: Path) -> None:
    program = """
import runpy, sys
import train.config.load
def planted(flags):
    raise ValueError("planted")
train.config.load.parse_arguments = planted
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""
    script = REPOSITORY / "train" / "pretrain.py"
    done = subprocess.run(
        [sys.executable, "-c", program, str(script), *corpus.flags(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("Traceback") and lines[-1] == "ValueError: planted"


def test_texts_that_are_all_empty(tmp_path: Path, corpus) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = tmp_path / "sample" / "data" / "eng_Latn" / "train.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"id": ["a"], "text": [""]}), file)
    with pytest.raises(UserError, match="no training document has text"):
        pretrain(corpus.flags(tmp_path / "run", shards=tmp_path / "sample"))


LEVEL: dict[str, object] = {"save_every": 3, "warmup_ratio": 0, "decay_ratio": 0}  # the rate does not hang on `steps`


def test_killed_between_checkpoints(corpus, tmp_path: Path, program: Program) -> None:
    """kill -9 at whatever moment after the first checkpoint; the same command then comes to the same end."""
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    latest = killed / "checkpoints" / "latest"
    run = program(corpus.flags(killed, steps=100_000, **LEVEL))
    until = time.monotonic() + 120
    while not latest.exists() and run.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.05)
    run.kill()
    _, errors = run.communicate()
    assert run.returncode == -signal.SIGKILL, errors
    steps = int(latest.read_text().split("-")[1]) + 3
    for output in (killed, whole):
        pretrain(corpus.flags(output, steps=steps, **LEVEL))
    assert_same_run(killed, whole, steps)


def assert_near(one: Path, other: Path) -> None:
    for split in ("train", "validation"):
        left, right = log(one, split), log(other, split)
        assert [line["step"] for line in left] == [line["step"] for line in right]
        for mine, theirs in zip(left, right, strict=True):
            assert mine["loss"] == pytest.approx(theirs["loss"], abs=1e-5)
            assert mine["masked"] == theirs["masked"] and mine.get("tokens") == theirs.get("tokens")
            if split == "train":
                assert mine["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-4)


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_and_then_one(finished: Path, corpus, tmp_path: Path, program: Program, parallel: str) -> None:
    """Three steps on two processes, three on one: the losses of a run on one process all along."""
    run = program(corpus.flags(tmp_path, steps=3, parallel=parallel), processes=2)
    output, errors = run.communicate(timeout=240)
    assert run.returncode == 0, errors
    assert "is written" in output
    assert weights(tmp_path, 3).keys() == weights(finished, 3).keys()
    pretrain(corpus.flags(tmp_path))
    assert_near(tmp_path, finished)


def test_any_accumulation_is_the_same_run(finished: Path, corpus, tmp_path: Path) -> None:
    pretrain(corpus.flags(tmp_path, micro_batch_tokens=128))
    assert_near(tmp_path, finished)


@pytest.mark.parametrize("optimizer", ["stableadamw", "muon"])
def test_other_optimisers_learn_and_resume(
    corpus, tmp_path: Path, stopped: Callable[..., None], optimizer: str
) -> None:
    settings = {"optimizer": optimizer, "ema_decay": 0.5}
    pretrain(corpus.flags(tmp_path / "whole", **settings))
    stopped(corpus.flags(tmp_path / "parts", **settings), 4)
    pretrain(corpus.flags(tmp_path / "parts", **settings))
    assert_same_run(tmp_path / "whole", tmp_path / "parts", 6)
    folder = tmp_path / "whole" / "checkpoints" / "step-00000006"
    exported = load_file(tmp_path / "whole" / "export" / "model.safetensors")["head.dense.weight"]
    averages = load_file(folder / "ema.safetensors")
    assert torch.equal(exported, averages["average.model.head.dense.weight"])
    losses = [line["loss"] for line in log(tmp_path / "whole")]
    assert losses[-1] < losses[0]


def test_a_run_starts_from_another_s_export_and_says_so(finished: Path, corpus, tmp_path: Path) -> None:
    for number, start in enumerate((finished / "export", finished / "checkpoints" / "step-00000006")):
        output = tmp_path / str(number)
        pretrain(corpus.flags(output, init=start, steps=1, learning_rate=1e-9))
        ours, theirs = weights(output, 1), weights(finished, 6)
        for name, value in theirs.items():  # rows that pad the vocabulary are not exported
            torch.testing.assert_close(ours[name][:200], value[:200], atol=1e-6, rtol=0)
        lineage = json.loads((output / "export" / "lineage.json").read_text())
        assert lineage["parent"]["folder"] == str(start)
        assert lineage["parent"]["lineage"]["step"] == 6 and lineage["step"] == 1
        assert {"tokenizer", "data", "config", "config_digest", "code", "order_version"} <= set(lineage)


def test_a_mean_over_languages_and_a_weight_of_one(finished: Path, corpus, tmp_path: Path) -> None:
    """The same first loss by language, another gradient; and a language of weight 0 has none at all."""
    norms = [log(finished)[0]["grad_norm"]]
    for number, settings in enumerate(
        ({"language_mean": "languages"}, {"language_weights": "eng_Latn=0,rus_Cyrl=0,zho_Hans=1"})
    ):
        pretrain(corpus.flags(tmp_path / str(number), steps=1, **settings))
        first = log(tmp_path / str(number))[0]
        assert first["languages"] == log(finished)[0]["languages"]
        norms.append(first["grad_norm"])
    assert len({round(norm, 5) for norm in norms}) == 3


def test_a_spike_goes_back_and_leaves_its_documents_out(corpus, tmp_path: Path, monkeypatch, capsys) -> None:
    """A model that is thrown off after step 60: the run goes back to the checkpoint and on with other documents."""
    original = train.loop.stepping.Stepper.step

    def step(self: Any, number: int, *arguments: Any) -> Any:
        if number == 61:
            with torch.no_grad():
                for parameter in self.parallel.joint.parameters():
                    parameter.add_(torch.randn_like(parameter))
        return original(self, number, *arguments)

    monkeypatch.setattr(train.loop.stepping.Stepper, "step", step)
    flags = corpus.flags(tmp_path, steps=80, spike_factor=6, save_every=20, eval_every=99, learning_rate=1e-3)
    pretrain(flags)
    said = capsys.readouterr().out
    assert "the model goes back to step 60, and the documents of steps 61 to 64 are left out" in said
    losses = [line["loss"] for line in log(tmp_path)]
    assert losses[61] > losses[60] + 1 and losses[79] < losses[61] - 1
    state = json.loads((tmp_path / "checkpoints" / "step-00000080" / "state.json").read_text())
    assert len(state["skipped_ranges"]) == 1


def test_a_loader_of_its_own_process_is_the_same_run(finished: Path, corpus, tmp_path: Path) -> None:
    pretrain(corpus.flags(tmp_path, loader="process"))
    assert_same_run(finished, tmp_path, 6)


def test_a_compiled_model_is_near(finished: Path, corpus, tmp_path: Path, monkeypatch) -> None:
    """Without the code generator, which takes minutes here. That layers are traced whole is a test of the model."""
    from torch import nn

    compiled = []

    def compile_layer(self: nn.Module, **settings: Any) -> None:
        compiled.append(self)
        self._compiled_call_impl = torch.compile(self._call_impl, backend="eager")

    monkeypatch.setattr(nn.Module, "compile", compile_layer)
    pretrain(corpus.flags(tmp_path, steps=2, compile="on", eval_every=9))
    assert len(compiled) == 2
    assert [line["loss"] for line in log(tmp_path)] == pytest.approx([line["loss"] for line in log(finished)[:2]])


def test_activation_checkpointing_changes_nothing(finished: Path, corpus, tmp_path: Path) -> None:
    pretrain(corpus.flags(tmp_path, activation_checkpointing=True))
    assert_near(tmp_path, finished)


def test_processes_that_do_not_divide_the_streams(corpus, tmp_path: Path, program: Program) -> None:
    run = program(corpus.flags(tmp_path, streams=3, global_batch_tokens=510), processes=2)
    _, errors = run.communicate(timeout=240)
    assert run.returncode != 0
    ours = [line for line in errors.splitlines() if line.startswith("pretrain: ")]
    assert ours == ["pretrain: 2 processes do not divide streams = 3: start 1, 3 of them, or change --streams"]
