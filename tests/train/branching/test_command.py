"""Whole branch-train-merges of a tiny corpus: what they leave, and that what is finished stays as it is."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from training_runs import pretrain

import train.branching.merging
import train.branching.work
from schemas.errors import UserError
from train.fuse import main
from train.model_folders.ancestry import digest_of_folder

REPOSITORY = Path(__file__).resolve().parents[3]
SETTINGS = """
[model]
hidden_size = 32
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 32
global_attn_every_n_layers = 2
local_attention = 8
[data]
max_seq_len = 32
global_batch_tokens = 256
streams = 2
micro_batch_tokens = 256
eval_tokens = 200
window_tokens = 2048
[optim]
learning_rate = 5e-3
[run]
log_every = 1
save_every = 2
tensorboard = false
device = "cpu"
"""
STEPS = 10  # a seed of 4, branches of 2, a decay of 2


def in_this_process(name: str, settings: Path, log: Path, processes: int) -> None:
    """In the place of a process of its own, which has torch to import."""
    log.write_text("in this process\n", encoding="utf-8")
    pretrain(["--config", str(settings)])


def made_quick(patch: pytest.MonkeyPatch) -> None:
    """Runs in this process, and merges that ask a few texts, as the arms are asked few."""
    patch.setattr(train.branching.work, "pretrain", in_this_process)
    patch.setattr(train.branching.merging, "TEXT_BYTES", 4096)
    patch.setattr(train.branching.merging, "ASKED_BYTES", 600)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recipe") / "run.toml"
    file.write_text(SETTINGS, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def flags(corpus: Any, recipe: Path) -> Callable[..., list[str]]:
    def make(output: Path, *more: str, steps: int = STEPS, file: Path = recipe) -> list[str]:
        places = ["--shards", str(corpus.shards), "--tokenizer", str(corpus.tokenizer), "--output", str(output)]
        how = ["--config", str(file), "--branches", "eng_Latn", "rus_Cyrl", "--steps", str(steps), "--device", "cpu"]
        few = ["--bits-bytes", "300", "--masked-bytes", "300", "--points", "3"]
        return ["branch-train-merge", *places, *how, *few, *more]

    return make


@pytest.fixture(scope="module")
def whole(flags: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    output = tmp_path_factory.mktemp("whole") / "out"
    with pytest.MonkeyPatch.context() as patch:
        made_quick(patch)
        assert main(flags(output, "--rules", "ties", "--seeds", "2")) == 0
    yield output


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    made_quick(monkeypatch)


def state(output: Path) -> dict[str, tuple[int, str]]:
    """Of each file of a step, when it was written and what is in it."""
    return {
        str(path.relative_to(output)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(output.rglob("seed-*/**/*"))
        if path.is_file() and (path.suffix in (".safetensors", ".jsonl", ".log") or path.stem in ARMS)
    }


def models(output: Path, seed: int = 0) -> dict[str, str]:
    folders = [path.parent for path in (output / f"seed-{seed}").rglob("config.json")]
    return {str(folder.relative_to(output)): digest_of_folder(folder) for folder in sorted(folders)}


def assert_same_models(output: Path, whole: Path) -> None:
    """Bit for bit, but for the distilled one: the teacher's logits of a single token are a product whose last bit hangs
    on where its memory lies."""
    mine, theirs = models(output), models(whole)
    assert len(mine) == 9
    assert [name for name in mine if mine[name] != theirs[name] and "distilled" not in name] == []
    left, right = (load_file(one / "seed-0/distilled/export/model.safetensors") for one in (output, whole))
    assert all(torch.allclose(left[name], right[name], rtol=0, atol=1e-6) for name in left)


def figures(output: Path) -> Any:
    return json.loads((output / "evaluation.json").read_text(encoding="utf-8"))["tables"]


ARMS = ["seed", "branch-eng_Latn", "branch-rus_Cyrl", "ensemble", "merged-ties", "decayed-ties", "distilled",
        "adversarial", "joint"]  # fmt: skip


def test_what_is_left(whole: Path) -> None:
    table = next(one for one in figures(whole) if one["name"] == "bits_a_byte")
    assert list(table["figures"]) == ARMS and table["settings"]["seeds"] == [0, 1]
    for rows in table["figures"].values():
        assert sorted(rows) == ["eng_Latn", "rus_Cyrl"]
        assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in rows.values())
    less = next(one for one in figures(whole) if one["name"] == "bits_a_byte_less_joint")
    assert list(less["figures"]) == ARMS[:-1]
    for seed in (0, 1):
        folder = whole / f"seed-{seed}"
        barrier = json.loads((folder / "barrier" / "barrier.json").read_text())
        assert [(pair["first"], pair["second"]) for pair in barrier["found"]] == [("eng_Latn", "rus_Cyrl")]
        assert (folder / "barrier" / "barrier.svg").is_file() and (folder / "evaluation" / "evaluation.json").is_file()
        for name in ("seed", "branches/eng_Latn", "branches/rus_Cyrl", "decayed/ties", "distilled", "joint"):
            assert (folder / f"{name}.toml").is_file() and (folder / f"{name}.log").is_file()
    printed = (whole / "table.txt").read_text(encoding="utf-8")
    assert all(f"\n{arm} " in printed for arm in ARMS) and "bits a byte, lower is better" in printed


def test_tokens_are_accounted_for(whole: Path) -> None:
    """Planned alike, shown alike but for what bins leave, and a branch's in its language but for the replay."""
    found = json.loads((whole / "accounts.json").read_text(encoding="utf-8"))
    assert list(found) == ARMS
    assert {found[name]["planned"] for name in ("decayed-ties", "distilled", "adversarial", "joint")} == {2560}
    assert (found["seed"]["planned"], found["branch-eng_Latn"]["planned"], found["ensemble"]["planned"]) == (
        1024,
        1536,
        2048,
    )
    assert found["distilled"]["read_by_teachers"] == 512 and found["joint"]["read_by_teachers"] == 0
    assert found["ensemble"]["models_asked"] == 2
    for entry in found.values():
        for shown in entry["shown"].values():
            assert 0.8 * entry["planned"] < sum(shown.values()) <= entry["planned"]
    seed, branch = found["seed"]["shown"]["0"], found["branch-rus_Cyrl"]["shown"]["0"]
    own = {name: branch[name] - seed[name] for name in branch}
    assert own["rus_Cyrl"] > 0.75 * sum(own.values())


