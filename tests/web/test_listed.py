"""Lines of lists stay below what the operator named."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.archive.asked.index_files import location
from pipeline.archive.manifest import manifest
from pipeline.web.listed import placed
from pipeline.web.public import ALLOWED
from schemas.errors import UserError

BASES = ("/data/crawl/", "https://data.example/", "s3://bucket/", "hdfs://names:8020/crawl/")


@pytest.fixture(autouse=True)
def nobody_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOWED)


@pytest.mark.parametrize(
    ("line", "base", "place"),
    [
        ("a/b.warc.gz", "/data/", "/data/a/b.warc.gz"),
        ("a/b..c/...warc", "/data/", "/data/a/b..c/...warc"),
        ("/data/a.warc", "/", "//data/a.warc"),
        ("语/页 1.warc", "https://host/", "https://host/语/页 1.warc"),
        ("s3://bucket/x", "/data/", "s3://bucket/x"),
        ("https://8.8.8.8/x", "", "https://8.8.8.8/x"),
        ("hdfs://names:8020/crawl/a", "hdfs://names:8020/", "hdfs://names:8020/crawl/a"),
        ("part-1", "s3://bucket/crawl-", "s3://bucket/crawl-part-1"),
    ],
)
def test_where_a_line_lies(line: str, base: str, place: str) -> None:
    assert placed(line, base, "LIST") == place


@pytest.mark.parametrize(
    ("line", "base", "said"),
    [
        ("../../etc/passwd", "/data/crawl/", "leads out of /data/crawl/"),
        ("a/../../b", "/data/", "leads out of /data/"),
        ("..", "https://host/x/", "leads out of"),
        ("/etc/passwd", "/data/", "leads out of /data/"),
        ("//host/share", "/data/", "leads out of"),
        ("file:///etc/passwd", "/data/", "a list leads to https"),
        ("FILE:///etc/passwd", "s3://bucket/", "a list leads to https"),
        ("hdfs://10.0.0.1:8020/x", "hdfs://names:8020/", "a list leads to https"),
        ("sftp://host/x", "/data/", "a list leads to https"),
        ("webhdfs://169.254.169.254/x", "", "a list leads to https"),
        ("simplecache::https://127.0.0.1/", "", "an address inside another one"),
        ("zip://x::https://host/a.zip", "", "an address inside another one"),
        ("http://127.0.0.1:8080/", "", "no address of the public internet"),
        ("https://0x7f.1/", "s3://bucket/", "no address of the public internet"),
        ("latest/meta-data", "http://169.254.169.254/", "no address of the public internet"),
        (".evil.example/x", "https://host", "end --prefix with a slash"),
        ("@evil.example/x", "https://user:secret@host", "end --prefix with a slash"),
        ("-other/x", "s3://bucket", "end --prefix with a slash"),
        ("a\0b", "/data/", "a control character"),
        ("a\x1b[2Jb", "https://host/", "a control character"),
    ],
)
def test_where_no_line_leads(line: str, base: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        placed(line, base, "--input x.paths")
    message = str(caught.value)
    assert message.startswith("--input x.paths: ") and said in message and "\n" not in message
    assert "secret" not in message


HOSTILE = st.lists(
    st.sampled_from(
        [
            *("..", ".", "", "/", "a", "%2e%2e", "．．", "..\\", "C:", "CON", "\0", "~", "http:", "file:", "::", "//"),
            *("é", "x" * 300),
        ]
    ),
    max_size=8,
).map("/".join) | st.text(max_size=40)  # fmt: skip


@given(line=HOSTILE, base=st.sampled_from(BASES))
def test_whatever_a_line_is_it_stays_below_its_base(line: str, base: str) -> None:
    try:
        place = placed(line, base, "LIST")
    except UserError:
        return
    if base.startswith("/"):
        assert "://" in place or os.path.abspath(place).startswith(os.path.abspath(base))
        assert not place.lower().startswith("file:")
    elif "://" not in line:
        assert place.startswith(base)


def test_lists_and_indexes_go_by_it(tmp_path: Path) -> None:
    (tmp_path / "secret.warc").write_text("not below the list")
    (tmp_path / "lists").mkdir()
    listed = tmp_path / "lists" / "some.paths"
    for line in ("../secret.warc", f"file://{tmp_path}/secret.warc", f"{tmp_path}/secret.warc", "http://[::1]/a.warc"):
        listed.write_text(f"a.warc.gz\n{line}\n")
        with pytest.raises(UserError, match=r"some\.paths: ") as caught:
            manifest([str(listed)])
        assert "\n" not in str(caught.value)
        with pytest.raises(UserError, match=r"^--index: "):
            location(line, str(tmp_path / "lists"))
    with pytest.raises(UserError, match=r"^--input http://10\.0\.0\.1/a\.warc: 10\.0\.0\.1 is no address"):
        manifest(["http://10.0.0.1/a.warc"])


def test_names_hold_no_secret(tmp_path: Path) -> None:
    signed = "https://me:pa55word@host.example/a.warc.gz?X-Amz-Signature=5ecret&X-Amz-Date=1"
    (tmp_path / "some.paths").write_text(signed)
    for given_ in (signed, str(tmp_path / "some.paths")):
        (archive,) = manifest([given_])
        assert (archive.file_path, archive.location) == ("https://host.example/a.warc.gz", signed)
    with pytest.raises(UserError, match=r"would both be called https://host\.example/a\.warc\.gz") as caught:
        manifest([signed, signed.replace("5ecret", "other")])
    assert "5ecret" not in str(caught.value) and "pa55word" not in str(caught.value)
