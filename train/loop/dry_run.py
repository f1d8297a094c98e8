"""What a run would be: its model, its memory, its arithmetic, its data; nothing is trained or written."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch

from train.config.tables import PretrainConfig
from train.corpus.shards import open_shards
from train.corpus.token_cache import TokenCache
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import open_vocabulary
from train.data.plan import listed, plan_run, told
from train.data.sources import epoch_tokens, training_blocks
from train.joint.build import build_objectives, build_weighting, check_phases
from train.joint.joint_model import JointModel
from train.loop.held_out import texts_to_guess
from train.loop.setup import batches_of_translations, open_translations, told_of_pairs
from train.loop.start import (
    check_export_language,
    check_probe,
    check_shown,
    compute_dtype,
    encoder_config,
    load_init,
)
from train.model.flops import PEAK_FLOPS, training_flops
from train.model.heads import MaskedLanguageModel
from train.model.shape import EncoderShape
from train.objectives.objective import Objective
from train.optim.schedule import Schedule

STATE_BYTES = {"adamw": 8, "stableadamw": 8, "muon": 4}  # of a parameter, besides itself and its gradient, 4 each
REACHED = 0.35  # of the nominal peak, in the time that is told


def estimate(config: PretrainConfig) -> Iterator[str]:
    """The lines, in the order of what they cost to find. UserError for what a run would refuse."""
    data, run = config.data, config.run
    vocabulary = open_vocabulary(data.tokenizer)
    shards = open_shards(data.shards)
    check_export_language(config, shards.languages)
    objectives = build_objectives(config, vocabulary, shards.languages)
    weighting = build_weighting(config, objectives, shards.languages)
    labellers = {name: one.labeller for name, one in objectives.items()}
    dtype = compute_dtype(config, _device(config))
    if config.model.init is not None:
        loaded = load_init(config, config.model.init, vocabulary, dtype, run.activation_checkpointing)
        shape = replace(loaded.config, languages=shards.languages if config.model.language_embedding else ())
    else:
        shape = encoder_config(config, vocabulary.size, shards.languages)
    with torch.device("meta"):
        model = MaskedLanguageModel(shape)
    for objective in objectives.values():
        objective.bind(model, torch.device("cpu"), dtype)
    parameters = sum(value.numel() for value in JointModel(model, objectives).parameters())
    embeddings = model.model.token_embeddings.numel()
    yield f"model: {parameters:,} parameters, {embeddings:,} of them embeddings of {vocabulary.size:,} tokens"
    if teachers := _frozen(objectives):
        yield f"teachers: {teachers:,} parameters, frozen"
    yield f"memory: {_gigabytes(_memory(config, parameters, teachers, shape))}"
    lengths = np.full(data.bin_tokens // data.max_seq_len, data.max_seq_len, np.int64)
    share = Schedule.parse(config.mlm.mlm_probability)(0, run.steps)
    flops = training_flops(shape, lengths, round(share * lengths.sum())) / lengths.sum()
    yield (
        f"arithmetic: {flops / 1e6:,.0f} MFLOP a token at {data.max_seq_len} tokens a sequence, {share:.0%} guessed; "
        f"{data.global_batch_tokens:,} tokens a step in {data.streams} bins of {data.bin_tokens:,}"
    )
    total = flops * data.global_batch_tokens * run.steps
    times = [f"{name} {_days(total / peak / REACHED)}" for name, peak in PEAK_FLOPS.items() if name in ("H100", "H200")]
    yield f"time: {total:.3g} FLOP; at {REACHED:.0%} of its peak {', '.join(times)} on one device"
    blocks = training_blocks(shards)
    documents = sum(int(one.rows.sum()) for one in blocks)
    yield f"shards: {len(shards.files):,} files, {documents:,} training documents, {len(shards.languages):,} languages"
    tokens = Tokens(TokenCache(data.cache, vocabulary), data.tokenizer, max(1, data.workers), bool(config.pairs))
    try:
        sizes = epoch_tokens(shards, blocks, tokens, run.seed, data.max_seq_len)
        if config.pairs:
            yield told_of_pairs(blocks, tokens, run.seed)
        if run.probe:
            check_probe(config, texts_to_guess(config, shards, vocabulary, tokens, labellers))
    finally:
        tokens.close()
    said: list[str] = []
    if (text := open_translations(config, shards.languages, 1, said.append)) is not None:
        batches_of_translations(config, text, vocabulary, shards.languages, labellers, said.append)
    yield from said
    plan = plan_run(shards.mixture, sizes, run.steps, data.global_batch_tokens, language_shares=data.language_shares)
    check_phases(config, plan, 0)
    check_shown(objectives, weighting, plan)
    for line in told(plan, shards.mixture.methods, run.steps, data.global_batch_tokens):
        yield f"plan: {line}"
    shown, begin = np.zeros(len(sizes)), 0
    for phase in plan.phases:
        end = run.steps if phase.end is None else min(phase.end, run.steps)
        shown += phase.rates * (end - begin) * data.global_batch_tokens
        begin = end
    epochs = shown / np.maximum(sizes, 1.0)
    order = np.argsort(-epochs, kind="stable")[: np.count_nonzero(epochs)].tolist()
    yield f"epochs: {listed([f'{plan.languages[i]} {epochs[i]:.3g}' for i in order], 20)}"


def _frozen(objectives: Mapping[str, Objective]) -> int:
    """Parameters of the teachers, which all objectives share."""
    shared = {getattr(one, "teachers", None) for one in objectives.values()}
    return sum(one.parameters for one in shared if one is not None)


def _device(config: PretrainConfig) -> torch.device:
    return torch.device("cuda" if config.run.device != "cpu" and torch.cuda.is_available() else "cpu")


def _memory(config: PretrainConfig, parameters: int, teachers: int, shape: EncoderShape) -> dict[str, float]:
    """Bytes by what they are for, of one process; activations of a layer as the encoder keeps them."""
    width = 2 if compute_dtype(config, _device(config)) == torch.bfloat16 else 4
    layers, tokens = shape.num_hidden_layers, config.data.micro_batch_tokens
    inner = (4 if shape.feed_forward_matrices == 3 else 2) * shape.intermediate_size  # with a gate, without
    of_layer = shape.hidden_size if config.run.activation_checkpointing else 8 * shape.hidden_size + inner
    return ({"teachers": float(width * teachers)} if teachers else {}) | {
        "weights": 4.0 * parameters,
        "gradients": 4.0 * parameters,
        "optimiser": float(STATE_BYTES[config.optim.optimizer] + 4 * bool(config.optim.ema_decay)) * parameters,
        "activations": float(width * tokens * of_layer * layers),
    }


def _gigabytes(parts: dict[str, float]) -> str:
    listed_parts = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in parts.items())
    return f"about {sum(parts.values()) / 1e9:.2f} GB a process ({listed_parts})"


def _days(seconds: float) -> str:
    return f"{seconds / 86400:.1f} days" if seconds > 86400 else f"{seconds / 3600:.2g} hours"
