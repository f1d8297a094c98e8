"""Public IP addresses masked, and four-part version numbers and sections of laws left alone.

IPv6 is known by its form. Four numbers with dots are an address as often as a version, so each is weighed by what
stands around it: the nearest word on its line that speaks of addresses or of versions, what touches it (a port, the
ending of a file's name, the sign of a heading), and the numbers themselves, for those of versions are small. Numbers
that stand in one list have one answer, and what is certain elsewhere in the text counts a little. All weights are
logarithms of odds, addresses positive.
"""

import ipaddress
import re
from bisect import bisect_right
from functools import lru_cache

import regex

MASK = "<IP>"

# Four numbers that no letter, digit or further number touches, be it masked.
IPV4 = re.compile(r"(?<![0-9A-Za-z_.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z_]|\.[0-9]|[.:]*<(?:CARD|IBAN|PHONE)>)")
# Global unicast is 2000::/3 (RFC 4291), so that Perl's and C++'s a::b is never looked at. The end may be dotted.
IPV6 = regex.compile(
    r"(?<![0-9A-Za-z_:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{1,34}+(?:(?:\.[0-9]{1,3}){3})?+"
    r"(?![0-9A-Za-z_]|\.[0-9]|[.:]*<(?:CARD|IBAN|PHONE)>)"
)
# What every such address has; a cheap look before the dear one.
MAYBE_IPV4 = re.compile(r"\.[0-9]{1,3}\.[0-9]")
MAYBE_IPV6 = re.compile(r":[0-9A-Fa-f]{0,4}:")
MASKED = re.compile(MASK)

# Words of versions and sections, then those of addresses: stems with any ending, whole words, and in scripts that write
# no spaces or put prefixes on words whatever holds them.
_VERSION_STEMS = """
versi versã verzi wersj sürüm releas build firmware bios kernel patch hotfix upgrad updat changelog sdk
driver package assembl chrome firefox edge fassung abschnitt kapitel ziffer artik artíc artic absatz abbildung section
secció seção sezion clause chapt chapit capít capit figur tabl tabell rozdzia appendi annex paragra madde bölüm beta
версі верси прошивк релиз сборк обновл раздел глав пункт стать рисун табл ενότητ έκδοσ κεφάλ άρθρ ვერსი მუხლ თავი
"""
_VERSION_WORDS = "v ver vers rev sec art fig kap п ст разд рис"
_VERSION_UNSPACED = """
§ 版 固件 升级 升級 更新 第 条 條 章 节 節 バージョン リリース ファーム アップデート 버전 펌웨어
업데이트 الإصدار إصدار نسخة المادة القسم الفصل גרסה גירסה סעיף
פרק संस्करण धारा अध्याय खंड பதிப்பு பிரிவு அத்தியாய เวอร์ชัน รุ่น มาตรา หมวด កំណែ មាត្រា ជំពូក ስሪት አንቀጽ ምዕራፍ
"""
_ADDRESS_STEMS = """
address adress adres addr dirección direcció endereço indirizz host nameserv resolv gatewa prox subnet netmask router
server serveur servidor sunucu serwer connect verbind connexi conexi login traceroute peer
адрес сервер хост шлюз подключ соединен διεύθυνσ διακομισ მისამართ სერვერ
"""
_ADDRESS_WORDS = """
ip ipv4 ips dns ns ping ssh scp telnet ftp dig whois nslookup curl inet client src dst listen bind allow deny via
vpn ntp
"""
_ADDRESS_UNSPACED = """
地址 位址 服务器 伺服器 主机 网关 アドレス サーバ ホスト 주소 서버 호스트 عنوان خادم الخادم כתובת שרת
पता सर्वर முகவரி சேவையக ที่อยู่ เซิร์ฟเวอร์
โฮสต์ អាសយដ្ឋាន ម៉ាស៊ីន አድራሻ ሰርቨር
"""


def _words(stems: str, words: str, unspaced: str) -> str:
    def any_of(listed: str) -> str:
        return "|".join(map(regex.escape, sorted(listed.split(), key=len, reverse=True)))

    return rf"\b(?:(?:{any_of(stems)})\w{{0,8}}|(?:{any_of(words)})(?!\w))|{any_of(unspaced)}"


