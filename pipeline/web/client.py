"""Every http(s) URL is fetched through here: the address that is really connected is looked at, as is each redirect.

A name is resolved once, what it means is judged (`pipeline.web.public`), and the judged address is the one that is
connected: neither odd spellings nor a name server that answers otherwise the second time lead around it. No redirect
leads from https to http, and what signs in at one host goes to no other one (aiohttp's own rule, as is the limit of
ten).

Where the environment names a proxy, that is connected, wherever it is, and it resolves names; what is promised then is
only that no URL spells a private address or `localhost`.
"""

import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from fsspec.implementations.http import HTTPFileSystem

from pipeline.web.public import RefusedAddress, is_allowed, is_public, line_of, refused

REDIRECTS = (301, 302, 303, 307, 308)


def filesystem(**client_settings: Any) -> HTTPFileSystem:
    """fsspec's of http(s), guarded. client_settings: of aiohttp's sessions, besides."""
    return HTTPFileSystem(
        get_client=client, client_kwargs=client_settings, use_listings_cache=False, skip_instance_cache=True
    )


async def client(**settings: Any) -> aiohttp.ClientSession:
    """A session that goes where it may. Needs a running loop, as aiohttp does."""
    connector = aiohttp.TCPConnector(resolver=_Resolver(), socket_factory=_socket)
    by_proxy = bool(_proxies())  # only then: with its environment aiohttp reads ~/.netrc too
    loop = settings.pop("loop", None)
    return aiohttp.ClientSession(
        connector=connector, loop=loop, trust_env=by_proxy, middlewares=(_each_request,), **settings
    )


async def _each_request(
    request: aiohttp.ClientRequest, send: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    """Of a URL and of each redirect of it."""
    if line := refused(str(request.url)):
        raise RefusedAddress(line)
    answer = await send(request)
    if answer.status in REDIRECTS and request.url.scheme == "https":
        to = answer.headers.get("Location", "").strip().lower()
        if to.startswith("http:"):
            answer.close()
            raise RefusedAddress(f"{request.url.host} leads from https to http: name the new address, if you trust it")
    return answer


class _Resolver(AbstractResolver):
    """The system's, of whose answers only those count that may be connected."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, socket.AddressFamily(family))
        may = [one for one in found if _may_connect(one["host"], one["port"])]
        if found and not may:
            raise RefusedAddress(line_of(host, found[0]["host"]))
        return may

    async def close(self) -> None:
        await self._inner.close()


class _Guarded(socket.socket):
    """Connects to what may be connected, whoever asks. The last line: nothing behind it can choose another address."""

    def connect(self, address: Any, /) -> None:
        self._look_at(address)
        super().connect(address)

    def connect_ex(self, address: Any, /) -> int:
        self._look_at(address)
        return super().connect_ex(address)

    def _look_at(self, address: Any) -> None:
        if not _may_connect(str(address[0]), int(address[1])):
            raise RefusedAddress(line_of(str(address[0])))


def _socket(address_info: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, _ = address_info
    return _Guarded(family=family, type=kind, proto=protocol)


def _may_connect(host: str, port: int) -> bool:
    return is_allowed() or is_public(host) or (host, port) in _addresses_of_proxies()


def _proxies() -> list[str]:
    """Those that the environment names for http and https."""
    return [url for scheme, url in getproxies().items() if scheme in ("http", "https") and url]


def _addresses_of_proxies() -> Iterator[tuple[str, int]]:
    for url in _proxies():
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        for *_, address in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM):
            yield str(address[0]), int(address[1])
