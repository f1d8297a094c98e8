import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels.hash_table import find, hash_table, may_have, slot_of, stamped_slot, table_size

HASHES = st.integers(0, 2**64 - 1) | st.integers(1, 40).map(lambda high: high << 58)  # of equal low bits, too


@given(st.sets(HASHES, max_size=200), st.lists(HASHES, max_size=50))
def test_hash_tables(keys, others):
    listed = np.array(sorted(keys - {0}), np.uint64)
    table = hash_table(listed, np.arange(len(listed)))
    for index, key in enumerate(listed):
        assert may_have(key, table.seen) and find(key, table) == index
    for key in set(others) - keys - {0, 1}:
        assert find(np.uint64(key), table) == -1


def test_the_hash_0_is_1():
    table = hash_table(np.array([0], np.uint64), np.array([7]))
    assert find(np.uint64(0), table) == find(np.uint64(1), table) == 7


@pytest.mark.parametrize(("entries", "size"), [(0, 16), (8, 16), (9, 32), (16, 32), (1000, 2048)])
def test_a_table_is_at_most_half_full(entries, size):
    assert table_size(entries) == size


@given(st.lists(HASHES.filter(bool), max_size=60))
def test_slots_are_those_of_a_set(keys):
    slots, seen = np.zeros(table_size(len(keys)), np.uint64), set()
    for key in map(np.uint64, keys):
        slot = slot_of(key, slots)
        assert (slots[slot] == key) == (key in seen)
        slots[slot] = key
        seen.add(key)
    assert sorted(slots[slots != 0].tolist()) == sorted(map(int, seen))


@given(st.lists(st.lists(st.integers(0, 50), max_size=20), max_size=5))
def test_a_stamp_forgets_those_before(sets):
    keys, stamps = np.empty(table_size(20), np.uint64), np.zeros(table_size(20), np.int32)
    for stamp, members in enumerate(sets, 1):
        seen = set()
        for key in members:
            slot = stamped_slot(keys, stamps, table_size(len(members)) - 1, np.int32(stamp), np.uint64(key))
            assert (stamps[slot] == stamp) == (key in seen)
            keys[slot], stamps[slot] = key, stamp
            seen.add(key)
