"""What a page says against being used, in its HTTP headers and meta elements: noai, noimageai, noindex, tdm.

X-Robots-Tag and `<meta name=robots>` after https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag
(`none` is noindex and nofollow); noai and noimageai are DeviantArt's of 2022. `tdm` is the TDM Reservation Protocol's
header or meta element `tdm-reservation` with the value 1 (https://www.w3.org/2022/tdmrep/).

Who is meant: everybody, or a crawler that gathers texts for models (`MODEL_CRAWLERS`). What a page tells a search
engine alone, such as `googlebot`, is about that engine's results and does not count. Statements add up: one is enough.
"""

import re
from collections.abc import Iterable

FLAGS = ("noai", "noimageai", "noindex", "tdm")

# User agents whose operators say that they collect training data, by the names they answer to in robots.txt.
_CRAWLERS = """
ai2bot amazonbot anthropic-ai applebot-extended bytespider ccbot claudebot cohere-training-data-crawler diffbot
facebookbot google-extended gptbot meta-externalagent omgili pangubot webzio-extended
"""
MODEL_CRAWLERS = frozenset(_CRAWLERS.split())
ADDRESSEES = MODEL_CRAWLERS | {"robots", "*"}
META_NAMES = MODEL_CRAWLERS | {"robots", "tdm-reservation"}

_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_AGENT = re.compile(r"[a-z*][\w*.-]*")
_BREAK = re.compile(r"[\s,;]+")


def header_flags(headers: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Flags of an HTTP head: (lower-case name, value) pairs, a name as often as it was sent."""
    flags: set[str] = set()
    for name, value in headers:
        if name == "x-robots-tag":
            flags |= _robots_tag(value)
        elif name == "tdm-reservation" and _reserves(value):
            flags.add("tdm")
    return frozenset(flags)


def _robots_tag(value: str) -> set[str]:
    """`noindex, ccbot: noai`: a name before a colon says for whom the directives up to the next name are."""
    directives: set[str] = set()
    meant = True
    for part in value.lower().split(","):
        before, colon, after = part.partition(":")
        agent = before.strip()
        if colon and agent not in _VALUED and _AGENT.fullmatch(agent):
            meant, part = agent in ADDRESSEES, after
        if meant:
            directives |= _directives(part)
    return directives


def _directives(value: str) -> set[str]:
    words = set(_BREAK.split(value.lower()))
    return (words & {"noai", "noimageai", "noindex"}) | ({"noindex"} if "none" in words else set())


def _reserves(value: str) -> bool:
    return any(part.strip() == "1" for part in value.split(","))


def element_flags(name: str, content: str) -> set[str]:
    """Flags of a meta element, by its name in small letters and its content."""
    if name == "tdm-reservation":
        return {"tdm"} if _reserves(content) else set()
    return _directives(content) if name in META_NAMES else set()


def opt_out(flags: Iterable[str]) -> str:
    """The column `opt_out`: the flags sorted and joined by commas, empty for none."""
    return ",".join(sorted(set(flags)))
