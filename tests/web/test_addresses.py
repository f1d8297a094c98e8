"""Addresses as the standard reads them: examples of all scripts, and ada as the oracle of what is done without it."""

import random
import re
import time

import ada_url
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.lists.url_lists import _SIMPLE, is_host
from pipeline.web import addresses
from pipeline.web.addresses import page, split

ZWNJ, ZWJ, SOFT_HYPHEN = "\u200c", "\u200d", "\u00ad"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # names of hosts: UTS-46, and no transitional ß
        ("http://例え.テスト/語?q=語", "https://xn--r8jz45g.xn--zckzah/%E8%AA%9E?q=%E8%AA%9E"),
        ("http://例え。テスト｡/", "例え.テスト"),
        ("http://مثال.إختبار/صفحة", "http://xn--mgbh0fb.xn--kgbechtv/%D8%B5%D9%81%D8%AD%D8%A9"),
        ("http://דוגמה.טעסט/", "http://xn--6dbbec0c.xn--deba0ad"),
        ("http://ตัวอย่าง.ทดสอบ/", "http://xn--72c1a1bt4awk9o.xn--l3cfk7dp"),
        ("http://उदाहरण.परीक्षा/", "http://xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g"),
        ("http://உதாரணம்.பரிட்சை/", "http://xn--zkc6cc5bi7f6e.xn--hlcj6aya9esc7a"),
        ("http://пример.испытание/", "http://ПРИМЕР.ИСПЫТАНИЕ/"),
        ("http://ΟΔΟΣ.gr/", "http://οδοσ.gr/"),
        ("http://straße.de/", "http://STRAẞE.de/"),
        ("http://straße.de/", "http://xn--strae-oqa.de/"),
        ("http://İstanbul.tr/", "http://i\u0307stanbul.tr/"),
        ("http://ISTANBUL.tr/", "http://istanbul.tr/"),
        (f"http://soft{SOFT_HYPHEN}hyphen.de/", "http://softhyphen.de/"),
        (f"http://ශ්{ZWJ}රී.com/", "http://xn--10cl1a0b660p.com/"),
        ("http://ＥＸＡＭＰＬＥ．com/", "http://example.com/"),
        ("http://ﬁnance.com/", "http://finance.com/"),
        ("http://bu\u0308cher.de/", "http://BÜCHER.de/"),
        ("http://b%C3%BCcher.de/", "http://xn--bcher-kva.de/"),
        ("http://exa%6Dple.org/", "http://example.org/"),
        # addresses of machines
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://2130706433/x", "http://0x7f.1/x"),
        ("http://0177.0.0.1/", "http://１２７.0.0.1/"),
        ("http://[2001:0DB8:0:0::1]:80/", "http://[2001:db8::1]/"),
        ("http://[::ffff:1.2.3.4]/", "http://[::ffff:102:304]/"),
        # marks
        ("http:\\\\example.org\\a\\b", "http://example.org/a/b"),
        ("http:/example.org/a", "http:example.org/a"),
        ("http:///example.org/a", "//example.org/a"),
        ("\\\\example.org\\a", "example.org/a"),
        ("  http://example.org/a \n", "http://example.org/a"),
        ("\thttp://exa\tmple.org/a\nb", "http://example.org/ab"),
        ("ht\ntp://example.org/", "http://example.org/"),
        ("https://example.org\\@evil.org/", "https://example.org/@evil.org/"),
        ("http://user:pw@example.org:8080/a", "https://example.org/a"),
        ("http://user@evil.org@example.org/", "http://example.org/"),
        ("http://example.org./a/", "http://www.example.org/a"),
        ("http://example.org/a/../b", "http://example.org/b"),
        ("http://example.org/../../b/.", "http://example.org/b"),
        ("http://example.org/a/%2e%2E/b", "http://example.org/b"),
        ("http://example.org/a b", "http://example.org/a%20b"),
        ("http://example.org/É", "http://example.org/%C3%89"),
        ("http://example.org/%C3%89", "http://example.org/%c3%a9"),
        ("http://example.org/ПУТЬ", "http://example.org/%D0%BF%D1%83%D1%82%D1%8C"),
        ("http://example.org/a?#x", "http://example.org/a"),
        ("http://example.org?a=1&", "http://example.org/?a=1#b"),
        ("ftp://example.org/a", "wss://example.org/a"),
        ("gopher://Example.org/a/../b", "example.org/b"),
        ("example.org:8080/a", "http://example.org/a"),
    ],
)
def test_one_place(one: str, other: str) -> None:
    assert page(one) == page(other)
    assert split(one)[0].isascii()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://strasse.de/", "http://straße.de/"),
        ("http://ıstanbul.tr/", "http://istanbul.tr/"),
        ("http://bucher.de/", "http://bücher.de/"),
        ("http://аррӏе.com/", "http://apple.com/"),  # Cyrillic
        ("http://example.org/", "http://example.org.evil.net/"),
        ("http://example.org@evil.net/", "http://example.org/"),
        ("http://example.org\\.evil.net/", "http://example.org.evil.net/"),
        ("http://example.org/a//b", "http://example.org/a/b"),
        ("http://example.org/a?b=\\c", "http://example.org/a?b=/c"),
        ("http://example.org/a;b", "http://example.org/a"),
        ("http://example.org/%E9", "http://example.org/%C3%A9"),
        ("http://1.2.3.4/", "http://1.2.3.4.example.org/"),
    ],
)
def test_two_places(one: str, other: str) -> None:
    assert page(one) != page(other)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://a b.org/",
            "http://exa<mple.org/x",
            "http://[1::2::3]/",
            "http://exa%00mple.org/",
            "http://ex%25.org/",
        ),
        *(f"http://नी{ZWNJ}ली.com/", f"http://a{ZWNJ}b.com/", "http://[::1%25eth0]/", "http://exa^mple.org/"),
    ],
)
def test_what_the_standard_refuses_equals_itself_and_is_no_host(url: str) -> None:
    with pytest.raises(ValueError):
        ada_url.URL(url)
    assert page(url) == page(url + "#x") != page(url.replace("http://", "http://x"))
    assert not is_host(split(url)[0])


