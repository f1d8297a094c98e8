"""From a config to the things that a run is made of: the data, checked, and the record of both."""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from schemas.code_revision import code_revision
from schemas.errors import UserError
from train.checkpoints.checkpoint import newest
from train.checkpoints.files import write_text
from train.config.load import default_fixed, flag_of
from train.config.objectives import OF_TRANSLATIONS
from train.config.tables import PretrainConfig
from train.corpus.blocks import Blocks
from train.corpus.shards import ORDER_VERSION, Shards, open_shards
from train.corpus.token_cache import TokenCache
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import Vocabulary, open_vocabulary
from train.data.batches import Labeller, TrainingStream, language_rows
from train.data.parallel import ParallelText, read_parallel, tokenise
from train.data.parallel_batches import ParallelBatches, TranslationLabeller, told_of_lines
from train.data.plan import Plan, plan_run, told
from train.data.retrieval import Retrieval
from train.data.sources import StreamSettings, epoch_tokens, of_two_sentences, open_stream, training_blocks
from train.data.validation import Validation
from train.loop.distributed import Processes
from train.loop.held_out import texts_to_guess, translations_to_find
from train.teachers.identity import digests

LIBRARIES = ("torch", "numpy", "tokenizers", "pyarrow", "safetensors")


@dataclass(frozen=True)
class Data:
    """What a run reads. stream: the arguments of `open_stream`. validation: by objective, VALIDATED the first.
    identity: what a resumed run must have in common with the one that it goes on with. saved: the checkpoint to go on
    from, with its state. retrieval: the translations that it is validated by."""

    vocabulary: Vocabulary
    shards: Shards
    plan: Plan
    stream: tuple[Any, ...]
    validation: dict[str, Validation]
    identity: dict[str, Any]
    saved: tuple[Path, dict[str, Any]] | None
    retrieval: Retrieval | None = None

    @property
    def languages(self) -> tuple[str, ...]:
        return self.shards.languages

    def open_stream(self) -> TrainingStream:
        return open_stream(*self.stream)


def prepare(
    config: PretrainConfig,
    processes: Processes,
    labellers: Callable[[Vocabulary, tuple[str, ...]], Mapping[str, Labeller]],
    say: Callable[[str], None],
) -> Data:
    """Opens shards and tokenizer, plans the run; tokenises no more than what the plan and the validation need."""
    settings = config.data
    with processes.together():
        if settings.streams % processes.world_size:
            sizes = ", ".join(str(n) for n in range(1, settings.streams + 1) if settings.streams % n == 0)
            raise UserError(
                f"{processes.world_size} processes do not divide streams = {settings.streams}: start {sizes} of them, "
                "or change --streams"
            )
        vocabulary = open_vocabulary(settings.tokenizer)
        shards = open_shards(settings.shards)
        translations = open_translations(config, shards.languages, processes.world_size, say)
        config.run.output.mkdir(parents=True, exist_ok=True)
    with processes.together():
        identity = config.fixed() | {"tokenizer": vocabulary.digest, "shards": shards.identity()}
        identity["parallel_text"] = translations.digest if translations else None
        of_teachers = digests(config.model.teachers)
        saved = _saved(config, identity, say)
        if saved is not None:
            check_teachers(saved[1], of_teachers, config)
        identity["teachers"] = of_teachers
        there = labellers(vocabulary, shards.languages)  # what is wrong with settings is said before any plan
        others, found = None, None
        if translations is not None:
            heard = say if saved is None else lambda line: None
            others, found = batches_of_translations(config, translations, vocabulary, shards.languages, there, heard)
        cache = TokenCache(settings.cache, vocabulary, say)
        tokens = Tokens(cache, settings.tokenizer, workers(config, processes), bool(config.pairs))
        try:
            plan = _plan(config, shards, tokens, saved[1] if saved else None, say)
            held_out = texts_to_guess(config, shards, vocabulary, tokens, there)
        finally:
            tokens.close()
    arguments = (
        shards,
        settings.tokenizer,
        settings.cache,
        workers(config, processes),
        plan,
        {name: one for name, one in there.items() if name not in OF_TRANSLATIONS},
        stream_settings(config, processes.device.type == "cuda"),
        others,
    )
    return Data(vocabulary, shards, plan, arguments, held_out, identity, saved, found)


