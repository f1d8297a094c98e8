"""The tables of a run's configuration. Where a default is a paper's, its field says so."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from schemas.errors import UserError
from train.config.fields import about, setting
from train.config.objectives import PAIRS, MaskedLanguageModelConfig, ObjectiveConfig
from train.optim.schedule import Schedule


@dataclass(frozen=True)
class ModelConfig:
    """[model]: the encoder. Names are those of transformers' ModernBertConfig and BertConfig."""

    architecture: Literal["modernbert", "bert"] = setting(
        "modernbert", "of a new model; bert: learned positions, segments, norms behind the blocks, no gate", fixed=True
    )
    hidden_size: int = setting(384, "width of the residual stream", fixed=True, ge=8)
    num_hidden_layers: int = setting(6, "22 in ModernBERT-base", fixed=True, ge=1)
    num_attention_heads: int = setting(6, "heads, each a multiple of 8 wide", fixed=True, ge=1)
    intermediate_size: int = setting(1152, "width of the feed-forward block, gated but in bert", fixed=True, ge=8)
    global_attn_every_n_layers: int = setting(
        3, "layers 0, n, 2n ... see the whole sequence; in bert all do", fixed=True, ge=1
    )
    local_attention: int = setting(
        128, "window of the other layers in tokens, both sides together; not bert's", fixed=True, ge=2
    )
    global_rope_theta: float = setting(
        160_000.0, "rotary base of global layers (ModernBERT); not bert's", fixed=True, gt=1
    )
    local_rope_theta: float = setting(
        10_000.0, "rotary base of local layers (ModernBERT); not bert's", fixed=True, gt=1
    )
    max_position_embeddings: int = setting(
        0,
        "tokens of a new model's longest sequence, rows of bert's positions; 0: max_seq_len",
        fixed=True,
        ge=0,
    )
    language_embedding: bool = setting(False, "adds a vector of its language to each token's", fixed=True)
    language_dropout: float = setting(
        0.3,
        "share of sequences whose language is not told to the language embedding; neither none, since exports and "
        "validation are of a language that is not told, nor all, since languages would learn nothing",
        fixed=True,
        gt=0,
        lt=1,
    )
    init: Path | None = setting(
        None,
        "folder of a model to start from: a checkpoint, an export, or a Hugging Face folder of ModernBERT, BERT or "
        "XLM-RoBERTa",
    )
    teachers: dict[str, Path] = setting(
        {},
        "folders of models to learn from, of whatever kind --init takes, by the language of the text, as "
        "eng_Latn=DIR,*=OTHER; *: of all languages that are not named",
    )

    @property
    def languages_not_told(self) -> float | None:
        """Share of sequences; None without language embedding."""
        return self.language_dropout if self.language_embedding else None


def _check_language_shares(shares: Mapping[str, float]) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise UserError(f"the share of {name} should be 0 to 1")
    if (total := math.fsum(shares.values())) > 1 + 1e-9:
        raise UserError(f"they add up to {total:g}, and should to 1 at most")


@dataclass(frozen=True)
class DataConfig:
    """[data]: what is read, and how it is laid out. Tokens are counted with <s> and </s>."""

    shards: Path = setting(..., "dataset folder with data/<language>_<Script>/*.parquet and mixture.json")
    tokenizer: Path = setting(..., "folder with tokenizer.json")
    token_cache: Path | None = setting(None, "folder for token ids; the folder tokens beside the shards unless named")
    max_seq_len: int = setting(
        1024, "tokens of the longest sequence; longer texts are cut in equal pieces", fixed=True, ge=8, le=1 << 17
    )
    global_batch_tokens: int = setting(393_216, "token budget of an optimiser step", fixed=True, ge=1)
    streams: int = setting(24, "equal bins of a step; the number of processes must divide it", fixed=True, ge=1)
    micro_batch_tokens: int = setting(32_768, "tokens a process puts through the model at a time", ge=1)
    language_shares: dict[str, float] = setting(
        {},
        "shares of a run's tokens by language, as eng_Latn=0.9, in the place of mixture.json's; the others divide the "
        "rest as the mixture has them to each other, and its max_epochs hold",
        fixed=True,
        check=_check_language_shares,
    )
    window_tokens: int = setting(8_388_608, "tokens that are shuffled together", fixed=True, ge=1)
    parallel_text: Path | None = setting(
        None, "folder of <language>.txt or .txt.gz, translations line by line, for tlm and contrastive"
    )
    parallel_pairs: int = setting(
        64, "pairs of parallel_text in a step, a batch each process; the number of processes must divide it",
        fixed=True, ge=1,
    )  # fmt: skip
    workers: int = setting(
        0, "processes that tokenise for each trainer process; 0: its part of the cores but one", ge=0
    )
    loader: Literal["auto", "process", "thread"] = setting(
        "auto", "what makes batches; auto: a process on cuda, a thread on cpu"
    )
    eval_tokens: int = setting(65_536, "validation tokens of each language", ge=1)
    validation_seed: int = setting(
        0, "of its documents and masks: the same for runs that are to be compared", ge=0, lt=1 << 62
    )
    eval_mlm_probability: float = setting(0.3, "share of tokens to guess in validation", gt=0, lt=1)

    @property
    def bin_tokens(self) -> int:
        """Tokens that a step's bin holds at most."""
        return self.global_batch_tokens // self.streams

    @property
    def cache(self) -> Path:
        return self.token_cache or self.shards.parent / "tokens"


