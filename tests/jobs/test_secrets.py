"""Secrets of the environment and of addresses are in nothing that a job writes or says."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from servers import Answer, web_server
from warcs import warc

from jobs import clean, extract, report

USER, PASSWORD, SIGNATURE, TOKEN, KEY = SECRETS = (
    *("us3r-of-the-store", "pa55word-of-the-store", "s1gnature-of-the-address", "t0ken-of-the-list"),
    "k3y-of-the-environment",
)
TEXT = "語料 ไทย한국어 አማርኛ ქართული: a paragraph that is long enough to be the main text of a page of the web. " * 20


def told(root: Path) -> bytes:
    """All bytes below a folder, and all that its tables say."""
    files = [path for path in root.rglob("*") if path.is_file()]
    assert files
    tables = [str(pq.read_table(path, partitioning=None).to_pylist()) for path in files if path.suffix == ".parquet"]
    names = "\n".join(map(str, files))
    return b"\n".join([*(path.read_bytes() for path in files), *map(str.encode, tables), names.encode()])


def secrets_in(said: bytes | str) -> list[str]:
    data = said.encode() if isinstance(said, str) else said
    return [secret for secret in SECRETS if secret.encode() in data]


def test_a_job_tells_no_secret(
    submit: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "STORE_PASSWORD"):
        monkeypatch.setenv(name, KEY)
    page = {"url": "http://example.org/1", "body": f"<html><body><p>{TEXT}</p></body></html>".encode()}
    root, logs = tmp_path / "root", tmp_path / "logs"
    logs.mkdir()
    with web_server() as server:
        server.by_path = {}

        def secret(path: str, answer: Answer) -> str:
            asked = f"{path}?X-Amz-Signature={SIGNATURE}&token={TOKEN}"
            server.by_path[asked] = [answer]
            return server.url(asked).replace("://", f"://{USER}:{PASSWORD}@")

        inputs = [secret("a.warc.gz", Answer(body=warc([page]))), secret("gone.warc.gz", Answer(404, b""))]
        (tmp_path / "some.paths").write_text(secret("forbidden.warc.gz", Answer(403, b"")))
        prefix = server.url("x/").replace("://", f"://{USER}:{PASSWORD}@")
        conf = {"spark.eventLog.enabled": "true", "spark.eventLog.compress": "false", "spark.eventLog.dir": str(logs)}
        ended = submit(
            "extract", "--input", *inputs, tmp_path / "some.paths", "--prefix", prefix, "--root", root,
            "--retries", 0, "--max-failed-share", 1, "--partitions", 2, conf=conf,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert "authorization" in server.seen[0]
        blocked = secret("list.txt", Answer(body=b"blocked.example\n"))
        flags = ["--root", str(root), "--block-lists", f"ads={blocked}"]
        assert clean.main(flags) == 0
        server.answers = [Answer(404, b"")]
        for url in (secret("none.txt", Answer(404, b"")), secret("none.txt", Answer(401, b"")).replace("none", "no")):
            assert clean.main(["--root", str(root), "--block-lists", url]) == 2
            assert clean.main(["--root", str(root), "--model", url]) == 2
        assert extract.main(["--input", inputs[1], "--root", str(tmp_path / "other"), "--retries", "0"]) == 2
    assert report.main(["--root", str(root)]) == 0
    output = ended.stdout + ended.stderr + "".join(capfd.readouterr())
    assert "forbidden.warc.gz" in told(root).decode(errors="replace") and "gone.warc.gz" in output
    assert secrets_in(output) == []
    assert secrets_in(told(root)) == []
    assert "SparkListenerEnvironmentUpdate" in told(logs).decode()
    assert secrets_in(told(logs)) == []
