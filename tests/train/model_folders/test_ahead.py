"""One is read while the one before is worked on, and no more than one."""

import threading

import pytest

from train.model_folders.ahead import ahead


def test_all_come_in_order_each_with_its_own() -> None:
    assert [*ahead("abc", str.upper)] == [("a", "A"), ("b", "B"), ("c", "C")]
    assert [*ahead([], str.upper)] == []


def test_the_next_is_read_meanwhile_and_none_after_it() -> None:
    begun = {name: threading.Event() for name in "abc"}

    def read(name: str) -> str:
        begun[name].set()
        return name

    found = ahead("abc", read)
    assert next(found) == ("a", "a")
    assert begun["b"].wait(10)  # while a is worked on
    assert not begun["c"].is_set()
    assert next(found) == ("b", "b") and begun["c"].wait(10)


def test_what_is_raised_comes_at_its_name() -> None:
    def read(name: str) -> str:
        if name == "b":
            raise OSError("gone")
        return name

    found = ahead("abc", read)
    assert next(found) == ("a", "a")
    with pytest.raises(OSError, match="gone"):
        next(found)


def test_one_who_stops_leaves_no_thread() -> None:
    before = threading.active_count()
    found = ahead("abc", str.upper)
    next(found)
    assert threading.active_count() == before + 1
    found.close()
    assert threading.active_count() == before
