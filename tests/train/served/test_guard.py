"""What is refused before any question is read, and what a browser is told."""

import asyncio
from typing import Any

import pytest

from train.served.guard import HEADERS, Guard, HostNames


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An app that answers with the body that it is sent."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


class Asked:
    """A request as a server passes it on. read: how many parts of the body were asked for."""

    def __init__(self, parts: list[bytes], headers: dict[str, str], wait: float = 0.0, **limits: Any) -> None:
        self.read, self.sent = 0, list[Any]()
        told = {"host": "127.0.0.1:8000"} | headers
        scope = {"type": "http", "headers": [(k.encode(), v.encode()) for k, v in told.items() if v is not None]}

        async def receive() -> Any:
            self.read += 1
            await asyncio.sleep(wait)
            return {"type": "http.request", "body": parts[self.read - 1], "more_body": self.read < len(parts)}

        async def send(message: Any) -> None:
            self.sent.append(message)

        asyncio.run(Guard(echo, HostNames("127.0.0.1", 8000), **limits)(scope, receive, send))

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(one["body"] for one in self.sent[1:])


def test_a_body_passes_whole_or_not_at_all() -> None:
    whole = Asked([b"a" * 40, b"b" * 60], {}, body_bytes=100)
    assert (whole.status, whole.body) == (200, b"a" * 40 + b"b" * 60)
    cut = Asked([b"a" * 40, b"b" * 61, b"c" * 1000, b"d"], {}, body_bytes=100)
    assert (cut.status, cut.read) == (413, 2)  # what comes behind is not read
    said = Asked([b"a" * 200], {"content-length": "200"}, body_bytes=100)
    assert (said.status, said.read) == (413, 0)
    assert said.body == b'{"error": "a question has at most 100 bytes: ask for fewer or shorter texts at once"}'
    assert Asked([b""], {"content-length": "-1"}, body_bytes=100).status == 413
    assert Asked([b""], {"content-length": "1" * 5000}, body_bytes=100).status == 413


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    slow = Asked([b"a"] * 100, {}, wait=0.02, body_seconds=0.05)
    assert slow.status == 408 and slow.read < 100


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"])
def test_our_names(host: str) -> None:
    assert Asked([b""], {"host": host, "origin": f"http://{host}"}).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "127.0.0.1.evil.example:8000", "evil@127.0.0.1:8000", "",
     "127.0.0.1:8000/x", "127.0.0.1:x", "[::1:8000", "192.168.0.7:8000", "127.0.0.1:8000#", None],
)  # fmt: skip
def test_names_that_are_not_ours(host: str) -> None:
    asked = Asked([b""], {"host": host})
    assert asked.status == 421 and asked.read == 0 and b'{"error": "this is no server of' in asked.body


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:8001", "http://localhost", "http://[::1"]
)
def test_pages_of_other_sites_may_not_ask(origin: str) -> None:
    assert Asked([b""], {"origin": origin}).status == 403


def test_names_of_other_addresses() -> None:
    every = HostNames("0.0.0.0", 80)
    assert "192.168.0.7" in every and "192.168.0.7:80" in every and "localhost" in every and "[fe80::1]:80" in every
    assert "evil.example" not in every and "192.168.0.7:8000" not in every
    one = HostNames("192.168.0.7", 8000)
    assert "192.168.0.7:8000" in one and "localhost:8000" not in one and "127.0.0.1:8000" not in one
    named = HostNames("Box.example", 8000)
    assert "box.example:8000" in named and "localhost:8000" not in named


def test_every_answer_has_the_headers() -> None:
    for asked in (Asked([b""], {}), Asked([b""], {"host": "evil.example"})):
        found = {name.decode(): value.decode() for name, value in asked.sent[0]["headers"]}
        assert found.items() >= HEADERS.items()
    policy = HEADERS["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy


def test_web_sockets_are_not_answered() -> None:
    asyncio.run(Guard(echo, HostNames("127.0.0.1", 8000))({"type": "websocket", "headers": []}, None, None))  # type: ignore[arg-type]
