"""Addresses as browsers read them, by the WHATWG URL standard with UTS-46 for names of hosts: what two spellings of one
place share.

The standard's own parser is ada's. An address is read as one of http, whatever its scheme, or without one: so hosts
become ASCII (IDNA by UTS-46, percent-encoding undone, IPv4 of any spelling, IPv6 in its short form), `\\` is `/`, dot
segments are gone, tabs and line ends count for nothing. What the standard refuses, no browser can reach; it is parted
by its marks alone, its host begins with REFUSED, and it equals itself.
"""

import re
from urllib.parse import unquote_to_bytes

import ada_url

REFUSED = b"?"  # no character of a host
VERSION = 2  # raised when an address is compared otherwise than before; 1 was our own rules

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?=[/\\]{2})", re.I)
_BARE_SCHEME = re.compile(r"(?:https?|ftp|wss?):(?![0-9]+(?:[/?#]|$))", re.I)  # `http:host`, not the host http's port
# What the standard leaves as it is, 99 % of an archive's addresses; a test holds this against its parser.
_PLAIN = re.compile(
    r"https?://([a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,})(/[\w!$&()*+,./:;=?@~%|-]*)(?:#.*)?", re.S | re.A
)
_OUTER = "".join(map(chr, range(0x21)))  # C0 controls and the space, which the standard strips
_INNER = str.maketrans("", "", "\t\n\r")  # and what it takes out
_PARTS = re.compile(r"https?:[/\\]*([^/\\?#]*)(.*)", re.S | re.I)
_SURROGATES = re.compile("[\ud800-\udfff]")


def split(address: str) -> tuple[bytes, str]:
    """Host as it is compared (ASCII, small letters, without a dot at its end), and what follows it: path and query as
    the standard writes them, without the fragment. The host is empty where there is none."""
    found = _PLAIN.fullmatch(address)
    if found and "/." not in found[2] and "/%2" not in found[2] and "xn--" not in found[1]:
        return found[1].encode(), found[2]
    text = address.strip(_OUTER).translate(_INNER)
    scheme = SCHEME.match(text) or _BARE_SCHEME.match(text)
    if scheme:
        text = "http:" + text[scheme.end() :]
    else:
        text = "http:" + text if text.startswith(("//", "\\\\", "/\\", "\\/")) else "http://" + text
    try:
        return _parted(ada_url.URL(text).href)
    except UnicodeEncodeError:
        return split(_SURROGATES.sub("\ufffd", address))
    except ValueError:
        return _refused(text)


def bare(host: bytes) -> bytes:
    """Without the `www.` of most hosts."""
    return host[4:] if host.startswith(b"www.") and b"." in host[4:] else host


def plain(part: str) -> bytes:
    """Percent-encoding undone, in small letters of all scripts, as UTF-8 where it is such."""
    data = part.encode("utf-8", "surrogatepass")
    data = unquote_to_bytes(data) if b"%" in data else data
    return data.lower() if data.isascii() else _lowered(data)


def page(address: str) -> bytes:
    """What two addresses share that name the same page; of a host's front page, the host. Scheme, user, port, a leading
    `www.`, a trailing slash and the fragment do not count, nor do case and percent-encoding."""
    host, rest = split(address)
    path, _, query = rest.partition("?")
    asked = plain(query).rstrip(b"&")
    return bare(host) + plain(path).rstrip(b"/") + (b"?" + asked if asked else b"")


def _parted(href: str) -> tuple[bytes, str]:
    """Of what the standard's parser wrote: http://USER@HOST:PORT/PATH?QUERY#FRAGMENT."""
    begin = href.find("/", 7)
    authority = href[7:begin].rpartition("@")[2]
    host = authority.partition("]")[0] + "]" if authority[:1] == "[" else authority.partition(":")[0]
    return host.rstrip(".").encode(), href[begin:].partition("#")[0]


def _refused(text: str) -> tuple[bytes, str]:
    found = _PARTS.match(text)
    assert found is not None
    authority, rest = found[1].rpartition("@")[2], found[2].partition("#")[0]
    host = authority.partition("]")[0] + "]" if authority.startswith("[") else authority.partition(":")[0]
    path, mark, query = rest.partition("?")
    known = host.lower().rstrip(".").encode("utf-8", "surrogatepass")
    return known and REFUSED + known, path.replace("\\", "/") + mark + query


def _lowered(data: bytes) -> bytes:
    return data.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")
