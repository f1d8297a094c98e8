"""A small corpus and a tokenizer trained on it, made here, and ways to run the program on them."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from forks import Fork
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from training_runs import pretrain

import train.loop.stepping

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / "train" / "pretrain.py"
SENTENCES = {
    "eng_Latn": "the river carries light over stones while people gather bread and talk of distant rain",
    "rus_Cyrl": "река несёт свет над камнями пока люди собирают хлеб и говорят о далёком дожде",
    "zho_Hans": "河水带着光流过石头人们收集面包谈论远方的雨天气很好",
}
WORDS = {name: text.split() if " " in text else list(text) for name, text in SENTENCES.items()}
SPECIALS = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]


@dataclass(frozen=True)
class Corpus:
    """shards: three languages, zho_Hans without validation files, epochs 1, 0.5 and 2. tokenizer: of 200 tokens."""

    shards: Path
    tokenizer: Path

    def flags(self, output: Path, **settings: object) -> list[str]:
        values = TINY | {"shards": self.shards, "tokenizer": self.tokenizer, "output": output} | settings
        return [part for name, value in values.items() for part in (f"--{name}", str(value))]


TINY: dict[str, object] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_seq_len": 32,
    "global_attn_every_n_layers": 2,
    "local_attention": 8,
    "global_batch_tokens": 512,
    "streams": 4,
    "micro_batch_tokens": 256,
    "steps": 6,
    "learning_rate": 5e-3,
    "log_every": 1,
    "eval_every": 3,
    "save_every": 3,
    "eval_tokens": 300,
    "window_tokens": 4096,
    "tensorboard": False,
    "device": "cpu",
}


def texts(language: str, count: int) -> list[str]:
    """Sentences of 1 to 80 words, most of them short; the same at every call."""
    draw = random.Random(language)
    glue = "" if language == "zho_Hans" else " "
    return [glue.join(draw.choices(WORDS[language], k=draw.choice((1, 3, 5, 8, 13, 21, 80)))) for _ in range(count)]


def whole_sentences(language: str, count: int) -> list[str]:
    """Texts of 1 to 12 sentences, a fourth of them of one."""
    draw = random.Random(f"sentences of {language}")
    end, glue = ("。", "") if language == "zho_Hans" else (". ", " ")
    return [
        end.join(glue.join(draw.choices(WORDS[language], k=draw.choice((2, 3, 5, 8)))) for _ in range(sentences))
        + end.strip()
        for sentences in draw.choices((1, 2, 4, 12), k=count)
    ]


def write_shard(path: Path, language: str, rows: list[tuple[str, str | None]], row_group_size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    code, script = language.split("_")
    columns = {
        "text": pa.array([text for _, text in rows], pa.string()),
        "id": [f"<urn:uuid:{language}-{number}>" for number, _ in rows],
        "language": [code] * len(rows),
        "language_script": [script] * len(rows),
    }
    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)


def write_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=SPECIALS, show_progress=False)
    tokenizer.train_from_iterator((text for language in WORDS for text in texts(language, 60)), trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}
    names |= {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"} | names
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def write_corpus(
    root: Path,
    documents: int,
    held_out: int,
    row_group_size: int,
    write: Callable[[str, int], list[str]] = texts,
) -> Corpus:
    """`documents` of each language to train on, in two files, and `held_out` to validate by."""
    shards, tokenizer = root / "sample", root / "vocab"
    for language in WORDS:
        written = write(language, documents + held_out)
        rows: list[tuple[str, str | None]] = [(str(n), text) for n, text in enumerate(written)]
        folder, half = shards / "data" / language, documents // 2
        write_shard(folder / "train-00000-of-00002.parquet", language, rows[:half], row_group_size)
        write_shard(folder / "train-00001-of-00002.parquet", language, rows[half:documents], row_group_size)
        if language != "zho_Hans":
            write_shard(folder / "validation-00000-of-00001.parquet", language, rows[documents:], row_group_size)
    epochs = {"eng_Latn": 1.0, "rus_Cyrl": 0.5, "zho_Hans": 2.0}
    mixture = {"languages": {name: {"epochs": value, "documents": documents} for name, value in epochs.items()}}
    (shards / "mixture.json").write_text(json.dumps(mixture), encoding="utf-8")
    write_tokenizer(tokenizer)
    return Corpus(shards, tokenizer)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(tmp_path_factory.mktemp("corpus"), 50, 10, 16)


@pytest.fixture(scope="session")
def corpus_of_many_blocks(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """40 blocks of 8 documents of each language, which a run tokenises one after another."""
    return write_corpus(tmp_path_factory.mktemp("many"), 320, 20, 8)


@pytest.fixture(scope="session")
def corpus_of_sentences(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """160 documents of each language in blocks of 8, most of them of several sentences."""
    return write_corpus(tmp_path_factory.mktemp("sentences"), 160, 20, 8, whole_sentences)


@pytest.fixture(scope="session")
def torchrun() -> Callable[..., "subprocess.Popen[str]"]:
    """Starts train/pretrain.py with these flags under torchrun."""

    def start(flags: list[str], processes: int) -> "subprocess.Popen[str]":
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command = [sys.executable, *torchrun, str(PROGRAM)]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
            environment.pop(name, None)
        pipe = subprocess.PIPE
        return subprocess.Popen(command + flags, env=environment, stdout=pipe, stderr=pipe, text=True)

    return start


@pytest.fixture(scope="session")
def program() -> Callable[..., Fork]:
    """Starts train/pretrain.py with these flags in forks of this process, of which several find each other."""
    import torch.distributed.fsdp  # noqa: F401 (what each fork would import)

    def start(flags: list[str], processes: int = 1) -> Fork:
        return Fork(PROGRAM, flags, {}, processes)

    return start


@pytest.fixture(scope="session")
def finished(corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of 6 steps."""
    torch.set_num_threads(1)
    output = tmp_path_factory.mktemp("runs") / "whole"
    pretrain(corpus.flags(output))
    return output


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


@pytest.fixture(scope="session", autouse=True)
def one_thread_from_the_start() -> None:
    """For the runs of fixtures, which come before those of a test."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
