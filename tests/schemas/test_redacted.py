"""Secrets of addresses, texts and the environment, and what looks like one and is none."""

import logging
import pickle
import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UserError
from schemas.redacted import RedactedFormatter, is_secret, redacted, secrets_of, without_secrets

SIGNED = (
    "https://b.s3.amazonaws.com/a.warc.gz?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260101&"
    "X-Amz-Date=20260101T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=feedbeef"
)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://me:pass@host.org/a.warc.gz", "https://host.org/a.warc.gz"),
        ("https://token@host.org/a", "https://host.org/a"),
        ("https://me:p@ss@host.org/a@b", "https://host.org/a@b"),
        ("s3://KEY:secret@bucket/a", "s3://bucket/a"),
        (SIGNED, "https://b.s3.amazonaws.com/a.warc.gz"),
        ("https://h/a?file=a.gz&token=abc&n=2", "https://h/a?file=a.gz&n=2"),
        ("https://h/a?accessToken=abc", "https://h/a"),
        ("https://h/a?access%5Ftoken=abc", "https://h/a"),
        ("https://h/a?n=1;api_key=abc", "https://h/a?n=1"),
        ("https://h/a#token=abc", "https://h/a"),
        ("https://a.blob.core.windows.net/c/x?sv=2022&st=now&se=then&sr=b&sp=r&sig=abc%3D", "https://a.blob.core.windows.net/c/x"),
        ("https://d.cloudfront.net/x?Expires=1&Policy=p&Signature=s&Key-Pair-Id=K", "https://d.cloudfront.net/x"),
        ("https://storage.googleapis.com/b/x?GoogleAccessId=a&Expires=1&Signature=s", "https://storage.googleapis.com/b/x"),
        # what holds no secret stays to the letter
        ("https://host.org/a.warc.gz?part=1&&b=%20#top", "https://host.org/a.warc.gz?part=1&&b=%20#top"),
        ("https://host.org/a?keyword=x&monkey=y&Expires=1&sp=2", "https://host.org/a?keyword=x&monkey=y&Expires=1&sp=2"),
        ("https://host.org/@me/a", "https://host.org/@me/a"),
        ("abfss://folder@account.dfs.core.windows.net/a", "abfss://folder@account.dfs.core.windows.net/a"),
        ("crawl-data/CC-MAIN-2026-30/segments/1.warc.gz", "crawl-data/CC-MAIN-2026-30/segments/1.warc.gz"),
        ("/disk/me:pass@host/a.warc", "/disk/me:pass@host/a.warc"),
    ],
)  # fmt: skip
def test_addresses(url: str, name: str) -> None:
    assert without_secrets(url) == name
    assert without_secrets(name) == name


def test_a_text_keeps_all_but_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_PASSWORD", "correct horse battery")
    monkeypatch.setenv("DESKTOP_SESSION", "wayland-desktop")
    text = f"GET '{SIGNED}' (see https://me:pw@h.org/x?y=1), Authorization: Bearer abcdefgh.ijkl, correct horse battery"
    assert redacted(text) == (
        "GET 'https://b.s3.amazonaws.com/a.warc.gz' (see https://h.org/x?y=1), Authorization: Bearer ***, ***"
    )
    for kept in ("a wayland-desktop at 12:30, me@example.org", "Basic facts: 5 of 7", "语料 https://例え.jp/路?q=ключ"):
        assert redacted(kept) == kept


def test_variables_that_hold_secrets() -> None:
    named = {"AWS_SECRET_ACCESS_KEY": "x" * 20, "HF_TOKEN": "hf_abcdefgh", "dbPassword": "y" * 9}
    none = {
        "PATH": "/usr/bin:/bin",
        "KEY_FILE": __file__,
        "TOKEN": "short",
        "MAX_TOKENS": "12345678",
        "MONKEY": "z" * 9,
    }
    assert secrets_of({**named, **none}) == {*named.values()}
    assert is_secret("X-Api-Key") and is_secret("AWSAccessKeyId") and not is_secret("authors")


SAFE = st.text(string.ascii_letters + string.digits, min_size=8, max_size=30).map("Zq9".__add__)


@given(
    secret=SAFE,
    user=SAFE,
    host=st.sampled_from(["host.org", "10.0.0.1:80", "[::1]", "例え.jp"]),
    path=st.text("ab/%é?", max_size=9),
)
def test_no_secret_comes_through(secret: str, user: str, host: str, path: str) -> None:
    url = f"https://{user}:{secret}@{host}/{path}?a=1&X-Amz-Signature={secret}&b=2&token={secret}"
    for text in (without_secrets(url), redacted(f"cannot read {url!r}: 403"), str(UserError(f"{url}: no"))):
        assert secret not in text and user not in text


def test_errors_and_logs_hold_none() -> None:
    error = UserError("https://me:pass@h.org/a: no such file")
    assert str(error) == str(pickle.loads(pickle.dumps(error))) == "https://h.org/a: no such file"
    record = logging.LogRecord("x", logging.INFO, "x", 1, "read %s", ("https://me:pass@h.org/a",), None)
    assert RedactedFormatter("%(message)s").format(record) == "read https://h.org/a"


def test_a_bug_s_trace_holds_none() -> None:
    program = "from schemas.errors import run_program\ndef main(): raise KeyError('https://me:pa55word@h.org/a')\nrun_program(main)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 1 and "Traceback" in ended.stderr and "https://h.org/a" in ended.stderr
    assert "pa55word" not in ended.stderr
