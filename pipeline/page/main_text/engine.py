"""The engine `blocks`: main text of a page by one reading of its tags and a model of its blocks.

Time is linear in the page but for the sorting of its blocks by score; memory is some eighty times the page at the worst
(a page of nothing but tags).
"""

from typing import NamedTuple

import numpy as np

from pipeline.html.elements import IN_PRE, TAGS
from pipeline.page.blocks.markup import Markup, read_page, tables
from pipeline.page.main_text.block_measures import KINDS, measure
from pipeline.page.main_text.block_model import model, score_blocks
from pipeline.page.main_text.choice import Scores, choose, least_score, weights
from pipeline.page.main_text.lines import append_lines, seen
from pipeline.page.main_text.plain_text import assemble
from pipeline.words.characters import characters


class ScoredBlock(NamedTuple):
    """A block of a page, of which something is seen. tag: of its element. words: how many it has. score: probability
    that it is main text; of a short block in proportion to what is asked of its kind (`choice.LENIENCE`)."""

    text: str
    tag: str
    words: int
    score: float
    chosen: bool


class ScoredPage(NamedTuple):
    """Blocks in the order of the page; least: the score from which on they are chosen."""

    blocks: list[ScoredBlock]
    least: float


def main_text(page: bytes) -> str:
    """Main text of a page in UTF-8; empty where there is none. A line a block; items of lists begin with "- ", cells
    of a row are divided by " | ", preformatted text keeps its lines. Blocks of nothing that is seen are left
    out, and so is white space at the ends of the others, and indents but for the ASCII ones of preformatted text."""
    markup, chosen = selection(page)
    text: bytes = assemble(markup, chosen, characters()).tobytes()
    return text.decode("utf-8", "ignore")


def selection(page: bytes) -> tuple[Markup, np.ndarray]:
    """The blocks of a page in UTF-8 and, bool by block, which are main text: what is written, in whatever form."""
    markup, scores, weight = _scored(page)
    return markup, choose(scores, weight)


def scored_blocks(page: bytes) -> ScoredPage:
    """What `main_text` chooses from, of a page in UTF-8: for people who ask why."""
    markup, scores, weight = _scored(page)
    chars, found = characters(), []
    for block, (score, chosen) in enumerate(zip(scores.choice.tolist(), choose(scores, weight).tolist(), strict=True)):
        in_pre = bool(markup.flags[block] & np.uint32(IN_PRE))
        begin, end = seen(markup.text, int(markup.start[block]), int(markup.end[block]), in_pre, chars)
        if begin < end:
            out = np.zeros(end - begin + 1, np.uint8)
            text = out[: append_lines(out, 0, markup.text[begin:end], in_pre, chars)].tobytes()
            tag = TAGS[markup.tag[markup.element[block]]]
            found.append(ScoredBlock(text.decode("utf-8", "ignore"), tag, int(weight[block]), score, chosen))
    return ScoredPage(found, float(least_score(scores.text, weight)))


def _scored(page: bytes) -> tuple[Markup, Scores, np.ndarray]:
    """Of the page's blocks the scores and what each counts (`weights`)."""
    data, trained = np.frombuffer(page, np.uint8), model()
    markup = read_page(data, tables())
    measures = measure(data, markup, characters(), KINDS)
    return markup, score_blocks(markup, measures, *trained), weights(measures)