def stream_settings(config: PretrainConfig, static: bool) -> StreamSettings:
    """static: batches are padded to one shape."""
    data = config.data
    return StreamSettings(
        config.run.seed,
        data.max_seq_len,
        data.window_tokens,
        data.global_batch_tokens,
        data.streams,
        data.micro_batch_tokens,
        static,
        config.model.languages_not_told,
        config.pairs,
    )


def workers(config: PretrainConfig, processes: Processes) -> int:
    """Processes that tokenise for this one: as configured, or its part of the machine's cores but one."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE", processes.world_size))
    return config.data.workers or max(1, (os.cpu_count() or 1) // local - 1)


def _plan(
    config: PretrainConfig,
    shards: Shards,
    tokens: Tokens,
    state: dict[str, Any] | None,
    say: Callable[[str], None],
) -> Plan:
    """The checkpoint's plan; a new one for the steps to come where `steps` is another than it was made for."""
    steps, step_tokens = config.run.steps, config.data.global_batch_tokens
    done, shown = 0, None
    if state is not None:
        kept = Plan.from_json(shards.languages, state["plan"])
        if state["config"]["run"]["steps"] == steps or shards.mixture.epochs is not None:
            return kept
        done, sizes = state["step"], kept.sizes
        shown = np.array([state["tally"]["counts"][name][0] for name in shards.languages], np.float64)
        say(f"plan: {steps:,} steps where it was {state['config']['run']['steps']:,}: those to come are planned anew")
    else:
        blocks = training_blocks(shards)
        sizes = epoch_tokens(shards, blocks, tokens, config.run.seed, config.data.max_seq_len)
        if config.pairs:
            say(told_of_pairs(blocks, tokens, config.run.seed))
    plan = plan_run(shards.mixture, sizes, steps, step_tokens, done, shown, config.data.language_shares)
    if config.data.language_shares:
        given = ", ".join(f"{name} {100 * share:.3g} %" for name, share in config.data.language_shares.items())
        say(f"plan: language_shares: {given}; the mixture divides the rest, and its max_epochs hold")
    if shards.mixture.epochs is not None:
        say("plan: no max_epochs in mixture.json: its epochs are shown again and again to the last step")
    for line in told(plan, shards.mixture.methods, steps, step_tokens, done):
        say(f"plan: {line}")
    return plan


def told_of_pairs(blocks: list[Blocks], tokens: Tokens, seed: int) -> str:
    """UserError where no document can be a pair."""
    several, documents = of_two_sentences(blocks, tokens, seed)
    share = several / max(1, documents)
    return (
        f"pairs: {share:.1%} of {documents:,} sampled documents have two sentences or more; the others are single texts"
    )


