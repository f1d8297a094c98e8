"""HTML's elements by number, what each does in the tree, and tables of names for kernels.

Which elements end which follows https://html.spec.whatwg.org/#parsing-main-inbody, as far as blocks of text need it.
"""

import numpy as np

from pipeline.kernels.hash_table import HashTable, hash_table

# Tags by number. What is not listed is inline: its tags do not divide text.
TAGS = (
    "", "html", "head", "body", "p", "h1", "h2", "h3", "h4", "h5", "h6", "div", "section", "article", "main", "aside",
    "header", "footer", "nav", "address", "blockquote", "pre", "ul", "ol", "menu", "li", "dl", "dt", "dd", "table",
    "caption", "thead", "tbody", "tfoot", "tr", "td", "th", "form", "fieldset", "legend", "figure", "figcaption",
    "details", "summary", "dialog", "center", "hgroup", "search", "noscript", "button", "template", "dir", "listing",
    "plaintext", "object", "video", "audio", "canvas", "picture", "marquee", "frameset", "optgroup",
    # inline, but of a meaning for the blocks
    "a", "br", "hr", "img", "input", "b", "strong", "label", "wbr", "code", "rt", "rp", "rb", "ruby",
    # their content is no text of the page
    "script", "style", "xmp", "iframe", "noembed", "noframes", "textarea", "title",
    "select", "svg", "datalist", "annotation", "annotation-xml",
    # in the head or of no interest
    "meta", "link", "base", "option", "source", "col",
    # without content
    "area", "embed", "param", "track", "keygen", "frame", "bgsound", "basefont", "command",
    # formulas
    "math",
)  # fmt: skip
TAG = {name: number for number, name in enumerate(TAGS)}
N_TREE = TAG["optgroup"] + 1  # tags below enter the tree
(HTML, HEAD, BODY, P, H1, H6, DIV, ADDRESS, TABLE, CAPTION, TD, TH, TR, LI,
 FORM, BUTTON, BR, HR, IMG, A, B, STRONG, RT, RP, RB, RUBY, TITLE,
 PRE, FIGURE, CODE, OL, TEMPLATE, SCRIPT, ANNOTATION, MATH) = (TAG[name] for name in (
    "html", "head", "body", "p", "h1", "h6", "div", "address", "table", "caption", "td", "th", "tr", "li",
    "form", "button", "br", "hr", "img", "a", "b", "strong", "rt", "rp", "rb", "ruby", "title",
    "pre", "figure", "code", "ol", "template", "script", "annotation", "math",
))  # fmt: skip

# What lies above a block, one bit each.
(
    IN_NAV, IN_HEADER, IN_FOOTER, IN_ASIDE, IN_ARTICLE, IN_MAIN, IN_FORM, IN_TABLE, IN_LIST, IN_DL, IN_QUOTE, IN_FIGURE,
    IN_CAPTION, IN_BUTTON, IN_NOSCRIPT, IN_HIDDEN, IN_ARIA_HIDDEN, IN_DETAILS, IN_DIALOG, IN_HEADING, IN_PRE,
    IN_ADDRESS, IN_TEMPLATE, IN_ARTICLE_BODY, IN_SECTION, IN_P, IN_CELL,
) = (1 << bit for bit in range(27))  # fmt: skip
FLAG_BITS = 27
IN_LABEL = 1 << FLAG_BITS  # not seen by the model: in what names the thing that stands below or around it

FLAG_TAGS = {
    "nav": IN_NAV, "header": IN_HEADER, "footer": IN_FOOTER, "aside": IN_ASIDE, "article": IN_ARTICLE, "main": IN_MAIN,
    "form": IN_FORM, "table": IN_TABLE, "ul": IN_LIST, "ol": IN_LIST, "menu": IN_LIST, "dl": IN_DL,
    "blockquote": IN_QUOTE, "figure": IN_FIGURE, "figcaption": IN_CAPTION, "caption": IN_CAPTION, "button": IN_BUTTON,
    "noscript": IN_NOSCRIPT, "details": IN_DETAILS, "dialog": IN_DIALOG, "pre": IN_PRE, "listing": IN_PRE,
    "address": IN_ADDRESS, "template": IN_TEMPLATE, "section": IN_SECTION, "search": IN_FORM, "p": IN_P, "td": IN_CELL,
    "th": IN_CELL, "dt": IN_LABEL, "legend": IN_LABEL, "summary": IN_LABEL,
    **{f"h{level}": IN_HEADING for level in range(1, 7)},
}  # fmt: skip
ROLES = {
    "navigation": IN_NAV, "banner": IN_HEADER, "contentinfo": IN_FOOTER, "complementary": IN_ASIDE, "main": IN_MAIN,
    "article": IN_ARTICLE, "dialog": IN_DIALOG, "alertdialog": IN_DIALOG, "search": IN_FORM, "menu": IN_NAV,
    "menubar": IN_NAV, "heading": IN_HEADING,
}  # fmt: skip

# Behaviour of tags in the tree: bits of `Tables.rules`.
ENDS_P, BARRIER, VOID, RAW, DROPPED, CELL, ROW, ROWS, ITEM, TERM, FOREIGN = (1 << bit for bit in range(11))
RULES = {
    ENDS_P: "address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer form "
    "header hgroup h1 h2 h3 h4 h5 h6 main menu nav ol p pre listing search section summary ul table hr li dd dt "
    "plaintext",
    BARRIER: "html table td th caption button object template marquee",
    RAW: "script style xmp iframe noembed noframes textarea title",
    DROPPED: "select svg datalist annotation annotation-xml",
    FOREIGN: "svg annotation annotation-xml",  # which a slash closes in HTML too
    CELL: "td th", ROW: "tr", ROWS: "thead tbody tfoot", ITEM: "li", TERM: "dt dd",
    VOID: "br hr img input wbr meta link base source col area embed param track keygen frame bgsound basefont "
    "command",
}  # fmt: skip

NAME_SEED, NAME_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a


def name_hash(name: str) -> int:
    value = int(NAME_SEED)
    for byte in name.encode():
        value = ((value ^ byte) * int(NAME_PRIME)) & 0xFFFFFFFFFFFFFFFF
    return value or 1


def name_table(names: dict[str, int]) -> HashTable:
    """Values, not negative, by the hash of their name."""
    return hash_table(np.array([name_hash(name) for name in names], np.uint64), np.array([*names.values()]))
