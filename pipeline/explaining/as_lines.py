"""A story as lines for a terminal."""

import re
from collections.abc import Iterator, Mapping

from pipeline.explaining.story import (
    Blocks,
    Copies,
    Copy,
    Extracted,
    HostTold,
    Judged,
    Language,
    Passage,
    Passages,
    RepeatedParagraphs,
    Rule,
    Sampled,
    Story,
    Told,
)
from pipeline.report.words import meaning, number

MOST_COUNTS = 10  # languages or shards of a host
BLOCK_CHARACTERS = 90  # of a block or a piece of text
# Control characters, which a terminal obeys, and those that turn the direction of what follows.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]+")


def told_lines(told: Told) -> Iterator[str]:
    """One answer, a story after the other."""
    for place, story in enumerate(told.stories, 1):
        if len(told.stories) > 1:
            yield f"record {place} of {len(told.stories)}: {story.id}"
        for line in _story(story, told):
            yield _safe(line)
    for stage, why in told.stages.items():
        yield f"{stage}: {why}"
    yield from told.notes


def host_lines(told: HostTold) -> Iterator[str]:
    yield f"{_safe(told.asked)}: {told.n_pages:,} pages"
    for stage, fates in told.fates.items():
        yield f"{stage}: " + ", ".join(f"{fate} {count:,}" for fate, count in fates.items())
    for name, counts in (("languages kept by clean", told.languages), ("shards", told.shards)):
        if counts:
            more = [f"and {len(counts) - MOST_COUNTS:,} more"] if len(counts) > MOST_COUNTS else []
            first = list(counts.items())[:MOST_COUNTS]
            yield f"{name}: " + ", ".join([*(f"{key} {count:,}" for key, count in first), *more])
    for page in told.pages:
        yield _safe(f"  {page.url}  {page.fate}" + (f"  {page.language}" if page.language else ""))
    if left := told.n_pages - len(told.pages):
        yield f"  and {left:,} more: --most lists more of them, --url tells the story of one"
    for stage, why in told.stages.items():
        yield f"{stage}: {why}"
    yield from told.notes


def _story(story: Story, told: Told) -> Iterator[str]:
    if story.url != told.asked:
        yield f"address: {story.url}"
    if story.extracted:
        yield from _extracted(story.id, story.extracted)
    if story.judged:
        yield from _judged(story.judged)
    if story.copies:
        yield from _copies(story.id, story.copies)
    if story.repeated:
        yield from _repeated(story.repeated)
    if story.passages:
        yield from _passages(story.passages)
    if story.sampled:
        yield from _sampled(story.sampled)
    if story.blocks:
        yield from _blocks(story.blocks)


def _extracted(name: str, page: Extracted) -> Iterator[str]:
    place = f"{page.archive} at {page.offset}"
    if page.reason:
        yield f"extract: skipped, {page.reason} ({page.detail or 'no detail'}), {place}"
        if means := meaning("extract", page.reason):
            yield f"  {means}"
        return
    engine = f", engine {page.engine}" if page.engine else ""
    yield f"extract: document {name}, {page.characters} characters, from {place}{engine}"
    if page.said:
        yield "  the page says: " + ", ".join(f"{own} {value}" for own, value in page.said.items())


def _blocks(blocks: Blocks) -> Iterator[str]:
    if blocks.untold:
        yield f"  blocks: {blocks.untold}"
        return
    if blocks.note:
        yield f"  {blocks.note}"
    chosen = sum(block.chosen for block in blocks.blocks)
    yield f"  blocks: {chosen} of {len(blocks.blocks)} chosen, those with a score of at least {blocks.least:.3f}"
    for block in blocks.blocks:
        yield f"  {'+' if block.chosen else '-'} {block.score:.3f} {block.tag or 'page':<10} {_short(block.text)}"


def _judged(judged: Judged) -> Iterator[str]:
    means = f": {judged.meaning}" if judged.meaning else ""
    verdict = f"dropped, {judged.reason}{means}" if judged.reason else "kept"
    yield f"clean: {verdict}" + (f"; {_label(judged.language)}" if judged.language else "")
    if own := next((rule for rule in judged.rules if rule.fired and rule.reason == judged.reason), None):
        yield f"  its rule: {own.expression}"
    yield from (f"  {kind}: {name}" for kind, name in judged.lists.items())
    yield from (f"  note: {note}" for note in judged.notes)
    if judged.language:
        yield from _language(judged.language)
    if judged.rules:
        fired = sum(rule.fired for rule in judged.rules)
        yield f"  rules, in the order in which they are asked; {fired or 'none'} of {len(judged.rules)} fired:"
        width = max(len(rule.reason) for rule in judged.rules)
        yield from (
            f"  {'x' if rule.fired else ' '} {rule.reason:<{width}}  {_measured(rule)}" for rule in judged.rules
        )
    if judged.others:
        yield "  in no rule: " + ", ".join(f"{name} {_figure(value)}" for name, value in judged.others.items())


def _label(language: Language) -> str:
    return language.label + (f" ({language.score:.2f})" if language.score is not None else "")


