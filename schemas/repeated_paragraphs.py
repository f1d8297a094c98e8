"""Tables of paragraphs that repeat on pages of several hosts: licence texts, cookie notices, lyrics, prayers."""

import pyarrow as pa

MOST_HASHES = 64  # of pages and hosts that a crawl keeps of a paragraph, so that crawls can be counted together
EXAMPLES = 5  # pages that are named of a paragraph
EXAMPLE_CHARACTERS = 300

PARAGRAPHS = pa.schema(
    [  # a row a paragraph that is on two pages of two hosts, ascending by its key
        ("paragraph", pa.int64()),  # made of its words, see pipeline.repeats.paragraphs
        ("pages", pa.int64()),  # that have it; copies and fetches of a page are one. Those of earlier crawls count
        ("hosts", pa.int64()),  # of these pages
        ("occurrences", pa.int64()),  # on these pages
        ("is_cut", pa.bool_()),  # often enough to go
        ("cut_documents", pa.int64()),  # of this table that have lost it, copies too
        ("kept_documents", pa.int64()),  # of this table that still have it: it is seldom, or most of the page
    ]
)
PARAGRAPH_EXAMPLES = pa.schema(
    [  # at most EXAMPLES rows a paragraph of PARAGRAPHS, ascending by its key and the id
        ("paragraph", pa.int64()),
        ("id", pa.string()),  # of a document of this table that has it, or has lost it
        ("url", pa.string()),
        ("text", pa.string()),  # the paragraph as it stands there, at most EXAMPLE_CHARACTERS
    ]
)
PARAGRAPH_COUNTS = pa.schema(
    [  # a row a paragraph of this crawl, be it on one page, ascending by its key: what later crawls add to
        ("paragraph", pa.int64()),
        ("pages", pa.int64()),
        ("hosts", pa.int64()),
        ("occurrences", pa.int64()),
        ("page_hashes", pa.list_(pa.int64())),  # the MOST_HASHES smallest of the pages, ascending
        ("host_hashes", pa.list_(pa.int64())),  # likewise
    ]
)

CUT_PARAGRAPHS = pa.field("cut_paragraphs", pa.int32())  # of a document: how many paragraphs were cut from it
