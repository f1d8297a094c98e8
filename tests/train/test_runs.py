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

import train.loop.trainer
from schemas.errors import UserError
from train.config import load_config
from train.pretrain import main
from train.pretrain import train as run_training

REPOSITORY = Path(__file__).resolve().parents[2]
Program = Callable[..., Any]
TIMING = {"tokens_per_second", "data_wait"}


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
    assert moments[0].keys() == moments[1].keys() != set()
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
    assert record["config"]["steps"] == 6 and record["config"]["weight_decay"] == 0.01
    assert record["inputs"]["languages"]["rus_Cyrl"]["documents"] == 50
    assert not list(finished.rglob("*.part"))
    for line in log(finished):
        assert line["loss"] > 0 and line["grad_norm"] > 0


def test_it_learns(corpus, tmp_path: Path) -> None:
    pretrain(corpus.flags(tmp_path, steps=40, log_every=5, eval_every=40, learning_rate=1e-2))
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
        original = train.loop.trainer.Trainer._optimise

        def optimise(self: Any, *arguments: Any) -> Any:
            if self.step == in_step - 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(self, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(train.loop.trainer.Trainer, "_optimise", optimise)
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


def test_a_step_that_is_not_finite_is_skipped_and_counted(corpus, tmp_path: Path, monkeypatch) -> None:
    original = train.loop.trainer.masked_loss
    calls = iter(range(1000))

    def broken(*arguments: Any) -> Any:
        loss, sums = original(*arguments)
        return (loss * float("nan"), sums) if next(calls) in (2, 3) else (loss, sums)

    monkeypatch.setattr(train.loop.trainer, "masked_loss", broken)
    pretrain(corpus.flags(tmp_path, steps=3, eval_every=50, save_every=1))
    lines = log(tmp_path)
    assert [line["skipped_steps"] for line in lines] == [0, 1, 1]
    assert lines[1]["loss"] is None and lines[2]["loss"] > 0
    one, two, three = (weights(tmp_path, step)["head.dense.weight"] for step in (1, 2, 3))
    assert torch.equal(one, two) and not torch.equal(two, three)


def test_a_run_that_is_never_finite_stops(corpus, tmp_path: Path, monkeypatch) -> None:
    original = train.loop.trainer.masked_loss
    monkeypatch.setattr(train.loop.trainer, "masked_loss", lambda *a: (original(*a)[0] * float("inf"), original(*a)[1]))
    with pytest.raises(UserError, match="3 steps in a row up to step 3 had a loss or gradient that is not finite"):
        pretrain(corpus.flags(tmp_path, max_skipped_steps=3))


def test_bfloat16_autocast_is_near(finished: Path, corpus, tmp_path: Path) -> None:
    pretrain(corpus.flags(tmp_path, steps=2, precision="bf16"))
    assert log(tmp_path)[0]["loss"] == pytest.approx(log(finished)[0]["loss"], rel=5e-3)


def test_the_export_opens_in_transformers(finished: Path, corpus) -> None:
    transformers = pytest.importorskip("transformers")
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
    monkeypatch.setattr(train.loop.trainer, "masked_loss", lambda *_: next(zip((1,), (), strict=True)))
    monkeypatch.setattr("sys.argv", ["pretrain.py", *corpus.flags(tmp_path)])
    with pytest.raises(ValueError, match="shorter than argument 1"):
        main()
    assert "pretrain: " not in capsys.readouterr().err


def test_a_bug_ends_the_program_with_its_trace_and_status_1(corpus, tmp_path: Path) -> None:
    program = """
import runpy, sys
import train.config
def planted(flags):
    raise ValueError("planted")
train.config.load_config = planted
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


def test_two_processes_and_then_one(finished: Path, corpus, tmp_path: Path, program: Program) -> None:
    """Three steps on two processes, three on one: the losses of a run on one process all along."""
    run = program(corpus.flags(tmp_path, steps=3), processes=2)
    output, errors = run.communicate(timeout=240)
    assert run.returncode == 0, errors
    assert "is written" in output
    pretrain(corpus.flags(tmp_path))
    for split in ("train", "validation"):
        mixed, alone = log(tmp_path, split), log(finished, split)
        assert [line["step"] for line in mixed] == [line["step"] for line in alone]
        for one, other in zip(mixed, alone, strict=True):
            assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
            assert one["masked"] == other["masked"] and one.get("tokens") == other.get("tokens")


def test_processes_that_do_not_divide_the_streams(corpus, tmp_path: Path, program: Program) -> None:
    run = program(corpus.flags(tmp_path, streams=3, global_batch_tokens=510), processes=2)
    _, errors = run.communicate(timeout=240)
    assert run.returncode != 0
    ours = [line for line in errors.splitlines() if line.startswith("pretrain: ")]
    assert ours == ["pretrain: 2 processes do not divide streams = 3: start 1, 3 of them, or change --streams"]
