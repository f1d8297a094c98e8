"""The configuration of a pretraining run: every field is a flag and a key under [pretrain] of a TOML file.

An unknown key or flag, or a value out of range, is a UserError of one line that names it and the way out.
"""

import argparse
import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import UserError

# What a resumed run must share: these decide which model it is and which data it has seen. The rest may change.
FIXED = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_seq_len",
    "global_attn_every_n_layers",
    "local_attention",
    "global_rope_theta",
    "local_rope_theta",
    "seed",
    "global_batch_tokens",
    "streams",
    "mlm_probability",
)


class PretrainConfig(BaseModel):
    """Settings of train/pretrain.py; tokens are counted with <s> and </s>."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shards: Path = Field(description="dataset folder with data/<language>_<Script>/*.parquet and mixture.json")
    tokenizer: Path = Field(description="folder with tokenizer.json")
    output: Path = Field(description="folder of the run; an interrupted run in it goes on")
    token_cache: Path | None = Field(None, description="folder for token ids, OUTPUT/tokens unless named")

    hidden_size: int = Field(384, ge=8, description="width of the residual stream")
    num_hidden_layers: int = Field(6, ge=1, description="22 in ModernBERT-base")
    num_attention_heads: int = Field(6, ge=1, description="heads, each a multiple of 8 wide")
    intermediate_size: int = Field(1152, ge=8, description="width of the gated feed-forward block")
    max_seq_len: int = Field(1024, ge=8, le=1 << 17, description="tokens of the longest sequence; longer texts are cut")
    global_attn_every_n_layers: int = Field(3, ge=1, description="layers 0, n, 2n ... see the whole sequence")
    local_attention: int = Field(128, ge=2, description="window of the other layers in tokens, both sides together")
    global_rope_theta: float = Field(160_000.0, gt=1, description="rotary base of global layers (ModernBERT)")
    local_rope_theta: float = Field(10_000.0, gt=1, description="rotary base of local layers (ModernBERT)")

    seed: int = Field(0, ge=0, lt=1 << 62, description="weights, order and masks hang on it")
    global_batch_tokens: int = Field(393_216, ge=1, description="token budget of an optimiser step")
    streams: int = Field(24, ge=1, description="equal bins of a step; the number of processes must divide it")
    micro_batch_tokens: int = Field(32_768, ge=1, description="tokens a process puts through the model at a time")
    mlm_probability: float = Field(0.3, gt=0, lt=1, description="share of tokens to guess (ModernBERT)")

    steps: int = Field(10_000, ge=1, description="optimiser steps of the whole run; mixture.json divides their tokens")
    learning_rate: float = Field(8e-4, gt=0, description="peak rate (ModernBERT-base, mmBERT)")
    warmup_ratio: float = Field(0.02, ge=0, le=1, description="share of steps that climb to the peak")
    decay_ratio: float = Field(0.1, ge=0, le=1, description="share of steps that fall to zero as 1 - sqrt")
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="decay of the first moment")
    adam_beta2: float = Field(0.98, ge=0, lt=1, description="decay of the second moment (ModernBERT)")
    adam_epsilon: float = Field(1e-8, gt=0, description="term in the denominator")
    weight_decay: float = Field(0.01, ge=0, description="decoupled, times the learning rate, on matrices alone")
    max_grad_norm: float = Field(1.0, gt=0, description="gradients are scaled down to this norm")
    max_skipped_steps: int = Field(5, ge=1, description="the run stops when so many steps in a row are not finite")

    log_every: int = Field(10, ge=1, description="steps between lines of metrics.jsonl")
    eval_every: int = Field(500, ge=1, description="steps between validations; there is one at the end too")
    eval_tokens: int = Field(65_536, ge=1, description="validation tokens of each language")
    save_every: int = Field(500, ge=1, description="steps between checkpoints")
    keep_checkpoints: int = Field(3, ge=1, description="the newest so many are kept")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: cuda where there is one")
    precision: Literal["auto", "bf16", "fp32"] = Field("auto", description="auto: bf16 autocast on cuda, fp32 on cpu")

    @property
    def bin_tokens(self) -> int:
        """Tokens that a step's bin holds at most."""
        return self.global_batch_tokens // self.streams

    @property
    def cache(self) -> Path:
        return self.token_cache or self.output / "tokens"

    def fixed(self) -> dict[str, Any]:
        """The fields that a resumed run must share."""
        return self.model_dump(mode="json", include=set(FIXED))


