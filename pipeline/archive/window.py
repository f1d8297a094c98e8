"""A stream that remembers its last mebibyte, so that reading can go on behind damage, even where nothing can seek."""

import re
from collections.abc import Callable
from typing import Protocol

KEEP = 1 << 20  # bytes kept behind the reader: decompressors notice damage within kilobytes
STRIDE = 1 << 18  # bytes searched at a time
PROBE = 1 << 17  # bytes shown to `accept`: one zstd block


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Window:
    """Reads `stream` forward with `tell`, short steps back, and no seek of the stream itself.

    start: the offset at which the stream stands, where it does not begin at the archive's first byte.
    An exception of the stream ends it like an end of file and is kept in `error`, because the readers above
    are native code that must not meet Python's exceptions.
    """

    def __init__(self, stream: Source, start: int = 0):
        self._stream = stream
        self._buffer = bytearray()
        self._start = start  # offset of the buffer's first byte
        self._position = start
        self._ended = False
        self.error: Exception | None = None

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to `offset`, or as near to it as the kept bytes allow."""
        if whence != 0:
            raise OSError("only absolute positions")
        self._position = max(self._start, min(offset, self._start + len(self._buffer)))
        return self._position

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer only at the end; without `size`, one stride."""
        size = STRIDE if size is None or size < 0 else size
        self._fill(self._position + size)
        begin = self._position - self._start
        data = bytes(memoryview(self._buffer)[begin : begin + size])
        self._position += len(data)
        surplus = min(len(self._buffer) - KEEP, self._position - self._start)
        if surplus > KEEP:  # drop rarely and much: each drop moves what is kept
            del self._buffer[:surplus]
            self._start += surplus
        return data

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end, without moving on."""
        self._fill(self._position + size)
        begin = self._position - self._start
        return bytes(self._buffer[begin : begin + size])

    def bytes_at(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on, fewer at the end, none where they are forgotten; stays where it is."""
        begin = offset - self._start
        if begin < 0:
            return b""
        self._fill(offset + size)
        return bytes(memoryview(self._buffer)[begin : begin + size])

    def close(self) -> None:
        """Nothing: the stream belongs to the caller."""

    def at_end(self) -> bool:
        return not self.peek(1)

    def holds(self, offset: int) -> bool:
        return offset >= self._start

    def remembers(self, offset: int) -> bool:
        """Whether the bytes from `offset` on are held wherever reading began."""
        return self._position - offset <= KEEP

    def find(self, pattern: re.Pattern[bytes], accept: Callable[[bytes], bool], start: int) -> int | None:
        """Offset of the first match of `pattern` at or behind `start` whose bytes `accept` likes; stands there then."""
        self.seek(start)
        while self._position < start and self.read(min(STRIDE, start - self._position)):
            pass
        while True:
            here = self._position
            block = self.peek(STRIDE + PROBE)
            for match in pattern.finditer(block):
                at = match.start()
                if at >= STRIDE:
                    break  # seen again, with all of its bytes, in the next round
                if accept(block[at : at + PROBE]):
                    self._position = here + at
                    return self._position
            if len(block) <= STRIDE:
                self.read(len(block))
                return None
            self.read(STRIDE)

    def _fill(self, end: int) -> None:
        while not self._ended and (missing := end - self._start - len(self._buffer)) > 0:
            try:
                block = self._stream.read(missing)
            except Exception as error:  # stores raise anything
                self.error, block = error, b""
            self._ended = not block
            self._buffer += block
