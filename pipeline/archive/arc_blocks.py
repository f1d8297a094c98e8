"""ARC 1.0 records through warcio's record loader.

https://archive.org/web/researcher/ArcFileFormat.php
"""

import re
from collections.abc import Generator

from warcio.exceptions import ArchiveLoadFailed
from warcio.limitreader import LimitReader
from warcio.recordloader import ArcWarcRecordLoader

from pipeline.archive.blocks import HEAD_ROOM, Block, Gap
from pipeline.archive.gzip_members import only_zeros
from pipeline.archive.window import Window

MAX_LINE = 8192  # bytes
# address, IP address, date, type and length, as the first line of an archive, or as one to find again behind damage
ARC_LINE = re.compile(rb"\s*[a-z][a-z0-9+.-]*:[^\r\n]* [\w.:\[\]-]+ \d{8,17} [^\r\n]* -?\d+\r?\n", re.I)
NEXT_ARC = re.compile(rb"(?<![^\n])[a-z][a-z0-9+.-]{1,15}:[^\r\n]{0,4096} [\w.:\[\]-]+ \d{14} \S+ \d+\r?\n", re.I)


class _Lines:
    """What warcio's loader reads, with the offset of each line."""

    def __init__(self, window: Window):
        self._window = window
        self._buffer, self._at, self._told = b"", 0, 0

    def offset(self) -> int:
        """Of the next byte."""
        return self._window.tell() - len(self._buffer) + self._at

    def tell(self) -> int:
        return self._told

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none only at the end."""
        if self._at == len(self._buffer):
            self._fill()
        data = self._buffer[self._at : self._at + size]
        self._at += len(data)
        self._told += len(data)
        return data

    def readline(self, size: int = MAX_LINE) -> bytes:
        pieces: list[bytes] = []
        while size > 0 and (self._at < len(self._buffer) or self._fill()):
            end = self._buffer.find(b"\n", self._at, self._at + size) + 1
            piece = self.read(end - self._at if end else size)
            pieces.append(piece)
            size -= len(piece)
            if end:
                break
        return b"".join(pieces)

    def _fill(self) -> bool:
        self._buffer, self._at = self._window.read(1 << 16), 0
        return bool(self._buffer)


def arc_blocks(window: Window, max_page_bytes: int) -> Generator[Block | Gap, None, Gap | None]:
    """ARC records until the end or until damage. A URL record's length is trusted; between records lie blank lines."""
    lines = _Lines(window)
    loader = ArcWarcRecordLoader(verify_http=False, arc2warc=False)
    while True:
        try:
            at = lines.offset()
            line = lines.readline(MAX_LINE)
            if not line:
                return None
            if not line.strip():
                continue
            if not ARC_LINE.match(line):
                if not line.strip(b"\0") and only_zeros(window, at):
                    return None
                return Gap("corrupt", at, "no ARC record", at + 1)
            record = loader.parse_record_stream(lines, statusline=line, known_format="arc", no_record_parse=True)
            header = record.rec_headers.get_header
            url, length = header("uri"), record.length
            data, lacking = _arc_data(record.raw_stream, length, max_page_bytes)
        except (ArchiveLoadFailed, ValueError, EOFError) as error:
            at = lines.offset()
            return Gap("corrupt", at, str(error), at + 1)
        if lacking:
            resume = at + 1 if window.remembers(at) else 0  # the length may be wrong
            return Gap("truncated", at, f"ends inside the record of {url[:120]}", resume)
        record_type = "filedesc" if record.rec_type == "arc_header" else "response"
        yield Block(record_type, None, url, header("archive-date"), at, length, header("content-type"),
                    None, None, None, data)  # fmt: skip


def _arc_data(stream: LimitReader, length: int, max_page_bytes: int) -> tuple[bytes | None, int]:
    """The block, None when it is too long, and how many bytes of it the archive lacks."""
    pieces, held = [], 0
    while held < length and (piece := stream.read(min(length - held, 1 << 16))):
        held += len(piece)
        if length <= max_page_bytes + HEAD_ROOM:
            pieces.append(piece)
    return (b"".join(pieces) if length <= max_page_bytes + HEAD_ROOM else None), length - held
