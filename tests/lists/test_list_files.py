import gzip

import pytest

from pipeline.lists import list_files
from pipeline.lists.bad_words import BadWords
from pipeline.lists.contamination import Contamination
from pipeline.lists.url_lists import UrlLists
from schemas.errors import UserError

READERS = {
    "url_lists": lambda path: UrlLists([str(path)]),
    "bad_words": lambda path: BadWords([str(path)]),
    "contamination": lambda path: Contamination.load([str(path)]),
}
LINES = ["eng\tgood", "rus\tхорошо", "deu\tschön"]


@pytest.mark.parametrize(
    ("source", "name", "path"),
    [
        ("lists/adult.txt.gz", "adult", "lists/adult.txt.gz"),
        ("https://example.org/ut1/adult/", "adult", "https://example.org/ut1/adult/"),
        ("my.own-1=/lists/a=b.txt", "my.own-1", "/lists/a=b.txt"),
        ("/lists/a=b.txt", "a=b", "/lists/a=b.txt"),
        ("s3://bucket/x.parquet", "x", "s3://bucket/x.parquet"),
        ("/lists/.txt", ".txt", "/lists/.txt"),
    ],
)
def test_names(source, name, path):
    assert list_files.named(source) == (name, path)


@pytest.mark.parametrize("reader", READERS)
def test_a_path_with_an_equals_sign(monkeypatch, tmp_path, reader):
    """As folders of partitions have it; a name before the path still counts where the whole is no path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lang=en").mkdir()
    text = "eng\tone two three four five six seven eight" if reader != "url_lists" else "example.com"
    (tmp_path / "lang=en" / "x.txt").write_text(text)
    READERS[reader]("lang=en/x.txt")
    assert list_files.named("lang=en/x.txt") == ("x", "lang=en/x.txt")
    assert list_files.absolute("lang=en/x.txt") == f"{tmp_path}/lang=en/x.txt"
    assert list_files.named("lang=en") == ("lang=en", "lang=en")
    assert list_files.named("lang=en/y.txt") == ("lang", "en/y.txt")
    assert list_files.named("mine=lang=en/x.txt") == ("mine", "lang=en/x.txt")


def test_absolute_keeps_the_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert list_files.absolute("a=b.txt") == f"a={tmp_path}/b.txt"
    assert list_files.absolute("b.txt") == f"{tmp_path}/b.txt"
    assert list_files.absolute("a=https://example.org/b") == "a=https://example.org/b"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_of_any_packing(tmp_path, pack, encoding, end):
    (tmp_path / "list").write_bytes(pack(end.join(LINES).encode(encoding)))
    assert list_files.text(str(tmp_path / "list")).split("\n") == LINES


WRONG = {
    "utf-16": ("\n".join(LINES).encode("utf-16"), "line 1 ", "UTF-8"),
    "utf-16 without mark": ("\n".join(LINES).encode("utf-16-le"), "line 1 ", "UTF-8"),
    "windows-1251": ("\n".join(LINES).encode("cp1251", "replace"), "line 2 ", "iconv"),
    "latin-1": ("\n".join(["eng\ta", "eng\tb", "deu\tschön"]).encode("latin-1"), "line 3 ", "iconv"),
    "gb18030": ("\n".join(["eng\ta", "cmn\t坏词"]).encode("gb18030"), "line 2 ", "iconv"),
    "binary": (bytes(range(256)) * 10, "line 1 ", "UTF-8"),
    "binary of ASCII": (b"eng\ta\n\0\0", "line 2 ", "UTF-8"),
    "cut off gzip": (gzip.compress(b"eng\ta\n" * 1000)[:-20], "gzip", "again"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_are_one_line_with_file_place_and_way_out(tmp_path, reader, case):
    data, place, way_out = WRONG[case]
    path = tmp_path / "list.txt"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        READERS[reader](path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message and place in message and way_out in message


@pytest.mark.parametrize("reader", READERS)
def test_what_is_not_there(tmp_path, reader):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "nowhere", tmp_path / "empty", "no-such-store://x/y"):
        with pytest.raises(UserError, match="check") as caught:
            READERS[reader](path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", READERS)
def test_stores_other_than_the_disk(reader):
    import fsspec

    text = {
        "url_lists": "example.com\n",
        "bad_words": "eng\tbad\n",
        "contamination": "one two three four five six seven eight",
    }
    path = f"memory://lists-{reader}/list.txt"
    with fsspec.open(path, "w") as file:
        file.write(text[reader])
    READERS[reader](path)
