"""Table of passages that stand, byte for byte, on several pages; and what documents say of theirs."""

import pyarrow as pa

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