def load_config(arguments: Sequence[str]) -> PretrainConfig:
    """Flags over the TOML file of --config over defaults."""
    fields = PretrainConfig.model_fields
    parser = _Parser(
        prog="train/pretrain.py",
        usage="%(prog)s --shards DIR --tokenizer DIR --output DIR [--config FILE.toml] [--<field> VALUE ...]",
        description="Pretrains a masked language model.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE.toml", help="keys under [pretrain]; flags win")
    for name, field in fields.items():
        default = "required" if field.is_required() else f"default {field.default}"
        help_text = f"{field.description} ({default})".replace("%", "%%")
        parser.add_argument(*_spellings(name), dest=name, metavar="VALUE", help=help_text, default=argparse.SUPPRESS)
    values, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise UserError(f"unknown argument {unknown[0]}{_nearest(unknown[0].lstrip('-'), [*fields, 'config'], '--')}")
    flags = vars(values)
    config_file = flags.pop("config")
    settings = read_toml(Path(config_file)) if config_file else {}
    return check(settings | flags)


def check(settings: dict[str, Any]) -> PretrainConfig:
    """The model of these settings, with what fields say about one another."""
    try:
        config = PretrainConfig.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        if first["type"] == "missing":
            raise UserError(f"{name} is not set: give --{name} or {name} under [pretrain]") from None
        message = first["msg"][0].lower() + first["msg"][1:]
        raise UserError(f"{name} = {first['input']!r}: {message}; change --{name}") from None
    if config.hidden_size % (8 * config.num_attention_heads):
        raise UserError(
            f"hidden_size = {config.hidden_size} is no multiple of 8 * num_attention_heads = "
            f"{8 * config.num_attention_heads}: change one of them"
        )
    if config.warmup_ratio + config.decay_ratio > 1:
        raise UserError("warmup_ratio + decay_ratio is more than 1: make one of them smaller")
    if config.global_batch_tokens % config.streams:
        below = config.bin_tokens * config.streams
        raise UserError(
            f"global_batch_tokens = {config.global_batch_tokens} does not divide into streams = {config.streams}: "
            f"take {below} or {below + config.streams} tokens, or other streams"
        )
    if config.bin_tokens < config.max_seq_len:
        raise UserError(
            f"a stream's share, global_batch_tokens / streams = {config.bin_tokens}, is less than max_seq_len = "
            f"{config.max_seq_len}: take fewer streams, a larger batch or shorter sequences"
        )
    if config.micro_batch_tokens < config.bin_tokens:
        raise UserError(
            f"micro_batch_tokens = {config.micro_batch_tokens} is less than a stream's share, global_batch_tokens / "
            f"streams = {config.bin_tokens}: take more streams or a larger micro_batch_tokens"
        )
    return config


def read_toml(path: Path) -> dict[str, Any]:
    """The table [pretrain] of a file; other tables belong to other programs."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror}; point to a TOML file") from None
    except ValueError as error:
        raise UserError(f"--config {path} is no TOML: {error}") from None
    settings = tables.get("pretrain", {})
    if not isinstance(settings, dict):
        raise UserError(f"--config {path}: pretrain is no table; write its keys under [pretrain]")
    for key in settings:
        if key not in PretrainConfig.model_fields:
            raise UserError(f"unknown key {key} under [pretrain] of {path}{_nearest(key, PretrainConfig.model_fields)}")
    return settings


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def _spellings(name: str) -> list[str]:
    return list(dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}")))


def _nearest(word: str, names: Any, prefix: str = "") -> str:
    close = difflib.get_close_matches(word.split("=")[0].replace("-", "_"), list(names), 1, 0.5)
    return f": did you mean {prefix}{close[0]}?" if close else ": see --help for the names"