CUE = regex.compile(
    rf"(?P<version>{_words(_VERSION_STEMS, _VERSION_WORDS, _VERSION_UNSPACED)})"
    rf"|(?P<address>{_words(_ADDRESS_STEMS, _ADDRESS_WORDS, _ADDRESS_UNSPACED)})"
    r"|(?P<log>\b[0-2]?[0-9]:[0-5][0-9]:[0-5][0-9]\b|\b(?:GET|POST|HEAD|PUT)\s+/|- - \[)",
    regex.IGNORECASE,
)
TOUCHING = regex.compile(r"[\s.:：=#(\[\"'`@!<>~|*-]{0,4}(?:(?:is|ist|es|на|は|が|是|为|為)\s{1,2})?")
# What stands before the number on its line, and behind it.
VERSION_BEFORE = regex.compile(
    r"(?:^\s{0,8}#{1,6}\s{0,3}[\[(]?|(?:^|[^\w:/.])[A-Za-z][\w.+]{0,40}[-/]|[\w\]](?:[=><~!]=|~>|\^))\Z",
    regex.MULTILINE,
)
VERSION_BEHIND = regex.compile(
    r"\.(?:tar|tgz|zip|gz|bz2|xz|7z|rar|whl|egg|gem|jar|war|deb|rpm|apk|ipa|exe|msi|dmg|pkg|iso|bin|img|dll|so)\b"
    r"|\.(?:nupkg|vsix|xpi|crx|x)\b"
    r"|[-+~. ]?(?:alpha|beta|rc|dev|pre|final|snapshot|stable|ga|lts|hotfix|ubuntu|debian|sp)\d*\b"
    r"|\s(?:and|or)\s(?:later|newer|above|earlier|older|below|up)\b|[ ]?→|\.\*",
    regex.IGNORECASE,
)
HEADING = regex.compile(
    r"[\])]?\s{0,2}[-–—:(/|]?\s{0,2}\(?"
    r"(?:\d{4}[-./年]\d{1,2}[-./月]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4}|\d{1,2}\.? \w{3,12}\.? \d{4}"
    r"|\w{3,12} \d{1,2}, \d{4})"
    r"(?![ T]*\d{1,2}:\d)"
    r"|\.\s"  # of a numbered section
)
LINE_START = regex.compile(r"(?:^|\n)[\s*•-]{0,6}[\[(]?\Z")
ADDRESS_BEFORE = regex.compile(r"(?:://(?:[^\s/@]{1,64}@)?|\bIN\s{1,8}A\s{1,8})\Z")
ADDRESS_BEHIND = regex.compile(
    r":[0-9]{2,5}(?![0-9.])|/[0-9]{1,2}(?![0-9./])|\s{1,2}port\s{1,2}\d|\.in-addr\b", regex.IGNORECASE
)
# What may stand between the numbers of one list.
BETWEEN = regex.compile(
    r"(?::\d{1,5}|/\d{1,2})?[\s\[\]()\"'`]{0,8}"
    r"(?:[,;、，；|/&+*•–-]|->|=>|→|and|und|et|y|e|ve|и|or|oder|ou|to|及|和|と|و)?[\s\[\]()\"'`]{0,8}(?:and\s)?"
)
CERTAIN, LIKELY, SLIGHTLY = 12.0, 5.0, 3.0
PRIOR = 4.0  # of an address, before anything is known
# An octet's weight: a version's part is below 10 in half of all cases, an address's is anything up to 255.
OCTET_WEIGHTS = ((10, -2.6), (32, -0.9), (100, 0.6), (256, 1.8))
# Public resolvers, whose numbers are small because they are to be remembered; and what none but a network has.
_WELL_KNOWN = """
1.0.0.1 1.1.1.1 1.1.1.2 1.0.0.2 1.1.1.3 1.0.0.3 8.8.4.4 8.8.8.8 8.20.247.20 8.26.56.26 9.9.9.9 9.9.9.10 9.9.9.11
64.6.64.6 64.6.65.6 76.76.2.0 76.76.10.0 76.76.19.19 77.88.8.1 77.88.8.2 77.88.8.7 77.88.8.8 77.88.8.88 80.80.80.80
80.80.81.81 94.140.14.14 94.140.15.15 101.101.101.101 114.114.114.114 114.114.115.115 119.29.29.29 180.76.76.76
223.5.5.5 223.6.6.6 127.0.0.1 0.0.0.0
"""
WELL_KNOWN = frozenset(_WELL_KNOWN.split())
NETWORKS = regex.compile(r"192\.168\.|255\.255\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.")


