"""What gzip members hold, as one stream that knows which member each byte comes from."""

import zlib
from bisect import bisect_right

from pipeline.archive.window import Window

RAW_BYTES = 1 << 14  # taken at a time: what lies behind a member's end is copied
KEEP_BORDERS = 1 << 16  # of the members that begin behind what `Inside` still holds, and many more


class Members:
    """Reads the members from where `window` stands to the end of the archive, or to zeros that fill the rest of it.

    begin: offset of the member being read.  cut: of one that the archive ends inside, else None.
    Raises zlib.error for what is no member, and the error of a store.
    """

    def __init__(self, window: Window):
        self._window = window
        self._decoder = zlib.decompressobj(31)
        self._raw = b""
        self._told = 0  # bytes handed on
        self._inner = [0]  # positions in what is handed on where members begin, empty ones left out
        self._outer = [window.tell()]  # and these members' offsets in the archive
        self.begin = window.tell()
        self.cut: int | None = None

    def read(self, size: int) -> bytes:
        """At most `size` bytes of one member; none only at the end."""
        while True:
            if self._decoder.eof:
                self._raw, self._decoder = self._decoder.unused_data, zlib.decompressobj(31)
                self.begin = self._window.tell() - len(self._raw)
            begun = self._window.tell() - len(self._raw) > self.begin
            self._raw = self._raw or self._window.read(RAW_BYTES)
            if not self._raw:
                if self._window.error is not None:
                    raise self._window.error
                self.cut = self.begin if begun else None
                return b""
            if not begun and self._raw[0] == 0 and only_zeros(self._window, self.begin):
                return b""
            data = self._decoder.decompress(self._raw, size)
            self._raw = self._decoder.unconsumed_tail
            if data:
                if self.begin != self._outer[-1]:
                    self._inner.append(self._told)
                    self._outer.append(self.begin)
                    if len(self._inner) > 2 * KEEP_BORDERS:
                        del self._inner[:KEEP_BORDERS], self._outer[:KEEP_BORDERS]
                self._told += len(data)
                return data

    def member_at(self, position: int) -> int:
        """Offset of the member that the byte at `position` comes from."""
        return self._outer[max(bisect_right(self._inner, position) - 1, 0)]

    def start_of_member(self, position: int) -> int:
        """Position of the first byte of the member that the byte at `position` comes from."""
        return self._inner[max(bisect_right(self._inner, position) - 1, 0)]

    def borders(self, begin: int, end: int) -> list[int]:
        """Positions above `begin` and below `end` where members begin."""
        first = bisect_right(self._inner, begin)
        last = first
        while last < len(self._inner) and self._inner[last] < end:
            last += 1
        return self._inner[first:last]


class Inside(Window):
    """A window on what the members hold, from where `window` stands."""

    def __init__(self, window: Window):
        self.members = Members(window)
        super().__init__(self.members)


def only_zeros(window: Window, offset: int) -> bool:
    """Whether nothing but zero bytes lies from `offset` to the end: padding, of tapes and block devices. Stands
    behind what it has seen."""
    if window.seek(offset) != offset:
        return False
    while data := window.read(RAW_BYTES):
        if data.strip(b"\0"):
            return False
    return window.error is None


def one_member_holds(window: Window, size: int) -> bool:
    """Whether the gzip member that begins here ends only behind the next `size` bytes."""
    head = window.peek(size)
    decoder = zlib.decompressobj(31)
    try:
        while head and not decoder.eof:
            decoder.decompress(head, 1 << 20)
            head = decoder.unconsumed_tail
    except zlib.error:
        return False
    return len(window.peek(size)) == size and not decoder.eof
