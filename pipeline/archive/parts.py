"""A large plain archive in parts that give the same items, read one by one, as the whole does."""

import os

from pipeline.archive.blocks import HEAD_ROOM, Gap
from pipeline.archive.framing import form_of, read_blocks
from pipeline.archive.window import PROBE, Window

NO_DATA = -HEAD_ROOM - 1  # as max_page_bytes: no block is held


def part_starts(path: str, part_bytes: int) -> list[int]:
    """Offsets where parts of about `part_bytes` begin, 0 first; [0] alone for what is small, packed or no archive.

    The reader itself walks the file without holding a block (about 0.8 GB/s), so what looks like a record's head inside
    a payload is none here either. A part begins at a record that follows a whole one, where the reader remembers
    nothing of what came before. Archives with bare line feeds are not cut: their reader may search megabytes for a
    record and come back, and how far back it can go depends on where it began. Raises OSError.
    """
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        form = form_of(os.pread(file.fileno(), PROBE, 0))
        if size <= part_bytes or form is None or form.codec != "plain" or form.lenient:
            return [0]
        count = -(-size // part_bytes)
        starts, due = [0], size // count
        window = Window(file)
        behind_gap = False
        for item in read_blocks(window, NO_DATA):
            if isinstance(item, Gap):
                behind_gap = True
                continue
            if behind_gap or item.offset >= due:
                same = form_of(os.pread(file.fileno(), PROBE, item.offset)) == form
                if behind_gap and not same:
                    return [0]
                if same and not behind_gap:
                    starts.append(item.offset)
                    due = size * (item.offset * count // size + 1) // count
            behind_gap = False
        return starts if window.error is None else [0]