@lru_cache(4096)
def _public(candidate: str) -> bool:
    try:
        address = ipaddress.ip_address(candidate)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


@lru_cache(4096)
def _weight(number: str) -> float:
    """Of the numbers themselves."""
    if number == MASK:
        return CERTAIN
    if number in WELL_KNOWN or NETWORKS.match(number):
        return LIKELY
    octets = [int(octet) for octet in number.split(".")]
    return PRIOR + sum(next((weight for end, weight in OCTET_WEIGHTS if octet < end), -CERTAIN) for octet in octets)


class _Line:
    """The words of a line that speak for one or the other."""

    def __init__(self, text: str, start: int) -> None:
        self.start, self.end = start, text.find("\n", start)
        self.end = len(text) if self.end < 0 else self.end
        found = CUE.finditer(text, start, self.end)
        self.cues = [cue for cue in found if text[cue.start() - 1 : cue.end() + 1] != MASK]
        self.ends = [cue.end() for cue in self.cues]

    def weight(self, text: str, start: int) -> float:
        """Of the nearest word before the number; of the first behind it where none is before."""
        place = bisect_right(self.ends, start) - 1
        if place < 0:
            log = next((cue for cue in self.cues if cue["log"]), None)
            return LIKELY if log else 0.0
        cue = self.cues[place]
        if cue["log"]:
            return LIKELY + SLIGHTLY
        between = TOUCHING.match(text, cue.end(), start)
        touches = between is not None and between.end() == start
        return (CERTAIN if touches else LIKELY) * (-1 if cue["version"] else 1)


def _touching(text: str, start: int, end: int) -> float:
    """The weight of what touches the number."""
    behind = text[end : end + 48]
    before = text[max(0, start - 64) : start]
    if ADDRESS_BEFORE.search(before) or ADDRESS_BEHIND.match(behind):
        return CERTAIN
    if VERSION_BEFORE.search(before) or VERSION_BEHIND.match(behind):
        return -CERTAIN
    return -CERTAIN if LINE_START.search(before) and HEADING.match(behind) else 0.0


def _strongest(weights: list[float]) -> float:
    return max(weights, key=abs)


def _addresses(text: str) -> list[re.Match[str]]:
    """The IPv4 addresses of a text."""
    numbers = list(IPV4.finditer(text))
    if not numbers:
        return []
    lists: list[list[re.Match[str]]] = []
    for found in sorted([*numbers, *MASKED.finditer(text)], key=re.Match.start):
        gap = BETWEEN.fullmatch(text, lists[-1][-1].end(), found.start()) if lists else None
        if gap:
            lists[-1].append(found)
        else:
            lists.append([found])
    line = None
    weights = []
    for one in lists:
        own = sum(_weight(found.group()) for found in one) / len(one)
        around, touching = [0.0], [0.0]
        for found in one:
            if line is None or found.start() > line.end:
                line = _Line(text, text.rfind("\n", 0, found.start()) + 1)
            around.append(line.weight(text, found.start()))
            touching.append(_touching(text, *found.span()))
        said = _strongest(touching) or _strongest(around)
        weights.append(own + said)
    doubt = SLIGHTLY * any(weight <= LIKELY - 2 * CERTAIN for weight in weights)  # the text counts versions
    company = SLIGHTLY * any(weight > doubt for weight in weights)
    return [
        found
        for one, weight in zip(lists, weights, strict=True)
        if weight + company > doubt
        for found in one
        if found.group() != MASK and _public(found.group())
    ]


def mask_ips(text: str) -> tuple[str, int]:
    """The text with its public addresses replaced, and how many they were."""
    n_ips = 0

    def six(match: regex.Match[str]) -> str:
        nonlocal n_ips
        address = match.group().removesuffix(":") if not match.group().endswith("::") else match.group()
        if not _public(address):
            return match.group()
        n_ips += 1
        return MASK + match.group()[len(address) :]

    if MAYBE_IPV6.search(text):
        text = IPV6.sub(six, text)
    if MAYBE_IPV4.search(text):
        parts, done = [], 0
        for address in _addresses(text):
            parts += [text[done : address.start()], MASK]
            done = address.end()
        text = "".join([*parts, text[done:]])
        n_ips += len(parts) // 2
    return text, n_ips
