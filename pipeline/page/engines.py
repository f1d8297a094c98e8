"""HTML to main text, by one of three engines. Stateless: a page's text depends on nothing but the page.

The engines are imported where they run: the parent of an isolated extractor needs only the names.
"""

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Literal, get_args

from pipeline.html.references import without_lone_surrogates

Engine = Literal["blocks", "trafilatura", "resiliparse"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
MARKDOWN_ENGINES: tuple[Engine, ...] = ("blocks", "trafilatura")
RECURSIVE: tuple[Engine, ...] = ("trafilatura", "resiliparse")  # whose trees must not be too deep
EXACT_DEPTH = 100  # below it an upper bound will do

_FLAT = frozenset({  # elements that add no lasting depth
    # void
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    # leaves of SVG
    "path", "rect", "circle", "line", "polygon", "polyline", "ellipse", "use", "stop", "image",
    # their end tags may be left out
    "html", "head", "body", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option",
    "optgroup", "colgroup", "rt", "rp",
})  # fmt: skip
_TAG = re.compile(r"<(/?[a-zA-Z][a-zA-Z0-9-]{0,30})")
# what is never closed reaches to the end, which keeps this linear
_HIDDEN = re.compile(r"<!--(?:.*?-->|.*)|<(script|style|textarea)\b(?:.*?</\1|.*)", re.I | re.S)


def extract_text(html: bytes, *, engine: Engine, markdown: bool = False) -> str:
    """Main text of a page in UTF-8; empty where the engine finds none. markdown: resiliparse has none.

    trafilatura runs with its own defaults but without comments. Its `deduplicate` stays off: it remembers other pages.
    Raises what the engines raise; `isolation` is for pages from the web.
    """
    if engine == "blocks" and markdown:
        from pipeline.page.markdown.writer import markdown_text

        return markdown_text(html)
    if engine == "blocks":
        from pipeline.page.main_text.engine import main_text

        return main_text(html)
    text = html.decode("utf-8", "replace").replace("\0", "")
    if engine == "trafilatura":
        import trafilatura

        form = "markdown" if markdown else "txt"
        extracted = trafilatura.extract(text, include_comments=False, deduplicate=False, output_format=form) or ""
    elif engine == "resiliparse" and not markdown:
        from resiliparse.extract.html2text import extract_plain_text

        extracted = extract_plain_text(text, main_content=True, alt_texts=False, comments=False, post_meta=False)
    else:
        known = MARKDOWN_ENGINES if markdown else ENGINES
        raise ValueError(f"unknown engine {engine!r}: choose one of {', '.join(known)}")
    return without_lone_surrogates(extracted.strip())


def forget() -> None:
    """Empty trafilatura's caches. They change no text, but grow."""
    from trafilatura.meta import reset_caches

    reset_caches()


def html_depth(html: str) -> int:
    """Estimate of how deep elements nest, from start and end tags alone, in time linear in the page.

    Elements without lasting depth are not counted, a stray end tag closes nothing, script and comments are left out.
    """
    sums = list(accumulate(_steps(html), initial=0))
    if (bound := max(sums) - min(sums)) < EXACT_DEPTH:
        return bound
    return max(accumulate(_steps(_HIDDEN.sub("", html)), lambda depth, step: max(depth + step, 0), initial=0))


def _steps(html: str) -> Iterator[int]:
    tags = _TAG.findall(html)
    step = {tag: _step(tag.lower()) for tag in set(tags)}
    return map(step.__getitem__, tags)


def _step(tag: str) -> int:
    if tag.removeprefix("/") in _FLAT:
        return 0
    return -1 if tag.startswith("/") else 1
