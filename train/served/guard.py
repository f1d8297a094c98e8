"""What stands before the page: bodies that are too large or too slow, names that are not ours, headers that keep a
browser from doing more than the page needs. ASGI, without a framework."""

import asyncio
import ipaddress
import json
import re
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

BODY_BYTES = 64 * 1024
BODY_SECONDS = 20.0  # from a browser beside us it takes none

NETLOC = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^][:/@?#\s]+)(:(?P<port>[0-9]{1,5}))?")
DIGITS = re.compile(r"[0-9]{1,15}")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


class HostNames:
    """Which names a request may call us by. A page of another site can have its name point to this machine (DNS
    rebinding), and then ask and read as if it were ours; the name that it must send gives it away."""

    def __init__(self, host: str, port: int) -> None:
        """host: as bound. Of an address that stands for all of this machine's, any address and its own names."""
        address = _address(host)
        self.port = port
        self.any_address = address is not None and address.is_unspecified
        self.names = {host.lower()}
        if self.any_address or host == "localhost" or (address is not None and address.is_loopback):
            self.names |= {"localhost", "127.0.0.1", "::1"}
        if self.any_address:
            self.names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def __contains__(self, netloc: str) -> bool:
        found = NETLOC.fullmatch(netloc.lower())
        if not found or int(found["port"] or 80) != self.port:
            return False
        host = found["host"].strip("[]")
        return host in self.names or (self.any_address and _address(host) is not None)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class Guard:
    """Around an app: refuses with {"error": one line}, and adds HEADERS to whatever is answered.

    421: a Host that is not ours. 403: asked by the page of another site (Origin). 413: a body of more than body_bytes,
    of which no more than that is read. 408: a body that has not come within body_seconds.
    """

    def __init__(
        self, app: App, names: HostNames, body_bytes: int = BODY_BYTES, body_seconds: float = BODY_SECONDS
    ) -> None:
        self.app, self.names, self.body_bytes, self.body_seconds = app, names, body_bytes, body_seconds

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_encoded(HEADERS)]
            await send(message)

        refused = self._refused(scope)
        body: list[Message] = []
        if not refused:
            try:
                async with asyncio.timeout(self.body_seconds):
                    body, refused = await self._body(scope, receive)
            except TimeoutError:
                refused = 408, "the question has not come whole in time: send it again"
        if refused:
            await answer(send_guarded, *refused)
            return

        async def replay() -> Message:
            return body.pop(0) if body else await receive()

        await self.app(scope, replay, send_guarded)

    def _refused(self, scope: MutableMapping[str, Any]) -> tuple[int, str] | None:
        hosts = _values(scope, b"host")
        if len(hosts) != 1 or hosts[0] not in self.names:
            shown = hosts[0][:80] if hosts else "no name"
            return 421, f"this is no server of {shown}: use the address that it printed when it began"
        for origin in _values(scope, b"origin"):
            if origin.partition("://")[2] not in self.names:  # an origin has no path, and may be "null"
                return 403, "a page of another site may not ask here: open this server's own page"
        return None

    async def _body(
        self, scope: MutableMapping[str, Any], receive: Receive
    ) -> tuple[list[Message], tuple[int, str] | None]:
        """(what came of it, why it is refused)."""
        too_large = 413, f"a question has at most {self.body_bytes:,} bytes: ask for fewer or shorter texts at once"
        if any(not DIGITS.fullmatch(one) or int(one) > self.body_bytes for one in _values(scope, b"content-length")):
            return [], too_large
        messages: list[Message] = []
        size, more = 0, True
        while more:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > self.body_bytes:
                return [], too_large
            more = message["type"] == "http.request" and bool(message.get("more_body", False))
        return messages, None


async def answer(send: Send, status: int, error: str) -> None:
    body = json.dumps({"error": error}, ensure_ascii=False).encode()
    # What has not been read of a body would be taken for the next question.
    headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    await send({"type": "http.response.start", "status": status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": body})


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _values(scope: MutableMapping[str, Any], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]
