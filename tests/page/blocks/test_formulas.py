# ruff: noqa: E501
"""Formulas of a page: their source, once, in place of what is drawn."""

import pytest

from pipeline.page.blocks.markup import read_markup


def read(html: str) -> tuple[list[str], list[tuple[str, int]]]:
    """Texts of the blocks; the formulas and whether they are displayed."""
    page = read_markup(html.encode())
    text = page.text.tobytes()
    blocks = [text[start:end].decode() for start, end in zip(page.start, page.end, strict=True)]
    return blocks, [(text[start:end].decode(), displayed) for start, end, displayed in page.formulas.tolist()]


def annotated(tex: str, encoding: str = "application/x-tex", attributes: str = "") -> str:
    return (
        f"<math {attributes}><semantics><mrow><mi>E</mi></mrow>"
        f"<annotation encoding='{encoding}'>{tex}</annotation></semantics></math>"
    )


def katex(tex: str) -> str:
    return (
        f"<span class='katex'><span class='katex-mathml'>{annotated(tex)}</span>"
        "<span class='katex-html' aria-hidden='true'><span class='base'><span class='mord'>drawn</span></span></span></span>"
    )


ASSISTIVE = "<span class='MJX_Assistive_MathML' role=presentation><math><mi>z</mi></math></span>"
MATHJAX_2 = f"<span class='MathJax' id='MathJax-1'><nobr><span>drawn</span></nobr>{ASSISTIVE}</span>"


