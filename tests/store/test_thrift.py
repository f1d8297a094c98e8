from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.thrift import Value, decode, encode

INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
SCALARS = st.one_of(
    st.tuples(st.just(1), st.just(True)),
    st.tuples(st.just(2), st.just(False)),
    st.tuples(st.just(3), st.integers(0, 255)),
    st.tuples(st.sampled_from((4, 5, 6)), INTEGERS),
    st.tuples(st.just(7), st.floats(allow_nan=False)),
    st.tuples(st.just(8), st.binary(max_size=300)),
)


def containers(inner: st.SearchStrategy[tuple[int, Any]]) -> st.SearchStrategy[tuple[int, Any]]:
    lists = st.tuples(inner, st.integers(0, 20)).map(lambda given: (9, (given[0][0], [given[0][1]] * given[1])))
    fields = st.dictionaries(st.integers(1, 1 << 14), inner.map(lambda pair: Value(*pair)), max_size=5)
    pairs = st.tuples(inner, inner, st.integers(0, 3)).map(
        lambda given: (
            11,
            (given[0][0], given[1][0], [(given[0][1], given[1][1])] * given[2]) if given[2] else (0, 0, []),
        )
    )
    return st.one_of(lists, fields.map(lambda given: (12, given)), pairs)


@given(st.dictionaries(st.integers(1, 1 << 14), st.recursive(SCALARS, containers, max_leaves=12), max_size=6))
def test_any_structure_survives(fields: dict[int, tuple[int, Any]]) -> None:
    given = {number: Value(*pair) for number, pair in fields.items()}
    assert decode(encode(given)) == given


def test_the_bytes_of_the_protocol_by_hand() -> None:
    """Field 1 i32 150 (zigzag 300 = ac 02); field 2 true; field 20 (long form, zigzag 28) a list of two strings."""
    given = {1: Value(5, 150), 2: Value(1, True), 20: Value(9, (8, [b"ab", b""]))}
    expected = bytes.fromhex("15 ac02 11 09 28 28 02 6162 00 00")
    assert encode(given) == expected and decode(expected) == given


@given(st.binary(max_size=60))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    try:
        decode(data)
    except ValueError as error:
        assert "Thrift" in str(error)
