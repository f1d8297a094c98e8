"""Made pages: their gold text is what they show, in their order, and nothing of what surrounds it."""

import gzip
import json
import re
from itertools import islice
from random import Random

import pytest
from bench import (
    block_labels,
    layout_code,
    layout_listings,
    layout_math,
    layout_scores,
    layout_texts,
    layouts,
    train_blocks,
)
from bench.block_labels import texts as block_texts
from bench.block_labels import words
from bench.layout_marks import joined, line, lines, out
from bench.layout_texts import Deal, from_articles, spoken
from markupsafe import Markup

from pipeline.page.blocks.markup import read_markup

ARTICLES = from_articles()
LANGUAGES = spoken()
SHOWN = frozenset({"heading", "paragraph", "item", "cell", "code", "term", "caption"})
PARTS = {
    **dict.fromkeys(("sphinx", "docusaurus", "blog", "wiki"), SHOWN | {"formula"}),
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
    random = Random(f"{layout} {language} {number}")
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
        assert page.structure, page.url
        assert missing(page) == [], (page.url, language)


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
def test_a_layout_has_all_its_kinds_of_lines(layout):
    kinds = {kind for number in range(30) for kind, _ in made(layout, LANGUAGES[number % 14], number).structure}
    assert kinds >= PARTS[layout]


def test_what_surrounds_a_text_is_none_of_it():
    """Of interfaces' words, those that a text never has: an article about a newsletter is not among the articles."""
    junk = (
        "cookies",
        "accept",
        "newsletter",
        "must_login",
        "comment_prompt",
        "javascript",
        "online",
        "rights",
        "privacy",
    )
    shown = dict.fromkeys(junk, 0)
    for number in range(200):
        language = LANGUAGES[number % 14]
        page = made(layouts.LAYOUTS[number % 12], language, number)
        said = layout_texts.words(language)
        for name in junk:
            assert said[name] not in page.gold_text, (page.url, name)
            shown[name] += said[name] in page.html.decode()
    assert all(shown.values()), shown


def test_text_and_surroundings_share_no_sentence():
    for language in LANGUAGES:
        deal = Deal(ARTICLES[language], Random(language))
        main = {sentence for _ in range(60) for sentence in deal.sentences(1)}
        assert not main & {sentence for _ in range(60) for sentence in deal.sentences(1, main=False)}


def test_same_seed_same_pages():
    first, again = (list(layouts.pages(5, 24, ARTICLES)) for _ in "ab")
    assert first == again
    assert [page.layout for page in first[:12]] == list(layouts.LAYOUTS)
    assert first[0].html != next(layouts.pages(6, 1, ARTICLES)).html


def test_more_pages_do_not_change_the_first():
    assert list(layouts.pages(5, 3, ARTICLES)) == list(islice(layouts.pages(5, 99, ARTICLES), 3))


def test_only_some_layouts():
    assert {page.layout for page in layouts.pages(1, 8, ARTICLES, ("wiki", "shop"))} == {"wiki", "shop"}


@pytest.mark.parametrize("style", layout_listings.STYLES)
def test_a_listing_is_its_code_without_numbers(style):
    code = layout_code.Code("python", ["def a(x):", "    if x < 1 and '&' in y:", "", "        return 42  # naïve"])
    found = lines(str(layout_listings.listing(code, style, "Copy")))
    assert {kind for kind, _ in found} == {"code"}
    kept = [row.rstrip() for row in "\n".join(text for _, text in found).split("\n")]
    if style in (
        "hljs-table",
        "github",
        "syntaxhighlighter",
        "crayon",
        "doxygen",
    ):  # a block a line: an empty one is none
        assert [row.strip() for row in kept] == [row.strip() for row in code.lines if row]
    else:
        assert kept == code.lines


@pytest.mark.parametrize("style", layout_math.STYLES)
@pytest.mark.parametrize("display", [False, True])
def test_a_formula_is_its_source_once(style, display):
    for seed in range(20):
        (found,) = lines(str(line("f", layout_math.rendered(Random(seed), style, display))))
        assert found.text.strip("$\\()[]") in {one.tex.strip("$\\()[]") for one in layout_math.FORMULAS}


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (line("h", Markup("Setup{}").format(out("¶"))), [("heading", "Setup")]),
        (line("i", Markup("one<br>two")), [("item", "- one"), ("item", "two")]),
        (line("r", Markup("<td>a</td><td><b>b</b>&amp;c")), [("cell", "a | b&c")]),
        (line("c", Markup("\n  a\n\n<i>b</i> \n")), [("code", "  a\n\nb")]),
        (line("p", Markup("  ")), []),
        (line("p", Markup("文字\n  换行 a\nb")), [("paragraph", "文字换行 a b")]),
    ],
)
def test_lines_of_marks(marked, expected):
    assert lines(f"<p>x{marked}y</p>") == expected


def test_joined():
    assert joined("한국어\n문장") == "한국어 문장"
    assert joined("日本\n 語") == "日本語"
    assert joined("Мир \n труд\xa0май") == "Мир труд май"


def test_archive_and_gold_are_as_training_reads_them(tmp_path):
    every = list(layouts.pages(3, 24, ARTICLES))
    found = [page for page in every if len(page.gold_text) >= train_blocks.MIN_GOLD]
    assert layouts.write(tmp_path, iter(every)) == len(found) > 20
    with gzip.open(tmp_path / "gold.jsonl.gz", "rt") as file:
        rows = [json.loads(row) for row in file]
    read = dict(train_blocks.pages(tmp_path))
    assert len(read) == len(found)
    for page, row in zip(found, rows, strict=True):
        assert read[page.url] == page.html
        assert (row["url"], row["gold_text"], row["source"]) == (page.url, page.gold_text, page.layout)
        assert row["site"] == block_labels.host(page.url, page.layout)


def test_lines_kept_and_words_beside():
    page = layouts.Made("", "", "", b"", "One two\n- three\nfour", (("paragraph", "One two"), ("item", "- three")), ())
    assert layout_scores.kept(page, "zero one two, three3") == (
        {"paragraph": 1, "item": 1},
        {"paragraph": 1, "item": 0},
    )
    assert layout_scores.beside(page, "one two three five") == 0.25