@pytest.mark.parametrize(
    "url", ["", "http://", "http:///", "://x", "\0", "\ud800", "http://\udfff.org/", "#", "?", "//", ":"]
)
def test_anything_is_parted(url: str) -> None:
    host, rest = split(url)
    assert isinstance(host, bytes) and isinstance(rest, str)


LABEL = st.text("abcxyz019-_", min_size=1, max_size=6) | st.sampled_from(
    ["xn--a", "www", "127", "0x7f", "com", "ab--c"]
)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
REST = st.text("aZ09/.%2eE?#&=+~:@!$'()*,;|-_[]{}^`\\ \t\né語", max_size=24)


@example("https", "a.b", "/%2e./x")
@example("http", "ab.com", "/x?y=/.")
@example("http", "xn--a.com", "/")
@given(st.sampled_from(["http", "https"]), HOST, REST)
def test_what_is_done_without_the_parser_is_what_it_does(scheme: str, host: str, rest: str) -> None:
    url = f"{scheme}://{host}/{rest}"
    found = addresses._PLAIN.fullmatch(url)
    quick = split(url)
    try:
        parsed = ada_url.URL(url)
    except ValueError:
        assert not found or "xn--" in found[1]
        return
    search = str(parsed.search) or ("?" if re.match(r"[^#]*\?", str(parsed.href)) else "")
    assert quick == (str(parsed.hostname).rstrip(".").encode(), str(parsed.pathname) + search)


@given(st.text(max_size=60))
def test_to_read_an_address_twice_changes_nothing(url: str) -> None:
    host, rest = split(url)
    if is_host(host):
        assert split("http://" + host.decode() + rest) == (host, rest)


@given(st.text("abz019-_.xn", min_size=1, max_size=20))
def test_a_host_that_is_hashed_as_it_is_written_is_written_as_it_is_compared(line: str) -> None:
    if _SIMPLE.fullmatch(line.encode()):
        assert split(line) == (line.encode(), "/")
        assert split(f"http://{line}/")[0] == line.encode()


@pytest.mark.parametrize("line", ["example.org", "a_b.example", "192.0.2.7", "10.0.0.1", "localhost", "4chan.org"])
def test_hosts_that_are_hashed_as_they_are_written(line: str) -> None:
    assert _SIMPLE.fullmatch(line.encode())


@pytest.mark.parametrize(
    "line", ["127.1", "2130706433", "0x7f.1", "a.0x7f", "192.0.2.07", "1.2.3.256", "xn--a.org", "A.org"]
)
def test_hosts_that_are_not(line: str) -> None:
    assert not _SIMPLE.fullmatch(line.encode())


def test_a_million_addresses_are_seconds() -> None:
    draw = random.Random(1)
    urls = [
        f"https://www.{draw.choice('abc')}{n}.example.org/some/path/Page-{n}.html?id={n}&lang=sw"
        if n % 20
        else f"http://пример{n}.рф/путь/{n}?й=1"
        for n in range(20_000)
    ]
    began = time.process_time()
    for url in urls:
        page(url)
    assert (time.process_time() - began) / len(urls) * 1e6 < 15  # seconds a million; 3 on a free core
