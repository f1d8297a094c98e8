"""Personal addresses masked: e-mail addresses and public IP addresses, as FineWeb-2 does, with reserved ones.

Nothing relies on spaces around an address, for Chinese or Thai text has none. Time is linear in the text's length.
"""

import ipaddress
from functools import lru_cache
from typing import NamedTuple

import regex

EMAIL_MASK = "email@example.com"  # RFC 2606
IPV4_MASK = "192.0.2.1"  # RFC 5737
IPV6_MASK = "2001:db8::1"  # RFC 3849

# RFC 5321: 64 octets before the sign, labels of 63 behind it. Letters are those of scripts that write spaces and
# take no suffixes on foreign words, so that what follows in Chinese, Thai or Korean is no part of the address.
LETTER = r"\p{Latin}\p{Cyrillic}\p{Greek}"
LOCAL = regex.compile(rf"(?r)[{LETTER}0-9][{LETTER}0-9._%+\-]*")
LABEL = rf"[{LETTER}0-9][{LETTER}0-9\-]{{0,62}}"
TOP_LEVEL = rf"(?:(?:xn--[a-z0-9\-]{{2,59}}|[a-z]{{2,24}})(?![a-z0-9])|\p{{Cyrillic}}{{2,24}}(?![{LETTER}0-9]))"
DOMAIN = regex.compile(rf"(?:{LABEL}\.){{1,8}}{TOP_LEVEL}(?![@\uff20])", regex.IGNORECASE)
AT = regex.compile(rf"(?<=[{LETTER}0-9._%+\-])[@\uff20](?=[{LETTER}0-9])")
RESERVED = regex.compile(
    r"(?:^|\.)example\.(?:com|net|org)(?:\.|\Z)|\.(?:example|invalid|test|localhost)\Z", regex.IGNORECASE
)

# Four numbers that no letter, digit or further number touches.
IPV4 = regex.compile(r"(?<![0-9A-Za-z_.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z_]|\.[0-9])")
VERSION = regex.compile(
    r"(?r)(?:\b(?:version|ver|release|build|firmware|v)|\u7248\u672c|\u30d0\u30fc\u30b8\u30e7\u30f3|\ubc84\uc804"
    r"|\u0432\u0435\u0440\u0441\u0438\w)[.:\uff1a]?\s{0,2}",
    regex.IGNORECASE,
)
# Global unicast is 2000::/3 (RFC 4291), so that Perl's and C++'s a::b is never looked at. The end may be dotted.
IPV6 = regex.compile(
    r"(?<![0-9A-Za-z_:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{1,34}(?:(?<=:)[0-9]{1,3}(?:\.[0-9]{1,3}){3})?"
    r"(?![0-9A-Za-z_]|\.[0-9])"
)


class Masked(NamedTuple):
    """The text with its addresses replaced, and how many there were."""

    text: str
    n_emails: int
    n_ips: int


def _mask_emails(text: str) -> tuple[str, int]:
    parts, done = [], 0
    for sign in AT.finditer(text):
        at = sign.start()
        if at < done:
            continue
        local = LOCAL.match(text, max(done, at - 64), at)
        domain = DOMAIN.match(text, at + 1) if local else None
        if local and domain and not RESERVED.search(domain.group()):
            parts += [text[done : local.start()], EMAIL_MASK]
            done = domain.end()
    return ("".join([*parts, text[done:]]) if parts else text), len(parts) // 2


@lru_cache(4096)
def _public(candidate: str) -> bool:
    try:
        address = ipaddress.ip_address(candidate)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def mask(text: str) -> Masked:
    """Masks e-mail addresses and public IPv4 and IPv6 addresses. Masking twice changes nothing.

    Reserved domains (RFC 2606) and private, reserved and multicast addresses stay; so does a number right after
    a word for `version`. An address that a page spells out (name at host) is not found.
    """
    n_emails = n_ips = 0
    if "@" in text or "\uff20" in text:
        text, n_emails = _mask_emails(text)

    def four(match: regex.Match[str]) -> str:
        nonlocal n_ips
        if not _public(match.group()) or VERSION.match(text, max(0, match.start() - 16), match.start()):
            return match.group()
        n_ips += 1
        return IPV4_MASK

    def six(match: regex.Match[str]) -> str:
        nonlocal n_ips
        address = match.group().removesuffix(":") if not match.group().endswith("::") else match.group()
        if not _public(address):
            return match.group()
        n_ips += 1
        return IPV6_MASK + match.group()[len(address) :]

    text = IPV6.sub(six, text)
    text = IPV4.sub(four, text)
    return Masked(text, n_emails, n_ips)
