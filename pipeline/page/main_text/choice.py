"""Which blocks are chosen, by their scores: the set whose expected F1 is largest, and what stands or falls together."""

from typing import NamedTuple

import numpy as np

from pipeline.html.elements import IN_NAV, IN_NOSCRIPT, IN_TEMPLATE
from pipeline.kernels.compiling import kernel, whole
from pipeline.page.blocks.class_names import GROUP
from pipeline.page.blocks.markup import Markup
from pipeline.page.main_text.block_measures import Measures
from pipeline.page.main_text.block_structure import (
    DEFINITION,
    GROUPS,
    ITEM,
    LIST,
    LISTING,
    TERM,
    UNIT_NAMES,
    Structure,
    announces,
)

WORDLESS = 0.3  # words that a block without any counts
MIN_SCORE = 0.1
SURE = 0.7  # a block of at least that score is text
LINK = 0.9  # of a block's bytes: it is nothing but links
BOXES = 2  # around a sentence or the list that it announces, with nothing else in them
OFFERS = np.uint64(sum(1 << GROUP[name] for name in ("nav", "share", "related", "ads")))  # classes of other lists
SHORT_ITEMS = 25.0  # words: items of a list that have fewer, on average, stand or fall together

# A short block costs few words where it is none of the text, but a text without its headings is broken: so much of the
# score that others need is asked of it. By UNIT_NAMES; but an h1 is often there twice, and not always wanted.
LENIENCE = np.array([1.0, 0.45, 0.45, 1.0, 0.5, 0.6, 0.8, 1.0, 1.0, 1.0], np.float32)
TITLE_LENIENCE = np.float32(1.0)
assert len(LENIENCE) == len(UNIT_NAMES)


class Scores(NamedTuple):
    """text: float32 by block, the probability that it is main text by its words and surroundings.  choice: what
    `choose` goes by: the same, but for short blocks by what they belong to."""

    text: np.ndarray
    choice: np.ndarray


@kernel
def weights(measures: Measures) -> np.ndarray:
    """What a block counts: its words, and a little for a block without any."""
    return measures.words.astype(np.float64) + WORDLESS


@kernel
def expected_f1(text: np.ndarray, weight: np.ndarray) -> float:
    """The largest F1 to be expected of a choice of blocks, in words. The blocks that score at least half of it are the
    choice that has it (Lipton et al. 2014, Optimal thresholding of classifiers to maximize F1 measure)."""
    order = np.argsort(-text)
    total = 0.0
    for block in range(len(text)):
        total += weight[block] * text[block]
    right, taken, best = 0.0, 0.0, 0.0
    for block in order:
        right += weight[block] * text[block]
        taken += weight[block]
        best = max(best, 2.0 * right / (taken + total))
    return best


@kernel
def least_score(text: np.ndarray, weight: np.ndarray) -> float:
    """Of the blocks that are chosen."""
    return max(0.5 * expected_f1(text, weight), MIN_SCORE)


@kernel
def choose(scores: Scores, weight: np.ndarray) -> np.ndarray:
    """Which blocks are the main text, bool of shape (blocks,). Short blocks by what they belong to, but none where no
    block is chosen by its words: a menu is no text by itself."""
    least = least_score(scores.text, weight)
    if not np.any(scores.text >= least):
        return np.zeros(len(scores.text), np.bool_)
    return scores.choice >= least


@kernel
def together(markup: Markup, measures: Measures, seen: Structure, text: np.ndarray, choice: np.ndarray) -> None:
    """Changes the scores of blocks that stand or fall together, in place. text: as of `Scores`."""
    _hide(markup, measures, choice)
    _even_lists(markup, measures, seen, text, choice)
    for block in range(len(choice)):
        asked = TITLE_LENIENCE if seen.level[block] == 1 else LENIENCE[seen.kind[block]]
        choice[block] = min(choice[block] / asked, np.float32(1.0))
    _follow_definitions(seen, choice)
    _follow_sections(markup, seen, text, choice)
    _drop_repeats(markup, seen, choice)


@kernel
def _hide(markup: Markup, measures: Measures, choice: np.ndarray) -> None:
    """`template` is never shown. `noscript` is shown to nobody who runs scripts, and counts only where the page's
    running text stands there."""
    inside, outside = 0.0, 0.0
    for block in range(len(choice)):
        running = measures.sums[block + 1, 3] - measures.sums[block, 3]
        if markup.flags[block] & np.uint32(IN_NOSCRIPT):
            inside += running
        else:
            outside += running
    hidden = np.uint32(IN_TEMPLATE if inside > outside else IN_TEMPLATE | IN_NOSCRIPT)
    for block in range(len(choice)):
        if markup.flags[block] & hidden:
            choice[block] = 0.0


