"""Models that branch from one become one: `merge_models`, which `train/fuse.py merge` and other commands call."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from train.corpus.vocabulary import open_vocabulary
from train.encoders.opened import open_model
from train.fusing.barrier_command import PLOT, read_texts
from train.fusing.merging.choosing import Choice, greedy_soup, tuned
from train.fusing.merging.held_out_loss import Texts, halves
from train.fusing.merging.judging import Judge, Losses, told
from train.fusing.merging.language_rows import check_own, language_rows, owners
from train.fusing.merging.matching import match, rows_by_language
from train.fusing.merging.merged_folder import check_output, write_merged
from train.fusing.merging.origin import Origin, find_origin
from train.fusing.merging.parents import (
    Parent,
    as_lineage,
    check_different,
    check_shapes,
    check_tokens,
    find,
    open_parents,
    read_digests,
    takes_pairs,
)
from train.fusing.merging.settings import SOUP, STATISTICS, MergeSettings, check_settings
from train.fusing.merging.taken_statistics import laid_out, take
from train.fusing.merging.tensors import Merging
from train.fusion.rule import Rule
from train.fusion.rules import RULES
from train.telemetry.progress import Progress

Say = Callable[[str], None]


@dataclass(frozen=True)
class Merged:
    """folder, and the digest of its weights. losses: nats a hidden token by model, `merged` and the parents' names, and
    language; empty without held-out texts. lineage: all that lineage.json says."""

    folder: Path
    weights: str
    losses: Losses
    lineage: dict[str, Any]


def merge_models(settings: MergeSettings, say: Say) -> Merged:
    """UserError, one line, for what the user can mend; nothing is written then. What is cheap to see is told first: all
    weights are read once to check them, and once more to merge them."""
    check_settings(settings)
    with ExitStack() as stack:
        parents = open_parents(settings.parents)
        for one in parents:
            stack.enter_context(one.stored)
        check_output(settings.output, settings.overwrite, [one.folder for one in parents])
        needs_ancestor = settings.rule not in STATISTICS and _rule(settings, len(parents)).needs_ancestor
        check_shapes(parents)
        pairs = takes_pairs(parents, settings.without_pair_head)
        check_tokens(parents)
        lead = parents.index(find(settings.order_of, parents, "--order-of")) if settings.order_of else 0
        own = owners(parents, settings.own)
        texts: Texts = {}
        if settings.paths:
            texts = read_texts(settings.shards, settings.texts, settings.languages, settings.masked_bytes)
        check_own(parents, settings.own, list(texts))
        read_digests(parents)
        check_different(parents)
        with_languages = all(one.languages for one in parents)  # which of their rows were trained the ancestor tells
        origin = find_origin(
            parents, settings.ancestor, say, force=settings.force, needed=needs_ancestor, wanted=with_languages
        )
        if origin.model is not None:
            stack.enter_context(origin.model.stored)
        rows = match(parents, lead, origin.model, open_vocabulary(parents[lead].tokenizer))
        merging = Merging(parents, origin.model, rows, None, pairs)
        return _merge(settings, merging, origin, own, texts, say, stack)


def _merge(
    settings: MergeSettings,
    merging: Merging,
    origin: Origin,
    own: dict[str, int],
    texts: Texts,
    say: Say,
    stack: ExitStack,
) -> Merged:
    """Of parents that are checked."""
    parents, lead = merging.parents, merging.lead
    choosing, telling = halves(texts) if settings.chooses else ({}, texts)
    judge = None
    if texts:
        opened = open_model(lead.folder, name=lead.name, device=settings.device, precision=settings.precision)
        found = rows_by_language(opened, settings.paths, own, merging.rows.size)
        whose = {language: (own[language], rows) for language, rows in found.items()}
        merging = replace(merging, rows=replace(merging.rows, own=whose))
        judge = Judge(merging, opened, telling, settings.masked_bytes)
    choice = _chosen(settings, judge, choosing, parents, say) if judge is not None else None
    rule = _by_statistics(settings, merging, choosing, own, stack) if settings.rule in STATISTICS else None
    rule = rule or _rule(settings, len(parents), choice.weights if choice else None)
    merging = replace(merging, languages=language_rows(parents, origin.model, own, rule))
    _tell_rows(merging, say)
    barrier, picture = judge.barrier(say) if judge is not None else (None, "")
    about = {
        "rule": settings.rule,
        "settings": settings.of_rule() | ({"weights": list(choice.weights)} if choice else {}),
        "ancestor": origin.told or None,
        "forced": origin.known_by is None,
        "order_of": lead.name,
        "rows": merging.rows.counts(),
        "own": {language: parents[which].name for language, which in own.items()},
        "language_rows": merging.languages.whose if merging.languages else None,
        "tried": [{"weights": list(weights), "loss": loss} for weights, loss in choice.tried] if choice else [],
        "barrier": barrier,
    }
    vocabulary = open_vocabulary(lead.tokenizer)
    lineage = {"parents": [as_lineage(one) for one in parents], "merge": about, "tokenizer": vocabulary.digest}
    losses: Losses = {}

    def finish(part: Path, digest: str) -> dict[str, Any]:
        if judge is not None:
            losses.update(judge.losses(part))
            (part / PLOT).write_text(picture, encoding="utf-8")
        return {"merge": about | {"losses": losses}}

    written = write_merged(settings.output, merging, merging.by(rule), vocabulary, lineage, finish)
    for line in told(losses) if losses else []:
        say(line)
    if origin.known_by is None and not losses:
        say("forced, and without --shards or --texts nobody sees what came of it: measure it before any use")
    say(f"{settings.output} is written; optimiser states and padding rows stay behind")
    return Merged(settings.output, written["weights"], losses, written)


def _chosen(
    settings: MergeSettings, judge: Judge, texts: Texts, parents: Sequence[Parent], say: Say
) -> Choice | None:  # fmt: skip
    """Weights by held-out loss, where they are asked for."""
    if not settings.tune and settings.rule != SOUP:
        return None
    with Progress("held-out loss", "bytes") as progress:
        loss = judge.loss_of(lambda weights: _rule(settings, len(parents), weights), texts, progress)
        names = [one.name for one in parents]
        choice = greedy_soup(len(parents), loss, say, names) if settings.rule == SOUP else tuned(len(parents), loss)
    shares = ", ".join(f"{name} {weight:.3g}" for name, weight in zip(names, choice.weights, strict=True))
    say(f"weights by held-out loss: {shares}")
    return choice


def _by_statistics(
    settings: MergeSettings, merging: Merging, texts: Texts, own: dict[str, int], stack: ExitStack
) -> Rule:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wanyu-statistics-")))
    found = take(merging, settings.rule, texts, own, folder, tokens=settings.statistic_tokens, device=settings.device)
    stack.enter_context(found)
    return _rule(settings, len(merging.parents), of=laid_out(found, merging))


def _rule(settings: MergeSettings, parents: int, weights: Sequence[float] | None = None, **more: Any) -> Rule:
    """weights: in the place of those that are set. UserError for settings that are out of bounds."""
    given = settings.of_rule() | more | ({} if weights is None else {"weights": weights})
    try:
        rule = RULES["average" if settings.rule == SOUP else settings.rule](**given)
        rule.check(parents)
    except ValueError as error:
        raise UserError(f"--rule {settings.rule}: {error}") from None
    return rule


def _tell_rows(merging: Merging, say: Say) -> None:
    counts = ", ".join(f"{count:,} {what}" for what, count in merging.rows.counts().items())
    say(f"rows of tokens, in the order of {merging.lead.name}: {counts}")
    if merging.languages is None and any(one.languages for one in merging.parents):
        say(
            "language embedding: folded in, as of a language that is not told, since not all parents have its rows; "
            "checkpoints have them"
        )
    for language, names in (merging.languages.whose if merging.languages else {}).items():
        say(f"row of {language}: {'of ' + ' and '.join(names) if names else 'untrained, the first parent has it'}")
