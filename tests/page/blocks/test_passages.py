# ruff: noqa: E501
"""What stands in a page and is none of its text; the languages of listings."""

import pytest

from pipeline.page.blocks import listings, passage_names
from pipeline.page.blocks.class_names import OF_LANGUAGE, OF_PASSAGE, automaton
from pipeline.page.blocks.element_attributes import _groups
from pipeline.page.blocks.markup import read_markup
from pipeline.page.main_text.engine import main_text


def texts(html: str) -> list[str]:
    page = read_markup(html.encode())
    return [page.text[start:end].tobytes().decode() for start, end in zip(page.start, page.end, strict=True)]


def languages(html: str) -> list[str]:
    """Of the elements that have one."""
    page = html.encode()
    return [page[start:end].decode() for start, end in read_markup(page).language.tolist() if end]


@pytest.mark.parametrize("name", sorted(" ".join(passage_names.NAMES.values()).split()))
def test_a_word_of_each_class_is_found(name):
    page = name.encode()
    data = read_markup(page).text
    assert _groups(data, 0, len(data), *automaton()) & OF_PASSAGE


@pytest.mark.parametrize(
    "name", ["language-c", "lang-js", "highlight-source-go", "brush: js", "sourceCode hs", "highlight js"]
)
def test_a_word_of_each_language_class_is_found(name):
    data = read_markup(name.encode()).text
    assert _groups(data, 0, len(data), *automaton()) & OF_LANGUAGE
    assert listings.language_of(data, 0, len(data), True)[1]


CODE = "<pre>import x\nprint(x)</pre>"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        # Pygments, Chroma, Rouge, Hexo, SyntaxHighlighter, Crayon, cgit: a column.
        (f"<table class=highlighttable><tr><td class=linenos><div class=linenodiv><pre>1\n2</pre></div></td><td class=code>{CODE}", ["import x\nprint(x)"]),
        (f"<div class=chroma><table class=lntable><tr><td class=lntd><pre><code><span class=lnt>1\n</span><span class=lnt>2\n</span></code></pre></td><td class=lntd>{CODE}", ["import x\nprint(x)"]),
        (f"<table class=rouge-table><tr><td class='rouge-gutter gl'><pre class=lineno>1\n2\n</pre></td><td class=rouge-code>{CODE}", ["import x\nprint(x)"]),
        (f"<figure class='highlight js'><table><tr><td class=gutter><pre><span class=line>1</span><br><span class=line>2</span><br></pre></td><td class=code>{CODE}", ["import x\nprint(x)"]),
        ("<div class='syntaxhighlighter java'><table><tr><td class=gutter><div class='line number1'>1</div><div class='line number2'>2</div></td><td class=code><div class=line>a</div><div class=line>b</div>", ["a", "b"]),
        ("<div class=crayon-syntax><table><tr><td class=crayon-nums><div class=crayon-nums-content><div class=crayon-num>1</div><div class=crayon-num>2</div></div></td><td class=crayon-code><div>a</div>", ["a"]),
        ("<table><tr><td class='linenumbers'><pre><a id=n1 href='#n1'>1</a>\n<a id=n2 href='#n2'>2</a>\n</pre></td><td class=lines><pre>a\nb", ["a\nb"]),
        # GitHub, highlight.js: a cell a line. Chroma with and without classes, Pygments, gitweb, Doxygen, VuePress: inline.
        ("<table class='highlight'><tr><td class='blob-num js-line-number'>1</td><td>a</td></tr><tr><td class='blob-num'>2</td><td>b", ["a", "b"]),
        ("<pre><code class=hljs><table class=hljs-ln><tr><td class='hljs-ln-line hljs-ln-numbers'><div class=hljs-ln-n>1</div></td><td class=hljs-ln-code>a", ["a"]),
        ("<pre><span class=ln>1</span>a\n<span class=ln>2</span>  b</pre>", ["a\n  b"]),
        ("<pre><span style='display:flex'><span style='white-space:pre;-webkit-user-select:none;user-select:none;color:#7f7f7f'> 9</span><span>a\n</span></span><span><span style='user-select: none'>10</span><span>b\n</span></span></pre>", ["a\nb"]),
        ("<pre><span class=linenos>1</span>a\n<span class=linenos>2</span>b", ["a\nb"]),
        ("<div class=pre><a id=l1 href='#l1' class=linenr>   1</a> a</div>", ["a"]),
        ("<div class=fragment><div class=line><span class=lineno>    1</span> a</div>", ["a"]),
        ("<div class='language-js line-numbers-mode'><pre>a\nb</pre><div class=line-numbers-wrapper><span class=line-number>1</span><br><span class=line-number>2</span><br></div></div>", ["a\nb"]),
        ("<pre>a<ul class=pre-numbering><li>1</li><li>2</li></ul></pre>", ["a"]),
        # Without a class: a cell of numbers that count up, and nothing else.
        ("<table><tr><td><pre>9\n10\n11</pre></td><td><pre>a\nb\nc", ["a\nb\nc"]),
        ("<table><tr><td><pre>1\n2\n4</pre></td><td><pre>a\nb\nc", ["1\n2\n4", "a\nb\nc"]),
        ("<table><tr><td><pre>1</pre></td><td><pre>a", ["1", "a"]),
        ("<table><tr><td>n<pre>1\n2</pre></td><td><pre>a", ["n", "1\n2", "a"]),
        # These hold the code, or are none of a listing.
        ("<pre class=line-numbers>1\n2", ["1\n2"]),
        ("<pre><ol class=linenums><li>1<li>2</ol>", ["1", "2"]),
        ("<div class=line-numbers-mode>1</div>", ["1"]),
        ("<pre><span class=ln>one</span>", ["one"]),
        ("<p style='user-select:none'>1</p><p><span style='user-select:none'>2</span>", ["1", "2"]),
        ("<table><tr><td>1</td><td>ein</td></tr><tr><td class=line-number>2</td><td>zwei</td></tr><tr><td class=lineno>3</td>", ["1", "ein", "2", "zwei", "3"]),
        ("<p>line <span class=line-number>7</span>", ["line 7"]),
    ],
)  # fmt: skip
def test_numbers_of_lines_are_no_text(html, expected):
    assert texts(html) == expected


