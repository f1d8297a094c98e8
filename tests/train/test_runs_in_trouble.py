"""What goes wrong in a run: figures that are not finite, losses that jump, mistakes of the user, bugs of ours."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from training_runs import log, pretrain, weights

import train.loop.stepping
import train.objectives.mlm
from schemas.errors import UserError
from train.pretrain import main

REPOSITORY = Path(__file__).resolve().parents[2]
Program = Callable[..., Any]


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shards": "nowhere"}, "there is no folder nowhere"),
        ({"tokenizer": "nowhere"}, "nowhere holds no tokenizer.json"),
        ({"stepps": 3}, "did you mean --steps?"),
        ({"output": "/dev/null/run"}, "cannot use /dev/null"),
        ({"language_weights": "spa_Latn=2"}, "language_weights names spa_Latn, which the shards do not have: did you "),
        ({"language_weights": "eng_Latn=0,rus_Cyrl=0,zho_Hans=0"}, "language_weights gives every language 0: give"),
        ({"language_weights": "eng_Latn=0,rus_Cyrl=0,zho_Hans=0:1;2:0"}, "every language 0 at step 2 of the schedules"),
        ({"init": "nowhere"}, "nowhere is no exported model"),
        ({"objectives.mlm.weight": "1,2"}, "weight = '1,2': schedule '1,2'"),
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


def test_processes_that_do_not_divide_the_streams(corpus, tmp_path: Path, torchrun: Program) -> None:
    run = torchrun(corpus.flags(tmp_path, streams=3, global_batch_tokens=510), processes=2)
    _, errors = run.communicate(timeout=240)
    assert run.returncode != 0
    ours = [line for line in errors.splitlines() if line.startswith("pretrain: ")]
    assert ours == ["pretrain: 2 processes do not divide streams = 3: start 1, 3 of them, or change --streams"]