@pytest.mark.parametrize(
    ("html", "texts", "formulas"),
    [
        (f"<p>a {annotated('x^2')} b", ["a x^2 b"], [("x^2", 0)]),
        (f"<p>a{annotated('x', 'TeX')}b", ["axb"], [("x", 0)]),
        (f"<p>{annotated('x', 'LaTeX')}{annotated('y', 'text/latex')}{annotated('z', 'application/x-latex')}",
         ["xyz"], [("x", 0), ("y", 0), ("z", 0)]),
        (f"<p>{annotated('x', 'MathML-Presentation')}", ["E"], []),
        ("<math><semantics><mi>E</mi><annotation-xml encoding=MathML-Content><ci>E</ci></annotation-xml></semantics></math>",
         ["E"], []),
        (f"<p>{annotated('a &lt; b &amp; c', attributes='display=block')}", ["a < b & c"], [("a < b & c", 1)]),
        (f"<p>{annotated('x', attributes='mode=display')}", ["x"], [("x", 1)]),
        ("<p>" + annotated('  a  =  \n b ') + '!', ["a = b!"], [("a = b", 0)]),
        ("<p>a <math alttext='y&gt;1'><mi>y</mi></math>.", ["a y>1."], [("y>1", 0)]),
        ("<p>a <math><mi>y</mi></math>.", ["a y."], []),
        ("<p>a <math alttext=''><mi>y</mi></math>.", ["a y."], []),
        (f"<p>a {annotated('t', attributes='alttext=other')}.", ["a t."], [("t", 0)]),
        (r"<p><math alttext='{\displaystyle E=mc^{2}}'></math>", ["E=mc^{2}"], [("E=mc^{2}", 0)]),
        (r"<p><math alttext='{\textstyle \{a\}}'></math>", [r"\{a\}"], [(r"\{a\}", 0)]),
        (r"<p><math alttext='{\displaystyle a}+{b}'></math>", [r"{\displaystyle a}+{b}"], [(r"{\displaystyle a}+{b}", 0)]),
        (r"<p><math alttext='{\displaystylex}'></math>", [r"{\displaystylex}"], [(r"{\displaystylex}", 0)]),
        # Wikipedia hides the formula and shows a picture.
        ("<p>so <span class='mwe-math-element'><span class='mwe-math-mathml-inline mwe-math-mathml-a11y' "
         r"style='display: none;'><math alttext='{\displaystyle x}'><mi>x</mi></math></span><img alt=x></span> is",
         ["so x is"], [("x", 0)]),
        # KaTeX, two formulas side by side.
        (f"<p>令 {katex('x')}{katex('y')} 则", ["令 xy 则"], [("x", 0), ("y", 0)]),
        (f"<p>a <span class='katex-display'>{katex('x')}</span> b", ["a x b"], [("x", 1)]),
        ("<p>a <span class='katex'><span class='katex-html'>drawn</span></span>", ["a drawn"], []),  # nothing else is there
        (f"<p>{annotated('x')}<span class=katex-html>drawn</span> b", ["x b"], [("x", 0)]),
        # MathJax 2: the source follows what is drawn.
        (f"<p>a <span class=MathJax_Preview>[math]</span>{MATHJAX_2}<script type='math/tex' id=x>x<y</script> b",
         ["a x<y b"], [("x<y", 0)]),
        (f"<p>a <span class=MathJax_Preview>p</span></p><div class=MathJax_Display>{MATHJAX_2}</div>"
         "<script type='math/tex; mode=display'>x &amp; y</script><p>b", ["a", "x &amp; y", "b"], [("x &amp; y", 1)]),
        (f"<p>a {MATHJAX_2} b", ["a z b"], []),  # its scripts are gone
        (f"<p>{MATHJAX_2}<script type=math/tex>x</script>, {MATHJAX_2}<script type=math/tex>y</script>",
         ["x, y"], [("x", 0), ("y", 0)]),
        (f"<p>{MATHJAX_2} text <script type=math/tex>x</script>", ["z text x"], [("x", 0)]),
        ("<p><span class='mjx-chtml'><span class='mjx-math'><span class=mjx-char>drawn</span></span></span>"
         "<script type='math/tex'>x</script>", ["x"], [("x", 0)]),
        ("<p>a<script type='math/tex'>% <![CDATA[\n a<b % ]]></script>", ["aa<b"], [("a<b", 0)]),
        ("<p>a <script type='math/asciimath'>x</script><script type='math/mml'>y</script><script type=text/tex>z</script>",
         ["a x"], [("x", 0)]),
        # MathJax 3: the assistive MathML is all there is.
        ("<p>a <mjx-container class='MathJax' jax='CHTML'><mjx-math class='MJX-TEX'><mjx-utext>drawn</mjx-utext></mjx-math>"
         "<mjx-assistive-mml unselectable=on><math><mi>y</mi></math></mjx-assistive-mml></mjx-container> b", ["a y b"], []),
        # What is open is ended by what stands in no formula.
        ("<p>a <math><mi>x</mi><p>b", ["a x", "b"], []),
        ("<p>a <math alttext=t><mi>x</mi></p>b", ["a t", "b"], [("t", 0)]),
        ("<p>a <math><mspace hidden/><mi>x</mi></math> b", ["a x b"], []),
        (f"<template>{annotated('x')}</template>b", ["b"], []),
        (f"<p>a <b hidden>secret {annotated('x')} secret</b> b", ["a x b"], [("x", 0)]),
        (f"<p>字\n{annotated('字')}\n字", ["字字字"], [("字", 0)]),
        (f"<pre>a  {annotated('x  y')}  b</pre>", ["a  x y  b"], [("x y", 0)]),
    ],
)  # fmt: skip
def test_a_formula_is_its_source(html, texts, formulas):
    assert read(html) == (texts, formulas)


@pytest.mark.parametrize(
    "words",
    ["中文。", "日本語", "한국어", "ข้อความ", "អត្ថបទ", "النص", "טקסט", "हिन्दी", "தமிழ்", "አማርኛ", "ქართული", "русский",
     "Türkçe", "English"],
)  # fmt: skip
def test_every_script_passes(words):
    html = (
        f"<p>{words} <span class=katex>{annotated(f'x_{{{words}}}')}<span class=katex-html>drawn</span></span> {words}"
    )
    assert read(html) == ([f"{words} x_{{{words}}} {words}"], [(f"x_{{{words}}}", 0)])


def test_bytes_of_links_and_bold_are_those_that_stay():
    page = read_markup(f"<p>a <a href=x>b{katex('xyz')}</a> <b>{katex('vw')}c</b>".encode())
    assert page.text[: page.end[0]].tobytes() == b"a bxyz vwc"
    assert (page.link_bytes[0], page.bold_bytes[0]) == (4, 3)
