"""Markdown as a reader sees it, and pages as their blocks: what tests of the writer hold against each other."""

import numpy as np
from markdown_it import MarkdownIt

from pipeline.html.elements import IN_PRE
from pipeline.page.blocks.markup import read_markup
from pipeline.page.main_text.lines import append_lines, seen
from pipeline.page.markdown.writer import Named, write
from pipeline.words.characters import characters

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = {"paragraph", "heading", "bullet_list", "ordered_list", "list_item", "blockquote", "table", "thead", "tbody",
        "tr", "th", "td"}  # fmt: skip


def written(html: str) -> str:
    """The Markdown of all blocks of a page."""
    page = html.encode()
    markup = read_markup(page)
    chosen = np.ones(len(markup.start), bool)
    named = Named(np.frombuffer(page, np.uint8), markup.language, markup.formulas)
    text: bytes = write(markup, chosen, characters(), named).tobytes()
    return text.decode()


def rendered(text: str) -> str:
    """What a reader is shown. Fails where it takes anything for a mark that the writer never makes."""
    pieces = []
    for token in READER.parse(text):
        if token.type == "inline":
            for inner in token.children or []:
                assert inner.type in ("text", "softbreak", "hardbreak"), (inner.type, token.content)
                pieces.append(inner.content or "\n")
            pieces.append("\n")
        elif token.type == "fence":
            pieces.append(token.content)
        else:
            assert token.type.rpartition("_")[0] in OURS, (token.type, text)
    return "".join(pieces)


def seen_blocks(html: str) -> list[str]:
    """The texts of a page's blocks, without the white space around them."""
    markup, found = read_markup(html.encode()), []
    for block in range(len(markup.start)):
        in_pre = bool(markup.flags[block] & np.uint32(IN_PRE))
        begin, end = seen(markup.text, int(markup.start[block]), int(markup.end[block]), in_pre, characters())
        if begin < end:
            out = np.zeros(end - begin + 1, np.uint8)
            size = append_lines(out, 0, markup.text[begin:end], in_pre, characters())
            found.append(out[:size].tobytes().decode())
    return found
