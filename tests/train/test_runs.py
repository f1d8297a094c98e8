"""Whole runs: stopped and resumed, killed, on several processes, by every optimiser, from another model."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from training_runs import assert_near, assert_same_run, log, pretrain, weights

from schemas.errors import UserError
from train.config.load import load_config
from train.loop.setup import check_identity

REPOSITORY = Path(__file__).resolve().parents[2]
Program = Callable[..., Any]


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
    # A run of a release that did not have these settings yet had their defaults.
    older = {key: value for key, value in state["identity"].items() if key not in ("model.architecture", "objectives")}
    check_identity(state | {"identity": older}, state["identity"], config)
    with pytest.raises(UserError, match=r"^architecture = bert, but the run was started with modernbert: "):
        check_identity(state | {"identity": older}, state["identity"] | {"model.architecture": "bert"}, config)
    named = {"objectives.language_adversary.discriminator_size": 8}
    with pytest.raises(UserError, match=r"^objectives\.language_adversary\.discriminator_size = 9, but .* with 8: "):
        check_identity(state | {"identity": older | named}, {key: 9 for key in named}, config)
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
        assert [one.pop("weight", None) for one in first["languages"].values()] == [[None] * 3, [0, 0, 1]][number]
        assert first["languages"] == log(finished)[0]["languages"]
        norms.append(first["grad_norm"])
    assert len({round(norm, 5) for norm in norms}) == 3


def test_weights_of_languages_that_change_over_a_run(finished: Path, corpus, tmp_path: Path, stopped) -> None:
    """They are in the log; a run that is stopped is the same run; a weight of 0 from some step on is one."""
    flags = {"language_weights": "eng_Latn=0:1;4:0,rus_Cyrl=0.5"}
    pretrain(corpus.flags(tmp_path / "one", **flags))
    stopped(corpus.flags(tmp_path / "two", **flags), 2)
    pretrain(corpus.flags(tmp_path / "two", **flags))
    assert log(tmp_path / "one") == log(tmp_path / "two") and log(tmp_path / "one") != log(finished)
    weights = [{name: one["weight"] for name, one in line["languages"].items()} for line in log(tmp_path / "one")]
    assert [one["eng_Latn"] for one in weights] == [1, 0.75, 0.5, 0.25, 0, 0]
    assert all((one["rus_Cyrl"], one["zho_Hans"]) == (0.5, 1) for one in weights)
    assert "weight" not in log(finished)[0]["languages"]["eng_Latn"]


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
    pretrain(corpus.flags(tmp_path, steps=1, compile="on", micro_batch_tokens=512, eval_tokens=1))
    assert len(compiled) == 2
    assert [line["loss"] for line in log(tmp_path)] == pytest.approx([line["loss"] for line in log(finished)[:1]])


def test_activation_checkpointing_changes_nothing(finished: Path, corpus, tmp_path: Path) -> None:
    pretrain(corpus.flags(tmp_path, activation_checkpointing=True))
    assert_near(tmp_path, finished)
