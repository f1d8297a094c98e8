"""Listings as generators of pages write them, with line numbers of all their kinds."""

from collections.abc import Callable

from bench.layout_code import Code, highlighted
from bench.layout_marks import line, out
from markupsafe import Markup

# (language, highlighted lines, their numbers, the lines as one text, a button's markup) to the listing
Writer = Callable[[str, list[Markup], list[str], Markup, str], str]


def listing(found: Code, style: str, copy: str = "") -> Markup:
    """The listing as its generator writes it, marked. copy: what its button says, none if empty."""
    rows = [highlighted(row, style) for row in found.lines]
    numbers = [str(number) for number in range(1, len(rows) + 1)]
    name, body = found.language, Markup("\n").join(rows)
    button = Markup('<button type="button" class="copy-btn" title="copy">{}</button>').format(copy) if copy else ""
    return Markup(WRITERS[style](name, rows, numbers, body, str(button)))


def _c(content: str) -> Markup:
    return line("c", Markup(content))


def _join(rows: list, numbers: list[str], form: str, between: str = "\n") -> Markup:
    """form: of a line; `{n}` is its number, left out of the text, `{c}` its code."""
    filled = [form.format(n=out(number), c=row) for row, number in zip(rows, numbers, strict=True)]
    return Markup(between.join(filled))


def _two_cells(table: str, row: str, left: str, right: str, pre: str = "<pre>{}</pre>"):
    """A table of numbers beside the code."""

    def write(name, rows, numbers, body, button):
        gutter, text = "\n".join(numbers), f"{_c(body)}"
        return (
            f'{table.format(name=name)}<tr{row}><td class="{left}">{pre.format(gutter)}</td>'
            f'<td class="{right}">{pre.format(text)}</td></tr></table>{button}'
        )

    return write


def _chroma_table(name, rows, numbers, body, button):
    gutter = "".join(f'<span class="lnt">{number:>2}\n</span>' for number in numbers)
    text = "".join(f'<span class="line"><span class="cl">{row}\n</span></span>' for row in rows)
    return (
        '<div class="highlight"><div class="chroma">\n<table class="lntable"><tr><td class="lntd">\n'
        f'<pre tabindex="0" class="chroma"><code>{gutter}</code></pre></td>\n<td class="lntd">\n<pre tabindex="0" '
        f'class="chroma"><code class="language-{name}" data-lang="{name}">{_c(text)}</code></pre></td></tr></table>\n'
        f"</div>\n{button}</div>"
    )


def _hexo(name, rows, numbers, body, button):
    gutter = "<br>".join(f'<span class="line">{number}</span>' for number in numbers)
    text = "<br>".join(f'<span class="line">{row}</span>' for row in rows)
    return (
        f'<figure class="highlight {name}">{button}<table><tr><td class="gutter"><pre>{gutter}</pre></td>'
        f'<td class="code"><pre>{_c(text)}</pre></td></tr></table></figure>'
    )


def _line_rows(table: str, form: str):
    """A table with a row a line: each is a line of the text."""

    def write(name, rows, numbers, body, button):
        filled = [form.format(n=number, c=_c(row)) for row, number in zip(rows, numbers, strict=True)]
        return f"{table.format(name=name)}{''.join(filled)}</table>{button}"

    return write


def _syntaxhighlighter(name, rows, numbers, body, button):
    gutter = "".join(f'<div class="line number{number} index0 alt2">{number}</div>' for number in numbers)
    text = "".join(
        f'<div class="line number{number} index0 alt1"><code class="{name} plain">{_c(row)}</code></div>'
        for row, number in zip(rows, numbers, strict=True)
    )
    return (
        f'<div class="syntaxhighlighter {name}"><table border="0" cellpadding="0" cellspacing="0"><tbody><tr>'
        f'<td class="gutter">{gutter}</td><td class="code"><div class="container">{text}</div></td></tr></tbody>'
        "</table></div>"
    )


def _crayon(name, rows, numbers, body, button):
    gutter = "".join(f'<div class="crayon-num" data-line="l-{number}">{number}</div>' for number in numbers)
    text = "".join(f'<div class="crayon-line">{_c(row)}</div>' for row in rows)
    return (
        '<div class="crayon-syntax crayon-theme-classic"><div class="crayon-toolbar"><span class="crayon-language">'
        f'{name.title()}</span></div><table class="crayon-table"><tr class="crayon-row"><td class="crayon-nums">'
        f'<div class="crayon-nums-content">{gutter}</div></td><td class="crayon-code"><div class="crayon-pre">{text}'
        "</div></td></tr></table></div>"
    )


def _vitepress(name, rows, numbers, body, button):
    gutter = "<br>".join(f'<span class="line-number">{number}</span>' for number in numbers)
    text = "\n".join(f'<span class="line"><span style="--shiki-light:#24292e">{row}</span></span>' for row in rows)
    return (
        f'<div class="language-{name} vp-adaptive-theme line-numbers-mode">{button}<span class="lang">{name}</span>'
        f'<pre class="shiki"><code>{_c(text)}</code></pre><div class="line-numbers-wrapper" aria-hidden="true">'
        f"{gutter}</div></div>"
    )


