"""What is secret in an address never reaches a log or a record, and what names a thing does."""

import pytest

from pipeline.observed.redact import redacted, redacted_address, redacted_values

PRESIGNED = (
    "https://b.s3.amazonaws.com/a.warc.gz?versionId=3&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F1"
    "&X-Amz-Security-Token=FwoG&X-Amz-Expires=60&X-Amz-Signature=abc123"
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (PRESIGNED,
         "https://b.s3.amazonaws.com/a.warc.gz?versionId=3&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=***"
         "&X-Amz-Security-Token=***&X-Amz-Expires=60&X-Amz-Signature=***"),
        ("https://user:p%40ss@host:8443/x?page=2", "https://***@host:8443/x?page=2"),
        ("ftp://token@host/x.warc", "ftp://***@host/x.warc"),
        ("https://acc.blob.core.windows.net/c/x?sv=2026&se=2027&sig=Zm9v%3D",
         "https://acc.blob.core.windows.net/c/x?sv=2026&se=2027&sig=***"),
        ("https://storage.googleapis.com/b/x?X-Goog-Credential=a%40b&X-Goog-Signature=ff&generation=7",
         "https://storage.googleapis.com/b/x?X-Goog-Credential=***&X-Goog-Signature=***&generation=7"),
        ("two: https://a:b@x/1?token=t then https://y/2?access_token=u&q=1",
         "two: https://***@x/1?token=*** then https://y/2?access_token=***&q=1"),
        ("aws_secret_access_key=wJalr/K7 and Authorization: Bearer eyJh.x.y",
         "aws_secret_access_key=*** and Authorization: Bearer ***"),
        # what must stay
        ("abfs://container@account.dfs.core.windows.net/root", "abfs://container@account.dfs.core.windows.net/root"),
        ("https://пример.рф/страница?ключ=1&monkey=2#@x", "https://пример.рф/страница?ключ=1&monkey=2#@x"),
        ("see somebody@example.org and https://host/@user/x", "see somebody@example.org and https://host/@user/x"),
        ("s3://bucket/key=eng/part.parquet", "s3://bucket/key=eng/part.parquet"),
    ],
)  # fmt: skip
def test_what_is_hidden(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert redacted(shown) == shown


def test_records_keep_what_is_no_address() -> None:
    value = {"rules": {"x": "password = 3"}, "lists": ["https://u:p@h/l", 4, None], "https://u:p@h/k": True}
    assert redacted_values(value) == {
        "rules": {"x": "password = 3"}, "lists": ["https://***@h/l", 4, None], "https://***@h/k": True,
    }  # fmt: skip
    assert redacted_address(PRESIGNED).endswith("X-Amz-Signature=***")
