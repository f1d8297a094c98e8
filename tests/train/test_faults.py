"""Training under faults: killed at any moment, on damaged checkpoints, full disks, cut shards and lost peers. However a
run is broken off, the same command goes on, and what it shows and logs is what an undisturbed run does."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
STEPS = 60
SETTINGS: dict[str, object] = {
    "streams": 12,
    "global_batch_tokens": 768,
    "micro_batch_tokens": 256,
    "window_tokens": 2048,
    "steps": STEPS,
    "learning_rate": 1e-3,
    "eval_every": 25,
    "save_every": 1,
    "keep_checkpoints": 4,
    "workers": 1,
}
FILES = ("digests.json", "encoder.json", "lineage.json", "model.safetensors", "optimizer.safetensors", "state.json")
TIMING = {"tokens_per_second", "data_wait", "seconds"}


@dataclass(frozen=True)
class Life:
    """One start of the program: its ranks' process ids, and the file of all that they say."""

    launcher: "subprocess.Popen[str]"
    ids: list[int]
    said: Path

    def kill(self) -> None:
        try:
            os.killpg(self.ids[0], signal.SIGKILL)
        except ProcessLookupError:
            return

    def end(self, seconds: float = 60) -> list[int | None]:
        """The ranks' statuses; whoever is not at the end by then is killed, and has None."""
        statuses: list[int | None] = ask(self.launcher, {"wait": self.ids, "seconds": seconds})
        if None in statuses:
            self.kill()
            ask(self.launcher, {"wait": [i for i, s in zip(self.ids, statuses, strict=True) if s is None], "seconds": 9})
        return statuses

    @property
    def lines(self) -> list[str]:
        return self.said.read_text(encoding="utf-8").splitlines()

    @property
    def complaints(self) -> list[str]:
        return [line for line in self.lines if line.startswith("pretrain: ")]


def ask(launcher: "subprocess.Popen[str]", order: dict[str, Any]) -> Any:
    assert launcher.stdin and launcher.stdout
    print(json.dumps(order), file=launcher.stdin, flush=True)
    return json.loads(launcher.stdout.readline())


class Trainers:
    """Starts lives of runs on one corpus. See warm_trainers.py for what can be planted in them."""

    def __init__(self, launcher: "subprocess.Popen[str]", data: Any, folder: Path) -> None:
        self.launcher, self.data, self.folder = launcher, data, folder
        self.lives = 0

    def start(
        self, output: Path, processes: int = 1, plant: Sequence[dict[str, object]] = (), **settings: object
    ) -> Life:
        said = self.folder / f"said-{self.lives}"
        self.lives += 1
        flags = self.data.flags(output, **SETTINGS | settings)
        order = {"start": flags, "processes": processes, "said": str(said), "plant": list(plant)}
        return Life(self.launcher, ask(self.launcher, order), said)

    def finish(self, output: Path, processes: int = 1, **settings: object) -> Life:
        life = self.start(output, processes, **settings)
        assert life.end() == [0] * processes, life.lines
        return life


@pytest.fixture(scope="module")
def trainers(corpus_of_many_blocks: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainers]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    environment |= {"PYTHONWARNINGS": "ignore::DeprecationWarning"}  # of forks in a process with threads
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        environment.pop(name, None)
    launcher = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("warm_trainers.py"))],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with launcher:
        yield Trainers(launcher, corpus_of_many_blocks, tmp_path_factory.mktemp("said"))
        assert launcher.stdin
        launcher.stdin.close()


@pytest.fixture(scope="module")
def undisturbed(trainers: Trainers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on one process from its first step to its last."""
    output = tmp_path_factory.mktemp("runs") / "undisturbed"
    trainers.finish(output)
    return output


def log(output: Path, split: str = "train") -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMING} for line in lines if line["split"] == split]


def latest(output: Path) -> int:
    """Step of the last checkpoint; 0 before the first."""
    path = output / "checkpoints" / "latest"
    return int(path.read_text().split("-")[1]) if path.exists() else 0


def state(output: Path, step: int = STEPS) -> dict[str, Any]:
    return json.loads((output / "checkpoints" / f"step-{step:08d}" / "state.json").read_text())


COUNTED = ("tokens", "masked", "documents", "epochs", "share")


def assert_same(output: Path, undisturbed: Path) -> None:
    """At each step: losses to 1e-5; exactly what was shown and hidden of each language; at the end the same place."""
    for split in ("train", "validation"):
        ours, theirs = log(output, split), log(undisturbed, split)
        assert [line["step"] for line in ours] == [line["step"] for line in theirs]
        for mine, other in zip(ours, theirs, strict=True):
            assert mine["loss"] == pytest.approx(other["loss"], abs=1e-5)
            assert {k: mine.get(k) for k in COUNTED} == {k: other.get(k) for k in COUNTED}
            assert mine["languages"].keys() == other["languages"].keys()
            for name, figures in other["languages"].items():
                assert {k: mine["languages"][name].get(k) for k in COUNTED} == {k: figures.get(k) for k in COUNTED}
    ends = [state(run) for run in (output, undisturbed)]
    assert ends[0]["position"] == ends[1]["position"] and ends[0]["tally"]["counts"] == ends[1]["tally"]["counts"]


def test_undisturbed(undisturbed: Path) -> None:
    print(log(undisturbed)[-1])
