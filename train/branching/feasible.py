"""Whether shards have what every run of a plan is to be shown, said before the first one is trained."""

from pathlib import Path

import numpy as np

from schemas.errors import UserError
from train.branching.steps import Plan
from train.config.tables import PretrainConfig
from train.corpus.shards import open_shards
from train.corpus.token_cache import TokenCache
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import open_vocabulary
from train.data.plan import listed, plan_run
from train.data.sources import epoch_tokens, training_blocks


def languages_of(shards: Path) -> tuple[str, ...]:
    return open_shards(shards).languages


def epochs_of(config: PretrainConfig, plan: Plan) -> list[str]:
    """A line a run: how often it shows each language. UserError that names the run which mixture.json does not allow.

    config: what all runs have in common. Each run is held against the mixture's caps by itself, as
    train/pretrain.py does it, since a branch knows nothing of what the seed was shown.
    """
    data = config.data
    vocabulary, shards = open_vocabulary(data.tokenizer), open_shards(data.shards)
    tokens = Tokens(TokenCache(data.cache, vocabulary), data.tokenizer, max(1, data.workers), bool(config.pairs))
    try:
        sizes = epoch_tokens(shards, training_blocks(shards), tokens, config.run.seed, data.max_seq_len)
    finally:
        tokens.close()
    lines = []
    for run in plan.pretrainings().values():
        try:
            made = plan_run(shards.mixture, sizes, run.steps, data.global_batch_tokens, language_shares=run.shares)
        except UserError as error:
            raise UserError(f"step {run.name}: {error}") from None
        shown = np.sum([made.phase_at(step).rates for step in range(run.steps)], axis=0) * data.global_batch_tokens
        epochs = shown / np.maximum(sizes, 1.0)
        named = listed([f"{made.languages[i]} {epochs[i]:.3g}" for i in np.argsort(-epochs, kind="stable")], 5)
        lines.append(f"plan: {run.name}: {run.steps:,} steps; epochs {named}")
    return lines
