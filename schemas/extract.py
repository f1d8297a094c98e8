"""Tables of the stage `extract`: documents, inputs and skipped pages.

Names follow FineWeb-2 where it has one. `id` is the WARC-Record-ID, or a 128-bit hash of file path and offset.
"""

import pyarrow as pa

STAGE = "extract"

OPT_OUT = {
    "noai": "no use for models",
    "noimageai": "no use of images for models",
    "noindex": "no search index",
    "tdm": "text and data mining reserved (TDMRep)",
}

DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),  # WARC-Record-ID without urn:uuid:, or 32 hex digits
        ("text", pa.string()),  # main text, as the engine gave it: Markdown where the run record says markdown = true
        ("url", pa.string()),
        ("date", pa.string()),  # capture time, ISO 8601 in UTC, seconds
        ("dump", pa.string()),  # crawl name such as CC-MAIN-2026-43, empty when unknown
        ("file_path", pa.string()),  # archive, as named by the input
        ("offset", pa.int64()),  # byte of the record in the archive as stored
        ("title", pa.string()),
        ("html_lang", pa.string()),  # the page's own lang attribute, else its content-language, unverified
        ("encoding", pa.string()),  # WHATWG name, or ibm855
        ("encoding_source", pa.string()),  # bom, http, meta, detector or fallback
        ("n_replacement", pa.int32()),  # U+FFFD put in while decoding
        ("truncated", pa.string()),  # WARC-Truncated, null when whole
        ("payload_digest", pa.string()),
        ("opt_out", pa.string()),  # what the page says of OPT_OUT, sorted, comma-joined; empty: nothing
        ("canonical", pa.string()),  # address that the page names as its own, http or https, without fragment
        ("licence", pa.string()),  # that the page names: https://creativecommons.org/licenses/by-sa/4.0/ and the like
        ("published", pa.string()),  # date that the page gives itself, YYYY-MM-DD
    ]
)

INPUTS = pa.schema(
    [
        ("file_path", pa.string()),
        ("size", pa.int64()),  # bytes as stored, of the asked records alone; null when the store does not tell
        ("asked", pa.int64()),  # records that an index named; null: the archive was read whole
        ("asked_digest", pa.string()),  # of their places, 16 hex digits
        ("status", pa.string()),  # ok, or the reason of the first break
        ("broke_at", pa.int64()),  # byte offset of the first break, null when ok
        ("detail", pa.string()),  # one line about the first break
        ("records", pa.int64()),  # all records seen, breaks included
        ("documents", pa.int64()),
        (
            "counts",  # sums to `records`; a null reason means the record became a document
            pa.list_(pa.struct([("record_type", pa.string()), ("reason", pa.string()), ("count", pa.int64())])),
        ),
    ]
)

SKIPPED = pa.schema(
    [  # a row a response that gave no document, and a row a break
        ("id", pa.string()),
        ("url", pa.string()),
        ("file_path", pa.string()),
        ("offset", pa.int64()),
        ("record_type", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)

RECORD_REASONS = {
    "type": "not a record that holds a page (warcinfo, request, metadata, robots, ...)",
    "status": "HTTP status other than 200",
    "revisit": "a revisit record, its body lies elsewhere",
    "not_html": "payload is neither HTML nor XHTML",
    "no_url": "no target address",
    "http_malformed": "HTTP head that cannot be read",
    "empty_body": "no payload",
    "too_large": "payload above max_page_bytes",
    "decompression_ratio": "payload grows above max_decompression_ratio",
    "content_encoding": "Content-Encoding that cannot be decoded",
}
PAGE_REASONS = {
    "blocked_host": "the host or the address is on a list of block_lists",
    "charset": "bytes that are no text in any encoding",
    "language": "by a quick guess surely in none of `languages`",
    "too_deep": "element tree deeper than max_tree_depth (trafilatura, resiliparse)",
    "timeout": "extraction took more than page_seconds",
    "memory": "extraction took more than page_memory_bytes",
    "parser_crash": "the parser's process died",
    "no_main_text": "the engine found no main text",
}
ARCHIVE_REASONS = {
    "truncated": "the archive ends inside a record",
    "corrupt": "bytes that are no record",
    "not_an_archive": "no WARC, ARC or WET record at all",
    "unreadable": "the store failed after all retries",
    "missing": "no such archive",
    "not_there": "no record begins where the index says",
}
REASONS = {**RECORD_REASONS, **PAGE_REASONS, **ARCHIVE_REASONS}
FAILED = ("not_an_archive", "unreadable", "missing")  # archives that gave nothing at all