WORDS = [
    "中文",
    "日本語",
    "한국어",
    "ไทย",
    "ខ្មែរ",
    "عربي",
    "עברית",
    "हिन्दी",
    "தமிழ்",
    "አማርኛ",
    "ქართული",
    "русский",
    "Türkçe",
    "English",
]


TAGS = ["h1", "h6", "dt", "caption", "figcaption", "legend", "summary", "p class=rubric"]


@pytest.mark.parametrize(("tag", "words"), [*((tag, "字 a") for tag in TAGS), *(("h2", words) for words in WORDS)])
def test_a_headings_link_to_itself_is_no_text(tag, words):
    assert texts(f"<{tag}>{words} <a href='#x'>¶</a>") == [words]
    assert texts(f"<{tag}><a class=anchor href='#x'>#</a> {words}") == [words]
    assert texts(f"<{tag}>{words}<a class=headerlink href='#x'>Permalink to this heading</a>") == [words]
    assert texts(f"<{tag}><a class=anchor-link href='#x'>Link to this section</a> {words} <a href=y>{words}</a>") == [
        f"{words} {words}"
    ]
    assert texts(f"<{tag}>{words}<a class=anchor href='#x'>Anchor link to this</a>") == [words]
    assert texts(f"<{tag}><a href='#x'>{words}</a>") == [words]
    assert texts(f"<{tag}>1. <a class=header-anchor href='#x'>{words}</a>") == [f"1. {words}"]
    assert texts(f"<{tag}>{words} <a aria-hidden=true href='#x'>{words}</a>") == [words]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<div class=post><div class=text>a</div><div class=signature><p>b<br>c</div></div><p>d", ["a", "d"]),
        ("<li class=postcontainer>a<blockquote class='signature restore'>b</blockquote>c", ["a", "c"]),
        ("<article class=message>a<aside class='message-signature'>b<ul><li>c</ul></aside></article>", ["a"]),
        ("<div class=post>a<span class=signature>b</span> c</div>", ["a c"]),
        ("<section><div class=signature>int f(int x)</div>a</section>", ["int f(int x)", "a"]),  # documentation
        ("<div class=post><div class=member-signature>int f()</div>", ["int f()"]),
    ],
)
def test_signatures_of_posts_are_no_text(html, expected):
    assert texts(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<h2>C#</h2>", ["C#"]),
        ("<h2>§ 5 #</h2>", ["§ 5 #"]),
        ("<h2>F <a href=/sharp>#</a></h2>", ["F #"]),  # leads elsewhere
        ("<p>Note <a href='#fn'>*</a>", ["Note *"]),
        ("<h2>Part <a href='#n1'>1</a></h2>", ["Part 1"]),
        ("<h2><a class=anchor href='#x'>Permalink</a></h2>", ["Permalink"]),  # nothing else is there
        ("<h2>a <a href=/x#x>🔗</a><a href='#'>∞</a></h2><p>b", ["a", "b"]),
        ("<h2><a href='#x'>#<button>b</button></a> c</h2>", ["#", "b", "c"]),
    ],
)
def test_what_else_stands_in_a_heading(html, expected):
    assert texts(html) == expected