def _doxygen(name, rows, numbers, body, button):
    found = []
    for row, number in zip(rows, numbers, strict=True):
        shown = out(Markup(f'<span class="lineno">{number:>5}</span>')) + Markup("&#160;") + row
        found.append(f'<div class="line"><a id="l{int(number):05}"></a>{_c(shown)}</div>')
    return f'<div class="fragment">{"".join(found)}</div>'


def _pre(head: str, tail: str):
    return lambda name, rows, numbers, body, button: f"{head.format(name=name)}{_c(body + chr(10))}{button}{tail}"


def _lines(head: str, form: str, tail: str, between: str = "\n"):
    return lambda name, rows, numbers, body, button: (
        f"{head.format(name=name)}{_c(_join(rows, numbers, form, between))}{tail}{button}"
    )


SPHINX = '<div class="highlight-{name} notranslate"><div class="highlight"><pre><span></span>'
HUGO_LINE = (
    '<span style="display:flex;"><span style="white-space:pre;user-select:none;margin-right:0.4em;color:#7f7f7f">'
    "{n}</span><span>{c}\n</span></span>"
)
WRITERS: dict[str, Writer] = {
    "plain": _pre("<pre>", "</pre>"),
    "sphinx": lambda name, rows, numbers, body, button: (
        f"{SPHINX.format(name=name)}{_c(body + chr(10))}</pre>{button}</div></div>"
    ),
    "sphinx-table": _two_cells(
        '<div class="highlight-{name}"><table class="highlighttable">',
        "",
        "linenos",
        "code",
        '<div class="highlight"><pre>{}</pre></div>',
    ),
    "pygments": _pre('<div class="highlight"><pre><span></span><code>', "</code></pre></div>"),
    "pygments-inline": _lines(
        '<div class="codehilite"><pre><span></span><code>', '<span class="linenos">{n}</span>{c}', "</code></pre></div>"
    ),
    "pygments-table": _two_cells(
        '<table class="codehilitetable">', "", "linenos", "code", '<div class="linenodiv"><pre>{}</pre></div>'
    ),
    "chroma": _lines(
        '<div class="highlight"><pre tabindex="0" class="chroma"><code class="language-{name}" data-lang="{name}">',
        '<span class="line"><span class="cl">{c}\n</span></span>',
        "</code></pre></div>",
        "",
    ),
    "chroma-inline": _lines(
        '<div class="highlight"><pre tabindex="0" class="chroma"><code class="language-{name}" data-lang="{name}">',
        '<span class="line"><span class="ln">{n}</span><span class="cl">{c}\n</span></span>',
        "</code></pre></div>",
        "",
    ),
    "chroma-table": _chroma_table,
    "hugo-style": _lines(
        '<div class="highlight"><pre tabindex="0" style="color:#f8f8f2;background-color:#272822;tab-size:4">'
        '<code class="language-{name}" data-lang="{name}">',
        HUGO_LINE,
        "</code></pre></div>",
        "",
    ),
    "rouge": _pre(
        '<div class="language-{name} highlighter-rouge"><div class="highlight"><pre class="highlight"><code>',
        "</code></pre></div></div>",
    ),
    "rouge-table": _two_cells(
        '<div class="language-{name} highlighter-rouge"><div class="highlight"><table class="rouge-table">',
        "",
        "rouge-gutter gl",
        "rouge-code",
        "<pre>{}</pre>",
    ),
    "hljs": _pre('<pre><code class="hljs language-{name}">', "</code></pre>"),
    "hljs-table": _line_rows(
        '<pre><code class="hljs language-{name}"><table class="hljs-ln">',
        '<tr><td class="hljs-ln-line hljs-ln-numbers" data-line-number="{n}"><div class="hljs-ln-n" '
        'data-line-number="{n}"></div></td><td class="hljs-ln-line hljs-ln-code">{c}</td></tr>',
    ),
    "hexo": _hexo,
    "prism": _pre('<pre class="language-{name}"><code class="language-{name}">', "</code></pre>"),
    "prism-rows": _pre(
        '<div class="code-toolbar"><pre class="line-numbers language-{name}"><code class="language-{name}">',
        '<span aria-hidden="true" class="line-numbers-rows"><span></span><span></span></span></code></pre></div>',
    ),
    "docusaurus": _lines(
        '<div class="language-{name} codeBlockContainer_Ckt0"><div class="codeBlockContent_biex"><pre tabindex="0" '
        'class="prism-code language-{name} codeBlock_bY9V thin-scrollbar"><code class="codeBlockLines_e6Vv">',
        '<span class="token-line" style="color:#393A34">{c}<br></span>',
        "</code></pre></div></div>",
        "",
    ),
    "vitepress": _vitepress,
    "prettify": _pre('<pre class="prettyprint lang-{name}"><code>', "</code></pre>"),
    "syntaxhighlighter": _syntaxhighlighter,
    "crayon": _crayon,
    "wiki": _pre('<div class="mw-highlight mw-highlight-lang-{name} mw-content-ltr"><pre>', "</pre></div>"),
    "github": _line_rows(
        '<table class="highlight js-file-line-container" data-tab-size="4">',
        '<tr><td id="L{n}" class="blob-num js-line-number" data-line-number="{n}"></td>'
        '<td class="blob-code blob-code-inner js-file-line">{c}</td></tr>',
    ),
    "doxygen": _doxygen,
    "bare-table": _two_cells('<table class="code">', "", "lines", "source"),
}
STYLES = tuple(WRITERS)