def _language(language: Language) -> Iterator[str]:
    shares = {"of its letters in this script": language.script_share, "not against this language": language.share}
    yield "  language: " + ", ".join(
        [
            "the model by pieces " + (_figures(language.top) or "knows none"),
            *(f"{value:.2f} {what}" for what, value in shares.items() if value is not None),
        ]
    )
    if not language.own_thresholds:
        yield "  no thresholds of this language are known: those of its script hold, or the defaults"
    if language.untold:
        yield f"  votes: {language.untold}"
    if votes := language.votes:
        yield f"  votes, taken again: {votes.found} ({votes.score:.2f})"
        yield "    the model, whole: " + (_figures(votes.model) or "none")
        yield f"    words ({votes.n_words}), 1 is usual: " + (_figures(votes.words) or "none")
        for piece in votes.pieces:
            said = f"{piece.language or 'none'} {piece.probability:.2f}"
            yield f"    {'+' if piece.votes else ' '} {said:<10} {piece.letters:>4} letters  {_short(piece.text)}"


def _measured(rule: Rule) -> str:
    signals = ", ".join(f"{name} {_figure(value)}" for name, value in rule.signals.items())
    limits = ", ".join(f"{limit.name} {_figure(limit.value)} ({limit.source})" for limit in rule.limits)
    return " | ".join(part for part in (signals, limits) if part) or rule.expression


def _copies(name: str, copies: Copies) -> Iterator[str]:
    if copies.reason and not copies.kept:
        yield f"dedup: dropped, {copies.reason}: {copies.meaning}"
    elif copies.kept:
        kept = copies.kept
        where = f" by the earlier crawl {kept.crawl}" if kept.crawl else ""
        alike = f", similarity {_figure(copies.similarity)}" if copies.similarity is not None else ""
        named = f" ({kept.url})" if kept.url else ""
        yield f"dedup: dropped, {copies.reason}: {kept.id}{named} is kept{where} of {copies.size} copies{alike}"
    elif not copies.size:
        yield "dedup: kept, no copy found"
    elif copies.best_id != name:
        yield f"dedup: kept, unlike {copies.best_id}, the best of {copies.size} copies"
    else:
        yield f"dedup: kept, the best of {copies.size} copies"
    yield from (f"  {_copy(copy)}" for copy in copies.members)
    if (left := copies.size - len(copies.members) - 1) > 0 and copies.members:
        yield f"  and {left:,} more"


def _copy(copy: Copy) -> str:
    fate = f"dropped, {copy.reason}" if copy.reason else "kept"
    alike = f", {_figure(copy.similarity)} like {copy.kept_id}" if copy.reason and copy.similarity is not None else ""
    crawl = f", of the earlier crawl {copy.crawl}" if copy.crawl else ""
    return f"{copy.id} {copy.url or '(address not known here)'}: {fate}{alike}{crawl}"


def _repeated(repeated: RepeatedParagraphs) -> Iterator[str]:
    if not repeated.paragraphs:
        yield "  paragraphs: none that enough other pages have"
        return
    what = "cut" if repeated.are_cut else "not cut, being most of the page"
    yield f"  paragraphs that other pages have, {repeated.share:.0%} of its letters, {what}:"
    for one in repeated.paragraphs:
        yield f"  - {_short(one.text)}"
        yield (
            f"    on {one.pages:,} pages of {one.hosts:,} hosts, {one.occurrences:,} times; "
            f"cut from {one.cut_documents:,} documents, kept in {one.kept_documents:,}"
        )
        if one.elsewhere:
            yield "    also on " + ", ".join(page.url or page.id for page in one.elsewhere)


def _passages(passages: Passages) -> Iterator[str]:
    cut = f", {passages.cut:,} cut" if passages.cut else ""
    yield f"  passages that other pages share: {passages.n:,}, {passages.shared:,} bytes{cut}"
    yield from (f"    {_passage(one)}" for one in passages.passages)
    if left := passages.n - len(passages.passages):
        yield f"    and {left:,} more: --most tells more"


def _passage(one: Passage) -> str:
    other = f"{one.other_id} {one.other_url or '(address not known here)'}"
    return f"{one.fate}, bytes {one.start} to {one.end}, on {one.pages:,} pages, also {other}: {_short(one.text)}"


def _sampled(sampled: Sampled) -> Iterator[str]:
    for place in sampled.places:
        if place.times:
            times = f"seen {_figure(place.times)} times in a run"
            parts = f"epochs {_figure(place.epochs)} x weight {_figure(place.weight)}"
            yield f"sample: in {place.shard}, row {place.row}, {times} ({parts})"
        else:
            yield f"sample: in {place.shard}, row {place.row}, held out for {place.split}"
    if not sampled.places:
        yield from (f"sample: dropped, {reason}: {means}" for reason, means in sampled.reasons.items())
    if not sampled.places and not sampled.reasons:
        yield "sample: in no shard, and none of its language is said to be left out"


def _figures(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())


def _figure(value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return "null" if value is None else value or '""'
    return number(value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= BLOCK_CHARACTERS else line[:BLOCK_CHARACTERS] + " …"


def _safe(line: str) -> str:
    return _UNSAFE.sub("\ufffd", line)