def _check_language_weights(weights: Mapping[str, str]) -> None:
    for name, text in weights.items():
        try:
            points = Schedule.parse(text).points
        except UserError as error:
            raise UserError(f"the weight of {name}: {error}") from None
        if any(value < 0 for _, value in points):
            raise UserError(f"the weight of {name} should be 0 or more")


@dataclass(frozen=True)
class OptimConfig:
    """[optim]: how the model learns from the gradients."""

    optimizer: Literal["adamw", "stableadamw", "muon"] = setting("adamw", "muon: of hidden matrices, adamw of the rest")
    learning_rate: float = setting(8e-4, "peak rate (ModernBERT-base, mmBERT)", gt=0)
    warmup_ratio: float = setting(0.02, "share of steps that climb to the peak", ge=0, le=1)
    decay_ratio: float = setting(0.1, "share of steps that fall to zero", ge=0, le=1)
    decay_shape: Literal["1-sqrt", "linear", "cosine"] = setting("1-sqrt", "of the fall (Hägele et al. 2024)")
    adam_beta1: float = setting(0.9, "decay of the first moment", ge=0, lt=1)
    adam_beta2: float = setting(0.98, "decay of the second moment (ModernBERT)", ge=0, lt=1)
    adam_epsilon: float = setting(1e-8, "term in the denominator", gt=0)
    momentum: float = setting(0.95, "of Muon", ge=0, lt=1)
    weight_decay: float = setting(0.01, "decoupled, times the learning rate, on matrices alone", ge=0)
    max_grad_norm: float = setting(1.0, "gradients are scaled down to this norm", gt=0)
    ema_decay: float = setting(0.0, "of averaged weights, which are exported then; 0: none", ge=0, lt=1)
    language_mean: Literal["tokens", "languages"] = setting(
        "tokens", "what the loss is the mean over: all tokens alike, or all languages alike"
    )
    language_weights: dict[str, str] = setting(
        {},
        "lambda of languages in the loss, or schedules: eng_Latn=0.5,zho_Hans=0:1;1000:0.5; 1 for the others",
        check=_check_language_weights,
    )


@dataclass(frozen=True)
class RunConfig:
    """[run]: how long, where, and what is kept and said."""

    output: Path = setting(..., "folder of the run; an interrupted run in it goes on")
    steps: int = setting(10_000, "optimiser steps of the whole run; mixture.json divides their tokens", ge=1)
    seed: int = setting(0, "weights, order and masks hang on it", fixed=True, ge=0, lt=1 << 62)
    log_every: int = setting(10, "steps between lines of metrics.jsonl", ge=1)
    probe: bool = setting(
        False, "a probe of how well languages are told from the features, at each validation; language_adversary has it"
    )
    eval_every: int = setting(500, "steps between validations; there is one at the end too", ge=1)
    save_every: int = setting(500, "steps between checkpoints", ge=1)
    keep_checkpoints: int = setting(3, "the newest so many are kept", ge=1)
    max_skipped_steps: int = setting(5, "the run stops when so many steps in a row are not finite", ge=1)
    spike_factor: float = setting(
        0.0, "goes back to the last checkpoint where the loss is so many deviations above its window; 0: never", ge=0
    )
    watchdog_seconds: int = setting(1800, "a run in which nothing happens for so long ends and says where", ge=1)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "auto: cuda where there is one")
    precision: Literal["auto", "bf16", "fp32"] = setting("auto", "auto: bf16 on cuda, fp32 on cpu")
    parallel: Literal["ddp", "fsdp"] = setting("ddp", "each process has the model whole, or a part of it")
    compile: Literal["auto", "on", "off"] = setting("auto", "torch.compile; auto: on cuda")
    activation_checkpointing: bool = setting(False, "computes layers again in the backward pass to save memory")
    tensorboard: bool = setting(True, "event files in OUTPUT/tensorboard")
    metrics_port: int | None = setting(
        None, "the first process serves its figures there, for Prometheus; 0: any port", ge=0, le=65535
    )
    metrics_address: str = setting("127.0.0.1", "where metrics_port listens")
    metrics_file: Path | None = setting(None, "the same figures as a file NAME.prom, for node_exporter")
    export_language: str = setting(
        "", "with a language embedding, the language of another export beside that of unknown languages, as deu_Latn"
    )


TABLES: dict[str, type] = {"model": ModelConfig, "data": DataConfig, "optim": OptimConfig, "run": RunConfig}


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of train/pretrain.py. objectives: by name, in the order in which they were named."""

    model: ModelConfig
    data: DataConfig
    objectives: Mapping[str, ObjectiveConfig]
    optim: OptimConfig
    run: RunConfig

    @property
    def mlm(self) -> MaskedLanguageModelConfig:
        """The objective that all runs have."""
        table = self.objectives["mlm"]
        assert isinstance(table, MaskedLanguageModelConfig)
        return table

    @property
    def pairs(self) -> tuple[str, ...]:
        """The objectives of pairs of texts, in an order that does not hang on how they were named."""
        return tuple(name for name in PAIRS if name in self.objectives)

    def tables(self) -> dict[str, Any]:
        """By the names that they have in a file."""
        plain = {name: getattr(self, name) for name in TABLES}
        return plain | {f"objectives.{name}": table for name, table in self.objectives.items()}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: _plain(getattr(self, name)) for name in ("model", "data", "objectives", "optim", "run")}

    def fixed(self) -> dict[str, Any]:
        """What a resumed run must share, by qualified name."""
        return {"objectives": sorted(self.objectives)} | {
            f"{name}.{one.name}": getattr(table, one.name)
            for name, table in self.tables().items()
            for one in fields(table)
            if about(one).fixed
        }


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, Path) else value
