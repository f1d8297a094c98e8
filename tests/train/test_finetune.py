"""The program: files in, a folder and a table out; what is wrong is one line, and nothing is written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_encoders import save_encoder
from toy_tasks import made

from train.benchmarks.examples import TextExample
from train.finetune import main

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder("bert", tmp_path_factory.mktemp("encoder"))


def write(folder: Path, name: str, count: int, seed: int, label: str = "") -> Path:
    """A TSV with a column of languages."""
    lines = ["text\tlabel\tlanguage"]
    for language, own in made("sequence", count, seed, label).items():
        for one in own:
            assert isinstance(one, TextExample)
            lines.append(f"{one.text}\t{one.label}\t{language}")
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for number, (name, count) in enumerate((("train.tsv", 40), ("validation.tsv", 10), ("test.tsv", 10))):
        write(folder, name, count, number)
    return folder


def flags(encoder: Path, files: Path, output: Path, **changed: object) -> list[str]:
    given: dict[str, object] = {
        "task": "sequence", "model": encoder, "train": files / "train.tsv", "validation": files / "validation.tsv",
        "test": files / "test.tsv", "output": output, "epochs": 2, "batch_size": 16, "learning_rate": 3e-3,
        "device": "cpu",
    }  # fmt: skip
    given |= changed
    return [
        word
        for name, value in given.items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", *([] if value is True else str(value).split()))
    ]


def test_a_run_says_its_scores_by_language(encoder, files, tmp_path: Path, capsys) -> None:
    words = flags(encoder, files, tmp_path / "out", languages="eng_Latn", trained="top:1", seeds=2, metric="macro_f1")
    assert main(words) == 0
    out = capsys.readouterr().out
    table = [line.split() for line in out.splitlines() if line.startswith(("macro", "eng", "rus", "mean"))]
    assert table[0] == ["macro_f1", "validation", "test"] and [row[0] for row in table[1:]] == [
        "eng_Latn",
        "rus_Cyrl",
        "mean",
    ]
    assert (
        "±" in table[1] and "rus_Cyrl" not in json.loads((tmp_path / "out" / "result.json").read_text())["validation"]
    )
    assert (tmp_path / "out" / "model" / "model.safetensors").is_file() and (tmp_path / "out" / "seed-1").is_dir()
    assert main(words) == 0
    assert capsys.readouterr().out.count("is finished already") == 2
    assert main([*words, "--weight-decay", "0.5"]) == 2
    assert "was begun with another weight_decay (0.01, now 0.5)" in capsys.readouterr().err


def test_what_is_not_said_suits_the_model_s_size_and_the_examples(encoder: Path, files: Path, tmp_path: Path) -> None:
    unsaid: dict[str, object] = dict.fromkeys(("epochs", "learning_rate", "test"))
    assert main(flags(encoder, files, tmp_path / "unsaid", **unsaid, layer_decay=0.5, patience=1)) == 0
    told = json.loads((tmp_path / "unsaid" / "begun.json").read_text(encoding="utf-8"))
    assert (told["epochs"], told["learning_rate"], told["layer_decay"]) == (20, 1e-3, 0.5)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"task": "tree"}, "argument --task: invalid choice: 'tree'"),
        ({"trained": "top:3"}, "--trained top:3: the model has 2 layers: take fewer, or all"),
        ({"trained": "some"}, "--trained some: take all, head, top:N"),
        ({"max_tokens": 65}, "--max-tokens 65: --model"),
        ({"learning_rate": 0}, "--learning-rate 0.0: take a number above 0"),
        ({"layer_decay": 2}, "--layer-decay 2.0: take a number above 0"),
        ({"label_smoothing": 1}, "--label-smoothing 1.0: take a number from 0 up to 1"),
        ({"languages": "deu_Latn"}, "--languages deu_Latn: not in the train files, which have eng_Latn, rus_Cyrl"),
        ({"label_column": "klass"}, "has no column 'klass'"),
        ({"task": "token"}, "train.tsv"),
        ({"task": "span"}, "train.tsv"),
        ({"metric": "bleu"}, "--metric bleu: --task sequence has accuracy"),
        ({"model": "nowhere"}, "--model nowhere is no folder"),
        ({"train": "nowhere.tsv"}, "nowhere.tsv"),
        ({"steps": 3}, "not allowed with argument"),
        ({"batch_sise": 3}, "unknown argument --batch-sise: did you mean --batch-size?"),
    ],
)
def test_what_cannot_be_is_one_line(encoder, files, tmp_path: Path, capsys, changed, told) -> None:
    assert main(flags(encoder, files, tmp_path / "out", **changed)) == 2
    err = capsys.readouterr().err
    assert err.startswith("finetune: ") and err.count("\n") == 1 and told in err, err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "lines", "told"),
    [
        ("train", "text\tlabel\na\tx\nb\tx\nc\tx", "train.tsv: all 3 examples are of one class, x: give others too"),
        ("train", "text\tlabel\na\tx\nb\t\nc\ty", "train.tsv:3"),
        (
            "validation",
            "text\tlabel\na\tgood\nb\tworse",
            "validation.tsv:3: label 'worse' is not among those of training",
        ),
        (
            "test",
            "text\tlabel\na\tgood\nb\tworse",
            "test.tsv:3: label 'worse' is not among those of training (bad, good)",
        ),
        ("validation", "text\tlabel", "validation.tsv holds no example"),
        ("train", "words\ttags\na b\tO O", "train.tsv"),
    ],
)
def test_files_that_are_wrong_are_one_line(encoder, files, tmp_path: Path, capsys, name, lines, told) -> None:
    (tmp_path / f"{name}.tsv").write_text(lines + "\n", encoding="utf-8")
    assert main(flags(encoder, files, tmp_path / "out", **{name: tmp_path / f"{name}.tsv"})) == 2
    err = capsys.readouterr().err
    assert err.startswith("finetune: ") and err.count("\n") == 1 and told in err, err
    assert not (tmp_path / "out").exists()


def test_fewer_examples_than_a_batch_are_one(encoder, files, tmp_path: Path, capsys) -> None:
    few = write(tmp_path, "few.tsv", 3, 5)
    assert main(flags(encoder, files, tmp_path / "out", train=few, epochs=None, steps=2, batch_size=32)) == 0
    assert "6 examples are fewer than --batch-size 32: a batch is all of them" in capsys.readouterr().out


def test_mixed_precision_trains_float32_weights(encoder, files, tmp_path: Path, capsys) -> None:
    for precision in ("bf16", "fp32"):
        assert (
            main(flags(encoder, files, tmp_path / precision, precision=precision, epochs=12, layer_decay=1, patience=0))
            == 0
        )
    capsys.readouterr()
    one, other = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("bf16", "fp32"))
    assert all(value.dtype == torch.float32 for value in one.values())
    assert not torch.equal(one["classifier.weight"], other["classifier.weight"])
    lines = [json.loads(line) for line in (tmp_path / "bf16" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["split"] == "train"]
    assert losses[-1] < 0.8 * losses[0]


def test_help_needs_no_torch(tmp_path: Path) -> None:
    program = "import sys; from train.finetune import arguments; arguments(); print('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "False\n", done.stderr


@pytest.mark.faults
def test_a_program_that_is_killed_ends_in_the_same_weights(encoder, files, tmp_path: Path) -> None:
    program = [sys.executable, str(REPOSITORY / "train" / "finetune.py")]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    settings: dict[str, object] = {"epochs": 40, "save_every": 2, "patience": 0, "dropout": 0.3}
    torch.set_num_threads(1)
    subprocess.run([*program, *flags(encoder, files, tmp_path / "whole", **settings)], env=environment, check=True)
    words, kills = flags(encoder, files, tmp_path / "killed", **settings), 0
    while kills < 2:
        process = subprocess.Popen([*program, *words], env=environment)
        before, deadline = steps(tmp_path / "killed"), time.monotonic() + 120
        while steps(tmp_path / "killed") <= before + 10 * (kills + 1) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert process.poll() is None, "it should have been in the midst"
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    subprocess.run([*program, *words], env=environment, check=True)
    one, other = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "killed"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def steps(output: Path) -> int:
    """Of the last checkpoint."""
    latest = output / "checkpoints" / "latest"
    return int(latest.read_text().strip().removeprefix("step-")) if latest.is_file() else 0
