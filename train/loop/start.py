"""From a config to a trainer: the model, new, of `--init` or of a checkpoint, and what it learns by."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from schemas.errors import UserError
from train.config.tables import PretrainConfig
from train.corpus.vocabulary import Vocabulary
from train.data.batches import Labeller
from train.loop.distributed import Processes
from train.loop.setup import Data, prepare
from train.loop.trainer import Trainer
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.model.huggingface import config_file, load_encoder
from train.objectives.build import build_objectives, build_weighting
from train.objectives.objective import JointModel


def build_trainer(config: PretrainConfig, processes: Processes, say: Callable[[str], None]) -> Trainer:
    """UserError where shards, tokenizer, checkpoint or the model to start from do not fit."""

    def labellers(vocabulary: Vocabulary, languages: tuple[str, ...]) -> Mapping[str, Labeller]:
        objectives = build_objectives(config, vocabulary, languages)
        build_weighting(config, objectives, languages)
        return {name: one.labeller for name, one in objectives.items()}

    with processes.together():
        if config.model.init is not None:
            config_file(config.model.init)
    data = prepare(config, processes, labellers, say)
    objectives = build_objectives(config, data.vocabulary, data.languages)
    weighting = build_weighting(config, objectives, data.languages)
    with processes.together():
        if data.saved is None:
            shown = data.plan.shown() & (weighting.language_weights > 0)
            for objective in objectives.values():
                objective.check_shown([name for name, there in zip(data.languages, shown, strict=True) if there])
        if config.run.probe and len(data.validation.languages()) < 2:
            raise UserError("probe is true, but fewer than two languages have validation documents: leave it out")
    dtype = compute_dtype(config, processes.device)
    torch.manual_seed(config.run.seed)
    with processes.together():
        model, parent = _model(config, data, dtype)
        for objective in objectives.values():
            objective.bind(model, processes.device, dtype)
    joint = JointModel(model, objectives).to(processes.device)
    return Trainer(config, data, processes, joint, objectives, weighting, dtype, parent)


def encoder_config(config: PretrainConfig, vocab_size: int) -> EncoderConfig:
    model = config.model
    return EncoderConfig(
        vocab_size=vocab_size,
        hidden_size=model.hidden_size,
        intermediate_size=model.intermediate_size,
        num_hidden_layers=model.num_hidden_layers,
        num_attention_heads=model.num_attention_heads,
        max_position_embeddings=config.data.max_seq_len,
        global_attn_every_n_layers=model.global_attn_every_n_layers,
        local_attention=model.local_attention,
        global_rope_theta=model.global_rope_theta,
        local_rope_theta=model.local_rope_theta,
    )


def compute_dtype(config: PretrainConfig, device: torch.device) -> torch.dtype:
    """What the matrix products are done in; the weights themselves are float32."""
    precision = config.run.precision
    return torch.bfloat16 if precision == "bf16" or (precision == "auto" and device.type == "cuda") else torch.float32


def _model(config: PretrainConfig, data: Data, dtype: torch.dtype) -> tuple[MaskedLanguageModel, dict[str, Any] | None]:
    """(the model, what it comes from): that of the checkpoint to go on from, of --init, or a new one."""
    how = (dtype, config.run.activation_checkpointing)
    if data.saved is not None:
        loaded = load_encoder(data.saved[0], *how)
        return loaded.language_model, loaded.lineage and loaded.lineage["parent"]
    init = config.model.init
    if init is None:
        return MaskedLanguageModel(encoder_config(config, data.vocabulary.size), *how), None
    loaded = load_encoder(init, *how)
    if loaded.config.vocab_size < data.vocabulary.size:
        raise UserError(
            f"--init {init} has {loaded.config.vocab_size} rows of tokens, and --tokenizer {config.data.tokenizer} ids "
            f"up to {data.vocabulary.size - 1}: give the tokenizer that it was trained with"
        )
    if loaded.config.max_position_embeddings < config.data.max_seq_len:
        raise UserError(
            f"max_seq_len = {config.data.max_seq_len} is more than --init {init} can take, "
            f"{loaded.config.max_position_embeddings}: make it smaller"
        )
    return loaded.language_model, {"folder": str(init), "lineage": loaded.lineage}
