"""Table of lines that repeat on the pages of a host: menus, footers, disclaimers."""

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