@kernel
def _even_lists(
    markup: Markup, measures: Measures, seen: Structure, text: np.ndarray, choice: np.ndarray
) -> None:  # fmt: skip
    """Items of a list of short items get their mean; what a sentence of the text announces, right before the list, goes
    with the sentence; a table of contents, whose items are nothing but links to places of the page, is none of it."""
    # By list: its items' blocks, their scores, their words; by outermost list: blocks, those that are links to places.
    sums = np.zeros((len(markup.tag), 5), np.float64)
    for block in range(len(choice)):
        group = seen.group[block]
        if seen.kind[block] == ITEM and group >= 0 and GROUPS[markup.tag[group]] == LIST:
            sums[group, 0] += 1
            sums[group, 1] += choice[block]
            sums[group, 2] += measures.words[block]
            links, outer = markup.links[block], seen.outer[group]
            sums[outer, 3] += 1
            sums[outer, 4] += links > 0 and markup.place_links[block] == links and measures.own[block, 2] > LINK
    for block in range(len(choice)):
        group = seen.group[block]
        if seen.kind[block] != ITEM or group < 0:
            continue
        count, outer = sums[group, 0], seen.outer[group]
        if sums[outer, 3] >= 2 and sums[outer, 4] == sums[outer, 3]:
            choice[block] = 0.0
        elif count >= 2 and sums[group, 2] < SHORT_ITEMS * count:
            mean = sums[group, 1] / count if count >= 3 else np.float64(choice[block])
            choice[block] = max(mean, _announced(markup, text, group))


@kernel
def _announced(markup: Markup, text: np.ndarray, group: int) -> float:
    """The score of the sentence, surely text, that ends in a colon right before a list, beside it in the tree; or 0.
    "Share this:" announces nothing that is text."""
    first = whole(markup.first[group])
    before = first - 1
    if before < 0 or text[before] < SURE or not announces(markup, before):
        return 0.0
    if markup.near[first] & OFFERS or markup.flags[first] & np.uint32(IN_NAV):
        return 0.0
    return text[before] if _are_beside(markup, before, group) else 0.0


@kernel
def _are_beside(markup: Markup, block: int, group: int) -> bool:
    """Whether a list stands right in what the block before it does, but for boxes around either that hold nothing
    else."""
    around = whole(markup.parent[group])
    for _ in range(BOXES):
        if around <= 0 or markup.first[around] <= block or markup.last[around] > markup.last[group]:
            break
        around = whole(markup.parent[around])
    box = whole(markup.element[block])
    for _ in range(BOXES + 1):
        box = whole(markup.parent[box])
        if box < 0 or box == around or markup.last[box] - markup.first[box] > 1:
            break
    return box == around


@kernel
def _follow_definitions(seen: Structure, choice: np.ndarray) -> None:
    """A term has the score of its best definition, if it has one."""
    best, group = np.float32(-1.0), whole(-1)
    behind = False  # whether the block behind is of a term
    for place in range(len(choice)):
        block = len(choice) - 1 - place
        kind = seen.kind[block]
        if kind != TERM and kind != DEFINITION:
            continue
        if seen.group[block] != group or (kind == DEFINITION and behind):
            best, group = np.float32(-1.0), whole(seen.group[block])
        behind = kind == TERM
        if kind == DEFINITION:
            best = max(best, choice[block])
        elif best >= 0:
            choice[block] = best


@kernel
def _follow_sections(markup: Markup, seen: Structure, text: np.ndarray, choice: np.ndarray) -> None:
    """A heading that is no link, right above what is surely text and beside it in the tree, goes with that. Not an h1,
    which may be the site's."""
    for block in range(len(choice) - 1):
        if seen.level[block] < 2 or seen.next_body[block] != block + 1 or text[block + 1] < SURE:
            continue
        heading, body = markup.element[block], markup.element[block + 1]
        if markup.parent[heading] == markup.parent[body] and markup.link_bytes[block] == 0:
            choice[block] = max(choice[block], text[block + 1])


@kernel
def _drop_repeats(markup: Markup, seen: Structure, choice: np.ndarray) -> None:
    """A listing that says what the one right before it says, beside it in the tree, is its copy for another theme."""
    for block in range(1, len(choice)):
        if seen.kind[block] != LISTING or seen.kind[block - 1] != LISTING:
            continue
        one, other = markup.element[block - 1], markup.element[block]
        size = markup.end[block] - markup.start[block]
        if markup.parent[one] != markup.parent[other] or markup.end[block - 1] - markup.start[block - 1] != size:
            continue
        before, here = whole(markup.start[block - 1]), whole(markup.start[block])
        if np.all(markup.text[before : before + size] == markup.text[here : here + size]):
            choice[block] = 0.0
