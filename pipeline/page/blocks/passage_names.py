"""Elements that may hold what is no text of the page, by their classes: what makers of pages and of their tools write.

Copies of formulas, line numbers of listings, a heading's link to itself. `class_names` finds words of these names at no
cost; only a class that has one is taken apart here.
"""

import numpy as np

from pipeline.html.elements import NAME_PRIME, NAME_SEED, name_table
from pipeline.html.tokens import is_space, lower
from pipeline.kernels.compiling import kernel, whole
from pipeline.kernels.hash_table import HashTable, slot_of

# What may be known of a passage, one bit each. Of its classes:
(
    COPY,  # a formula as drawn by a script: goes where the source stands with it
    TREE_COPY,  # the same, of block elements too
    COPY_BEHIND,  # the same, behind its source
    DISPLAYED,  # formulas in it are displayed ones
    GONE,  # goes always
    NUMBERS,  # numbers of lines: goes if there is nothing else in it
    NUMBERS_NOT_CELL,  # the same, but for cells of a table that is no listing
    NUMBERS_IN_LISTING,  # the same, in listings only
    SELF_LINK,  # of a heading
    LABEL,  # a paragraph that is a heading
    SIGNATURE,  # goes below posts of a thread
    SHOWN,  # a formula's box, hidden or not
    # of its other attributes:
    HIDDEN,  # goes, but for formulas in it
    UNSELECTABLE,
    ARIA_HIDDEN,
    FRAGMENT,  # its href has one
    # of its place and name:
    LABEL_LINK,  # a link in a heading that may lead to the heading itself
    MATH,
    TEMPLATE,
) = (1 << bit for bit in range(19))

NAMES = {
    COPY: "katex mathjax mathjax_svg mathjax_chtml mathjax_phtml mjx-chtml mjx-math mjx-container",
    COPY | TREE_COPY: "mathjax_preview mathjax_mathml mwe-math-element",
    COPY | TREE_COPY | DISPLAYED: "mathjax_display mathjax_svg_display mjxc-display katex-display",
    COPY | COPY_BEHIND: "katex-html",
    SHOWN: "mwe-math-mathml-inline mwe-math-mathml-display mwe-math-mathml-a11y mjx_assistive_mathml katex-mathml",
    GONE: "mw-editsection message-signature signaturecontainer signature-container user-signature forum-signature",
    SIGNATURE: "signature",
    NUMBERS: "linenodiv lnt lnlinks rouge-gutter hljs-ln-numbers hljs-ln-n crayon-num crayon-nums crayon-nums-content "
    "blob-num blob-linenum js-line-number line-numbers-rows line-numbers-wrapper codemirror-linenumber "
    "codemirror-gutter-wrapper ace_gutter-cell react-syntax-highlighter-line-number linenr linenumbers pre-numbering "
    "diff-line-num file-line-num lines-num code-line-number",
    NUMBERS_NOT_CELL: "lineno linenos",
    NUMBERS_IN_LISTING: "ln gl gutter line-num line-number line-numbers linenumber",
    SELF_LINK: "headerlink header-link permalink hash-link header-anchor heading-anchor anchor anchorjs-link "
    "anchor-link heading-link heading-permalink header-permalink heading__anchor section-link deep-link",
    LABEL: "rubric",
}  # fmt: skip
# Words for `class_names.automaton`, of which each of the names has one.
WORDS = (
    "katex math|jax mathjax mjx |mwe| editsection lineno |ln |lnt| gutter |gl| |num linenr numbering |line|num "
    "|lines|num linenum headerlink header|link permalink hash|link anchor heading|link heading|perma section|link "
    "deep|link rubric signature"
)


def passage_table() -> HashTable:
    """What classes tell, by the hash of their name in small letters."""
    return name_table({name: kinds for kinds, names in NAMES.items() for name in names.split()})


@kernel
def class_kinds(data: np.ndarray, start: int, end: int, slots: np.ndarray, values: np.ndarray) -> int:
    """What the classes in `data[start:end]` tell. slots, values: of `passage_table`."""
    kinds, at = whole(0), start
    while at < end:
        value, begin = NAME_SEED, at
        while at < end and not is_space(data[at]):
            value = (value ^ np.uint64(lower(data[at]))) * NAME_PRIME
            at += 1
        if at > begin:
            slot = slot_of(max(value, np.uint64(1)), slots)
            if slots[slot] != 0:
                kinds |= whole(values[slot])
        at += 1
    return kinds
