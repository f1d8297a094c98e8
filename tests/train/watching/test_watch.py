"""A run is watched: a line a checkpoint, each once, none for one that is gone, until the run has ended."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from training_runs import pretrain

from schemas.errors import UserError
from train.evaluate import main
from train.evaluation.settings import Settings
from train.telemetry.metrics_file import read
from train.watching import watch as module
from train.watching.pending import has_ended, pending
from train.watching.watch import LINES, watch


@pytest.fixture(scope="module")
def whole_run(corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints and an export."""
    output = tmp_path_factory.mktemp("runs") / "run"
    pretrain(corpus.flags(output, steps=6, save_every=2, keep_checkpoints=3))
    return output


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    for language, text in {"eng_Latn": "The river is high.", "khm_Khmr": "ទឹកទន្លេខ្ពស់"}.items():
        (tmp_path / "texts" / f"{language}.txt").write_text(f"{text}\n{text} {text}\n", encoding="utf-8")
    return tmp_path / "texts"


@pytest.fixture
def settings(texts: Path) -> Settings:
    return Settings(texts=(texts,), bits_bytes=60, masked_bytes=60)


@pytest.fixture
def run(whole_run: Path, tmp_path: Path) -> Path:
    """One that goes on: its last checkpoint and its export are still to come."""
    found = tmp_path / "run"
    shutil.copytree(whole_run, found)
    (found / "checkpoints/step-00000006").rename(found / "later")
    shutil.rmtree(found / "export")
    return found


def lines(run: Path) -> list[dict[str, Any]]:
    return list(read(run / LINES))


def watched(run: Path, settings: Settings, sleep: Callable[[float], None] = lambda seconds: None) -> list[str]:
    said: list[str] = []
    watch(run, settings, said.append, lambda line: None, sleep=sleep, device="cpu")
    return said


def stop(seconds: float) -> None:
    raise KeyboardInterrupt


def test_each_checkpoint_is_a_line_until_the_run_has_ended(run: Path, settings: Settings) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            (run / "later").rename(run / "checkpoints/step-00000006")

    said = watched(run, settings, sleep)
    assert [line["step"] for line in lines(run)] == [2, 4, 6]
    assert len(waits) == 2 and len(said) == 3 and said[0].startswith("step 2: bits_a_byte ")
    for line in lines(run):
        bits = line["tables"]["bits_a_byte"]
        assert set(bits["languages"]) == {"eng_Latn", "khm_Khmr"}
        assert bits["mean"] == pytest.approx(sum(bits["languages"].values()) / 2)
        assert {"masked_accuracy", "masked_loss", "lost_characters"} < set(line["tables"])
    assert lines(run)[0]["tables"] != lines(run)[2]["tables"]
    [events] = (run / "tensorboard/evaluation").iterdir()
    assert b"evaluation/bits_a_byte/khm_Khmr" in events.read_bytes()


def test_figures_are_those_of_the_checkpoint_asked_alone(run: Path, settings: Settings, texts: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        watched(run, settings, stop)
    flags = [
        "--model",
        run / "checkpoints/step-00000004",
        "--output",
        run / "alone",
        "--texts",
        texts,
        "--device",
        "cpu",
    ]
    assert main([*map(str, flags), "--bits-bytes", "60", "--masked-bytes", "60"]) == 0
    found = json.loads((run / "alone/evaluation.json").read_text(encoding="utf-8"))
    table = next(one for one in found["tables"] if one["name"] == "bits_a_byte")
    alone = {name: figure["value"] for name, figure in table["figures"]["step-00000004"].items()}
    assert lines(run)[1]["tables"]["bits_a_byte"]["languages"] == pytest.approx(alone)


def test_it_goes_on_where_it_stopped(run: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also behind a line that was cut off; a checkpoint of the same step that another run made is a new one."""
    with pytest.raises(KeyboardInterrupt):
        watched(run, settings, stop)
    before = (run / LINES).read_text(encoding="utf-8")
    with (run / LINES).open("a", encoding="utf-8") as file:
        file.write(before[:100])
    (run / "later").rename(run / "checkpoints/step-00000006")
    assert len(watched(run, settings)) == 1
    assert (run / LINES).read_text(encoding="utf-8").startswith(before)
    assert [line["step"] for line in lines(run)] == [2, 4, 6]
    assert watched(run, settings) == []
    digests = run / "checkpoints/step-00000004/digests.json"
    digests.write_text(digests.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert [one.step for one in pending(run, {(line["step"], line["digest"]) for line in lines(run)})] == [4]
    other = Settings(texts=settings.texts, bits_bytes=30, masked_bytes=60)
    assert len(watched(run, other)) == 3


def test_a_checkpoint_that_is_dropped_is_passed_over(
    run: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another one is asked, and while it is read itself."""
    (run / "later").rename(run / "checkpoints/step-00000006")
    plain = module.evaluate

    def dropping(models: list[str], *given: Any, **named: Any) -> Any:
        if "step-00000002" in models[0]:
            shutil.rmtree(run / "checkpoints/step-00000002")
            shutil.rmtree(run / "checkpoints/step-00000004")
        return plain(models, *given, **named)

    monkeypatch.setattr(module, "evaluate", dropping)
    said = watched(run, settings)
    assert [line.partition(",")[0] for line in said[:2]] == ["step 2: passed over", "step 4: passed over"]
    assert [line["step"] for line in lines(run)] == [6]


def test_what_goes_wrong_with_a_checkpoint_that_is_there_is_told(run: Path, settings: Settings) -> None:
    (run / "checkpoints/step-00000002/model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"model\.safetensors"):
        watched(run, settings)
    assert lines(run) == []


def test_a_run_has_ended_when_its_last_step_stands(run: Path, whole_run: Path) -> None:
    assert not has_ended(run)
    assert has_ended(whole_run)
    shutil.copytree(whole_run / "export", run / "export")
    assert has_ended(run)
    record = json.loads((run / "_run.json").read_text(encoding="utf-8"))
    record["config"]["run"]["steps"] = 9  # it goes on
    (run / "_run.json").write_text(json.dumps(record), encoding="utf-8")
    assert not has_ended(run)


def test_the_program(
    run: Path, texts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module.time, "sleep", stop)
    monkeypatch.setattr(module.watch, "__kwdefaults__", {**module.watch.__kwdefaults__, "sleep": stop})
    flags = [
        "--watch",
        str(run),
        "--texts",
        str(texts),
        "--device",
        "cpu",
        "--bits-bytes",
        "60",
        "--masked-bytes",
        "60",
    ]
    assert main(flags) == 130
    out, err = capsys.readouterr()
    assert [line[:7] for line in out.splitlines()] == ["step 2:", "step 4:"]
    assert err.splitlines()[-1].startswith("evaluate: stopped;")
    assert main(["--watch", str(texts), "--texts", str(texts)]) == 2
    assert "is no run" in capsys.readouterr().err
    assert main([*flags, "--model", "a"]) == 2
    assert "leave out the others" in capsys.readouterr().err
    assert main(["--output", "a"]) == 2
    assert "--model is missing" in capsys.readouterr().err
    assert main(["--watch", str(run), "--texts", str(run / "none.txt")]) == 2
    assert "there is no file" in capsys.readouterr().err
