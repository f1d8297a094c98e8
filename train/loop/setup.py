"""From a config to the things that a run is made of: the data, checked and tokenised, and the record of both."""

import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from schemas.errors import UserError
from train.config import PretrainConfig
from train.data.batches import Collator, TrainingStream, validation_batches
from train.data.copies import supply
from train.data.order import Pieces
from train.data.plan import Plan
from train.data.shards import open_shards
from train.data.tokens import open_tokens, tokenize
from train.data.vocabulary import Vocabulary, open_vocabulary
from train.loop import checkpoint
from train.loop.distributed import Processes
from train.loop.files import write_text
from train.loop.planning import plan_of_run
from train.model.encoder import EncoderConfig

LIBRARIES = ("torch", "numpy", "tokenizers", "pyarrow", "safetensors")


@dataclass(frozen=True)
class Data:
    """What a run reads. documents, text_tokens: of each language's training split. epoch_tokens: what an epoch of each
    shows, with special tokens and weights. max_epochs: of each, None where nothing limits them.

    identity: what a resumed run must have in common with the one that it goes on with. saved: the checkpoint to go on
    from, with its state.
    """

    vocabulary: Vocabulary
    languages: tuple[str, ...]
    documents: list[int]
    text_tokens: list[int]
    epoch_tokens: list[float]
    max_epochs: list[float] | None
    plan: Plan
    training: TrainingStream
    validation: list[Pieces]
    validate: Collator
    identity: dict[str, Any]
    saved: tuple[Path, dict[str, Any]] | None


def prepare(config: PretrainConfig, processes: Processes, say: Callable[[str], None]) -> Data:
    """Opens shards and tokenizer, and tokenises what the cache lacks, each process its part of the files."""
    with processes.together():
        if config.streams % processes.world_size:
            sizes = ", ".join(str(n) for n in range(1, config.streams + 1) if config.streams % n == 0)
            raise UserError(
                f"{processes.world_size} processes do not divide streams = {config.streams}: start {sizes} of them, "
                "or change --streams"
            )
        vocabulary = open_vocabulary(config.tokenizer)
        shards = open_shards(config.shards)
        config.output.mkdir(parents=True, exist_ok=True)
    with processes.together():
        # Each process would start a thread a core of its own.
        os.environ.setdefault("RAYON_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes.world_size)))
        files = shards.files[processes.rank :: processes.world_size]
        for file, tokens in tokenize(config.cache, files, vocabulary):
            say(f"tokenised {file.language}/{file.path.name}: {tokens:,} tokens")
    with processes.together():
        table = open_tokens(config.cache, shards.files, "train", shards.languages, vocabulary)
        identity = config.fixed() | {"tokenizer": vocabulary.digest, "shards": shards.digest(table.weight)}
        saved = _saved(config, identity, say)
        there = supply(table, config.seed, config.max_seq_len)
        plan = plan_of_run(config, shards.mixture, table, there, saved[1] if saved else None, say)
        training = TrainingStream(
            Collator(table, vocabulary, config.seed, config.mlm_probability),
            there,
            plan,
            max_seq_len=config.max_seq_len,
            global_batch_tokens=config.global_batch_tokens,
            streams=config.streams,
            micro_batch_tokens=config.micro_batch_tokens,
        )
        held_out = open_tokens(config.cache, shards.files, "validation", shards.languages, vocabulary)
        validate = Collator(held_out, vocabulary, config.seed, config.mlm_probability)
        validation = validation_batches(
            validate,
            max_seq_len=config.max_seq_len,
            tokens_per_language=config.eval_tokens,
            micro_batch_tokens=config.micro_batch_tokens,
        )
    documents, text_tokens = table.totals()
    caps = shards.mixture.max_epochs
    return Data(
        vocabulary,
        shards.languages,
        documents.tolist(),
        text_tokens.tolist(),
        there.sizes().tolist(),
        [caps[language] for language in shards.languages] if caps is not None else None,
        plan,
        training,
        validation,
        validate,
        identity,
        saved,
    )


def encoder_config(config: PretrainConfig, vocabulary: Vocabulary) -> EncoderConfig:
    return EncoderConfig(
        vocab_size=vocabulary.size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        max_position_embeddings=config.max_seq_len,
        global_attn_every_n_layers=config.global_attn_every_n_layers,
        local_attention=config.local_attention,
        global_rope_theta=config.global_rope_theta,
        local_rope_theta=config.local_rope_theta,
    )


def autocast_dtype(config: PretrainConfig, device: torch.device) -> torch.dtype:
    bf16 = config.precision == "bf16" or (config.precision == "auto" and device.type == "cuda")
    return torch.bfloat16 if bf16 else torch.float32


def _saved(
    config: PretrainConfig, identity: dict[str, Any], say: Callable[[str], None]
) -> tuple[Path, dict[str, Any]] | None:
    folder = checkpoint.newest(config.output / "checkpoints", say)
    if folder is None:
        return None
    state = checkpoint.read(folder, torch.device("cpu")).documents["state"]
    check_identity(state["identity"], identity, config)
    return folder, state


def check_identity(saved: dict[str, Any], current: dict[str, Any], config: PretrainConfig) -> None:
    """UserError naming the first setting that is not what the checkpoint was made with."""
    for key, value in current.items():
        if saved.get(key) != value:
            way_out = f"take another --output than {config.output}, or "
            if key in ("tokenizer", "shards"):
                way_out += f"give back the {key} of that run"
                raise UserError(f"{key} = {getattr(config, key)} is not what the run was started with: {way_out}")
            raise UserError(f"{key} = {value}, but the run was started with {saved.get(key)}: {way_out}give that")


def write_record(config: PretrainConfig, data: Data, processes: Processes) -> None:
    """`_run.json`: the resolved config, the versions, the inputs, the plan of the data.

    `epochs` are those of the whole run; of a pass, where passes are without end.
    """
    languages = {
        name: {"documents": documents, "text_tokens": text_tokens, "epoch_tokens": round(tokens), "epochs": epochs}
        for name, documents, text_tokens, tokens, epochs in zip(
            data.languages, data.documents, data.text_tokens, data.epoch_tokens, data.plan.epochs.tolist(), strict=True
        )
    }
    record = {
        "stage": "pretrain",
        "config": config.model_dump(mode="json"),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "inputs": {
            "tokenizer": data.vocabulary.digest,
            "vocab_size": data.vocabulary.size,
            "shards": data.identity["shards"],
            "languages": languages,
        },
        "plan": data.plan.as_json(),
        "processes": processes.world_size,
        "device": processes.device.type,
    }
    write_text(config.output / "_run.json", json.dumps(record, indent=2) + "\n")
