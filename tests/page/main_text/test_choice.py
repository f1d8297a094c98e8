"""What stands or falls together, worked out by hand and against plain Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.page.blocks.markup import read_markup
from pipeline.page.main_text.block_measures import KINDS, measure
from pipeline.page.main_text.block_model import stand_together
from pipeline.page.main_text.block_structure import (
    CELL,
    DEFINITION,
    HEADING,
    ITEM,
    SECTION,
    TERM,
    read_structure,
    unit_kinds,
)
from pipeline.page.main_text.choice import LENIENCE, TITLE_LENIENCE, Scores, choose, least_score, weights
from pipeline.page.main_text.engine import main_text
from pipeline.words.characters import characters


def together(html: str, choice: list[float]) -> list[float]:
    scores = np.array(choice, np.float32)
    stand_together(html.encode(), np.full(len(choice), 0.5, np.float32), scores)
    return [round(float(score), 4) for score in scores]


def test_a_term_goes_with_its_best_definition():
    html = "<dl><dt>a<dt>b<dd>c<dd>d<dt>e<dd>f</dl><dl><dt>g</dl><dl><dd>h<dt>i</dl>"
    found = together(html, [0.0, 0.9, 0.4, 0.5, 0.3, 0.0, 0.2, 0.9, 0.0])
    term, definition = LENIENCE[TERM], LENIENCE[DEFINITION]
    expected = [0.5 / definition, 0.5 / definition, 0.4 / definition, 0.5 / definition, 0, 0, 0.2 / term, 1.0, 0.0]
    assert found == pytest.approx(expected, abs=1e-3)


def test_a_short_list_has_one_score_and_an_inner_one_its_own():
    html = "<ul><li>a<li>b<ul><li>x<li>y<li>z</ul><li>c</ul><ul><li>d<li>e</ul>"
    found = together(html, [0.3, 0.0, 0.1, 0.2, 0.3, 0.0, 0.4, 0.0])
    item = LENIENCE[ITEM]
    assert found == pytest.approx([0.1 / item, 0.1 / item, *[0.2 / item] * 3, 0.1 / item, 0.4 / item, 0], abs=1e-3)


def test_a_heading_goes_with_the_sure_text_right_below_it():
    def found(html: str, body: float = 0.9) -> float:
        return scored(html, [0.0, body], [0.0, body])[0]

    assert found("<h2>a</h2><p>b</p>") == pytest.approx(0.9)
    assert found("<h2>a</h2><p>b</p>", 0.6) == 0
    for other in (
        "<h1>a</h1><p>b</p>", "<h2><a href=/>a</a></h2><p>b</p>", "<h2>a</h2><div><p>b</p></div>",
        "<h2>a</h2><h3>b</h3>",
    ):  # fmt: skip
        assert found(other) == 0


def scored(html: str, text: list[float], choice: list[float]) -> list[float]:
    scores = np.array(choice, np.float32)
    stand_together(html.encode(), np.array(text, np.float32), scores)
    return [round(float(score), 4) for score in scores]


@pytest.mark.parametrize("colon", [":", "：", "&#58;"])
def test_a_list_goes_with_the_sentence_that_announces_it(colon):
    html = f"<p>There are{colon}</p><ul><li><a href=a>a</a><li><a href=b>b</a></ul>"
    assert scored(html, [0.9, 0.1, 0.1], [0.9, 0.1, 0.1])[1:] == [1.0, 1.0]
    assert scored(html, [0.6, 0.1, 0.1], [0.6, 0.09, 0.09])[1:] == [0.2, 0.2]  # hardly text itself
    assert scored(html.replace(colon, "."), [0.9, 0.1, 0.1], [0.9, 0.09, 0.09])[1:] == [0.2, 0.2]


@pytest.mark.parametrize(
    ("around", "goes"),
    [
        ("<div><p>There are:</p>{}</div>", True),
        ("<div><p>There are:</p><div><div>{}</div></div></div>", True),  # boxes of builders of pages
        ("<div><div><div><p>There are:</p></div></div><div>{}</div></div>", True),
        ("<section><p>There are:</p><div>{}<p>c</p></div></section>", False),
        ("<section><div><p>c</p><p>There are:</p></div>{}</section>", False),
        ("<section><p>There are:</p><nav>{}</nav></section>", False),
        ("<section><p>There are:</p><div class='share-links'>{}</div></section>", False),
        ("<section><p>There are:</p><div class='related'>{}</div></section>", False),
    ],
)
def test_where_a_list_stands_that_a_sentence_announces(around, goes):
    html = around.format("<ul><li><a href=a>a</a><li><a href=b>b</a></ul>")
    blocks = [page_text(html, block) for block in range(len(read_markup(html.encode()).start))]
    text = [0.9 if block in ("There are:", "c") else 0.09 for block in blocks]
    found = dict(zip(blocks, scored(html, text, text), strict=True))
    assert [found["a"], found["b"]] == ([1.0, 1.0] if goes else [0.2, 0.2])


def page_text(html: str, block: int) -> str:
    page = read_markup(html.encode())
    return page.text[page.start[block] : page.end[block]].tobytes().decode()


def test_a_table_of_contents_is_no_text():
    contents = "<ul><li><a href=#a>a</a><ul><li><a href='#b'>b</a><ol><li><a href=#c>c</a></ol></ul></ul>"
    html = f"{contents}<ul><li><a href=#d>d</a> more<li><a href=#e>e</a></ul><ul><li><a href=#f>f</a></ul>"
    assert together(html, [0.9] * 6) == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]  # one item alone may be anything


def test_a_listing_twice_is_its_copy_for_another_theme():
    html = "<div><pre class=light>x = 1</pre><pre class=dark>x = 1</pre><pre>x = 2</pre></div><pre>x = 2</pre><p>x</p>"
    assert together(html, [0.9] * 5) == pytest.approx([0.9, 0.0, 0.9, 0.9, 0.9])


def test_long_items_and_cells_have_scores_of_their_own():
    item = "word " * 40
    html = f"<ul><li>{item}<li>{item}<li>{item}</ul><table><tr><td>a<td>b<tr><td>c<td>d</table>"
    found = together(html, [0.0, 0.1, 0.2, 0.0, 0.1, 0.2, 0.3])
    expected = [0, 0.1 / LENIENCE[ITEM], 0.2 / LENIENCE[ITEM], *(x / LENIENCE[CELL] for x in (0, 0.1, 0.2, 0.3))]
    assert found == pytest.approx(expected, abs=1e-3)


def test_headings_are_asked_for_less_but_for_titles():
    found = together("<h1>a</h1><h2>b</h2><p>c</p>", [0.2, 0.2, 0.2])
    assert found == pytest.approx([0.2 / TITLE_LENIENCE, 0.2 / LENIENCE[HEADING], 0.2], abs=1e-3)


LONG = "A sentence that runs on for rather more words than any label or notice would ever have."


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (f"<p>{LONG}</p><noscript><p>{LONG}</p></noscript>", [0.5, 0.0]),
        (f"<p>Short.</p><noscript><p>{LONG}</p></noscript>", [0.5, 0.5]),
        ("<p>Short.</p><noscript><p>Please enable JavaScript.</p></noscript>", [0.5, 0.0]),
        ("<noscript><p>Please enable JavaScript.</p></noscript>", [0.0]),
    ],
)
def test_noscript_counts_where_the_running_text_is(html, expected):
    assert together(html, [0.5] * len(expected)) == expected


PIECES = (
    "<h1>a</h1>",
    "<h2>b",
    "</h2>",
    "<h3>c</h3>",
    "<h4>d</h4>",
    "<p>e</p>",
    "<ul><li>f",
    "</ul>",
    "<h2><div>g</div></h2>",
)


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=70))
def test_sections_and_bodies_as_plain_python_finds_them(pieces):
    html = "".join(pieces).encode()
    markup = read_markup(html)
    measures = measure(np.frombuffer(html, np.uint8), markup, characters(), KINDS)
    n = len(markup.start)
    text = np.linspace(0.05, 0.95, n, dtype=np.float32)
    weight = weights(measures)
    seen = read_structure(markup, measures, text, weight, least_score(text, weight))
    assert seen.kind.tolist() == unit_kinds(markup).tolist()
    level = seen.level.tolist()
    assert [kind == HEADING for kind in seen.kind] == [one > 0 for one in level]
    for block in range(n):
        before = [other for other in range(block) if not level[other]]
        behind = [other for other in range(block + 1, n) if not level[other]]
        assert seen.body_before[block] == (before[-1] if before else -1)
        assert seen.next_body[block] == (behind[0] if behind else -1)
        if level[block]:
            end = next((other for other in range(block + 1, n) if 0 < level[other] <= level[block]), n)
            assert seen.section_end[block] == end
            near = slice(block + 1, min(end, block + 1 + SECTION))
            mean = float((text[near] * weight[near]).sum() / weight[near].sum()) if end > block + 1 else 0.0
            assert seen.section[block] == pytest.approx(mean, abs=1e-5)


def test_short_blocks_alone_are_no_text():
    weight = np.full(3, 4.0)
    alone = Scores(np.array([0.04, 0.09, 0.01], np.float32), np.array([0.3, 0.3, 0.01], np.float32))
    assert choose(alone, weight).tolist() == [False, False, False]
    beside = Scores(np.array([0.04, 0.09, 0.9], np.float32), np.array([0.3, 0.5, 0.9], np.float32))
    assert choose(beside, weight).tolist() == [False, True, True]


def test_a_notice_beside_the_article_is_none_of_it():
    article = "".join(f"<p>{LONG} {n}</p>" for n in range(6))
    notice = "<noscript><p>Please enable JavaScript to view the comments.</p></noscript>"
    hidden = f"<template><p>{LONG} in a template</p></template>"
    found = main_text(f"<body><article>{article}{notice}{hidden}</article></body>".encode())
    assert f"{LONG} 5" in found and "JavaScript" not in found and "template" not in found
    alone = main_text(f"<body><div id=app></div><noscript><article>{article}</article></noscript></body>".encode())
    assert f"{LONG} 5" in alone