def test_bytes_of_links_are_those_that_stay():
    page = read_markup(b"<h2><a class=anchor href=#x>Permalink</a> ab <a href=y>cd</a><b><a href=#x>#</a>e</b>")
    assert page.text[page.start[0] : page.end[0]].tobytes() == b"ab cde"
    assert (page.link_bytes[0], page.links[0], page.bold_bytes[0]) == (2, 1, 1)


@pytest.mark.parametrize("words", WORDS)
def test_what_is_hidden_inline_is_no_text(words):
    assert texts(f"<p>{words} <span hidden>{words} <span>x</span> y</span> {words}") == [f"{words} {words}"]
    assert texts(f"<p>{words}<i style='color:red; DISPLAY : none'>{words}</i>{words}") == [words + words]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>a <span hidden>b</p><p>c", ["a", "c"]),  # ended by the paragraph
        ("<div>a <span hidden>b<div>c</div>d</span> e</div>", ["a", "e"]),
        ("<div><span hidden>b<div>c</span>d</div>e</span>f</div>", ["f"]),  # the tag within the div closes nothing
        ("<p>a <embed hidden=true> b <br hidden>c <img hidden>d", ["a b", "c d"]),
        ("<p>a <span hidden=until-found>b</span>", ["a b"]),
        ("<h2>History<span class=mw-editsection>[<a href=x>edit</a>]</span></h2>", ["History"]),
        ("<p>" + "<span hidden>" * 40 + "x" + "</span>" * 40 + "y", ["y"]),
        ("a<template>b<template>c</template><p>d</template>e", ["a", "e"]),
        ("a<template shadowrootmode=open>b</template>e", ["a", "b", "e"]),
    ],
)
def test_where_a_passage_ends(html, expected):
    assert texts(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<pre class='x language-c++'>a", ["c++"]),
        ("<pre><code class=lang-js>a</code> <code class=lang-ts>b", ["js"]),
        ("<div class='language-ruby highlighter-rouge'><div class=highlight><table><tr><td><pre>a", ["ruby"]),
        ("<div class='highlight highlight-source-shell'><pre>a", ["shell"]),
        ("<pre class='brush: js; gutter: true'>a", ["js"]),
        ("<pre class='brush:java'>a", ["java"]),
        ("<div class=sourceCode><pre class='sourceCode numberSource haskell'>a", ["haskell"]),
        ("<figure class='highlight css'><table><tr><td class=code><pre>a", ["css"]),
        ("<pre data-lang=go><code data-language=no>a", ["no"]),
        ("<div class=language-js><pre>a</pre></div><pre>b", ["js"]),
        ("<div class=language-en><div><p>a<pre>b", []),  # of people
        ("<pre class=language-plaintext>a</pre><pre class=lang-text>b</pre><pre class=nohighlight>c", []),
        ("<p class=language-x>a <code class=language-y>b", []),
    ],
)
def test_the_language_of_a_listing(html, expected):
    assert languages(html) == expected


def test_items_of_a_listing_have_no_dashes():
    sentence = "The harbour council met on Tuesday evening to decide how the old ferry landing should be repaired. "
    page = f"<main><h1>Code</h1><p>{sentence * 3}<pre><ol class=linenums><li>import x<li>print(x)</ol></pre><p>{sentence * 4}"
    assert "\nimport x\nprint(x)\n" in main_text(page.encode())
