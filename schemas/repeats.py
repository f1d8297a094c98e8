"""Tables of what repeats below the page: lines of a host, paragraphs on several hosts (licence texts, cookie notices,
lyrics, prayers), passages that stand, byte for byte, on several pages; and what documents say of theirs."""

import pyarrow as pa

LINES = pa.schema(
    [  # a row a host and line
        ("host", pa.string()),  # lower case, without user, port and leading `www.`
        ("line_hash", pa.int64()),  # key of the line, see pipeline.repeats.page_lines
        ("pages", pa.int64()),  # of the host that have the line; copies and fetches of a page are one
        ("lines", pa.int64()),  # occurrences on these pages
        ("host_pages", pa.int64()),  # all pages of the host that have a line, counted likewise
        ("text", pa.string()),  # the line as one of the pages has it, at most 300 characters
    ]
)

CUT_LINES = pa.field("cut_lines", pa.int32())  # of a document: how many lines were cut from it

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

SPANS = pa.schema(
    [  # rows of a document follow each other by `start`, and do not overlap
        ("id", pa.string()),
        ("start", pa.int64()),  # bytes of the text before anything is cut, on borders of characters
        ("end", pa.int64()),
        (
            "pages",
            pa.int64(),
        ),  # that have a window of the passage, the document itself one of them: of its windows the most
        ("kept", pa.bool_()),  # no page that is preferred has it: here it stays when passages are cut
        ("other_id", pa.string()),  # the most preferred other page that has some of it
    ]
)

SHARED_BYTES = pa.field("shared_bytes", pa.int64())  # of a document: bytes of its passages
CUT_BYTES = pa.field("cut_bytes", pa.int64())  # of these how many were cut
