"""Which addresses of the internet a URL may lead to: public ones, and private ones where the operator says so.

A URL may come from a list, an index or a server's answer, and those are input: none of them may reach this machine, its
network or a cloud's metadata. `--allow-private-addresses`, or ALLOWED in the environment, lets them.
"""

import ipaddress
import os
from collections.abc import Iterator

import ada_url

ALLOWED = "WANYU_ALLOW_PRIVATE_ADDRESSES"
FLAG = "--allow-private-addresses"
SCHEMES = ("http://", "https://")
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # of IPv6, all that is given out (RFC 4291, 2.4)
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are of IPv4

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedAddress(OSError):
    """Where a URL leads is not to be connected. One line that names it and the way out."""


def is_web(location: str) -> bool:
    return location.lower().startswith(SCHEMES)


def is_allowed() -> bool:
    return os.environ.get(ALLOWED, "") not in ("", "0")


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet: of one machine there, and no IPv4 address in disguise
    (mapped, 6to4, Teredo, NAT64) that does not. What is no address is not."""
    try:
        return _is_public(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return False


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast
    if address in NAT64:
        return _is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    within = all(_is_public(one) for one in inside if one is not None)
    return within and (address.ipv4_mapped is not None or (address in GLOBAL_UNICAST and address.is_global))


def refused(url: str) -> str | None:
    """Why a URL is not to be fetched, as far as it says so itself: no http(s), or a host that is an address, in any
    spelling a browser knows, or `localhost`, which are private."""
    try:
        parsed = ada_url.URL(url)
        scheme, host = str(parsed.protocol), str(parsed.hostname)
    except ValueError:
        return "no http(s) URL"
    if scheme not in ("http:", "https:") or not host:
        return "no http(s) URL"
    if is_allowed():
        return None
    literal = host.strip("[]")
    if literal.rstrip(".") == "localhost" or literal.rstrip(".").endswith(".localhost"):
        return line_of(literal)
    return None if not _is_literal(literal) or is_public(literal) else line_of(literal)


def of_chain(error: BaseException | None) -> RefusedAddress | None:
    """What a client's error comes of, where it is ours."""
    return next((one for one in _chain(error) if isinstance(one, RefusedAddress)), None)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def line_of(host: str, address: str = "") -> str:
    """What to say of a host, and of the address that it leads to, where that is private."""
    leads = f"{host} leads to {address}, which" if address and address != host else host
    return f"{leads} is no address of the public internet: {FLAG} lets URLs go there"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 10:
        yield error
        error, seen = error.__cause__ or error.__context__, seen + 1