def open_translations(
    config: PretrainConfig, languages: tuple[str, ...], world_size: int, say: Callable[[str], None]
) -> ParallelText | None:
    """None where the run has none. UserError where the processes do not divide a step's pairs."""
    folder, pairs = config.data.parallel_text, config.data.parallel_pairs
    if folder is None:
        return None
    if pairs % world_size:
        enough = -(-pairs // world_size) * world_size
        raise UserError(f"{world_size} processes do not divide parallel_pairs = {pairs}: make it {enough}")
    return read_parallel(folder, languages, say)


def batches_of_translations(
    config: PretrainConfig,
    text: ParallelText,
    vocabulary: Vocabulary,
    languages: tuple[str, ...],
    labellers: Mapping[str, Labeller],
    say: Callable[[str], None],
) -> tuple[ParallelBatches, Retrieval | None]:
    """What a run makes of translations, and is validated by. UserError where lines are too few."""
    data = config.data
    lines, not_told = tokenise(text, vocabulary), config.model.languages_not_told
    asking = {name: cast(TranslationLabeller, one) for name, one in labellers.items() if name in OF_TRANSLATIONS}
    batches = ParallelBatches(
        lines,
        asking,
        vocabulary,
        len(languages),
        seed=config.run.seed,
        pairs=data.parallel_pairs,
        max_seq_len=data.max_seq_len,
        tell=None if not_told is None else partial(language_rows, language_dropout=not_told),
    )
    for line in told_of_lines(lines, asking, data.max_seq_len):
        say(f"parallel text: {line}")
    return batches, translations_to_find(config, lines, vocabulary, languages)


def _saved(
    config: PretrainConfig, identity: dict[str, Any], say: Callable[[str], None]
) -> tuple[Path, dict[str, Any]] | None:
    folder = newest(config.run.output / "checkpoints", say)
    if folder is None:
        return None
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    check_identity(state, identity, config)
    return folder, state


def check_identity(state: dict[str, Any], current: dict[str, Any], config: PretrainConfig) -> None:
    """UserError naming the first setting that is not what the checkpoint was made with. A setting that the release
    which made it did not have yet counts as its default."""
    saved, way_out = state["identity"], f"take another --output than {config.run.output}, or "
    if state["order_version"] != ORDER_VERSION:
        raise UserError(
            f"{config.run.output} was begun with version {state['order_version']} of the order of the data and its "
            f"masks, and this trainer has version {ORDER_VERSION}: {way_out}go on with the release that began it"
        )
    files = ("tokenizer", "shards", "parallel_text")
    for key, value in current.items():
        before = saved[key] if key in saved else None if key in files else default_fixed(key)
        if before != value:
            if key in files:
                raise UserError(
                    f"{key} = {getattr(config.data, key)} is not what the run was started with: {way_out}give back "
                    f"the {key} of that run"
                )
            table, _, name = key.rpartition(".")
            called = flag_of(table, name) if table else name
            raise UserError(f"{called} = {value}, but the run was started with {before}: {way_out}give that")


def check_teachers(state: dict[str, Any], current: dict[str, str], config: PretrainConfig) -> None:
    """UserError naming those that are not what the checkpoint was made with, wherever their folders lie."""
    before = state["identity"].get("teachers", current)  # an older release wrote none
    changed = [name for name in sorted(before.keys() | current.keys()) if before.get(name) != current.get(name)]
    if changed:
        names = ",".join(f"{name}={config.model.teachers.get(name, '')}" for name in changed)
        raise UserError(
            f"teachers = {names} is not what the run was started with: take another --output than "
            f"{config.run.output}, or give back the teachers of that run"
        )


def lineage(config: PretrainConfig, data: Data, parent: dict[str, Any] | None) -> dict[str, Any]:
    """Where a model comes from: what `--init` was made of, digests of tokenizer, data and teachers, settings, code; of
    pairs the objective that the pair head learnt by, since its classes say another thing of each."""
    learnt = {"pair_objective": config.pairs[0]} if config.pairs else {}
    return learnt | {
        "parent": parent,
        "tokenizer": data.vocabulary.digest,
        "data": data.identity["shards"],
        "teachers": data.identity["teachers"],
        "config": config.as_dict(),
        "config_digest": hashlib.sha256(json.dumps(config.as_dict(), sort_keys=True).encode()).hexdigest(),
        "code": code_revision(),
        "order_version": ORDER_VERSION,
    }


def write_record(config: PretrainConfig, data: Data, processes: Processes) -> None:
    """`_run.json`: the resolved config, the versions, the inputs, the plan of the data."""
    sizes = zip(data.languages, data.plan.sizes.tolist(), training_blocks(data.shards), strict=True)
    record = {
        "stage": "pretrain",
        "config": config.as_dict(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "inputs": {
            "tokenizer": data.vocabulary.digest,
            "vocab_size": data.vocabulary.size,
            "shards": data.identity["shards"],
            "languages": {
                name: {"documents": int(blocks.rows.sum()), "epoch_tokens": round(size)} for name, size, blocks in sizes
            },
        },
        "plan": data.plan.as_json(),
        "processes": processes.world_size,
        "device": processes.device.type,
    }
    write_text(config.run.output / "_run.json", json.dumps(record, indent=2) + "\n")


def shown_epochs(data: Data, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """Epochs of each language that so many tokens are. [languages]"""
    return tokens / np.maximum(data.plan.sizes, 1.0)
