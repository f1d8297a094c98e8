"""A file that is written bit by bit is there whole or not at all, and a place that takes none is one line."""

import errno
import os
from pathlib import Path

import pytest

from schemas.errors import UserError
from train.checkpoints.files import WholeFile


class Lines(WholeFile):
    def __init__(self, target: Path) -> None:
        super().__init__(target)
        self.file = self.part.open("w")

    def close(self, whole: bool) -> None:
        self.file.close()


def test_it_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with Lines(target) as lines:
        lines.file.write("a\n")
        assert not target.exists()
    assert target.read_text() == "a\n" and os.listdir(target.parent) == ["a.txt"]


def test_what_was_there_stays_where_it_went_wrong(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(KeyError), Lines(target) as lines:
        lines.file.write("new")
        raise KeyError
    with pytest.raises(UserError, match=r"a\.txt cannot be written \(No space left on device\)"), Lines(target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(BrokenPipeError), Lines(target):  # of another file
        raise BrokenPipeError(errno.EPIPE, "pipe")
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_at_the_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Lines, whole: bool) -> None:
        self.file.close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Lines, "close", full)
    with pytest.raises(UserError, match="No space left"), Lines(tmp_path / "a.txt"):
        pass
    assert os.listdir(tmp_path) == []


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a")
    with pytest.raises(UserError, match=r"file/a\.txt cannot be written \(File exists\): name another place"):
        WholeFile(tmp_path / "file" / "a.txt")
