from collections.abc import Iterator
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.html.attributes import attributes, next_attribute

SPACES = b"\t\n\f\r "


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"", {}),
        (b" / / ", {}),
        (b" lang=am-ET", {b"lang": b"am-ET"}),
        (b" LANG = 'ka' dir", {b"lang": b"ka", b"dir": b""}),
        (b' a="1"b="2"', {b"a": b"1", b"b": b"2"}),  # no space between them
        (b"/a/b=/c/ d", {b"a": b"", b"b": b"/c/", b"d": b""}),  # a slash divides names, and is part of a bare value
        (b" =a =b=c", {b"=a": b"b=c"}),
        (b" a==b c=", {b"a": b"=b", b"c": b""}),
        (b" a= \n\t b", {b"a": b"b"}),
        (b" a = > b=c", {b"a": b""}),
        (b" a=b\"c'd", {b"a": b"b\"c'd"}),
        (b" \"a='b' <c", {b'"a': b"b", b"<c": b""}),
        (b' a="to the end > /', {b"a": b"to the end > /"}),
        (b' a="', {b"a": b""}),
        (b" a=1 A=2 a=3", {b"a": b"1"}),  # the first counts
        (b" a=&amp;lt;", {b"a": b"&amp;lt;"}),
        (" É=ß É=x".encode(), {"É".encode(): "ß".encode()}),
        ("\u212aey=1 key=2".encode(), {"\u212aey".encode(): b"1", b"key": b"2"}),  # the Kelvin sign is no K
        (b" a\x0b=\x0bb", {b"a\x0b": b"\x0bb"}),  # no white space of HTML's
        (b" class='x' id=y>text a=b", {b"class": b"x", b"id": b"y"}),
    ],
)
def test_attributes(source: bytes, expected: dict[bytes, bytes]) -> None:
    assert attributes(source) == expected


@pytest.mark.parametrize(
    ("source", "end", "slash"),
    [
        (b">", 0, False),
        (b" />", 2, True),
        (b" / >", 3, False),
        (b" a=b/>", 5, False),
        (b" a='b'/>", 7, True),
        (b" a='>'>", 6, False),
        (b" a/", 3, True),
        (b" a='>", 5, False),
        (b"", 0, False),
    ],
)
def test_where_the_tag_ends(source: bytes, end: int, slash: bool) -> None:
    data, at = np.frombuffer(source, np.uint8), 0
    while (attribute := next_attribute(data, at)).name < attribute.name_end:
        at = attribute.end
    assert (attribute.name, attribute.slash) == (end, slash)


def by_the_states_of_the_standard(source: bytes) -> dict[bytes, bytes]:
    """13.2.5.32 to .40 of the standard, a byte at a time; what the source's end cuts off counts too."""
    pairs: list[list[bytes]] = []
    state = "before name"
    for byte in (source[at : at + 1] for at in range(len(source))):
        again = True
        while again:
            again = False
            if state in ("before name", "after quoted", "after name"):
                if byte in SPACES:
                    state = "before name" if state == "after quoted" else state
                elif byte == b"/":
                    state = "before name"
                elif byte == b">":
                    return first_of_each(pairs)
                elif byte == b"=" and state == "after name":
                    state = "before value"
                elif byte == b"=" and state == "before name":
                    pairs.append([byte, b""])
                    state = "name"
                elif state == "after quoted":
                    state, again = "before name", True
                else:
                    pairs.append([b"", b""])
                    state, again = "name", True
            elif state == "name":
                if byte in SPACES or byte in b"/>":
                    state, again = "after name", True
                elif byte == b"=":
                    state = "before value"
                else:
                    pairs[-1][0] += byte
            elif state == "before value":
                if byte in SPACES:
                    pass
                elif byte in b"\"'":
                    state = byte.decode()
                elif byte == b">":
                    return first_of_each(pairs)
                else:
                    state, again = "bare", True
            elif state == "bare":
                if byte in SPACES:
                    state = "before name"
                elif byte == b">":
                    return first_of_each(pairs)
                else:
                    pairs[-1][1] += byte
            elif byte == state.encode():
                state = "after quoted"
            else:
                pairs[-1][1] += byte
    return first_of_each(pairs)


def first_of_each(pairs: list[list[bytes]]) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in reversed(pairs)}


PIECES = st.sampled_from([b"a", b"B", b"=", b"/", b">", b'"', b"'", b" ", b"\n", b"\f", b"\0", b"\xc3\xa9", b"<"])


@given(st.lists(PIECES, max_size=30).map(b"".join) | st.binary(max_size=60))
def test_as_the_standard_s_states(source: bytes) -> None:
    expected = by_the_states_of_the_standard(source)
    assert attributes(source) == expected
    assert first_of_each(list(by_kernel(source))) == expected


def by_kernel(source: bytes) -> Iterator[list[bytes]]:
    data, at = np.frombuffer(source, np.uint8), 0
    while (attribute := next_attribute(data, at)).name < attribute.name_end:
        yield [source[attribute.name : attribute.name_end], source[attribute.value : attribute.value_end]]
        at = attribute.end


def test_many_attributes() -> None:
    source = b"".join(b" n%d='%d'" % (n, n) for n in range(1000))
    assert attributes(source) == {b"n%d" % n: b"%d" % n for n in range(1000)}


@given(
    st.lists(
        st.tuples(st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True), st.text("xyz é<>/=&;", max_size=8)),
        max_size=5,
        unique_by=lambda pair: pair[0],
    )
)
def test_as_html_parser(pairs: list[tuple[str, str]]) -> None:
    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.attrs = dict(attrs)

    source = "".join(f' {name}="{value}"' for name, value in pairs)
    parser = Parser(convert_charrefs=False)
    parser.feed(f"<p{source}>")
    assert {name.decode(): value.decode() for name, value in attributes(source.encode()).items()} == dict(pairs)
    assert parser.attrs.keys() == dict(pairs).keys()
