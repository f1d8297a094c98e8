"""Rows that cannot be read: an error in the user's own files, left out and counted in published ones, as their makers'
readers do."""

from collections import Counter
from pathlib import Path

from schemas.errors import UserError
from train.benchmarks.files import Say

ALLOWED = 10  # rows of a published file, or
SHARE = 0.01  # of its rows


class Flaws:
    """published: the name of the layout, "" for files of the user's own."""

    def __init__(self, path: Path, published: str, say: Say) -> None:
        self.path = path
        self.published = published
        self._say = say
        self._counts = Counter[str]()
        self._expected = Counter[str]()
        self._first = ""

    def found(self, row: int, what: str, way_out: str) -> None:
        """what: as in "has no text"; counted as it stands, so without the row's own words."""
        message = f"{self.path}:{row} {what}: {way_out}"
        if not self.published:
            raise UserError(message)
        self._first = self._first or message
        self._counts[what] += 1

    def left_out(self, what: str) -> None:
        """Of rows that a published file is known to have, however many."""
        self._expected[what] += 1

    def end(self, read: int) -> None:
        """read: rows that became examples. UserError where too many did not."""
        wrong = self._counts.total()
        if wrong > max(ALLOWED, SHARE * (read + wrong)) or (wrong and not read):
            raise UserError(f"{self._first}; {wrong} of {read + wrong} rows are wrong, more than {self.published} has")
        for what, count in (self._expected + self._counts).items():
            self._say(f"{self.path}: left out {count} row{'s' if count > 1 else ''} of {self.published}: {what}")
