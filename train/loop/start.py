"""From a config to a trainer: the model, new, of `--init` or of a checkpoint, and what it learns by."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from schemas.errors import UserError
from train.config.tables import PretrainConfig
from train.corpus.vocabulary import Vocabulary
from train.data.batches import Labeller
from train.data.plan import Plan, listed
from train.data.validation import Validation
from train.joint.build import build_objectives, build_weighting, check_phases
from train.joint.joint_model import JointModel
from train.joint.weighting import Weighting
from train.loop.distributed import Processes
from train.loop.held_out import VALIDATED
from train.loop.setup import Data, prepare
from train.loop.trainer import Trainer
from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel, PairHead
from train.model.languages import with_languages
from train.model_folders.ancestry import digest_of
from train.model_folders.huggingface import LoadedEncoder, config_file, load_encoder
from train.objectives.objective import Objective


def build_trainer(config: PretrainConfig, processes: Processes, say: Callable[[str], None]) -> Trainer:
    """UserError where shards, tokenizer, checkpoint or the model to start from do not fit."""
    built: list[tuple[dict[str, Objective], Weighting]] = []

    def labellers(vocabulary: Vocabulary, languages: tuple[str, ...]) -> Mapping[str, Labeller]:
        objectives = build_objectives(config, vocabulary, languages)
        built.append((objectives, build_weighting(config, objectives, languages)))
        return {name: one.labeller for name, one in objectives.items()}

    with processes.together():
        if config.model.init is not None:
            config_file(config.model.init)
    data = prepare(config, processes, labellers, say)
    ((objectives, weighting),) = built
    with processes.together():
        check_phases(config, data.plan, data.saved[1]["step"] if data.saved else 0)
        check_shown(objectives, weighting, data.plan)
        check_probe(config, data.validation)
    dtype = compute_dtype(config, processes.device)
    torch.manual_seed(config.run.seed)
    with processes.together():
        check_export_language(config, data.languages)
        model, pair_head, parent = _model(config, data, dtype, say)
        for objective in objectives.values():
            objective.bind(model, processes.device, dtype)
    joint = JointModel(model, objectives).to(processes.device)
    if pair_head is not None and joint.pair_head is not None:
        joint.pair_head.load_state_dict(pair_head.state_dict())
    return Trainer(config, data, processes, joint, objectives, weighting, dtype, parent)


def encoder_config(config: PretrainConfig, vocab_size: int, languages: Sequence[str]) -> EncoderConfig | BertConfig:
    """Shape of a new model for a corpus of these languages."""
    model = config.model
    sizes: dict[str, Any] = {
        "vocab_size": vocab_size,
        "hidden_size": model.hidden_size,
        "intermediate_size": model.intermediate_size,
        "num_hidden_layers": model.num_hidden_layers,
        "num_attention_heads": model.num_attention_heads,
        "max_position_embeddings": model.max_position_embeddings or config.data.max_seq_len,
        "languages": tuple(languages) if model.language_embedding else (),
    }
    if model.architecture == "bert":
        return BertConfig(**sizes)
    return EncoderConfig(
        **sizes,
        global_attn_every_n_layers=model.global_attn_every_n_layers,
        local_attention=model.local_attention,
        global_rope_theta=model.global_rope_theta,
        local_rope_theta=model.local_rope_theta,
    )


def compute_dtype(config: PretrainConfig, device: torch.device) -> torch.dtype:
    """What the matrix products are done in; the weights themselves are float32."""
    precision = config.run.precision
    return torch.bfloat16 if precision == "bf16" or (precision == "auto" and device.type == "cuda") else torch.float32


def check_shown(objectives: Mapping[str, Objective], weighting: Weighting, plan: Plan) -> None:
    """UserError where what a new run shows and gives a weight is not what an objective needs."""
    shown = plan.shown() & weighting.ever_weighing()
    for objective in objectives.values():
        objective.check_shown([name for name, there in zip(plan.languages, shown, strict=True) if there])


def check_probe(config: PretrainConfig, held_out: Mapping[str, Validation]) -> None:
    """UserError where there are no languages to tell apart."""
    if config.run.probe and len(held_out[VALIDATED].languages()) < 2:
        raise UserError("probe is true, but fewer than two languages have validation documents: leave it out")


def check_export_language(config: PretrainConfig, languages: Sequence[str]) -> None:
    """UserError where the shards do not have it."""
    name = config.run.export_language
    if name and name not in languages:
        near = difflib.get_close_matches(name, languages, 3, 0.4)
        known = f"did you mean {' or '.join(near)}?" if near else f"take one of {listed(list(languages), 5)}"
        raise UserError(f"export_language = {name} is none of the shards' {len(languages)} languages: {known}")


def load_init(
    config: PretrainConfig, init: Path, vocabulary: Vocabulary, dtype: torch.dtype, activation_checkpointing: bool
) -> LoadedEncoder:
    """The model of --init. UserError where it has too few rows of tokens, or positions."""
    loaded = load_encoder(init, dtype, activation_checkpointing)
    if loaded.config.vocab_size < vocabulary.size:
        raise UserError(
            f"--init {init} has {loaded.config.vocab_size} rows of tokens, and --tokenizer {config.data.tokenizer} ids "
            f"up to {vocabulary.size - 1}: give the tokenizer that it was trained with"
        )
    if loaded.config.max_position_embeddings < config.data.max_seq_len:
        raise UserError(
            f"max_seq_len = {config.data.max_seq_len} is more than --init {init} can take, "
            f"{loaded.config.max_position_embeddings}: make it smaller"
        )
    return loaded


def _model(
    config: PretrainConfig, data: Data, dtype: torch.dtype, say: Callable[[str], None]
) -> tuple[MaskedLanguageModel, PairHead | None, dict[str, Any] | None]:
    """(the model, the pair head that came with it, what it comes from): that of the checkpoint to go on from, of
    --init, or a new one."""
    how = (dtype, config.run.activation_checkpointing)
    if data.saved is not None:
        loaded = load_encoder(data.saved[0], *how)
        return loaded.language_model, loaded.pair_head, loaded.lineage and loaded.lineage["parent"]
    init = config.model.init
    if init is None:
        return MaskedLanguageModel(encoder_config(config, data.vocabulary.size, data.languages), *how), None, None
    loaded = load_init(config, init, data.vocabulary, *how)
    languages = data.languages if config.model.language_embedding else ()
    model, left_out = with_languages(loaded.language_model, languages)
    if left_out and languages:
        say(f"--init {init}: without the rows of languages that the shards do not have: {listed(list(left_out), 5)}")
    elif left_out:
        say(f"--init {init}: its language embedding is folded in, as of an unknown language: this run has none")
    return model, loaded.pair_head, {"folder": str(init), "weights": digest_of(loaded), "lineage": loaded.lineage}