def test_branches_come_from_the_seed_and_the_merge_from_them(whole: Path) -> None:
    def lineage(name: str) -> Any:
        return json.loads((whole / "seed-0" / name / "lineage.json").read_text(encoding="utf-8"))

    seed = digest_of_folder(whole / "seed-0/seed/export")
    branches = {digest_of_folder(whole / f"seed-0/branches/{name}/export") for name in ("eng_Latn", "rus_Cyrl")}
    assert lineage("branches/eng_Latn/export")["parent"]["weights"] == seed
    assert {one["weights"] for one in lineage("merged/ties")["parents"]} == branches and len(branches) == 2
    assert lineage("merged/ties")["merge"]["ancestor"]["weights"] == seed
    assert lineage("decayed/ties/export")["parent"]["weights"] == digest_of_folder(whole / "seed-0/merged/ties")
    assert lineage("joint/export")["parent"] is None
    assert len(set(models(whole).values()) | set(models(whole, 1).values())) == 2 * len(models(whole))


def test_what_is_finished_is_left_alone(whole: Path, flags: Callable[..., list[str]], capsys: Any) -> None:
    """The same command again, then one with another rule and no repetition: seed and branches are shared."""
    before = state(whole)
    assert main(flags(whole, "--rules", "ties", "--seeds", "2")) == 0
    assert "step 1 of" not in capsys.readouterr().out
    assert state(whole) == before
    assert main(flags(whole, "--rules", "ties", "task-arithmetic:scale=0.3")) == 0
    said = capsys.readouterr().out
    assert "seed 0: merged/task-arithmetic-scale0.3, step 1 of 2 that are left of 11" in said
    after = state(whole)
    assert {name: after[name] for name in before} == before and len(before) > 80
    assert any("decayed/task-arithmetic-scale0.3/export" in name for name in after)


def test_other_settings_than_it_was_begun_with(whole: Path, flags: Callable[..., list[str]], capsys: Any) -> None:
    before = state(whole)
    for more, why in (
        (("--replay", "0.2"), "--replay = 0.2, but "),
        (("--student", "seed"), "--student = seed, but "),
        (("--seed-share", "0.5"), "steps = {"),
    ):
        assert main(flags(whole, *more)) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"fuse: {why}") and "give that, or take another --output" in error
        assert error.count("\n") == 1
    assert state(whole) == before


