import gzip
import pickle
import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lists.url_lists import UrlLists
from schemas.errors import UserError


@pytest.fixture
def lists(tmp_path):
    """Lists with the lines given, under their names."""

    def make(**files):
        for name, lines in files.items():
            (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return UrlLists([str(tmp_path / f"{name}.txt") for name in files])

    return make


def verdict(found, url):
    return found.match(pa.array([url]))[0]


@pytest.mark.parametrize(
    ("line", "url", "blocked"),
    [
        ("example.com", "http://example.com/", True),
        ("example.com", "https://WWW.Example.COM:8080/a?b#c", True),
        ("example.com", "http://user:pass@example.com/", True),
        ("example.com", "http://example.com./", True),
        ("example.com", "//a.b.c.example.com/x", True),
        ("example.com", "example.com/x", True),
        ("example.com", "http://notexample.com/", False),
        ("example.com", "http://example.com.evil.org/", False),
        ("example.com", "http://example.org/example.com", False),
        ("example.com", "http://example.com@evil.org/", False),
        ("example.com", "http://evil.org/?u=http://example.com/", False),
        ("example.com", "http://evil.org\\@example.com/", False),  # a browser goes to evil.org
        ("www.example.com", "http://example.com/", False),
        (".example.com", "http://a.example.com/", True),
        ("*.example.com", "http://a.example.com/", True),
        ("https://example.com/", "http://example.com/any", True),
        ("example.com   # a comment", "http://example.com/", True),
        ("0.0.0.0 example.com", "http://example.com/", True),
        ("xxx", "http://any.xxx/", True),
        ("192.0.2.7", "http://192.0.2.7/a", True),
        ("2.7", "http://192.0.2.7/a", False),  # numbers of an address are no domains
        ("[2001:db8::1]", "http://[2001:DB8::1]:80/a", True),
        ("BÜCHER.example", "http://xn--bcher-kva.example/", True),
        ("xn--bcher-kva.example", "http://bücher.example/", True),
        ("bücher.example", "http://BÜCHER.EXAMPLE/", True),
        ("bu\u0308cher.example", "http://bücher.example/", True),
        ("bücher.example", "http://bucher.example/", False),
        ("例え。テスト", "http://xn--r8jz45g.xn--zckzah/", True),
        ("ไทย.ไทย", "http://a.xn--o3cw4h.xn--o3cw4h/", True),
        ("пример.рф", "http://xn--e1afmkfd.xn--p1ai/", True),
        ("straße.example", "http://xn--strae-oqa.example/", True),
        ("bücher.example", "http://b%C3%BCcher.example/", True),
        ("example.com/a", "http://example.com/a", True),
        ("example.com/a", "http://www.example.com/a/", True),
        ("www.example.com/a", "http://example.com/a", True),
        ("http://example.com:80/a/", "https://example.com/A/b/c", True),
        ("example.com/a", "http://example.com/a?x=1", True),
        ("example.com/a", "http://example.com/a#x", True),
        ("example.com/a", "http://example.com/ab", False),
        ("example.com/a", "http://example.com/a.html", False),
        ("example.com/a", "http://example.com/b/a", False),
        ("example.com/a", "http://sub.example.com/a", False),
        ("example.com/a", "http://example.com/", False),
        ("example.com/a?x=1", "http://example.com/a?x=1", True),
        ("example.com/a?x=1", "http://example.com/a?x=1&y=2", True),
        ("example.com/a?x=1", "http://example.com/a?x=12", False),
        ("example.com/a?x=1", "http://example.com/a", False),
        ("example.com/?x=1", "http://example.com?x=1", True),
        ("example.com/~joe/日本", "http://example.com/%7Ejoe/%E6%97%A5%E6%9C%AC/x", True),
        ("example.com/%7ejoe", "http://example.com/~joe", True),
    ],
)
def test_what_a_line_blocks(lists, line, url, blocked):
    found = lists(a=["other.test", "other.test/b", line])
    kind = "url" if "/" in line.removeprefix("https://").rstrip("/") else "host"
    assert verdict(found, url) == (f"{kind}:a" if blocked else None)


def test_a_batch_with_nulls_and_no_addresses(lists):
    found = lists(a=["example.com"])
    urls = ["http://example.com/", None, "", "no address", "http://", "\0", "http://example.org/"]
    assert found.match(pa.array(urls, pa.large_string())) == ["host:a", *[None] * 6]
    assert found.match(pa.array([], pa.string())) == []
    assert UrlLists([]).match(pa.array(["http://example.com/"])) == [None]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_addresses_that_are_no_utf_8(lists, kind):
    found = lists(a=["example.com", "example.org/x"])
    urls = [
        b"http://example.com/\xff",
        b"http://\xff\xc3.test/",
        None,
        b"http://example.org/x/\xed\xa0\x80",
        b"http://a.test",
    ]
    offsets = pa.large_binary() if kind == pa.large_string() else pa.binary()
    array = pa.Array.from_buffers(kind, len(urls), pa.array(urls, offsets).buffers())
    assert found.match(array) == ["host:a", None, None, "url:a", None]
    assert found.match(array.slice(3)) == ["url:a", None]


def test_the_first_list_is_named_and_hosts_before_urls(lists):
    found = lists(a=["example.com/x"], b=["sub.example.com"], c=["example.com", "example.org/"])
    assert verdict(found, "http://sub.example.com/") == "host:b"
    assert verdict(found, "http://example.com/x") == "host:c"
    assert found.names == ["a", "b", "c"] and found.n_entries == [1, 1, 2]
    assert found.summary() == ["block lists: 4 entries: a 1, b 1, c 2"]


@pytest.fixture
def ut1(tmp_path):
    folder = tmp_path / "blacklists"
    for category, domains, urls in (("adult", ["adult.test"], ["mixed.test/adult"]), ("games", ["games.test"], [])):
        (folder / category).mkdir(parents=True)
        (folder / category / "domains").write_text("\n".join(domains))
        (folder / category / "urls.gz").write_bytes(gzip.compress("\n".join(urls).encode()))
        (folder / category / "usage").write_text("black")
    (folder / "README").write_text("not a list")
    (folder / "porn").symlink_to("adult")
    return folder


def test_ut1_layout(ut1):
    found = UrlLists([str(ut1)])
    urls = ["http://www.adult.test/", "http://mixed.test/adult/1", "http://mixed.test/", "http://games.test/"]
    assert found.match(pa.array(urls)) == ["host:adult", "url:adult", None, "host:games"]


def test_one_category_and_names(ut1):
    assert verdict(UrlLists([str(ut1 / "games")]), "http://games.test/") == "host:games"
    assert verdict(UrlLists([f"mine={ut1}"]), "http://games.test/") == "host:mine"
    assert verdict(UrlLists([f"mine={ut1}/adult/domains"]), "http://adult.test/") == "host:mine"


def test_a_folder_of_plain_lists(tmp_path):
    (tmp_path / "one.txt").write_text("one.test\n")
    (tmp_path / "two.list.gz").write_bytes(gzip.compress(b"two.test\n"))
    (tmp_path / "notes.md").write_text("not a list at all\n")
    found = UrlLists([str(tmp_path)])
    assert found.match(pa.array(["http://one.test/", "http://two.test"])) == ["host:one", "host:two"]


def test_a_folder_without_a_list(tmp_path):
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(UserError, match="no list in this folder"):
        UrlLists([str(tmp_path)])


def test_lines_that_name_nothing_are_counted(lists):
    found = lists(a=["example.com", "# comment", "", "||example.org^", "example.net"])
    assert (found.n_entries, found.n_ignored) == ([2], [1])
    assert "a.txt: 1 lines are ignored" in found.summary()[1] and "line 4" in found.summary()[1]


def test_prose_is_no_list(tmp_path):
    (tmp_path / "a.txt").write_text("This is a text\nof several lines\nword\n")
    with pytest.raises(
        ValueError, match=r"a\.txt: 2 lines of 3 name neither host nor URL \(line 1: 'This is a text'\)"
    ):
        UrlLists([str(tmp_path / "a.txt")])


def test_lists_travel_to_workers(lists):
    found = pickle.loads(pickle.dumps(lists(a=["example.com", "example.org/a"])))
    assert found.match(pa.array(["http://example.com/", "http://example.org/a/b"])) == ["host:a", "url:a"]


def test_many_lines_are_read_alike(tmp_path):
    """Pieces of a file in which every line is simple go another way; an odd line is read by the slow one."""
    hosts = [f"host-{number}.example{number % 7}.test" for number in range(20_000)]
    odd = {100: "Böse.TEST", 9_000: "UPPER.test", 15_000: "url.test/path"}
    (tmp_path / "a.txt").write_text("\n".join(odd.get(number, host) for number, host in enumerate(hosts)))
    found = UrlLists([str(tmp_path / "a.txt")])
    kept = [f"http://{host}/" for number, host in enumerate(hosts) if number not in odd]
    assert set(found.match(pa.array(kept))) == {"host:a"}
    assert found.match(pa.array([f"http://{hosts[number]}" for number in odd])) == [None] * 3
    assert found.match(pa.array(["http://böse.test", "http://upper.test", "http://url.test/path"])) == [
        "host:a", "host:a", "url:a"
    ]  # fmt: skip
    assert found.n_entries == [20_000]


LABELS = st.lists(st.sampled_from(["a", "b", "com", "xn--bcher-kva", "ü"]), min_size=1, max_size=4).map(".".join)


@given(listed=st.lists(LABELS, min_size=1, max_size=5), asked=LABELS)
def test_domains_against_the_definition(listed, asked, tmp_path_factory):
    path = tmp_path_factory.mktemp("lists") / "a.txt"
    path.write_text("\n".join(listed), encoding="utf-8")
    expected = any(asked == host or asked.endswith("." + host) for host in listed)
    assert (verdict(UrlLists([str(path)]), f"http://{asked}/x") == "host:a") == expected


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    path = tmp_path_factory.mktemp("lists") / "a.txt"
    path.write_text("example.com\nexample.org/x?y=1\n")
    return UrlLists([str(path)])


@given(text=st.text())
def test_any_string_is_an_address_or_none(few, text):
    assert verdict(few, text.encode("utf-8", "ignore").decode()) in (None, "host:a", "url:a")


LONG = ["http://a{.a}", "http://a/{b/}", "http://a/?{b&}", "http://{ü}", "{%}", "http://a/{%41}", "http://{@}"]


@pytest.mark.parametrize("pattern", LONG)
def test_long_addresses(few, pattern):
    before, _, piece = pattern.removesuffix("}").partition("{")
    began = time.process_time()
    assert verdict(few, before + piece * (5_000_000 // len(piece))) is None
    assert time.process_time() - began < 3
