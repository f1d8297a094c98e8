"""Made-up columnar indexes of archives, as Common Crawl publishes them."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator

# https://github.com/commoncrawl/cc-index-table, src/main/resources/schema/cc-index-schema-flat.json, the columns used
INDEX = pa.schema(
    [
        ("url", pa.string()),
        ("url_host_name", pa.string()),
        ("fetch_time", pa.timestamp("ms")),
        ("fetch_status", pa.int16()),
        ("content_mime_detected", pa.string()),
        ("content_languages", pa.string()),
        ("warc_record_id", pa.binary()),
        ("warc_filename", pa.string()),
        ("warc_record_offset", pa.int32()),
        ("warc_record_length", pa.int32()),
    ]
)


def rows_of(name: str, data: bytes, languages: dict[str, str]) -> list[dict[str, Any]]:
    """A row for each response of an archive of gzip members. languages: by a part of the address."""
    found: list[dict[str, Any]] = []
    starts = []
    for record in ArchiveIterator(BytesIO(data), parse_http=True):
        starts.append(record.stream_pos)
        url = record.headers.get("WARC-Target-URI", "")
        if record.headers.get("WARC-Type") != "response" or "//" not in url:
            continue
        found.append(
            {
                "url": url,
                "url_host_name": url.split("/")[2],
                "fetch_time": 1_700_000_000_000,
                "fetch_status": int(record.http_headers.status_code or 0) if record.http_headers else 0,
                "content_mime_detected": "text/html",
                "content_languages": next((code for part, code in languages.items() if part in url), None),
                "warc_record_id": bytes(16),
                "warc_filename": name,
                "warc_record_offset": record.stream_pos,
            }
        )
    ends = dict(zip(starts, [*starts[1:], len(data)], strict=True))
    return [{**row, "warc_record_length": ends[row["warc_record_offset"]] - row["warc_record_offset"]} for row in found]


def write_index(folder: Path, rows: list[dict[str, Any]], schema: pa.Schema = INDEX, files: int = 2) -> Path:
    """Files of a folder, rows dealt out to them; `crawl=C/subset=S` below it where the folder is named so."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        table = pa.Table.from_pylist(rows[number::files], schema=schema)
        pq.write_table(table, folder / f"part-{number:05d}.c000.gz.parquet", compression="gzip", row_group_size=7)
    return folder
