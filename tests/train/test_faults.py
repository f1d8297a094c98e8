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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from everything import every_objective

from train.config.objectives import OBJECTIVES

REPOSITORY = Path(__file__).resolve().parents[2]
TRAINER = Path(__file__).with_name("warm_trainers.py")
pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
STEPS = 120
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
            ask(
                self.launcher, {"wait": [i for i, s in zip(self.ids, statuses, strict=True) if s is None], "seconds": 9}
            )
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

    def finish(self, output: Path, processes: int = 1, **settings: Any) -> Life:
        life = self.start(output, processes, **settings)
        assert life.end() == [0] * processes, life.lines
        return life


def program(command: list[str], **pipes: Any) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    environment |= {"PYTHONWARNINGS": "ignore::DeprecationWarning"}  # of forks in a process with threads
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        environment.pop(name, None)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | pipes
    return subprocess.Popen([sys.executable, *command], env=environment, text=True, **pipes)


@pytest.fixture(scope="module")
def trainers(corpus_of_many_blocks: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainers]:
    launcher = program([str(TRAINER)], stdin=subprocess.PIPE, stderr=None)
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


def wait_for(true: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


WORLDS = (1,) * 25 + (2,) * 13 + (4,) * 7 + (3,) * 5
# Before which of its steps, or of the events of such files, a life ends: from, to.
PLACES = {"moment": (0, 1), "step": (1, 5), "checkpoints": (0, 70), "metrics.jsonl": (0, 6), "tokens": (0, 60)}


def killed_life(trainers: Trainers, output: Path, processes: int, place: str, draw: random.Random) -> None:
    """A life of a few steps that ends by kill -9 of all its processes."""
    plant: list[dict[str, object]] = [{"kill": "step", "count": 6}]
    if place != "moment":
        folder = trainers.data.shards.parent if place == "tokens" else output
        kill = place if place == "step" else str(folder / place)
        rank = draw.randrange(processes) if place in ("step", "tokens") else 0
        plant.append({"kill": kill, "count": draw.randrange(*PLACES[place]), "rank": rank})
    life = trainers.start(output, processes, plant, parallel=draw.choice(("ddp", "fsdp")))
    if place == "moment":
        time.sleep(draw.uniform(0.1, 0.8 * processes**0.5))
        life.kill()
    assert life.end() == [-signal.SIGKILL] * processes, life.said.read_text()
    assert not life.complaints


def test_fifty_kills_on_1_2_4_and_3_processes(trainers: Trainers, undisturbed: Path, tmp_path: Path) -> None:
    draw = random.Random(1)
    tokens = trainers.data.shards.parent / "tokens"
    shutil.rmtree(tokens)
    reached, broken_off = list[int](), set[str]()
    for number, processes in enumerate(WORLDS):
        killed_life(trainers, tmp_path, processes, list(PLACES)[number % len(PLACES)], draw)
        reached.append(latest(tmp_path))
        broken_off |= {"save"} if list(tmp_path.glob("checkpoints/.*.part")) else set()
        broken_off |= {"tokens"} if list(tokens.rglob("*.claim")) else set()
    assert broken_off == {"save", "tokens"}, "no kill while a checkpoint was written, or while a block was made"
    ends = [max(step for world, step in zip(WORLDS, reached, strict=True) if world == one) for one in (1, 2, 4, 3)]
    assert 0 < ends[0] < ends[1] < ends[2] < ends[3] < STEPS, "no steps on some number of processes"
    life = trainers.start(tmp_path, 3, [{"kill": str(tmp_path / ".export.part"), "count": 2}])
    assert life.end() == [-signal.SIGKILL] * 3, life.said.read_text()
    trainers.finish(tmp_path, 3)
    assert sorted(os.listdir(tmp_path / "export")) == sorted(os.listdir(undisturbed / "export"))
    assert_same(tmp_path, undisturbed)


def test_kills_of_a_run_with_every_objective(trainers: Trainers, corpus_of_sentences: Any, tmp_path: Path) -> None:
    """Pairs of a window, translations of a step, teachers, adversaries: every life makes them again."""
    every = every_objective(corpus_of_sentences, tmp_path / "every")
    there, draw = Trainers(trainers.launcher, corpus_of_sentences, tmp_path), random.Random(3)
    there.finish(tmp_path / "undisturbed", **every)
    shutil.rmtree(corpus_of_sentences.shards.parent / "tokens")
    for processes in (1, 2, 4, 3, 1, 2):
        life = there.start(
            tmp_path / "run", processes, [{"kill": "step", "count": draw.randrange(2, 9), "rank": 0}], **every
        )
        assert life.end() == [-signal.SIGKILL] * processes, life.said.read_text()
    assert latest(tmp_path / "run") > 6
    there.finish(tmp_path / "run", 2, **every)
    assert_same(tmp_path / "run", tmp_path / "undisturbed")
    for mine, other in zip(log(tmp_path / "run"), log(tmp_path / "undisturbed"), strict=True):
        assert (mine["pairs"], mine["singles"]) == (other["pairs"], other["singles"])
        for name in OBJECTIVES:
            assert mine["objectives"][name]["units"] == other["objectives"][name]["units"]


def test_kills_and_checkpoints_that_are_cut(trainers: Trainers, undisturbed: Path, tmp_path: Path) -> None:
    """Of the newest checkpoint each file in turn ends at a random byte."""
    draw = random.Random(2)
    damaged = None
    for name in (*FILES, None):
        life = trainers.start(tmp_path, 1, [{"kill": "step", "count": draw.randrange(3, 8)}] if name else [])
        assert life.end() == [-signal.SIGKILL if name else 0], life.said.read_text()
        said = [line for line in life.lines if "damaged" in line]
        if damaged is not None:
            assert len(said) == 1 and said[0].startswith(f"checkpoint step-{damaged:08d} is damaged ("), life.lines
            assert said[0].endswith(f"): going back to step-{damaged - 1:08d}")
            assert f"goes on after step {damaged - 1} of {STEPS}" in life.lines
        if name:
            damaged = latest(tmp_path)
            file = tmp_path / "checkpoints" / f"step-{damaged:08d}" / name
            os.truncate(file, draw.randrange(file.stat().st_size))
    assert_same(tmp_path, undisturbed)


def assert_goes_on(trainers: Trainers, output: Path, undisturbed: Path, processes: int = 1, **settings: Any) -> None:
    """From the last checkpoint, which is whole, to the same end."""
    step = latest(output)
    assert 0 < step < STEPS
    life = trainers.finish(output, processes, **settings)
    assert f"goes on after step {step} of {STEPS}" in life.lines, life.lines
    assert not [line for line in life.lines if "damaged" in line]
    assert_same(output, undisturbed)


@pytest.mark.parametrize("processes", [1, 2])
def test_files_that_may_not_grow(trainers: Trainers, undisturbed: Path, tmp_path: Path, processes: int) -> None:
    life = trainers.start(tmp_path, processes, [{"limit": 50_000, "count": 5}])
    assert life.end() == [2] * processes, life.said.read_text()
    (line,) = life.complaints
    assert "cannot write the checkpoint of step " in line and "raise the limit on the size of files" in line
    assert line.endswith(f"then the same command goes on from step {latest(tmp_path)}")
    assert "Traceback" not in life.said.read_text()
    assert_goes_on(trainers, tmp_path, undisturbed, processes)


def test_a_log_that_may_not_grow(trainers: Trainers, undisturbed: Path, tmp_path: Path) -> None:
    """The first file that a full disk meets may be metrics.jsonl."""
    life = trainers.start(tmp_path, 2, [{"limit": 1000, "count": 5}])
    assert life.end() == [2, 2], life.said.read_text()
    (line,) = life.complaints
    assert f"cannot use {tmp_path / 'metrics.jsonl'}: File too large" in line
    assert "Traceback" not in life.said.read_text()
    assert_goes_on(trainers, tmp_path, undisturbed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a disk of its own cannot be mounted here: needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full(trainers: Trainers, undisturbed: Path, small_disk: Path) -> None:
    filler = small_disk / "filler"
    with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
        for _ in range(9):
            file.write(bytes(1 << 20))
    os.truncate(filler, filler.stat().st_size - 700_000)
    life = trainers.start(small_disk / "run")
    assert life.end() == [2], life.said.read_text()
    (line,) = life.complaints
    assert "No space left on device" in line
    assert "Traceback" not in life.said.read_text()
    filler.unlink()
    assert_goes_on(trainers, small_disk / "run", undisturbed)


def test_a_shard_that_is_cut_under_a_run(trainers: Trainers, undisturbed: Path, tmp_path: Path) -> None:
    shards = tmp_path / "corpus" / "sample"
    shutil.copytree(trainers.data.shards, shards)
    file = shards / "data" / "zho_Hans" / "train-00001-of-00002.parquet"
    life = trainers.start(tmp_path / "run", 2, [{"cut": str(file), "count": 5}], shards=shards)
    assert life.end() == [2, 2], life.said.read_text()
    (line,) = life.complaints
    assert f"{file} can no longer be read" in line
    assert "Traceback" not in life.said.read_text()
    shutil.copy(trainers.data.shards / file.relative_to(shards), file)
    assert_goes_on(trainers, tmp_path / "run", undisturbed, shards=shards)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_dies(trainers: Trainers, undisturbed: Path, tmp_path: Path, rank: int) -> None:
    life = trainers.start(tmp_path, 2, [{"die": "step", "count": 5, "rank": rank}])
    statuses = life.end(60)
    assert statuses[rank] == -signal.SIGKILL and statuses[1 - rank] in (2, 3), life.said.read_text()
    assert len(life.complaints) == 1
    assert "Traceback" not in life.said.read_text()
    assert_goes_on(trainers, tmp_path, undisturbed)


def test_a_second_sigterm_in_a_long_step(trainers: Trainers, tmp_path: Path) -> None:
    """One right behind the first waits for the step as that does, a later one does not."""
    life = trainers.start(tmp_path, 1, [{"stall": 60, "count": 3}])
    wait_for(lambda: latest(tmp_path) == 3)
    for pause in (0.2, 3.5):
        os.kill(life.ids[0], signal.SIGTERM)
        time.sleep(pause)
        assert Path(f"/proc/{life.ids[0]}/exe").exists()
    os.kill(life.ids[0], signal.SIGTERM)
    assert life.end(10) == [-signal.SIGTERM]


def under_torchrun(trainers: Trainers, output: Path) -> "subprocess.Popen[str]":
    """Two processes that have made their first checkpoint."""
    flags = trainers.data.flags(output, **SETTINGS)
    run = program(["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(TRAINER), *flags])
    wait_for(lambda: latest(output) or run.poll() is not None)
    assert run.poll() is None, run.communicate()
    return run


def ranks_of(run: "subprocess.Popen[str]") -> list[int]:
    return [int(one) for one in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()]


@pytest.mark.parametrize("who", ["ranks", "all"])
def test_sigterm_under_torchrun(trainers: Trainers, undisturbed: Path, tmp_path: Path, who: str) -> None:
    """To the ranks: status 0. To torchrun too, as by a batch system: its own status, but the ranks, which it passes
    the signal on to, save all the same."""
    run = under_torchrun(trainers, tmp_path)
    for one in ([run.pid] if who == "all" else []) + ranks_of(run):
        os.kill(one, signal.SIGTERM)
    output, errors = run.communicate(timeout=60)
    assert who == "all" or run.returncode == 0, errors
    assert f"stopped and saved after step {latest(tmp_path)} of {STEPS}" in output, errors
    assert_goes_on(trainers, tmp_path, undisturbed)


def test_a_rank_that_dies_under_torchrun(trainers: Trainers, undisturbed: Path, tmp_path: Path) -> None:
    run = under_torchrun(trainers, tmp_path)
    os.kill(ranks_of(run)[1], signal.SIGKILL)
    _, errors = run.communicate(timeout=60)
    assert run.returncode != 0, errors
    assert_goes_on(trainers, tmp_path, undisturbed)


def members(group: int) -> list[str]:
    """Processes of a group, by their numbers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # gone meanwhile
            continue
        found += [folder.name] if int(fields[2]) == group else []
    return found


@pytest.mark.parametrize(("loader", "killed"), [("process", True), ("thread", True), ("process", False)])
def test_no_process_is_left(trainers: Trainers, tmp_path: Path, loader: str, killed: bool) -> None:
    """What makes batches and blocks for a trainer ends with it, also where nobody can tell it to."""
    shards = tmp_path / "corpus" / "sample"  # with a cache to make
    shutil.copytree(trainers.data.shards, shards)
    plant = [{"die": "step", "count": 5}] if killed else []
    life = trainers.start(tmp_path / "run", 1, plant, shards=shards, loader=loader, steps=9)
    try:
        assert life.end() == [-signal.SIGKILL if killed else 0], life.said.read_text()
        wait_for(lambda: not members(life.ids[0]), 15)
    finally:
        life.kill()
