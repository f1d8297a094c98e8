"""Addresses of a host in a column: what the column alone rules out is never one of it, in any script."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lists.host_rows import host_of, may_be_of, of_addresses, of_host
from pipeline.web.addresses import page

HOSTS = [
    "example.org", "EXAMPLE.org", "www.example.org", "news.example.org", "notexample.org", "example.org.evil.net",
    "пример.рф", "ПРИМЕР.рф", "xn--e1afmkfd.xn--p1ai", "новости.пример.рф", "例え.jp", "中文网.cn",
    "한국어.kr", "ไทย.th",
    "ខ្មែរ.kh", "مثال.مصر", "דוגמה.il", "उदाहरण.भारत",
    "தமிழ்.in", "አማርኛ.et", "ქართული.ge",
    "türkçe.tr", "ｅｘａｍｐｌｅ.org",
    "ex%61mple.org", "127.0.0.1", "[::1]", "example.org.",
]  # fmt: skip
PATHS = ["", "/", "/a", "/a/", "/a?b=c", "/%D0%B0#part", "/example.org/"]
FRONTS = ["https://", "http://", "HTTP://", "//", "", "https://user:word@"]
URLS = [front + host + path for host in HOSTS for path in PATHS for front in FRONTS]


@pytest.mark.parametrize("asked", HOSTS)
def test_the_pages_of_a_host_are_those_that_its_address_says(asked: str) -> None:
    host = host_of(f"https://{asked}/")
    expected = [(own := host_of(url)) == host or own.endswith(b"." + host) for url in URLS]
    assert of_host(pa.array([*URLS, None]), host).tolist() == [*expected, False]
    assert any(expected) and not all(expected)


@pytest.mark.parametrize("asked", ["https://www.example.org/a/", "пример.рф/a", "http://例え.jp/a?b=c", "127.0.0.1"])
def test_an_address_is_found_however_it_is_written(asked: str) -> None:
    expected = [page(url) == page(asked) for url in URLS]
    assert of_addresses(pa.array(URLS), frozenset([asked])).tolist() == expected
    assert sum(expected) > 4


@given(st.text(max_size=40), st.sampled_from(HOSTS))
def test_no_address_is_ruled_out_that_is_of_the_host(url: str, asked: str) -> None:
    url = url.encode("utf-8", "replace").decode()
    host = host_of(f"https://{asked}/")
    for given_url in (url, f"https://{url}", f"https://{url}.{asked}/", f"https://{asked}{url}"):
        own = host_of(given_url)
        if own == host or own.endswith(b"." + host):
            assert may_be_of(pa.array([given_url]), host).all()
