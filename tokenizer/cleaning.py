"""Sentences as a trainer can take them: over-long ones cut, characters that trainers die of removed, both counted."""

import re
from collections.abc import Iterable, Iterator

# NUL ends a sentence in C, U+2585 is SentencePiece's own mark of an unknown character (its neighbour keeps the rest),
# and no other control character but tab and line break means anything in a text. U+0010 is kept: the model escapes it.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x0f\x11-\x1f\x7f-\x9f\ud800-\udfff]")
_TRAINER_MARKS = str.maketrans({"\u2585": "\u2586"})


class Sentences:
    """What a trainer reads, once; remembers what was done, whether there was any text and why the iterator stopped."""

    def __init__(self, sentences: Iterable[str], max_bytes: int) -> None:
        self.sentences = sentences
        self.max_bytes = max_bytes
        self.lines = self.lines_cut = self.controls_removed = 0
        self.has_text = False
        self.failure: BaseException | None = None

    def __iter__(self) -> Iterator[str]:
        try:
            for sentence in self.sentences:
                clean, removed = _CONTROLS.subn("", sentence)
                self.controls_removed += removed
                self.lines += 1
                parts = list(cut(clean.translate(_TRAINER_MARKS), self.max_bytes))
                self.lines_cut += len(parts) > 1
                for part in parts:
                    self.has_text = self.has_text or not part.isspace()
                    yield part
        except BaseException as error:  # SentencePiece would turn it into a RuntimeError that only holds its name
            self.failure = error
            raise

    def told(self) -> dict[str, int]:
        return {"lines": self.lines, "lines_cut": self.lines_cut, "controls_removed": self.controls_removed}


def cut(text: str, max_bytes: int) -> Iterator[str]:
    """Parts of at most max_bytes UTF-8 bytes that join to the text; none for an empty text."""
    data = text.encode()
    start = 0
    while len(data) - start > max_bytes:
        limit = start + max_bytes
        end = max(data.rfind(b"\n", start + 1, limit), 0) or max(data.rfind(b" ", start + 1, limit), 0) or limit
        while data[end] & 0xC0 == 0x80:  # inside a character
            end -= 1
        yield data[start:end].decode()
        start = end
    if start < len(data):
        yield data[start:].decode()
