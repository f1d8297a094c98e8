"""Made pages: their gold text is what they show, in their order, and nothing of what surrounds it."""

import re
from collections import Counter, defaultdict
from itertools import islice

import pytest
from bench import layout_code, layout_math, layouts
from bench.block_labels import texts as block_texts
from bench.block_labels import words
from bench.layout_marks import BEGIN, END, joined, line, lines, out
from bench.layout_texts import Deal, from_articles, spoken
from markupsafe import Markup

from pipeline.page.main_text.markup import read_markup

ARTICLES = from_articles()
LANGUAGES = spoken()
SHOWN = {"heading", "paragraph", "item", "cell", "code", "term", "caption"}
PARTS = {
    **dict.fromkeys(("sphinx", "docusaurus", "blog", "wiki"), {*SHOWN, "formula"}),
    "reference": {"heading", "paragraph", "item", "cell", "code", "term"},
    "board": {"heading", "paragraph", "item", "code"},
    "discourse": {"heading", "paragraph", "item", "code", "cell"},
    "questions": {"heading", "paragraph", "item", "code", "cell", "formula"},
    "shop": {"heading", "paragraph", "item", "cell"},
    "index": {"heading", "paragraph", "item", "cell", "term"},
    "news": {"heading", "paragraph", "item", "caption"},
    "faq": {"heading", "paragraph", "item", "term"},
}


def made(layout, language, number=0):
    random = layouts.Random(f"{layout} {language} {number}")
    variant = random.randrange(layouts.VARIANTS)
    return layouts.page(layout, variant, number, language, ARTICLES, random)


def missing(page):
    """Lines of the gold text that do not come next in the page's blocks: word by word, or, where the page has something
    in between (a number of a listing's line, a formula), in order."""
    shown = [word for block in block_texts(read_markup(page.html)) for word in words(block)]
    whole, at, lost = f" {' '.join(shown)} ", 0, []
    for text in page.structure:
        broken = [source for source in page.formulas if source in text.text]
        rest = text.text
        for source in sorted(broken, key=len, reverse=True):
            rest = rest.replace(source, " ")
        wanted = words(rest)
        found = whole.find(f" {' '.join(wanted)} ", at) if wanted else at
        ends = [found + len(" ".join(wanted))] if found >= 0 else []
        if (broken or text.kind == "code") and (behind := in_order(whole, wanted, at)) >= 0:
            ends.append(behind)
        if ends:
            at = min(ends)
        else:
            lost.append(text)
    return lost


def in_order(whole, wanted, at):
    """Where the last of the words ends that follow each other from `at` on, or -1."""
    for word in wanted:
        found = re.compile(f"[ 0-9]{re.escape(word)} ").search(whole, at)  # a line's number may touch its first word
        if found is None:
            return -1
        at = found.end() - 1
    return at


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
def test_gold_lines_stand_in_the_page_in_their_order(layout):
    for number, language in enumerate(LANGUAGES):
        page = made(layout, language, number)
        assert len(page.gold_text) > 100, page.url
        assert missing(page) == [], (page.url, language)