def test_an_interrupted_pretraining_goes_on(
    whole: Path, flags: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Stopped in the third step of the joint run, which its checkpoint of the second has not: the same models."""
    import train.loop.stepping

    original = train.loop.stepping.Stepper.step

    def step(self: Any, number: int, *arguments: Any) -> Any:
        if number == 6:  # only the joint run is so long
            raise KeyboardInterrupt
        return original(self, number, *arguments)

    more = ("--rules", "ties")
    with monkeypatch.context() as patch:
        patch.setattr(train.loop.stepping.Stepper, "step", step)
        assert main(flags(tmp_path / "out", *more)) == 130
    assert capsys.readouterr().err == "fuse: stopped; the same command goes on with what is finished\n"
    assert not (tmp_path / "out/evaluation.json").exists()
    assert main(flags(tmp_path / "out", *more)) == 0
    said = capsys.readouterr().out
    assert "seed 0: joint, step 1 of 1 that are left of 9" in said and "goes on after step 6 of 10" in said
    assert_same_models(tmp_path / "out", whole)


BAD: list[tuple[tuple[str, ...], str]] = [
    (("--branches", "eng_Latn"), "--branches eng_Latn: a merge takes two branches or more: name another"),
    (("--branches", "eng_Latn", "eng_Latn"), "--branches: eng_Latn is named twice"),
    (("--branches", "eng_Latn", "rus_Cyr"), "--branches rus_Cyr: the shards do not have it: did you mean rus_Cyrl"),
    (("--rules", "tie"), "tie is no rule: did you mean ties?"),
    (("--rules", "ties", "ties"), "--rules: ties is named twice"),
    (("--runs", "join"), "invalid choice: 'join'"),
    (("--rules", "--runs"), "--rules and --runs name nothing: name a rule or a run"),
    (("--replay", "1"), "'1' should be a number from 0 up, below 1"),
    (("--tokens", "900"), "not allowed with argument"),
    (("--seed-share", "0.9", "--decay-share", "0.3"), "leave nothing to the branches"),
    (("--preset", "huge"), "there is no preset huge"),
    (("--shards", "nowhere"), "there is no folder nowhere"),
    (("--tokenizer", "nowhere"), "nowhere"),
    (("--sib200", "nowhere"), "nowhere"),
    (("--sedes", "2"), "unknown argument --sedes: did you mean --seeds?"),
]


@pytest.mark.parametrize(("more", "why"), BAD)
def test_bad_input_is_one_line_and_begins_nothing(
    more: tuple[str, ...], why: str, flags: Callable[..., list[str]], tmp_path: Path, capsys: Any
) -> None:
    assert main(flags(tmp_path / "out", *more)) == 2
    error = capsys.readouterr().err
    assert error.startswith("fuse: ") and why in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else(flags: Callable[..., list[str]], tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("mine")
    assert main(flags(tmp_path)) == 2
    assert capsys.readouterr().err.endswith("holds something else: name a new folder\n")


def test_more_than_the_mixture_allows_is_told_before_anything_is_trained(
    corpus: Any, flags: Callable[..., list[str]], tmp_path: Path, capsys: Any
) -> None:
    shards = tmp_path / "sample"
    shards.mkdir()
    (shards / "data").symlink_to(corpus.shards / "data")
    languages = {
        name: {"documents": 50, "weighted": 1000.0, "max_epochs": 0.01} for name in ("eng_Latn", "rus_Cyrl", "zho_Hans")
    }
    phase = {"fraction": 1.0, "method": "natural", "shares": dict.fromkeys(languages, 1 / 3)}
    (shards / "mixture.json").write_text(json.dumps({"format": 2, "languages": languages, "schedule": [phase]}))
    given = [*flags(tmp_path / "out", steps=10), "--shards", str(shards)]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert error.startswith("fuse: step seed: steps = 4 of 256 tokens show languages more often than max_epochs = 0.01")
    assert error.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_failing_step_is_named_with_its_log(tmp_path: Path, capsys: Any) -> None:
    from train.branching.pretraining import pretrain as as_process

    settings = tmp_path / "joint.toml"
    settings.write_text("[run]\nsteps = 'many'\n", encoding="utf-8")
    with pytest.raises(UserError) as error:
        as_process("joint", settings, tmp_path / "joint.log", 1)
    log = (tmp_path / "joint.log").read_text(encoding="utf-8")
    assert log.startswith("pretrain: ") and capsys.readouterr().out == log
    assert str(error.value) == (
        f"step joint ended with status 2 ({log.strip()}): its log is {tmp_path / 'joint.log'}; the same command goes on"
    )


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_by_a_signal_and_continued(
    number: int, whole: Path, flags: Callable[..., list[str]], tmp_path: Path
) -> None:
    """As processes of their own: a signal while the seed is trained ends both; the same command comes to the same
    models as one that nothing stopped."""
    output = tmp_path / "out"
    given = [sys.executable, str(REPOSITORY / "train" / "fuse.py")]
    given += flags(output, "--rules", "average", "--runs")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    with subprocess.Popen(
        given, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        while not (output / "seed-0/seed/_run.json").exists():
            assert child.poll() is None
            time.sleep(0.02)
        os.killpg(child.pid, number) if number == signal.SIGINT else child.send_signal(number)
        _, errors = child.communicate(timeout=300)
        assert child.returncode == 130, errors
        assert errors.endswith("fuse: stopped; the same command goes on with what is finished\n")
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)  # nobody of its group is left
    subprocess.run(given, env=environment, check=True, capture_output=True, timeout=600)
    mine, theirs = models(output), models(whole)
    shared = mine.keys() & theirs.keys()
    assert {name: mine[name] for name in shared} == {name: theirs[name] for name in shared} and len(shared) == 4
    assert "seed-0/decayed/average/export" in mine
