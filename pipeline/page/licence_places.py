"""What a place of a page is for, by the elements above it: the page's own matter, a footer, or something on the page.

Names of classes and ids are taken apart at hyphens and humps. Authors all over the world write them in English, many
Germans and Spaniards in their own languages.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.html.attributes import attributes
from pipeline.page.surroundings import Element

MAX_ATTRIBUTES = 4000  # bytes of a tag that are looked at

_PARTS = frozenset({"figure", "figcaption", "caption", "blockquote", "picture", "object", "video", "audio", "canvas"})
_FIGURE_WORDS = frozenset(
    {"figure", "fig", "figcaption", "caption", "captions", "credit", "credits", "photo", "photos", "photograph",
     "image", "images", "img", "picture", "pic", "gallery", "embed", "embedded", "embeds", "thumb", "thumbs",
     "thumbnail", "thumbnails", "thumbinner", "video", "player", "map", "leaflet", "slideshow", "attachment",
     "foto", "fotos", "bild", "bilder", "bildnachweis", "bildunterschrift", "imagen", "imagem", "galerie"}
)  # fmt: skip
_COMMENT_WORDS = frozenset(
    {"comment", "comments", "commentlist", "commentarea", "comentario", "comentarios", "commentaire",
     "commentaires", "kommentar", "kommentare", "disqus", "respond", "reply", "replies", "signature"}
)  # fmt: skip
_OTHER_WORDS = frozenset(
    {"related", "recommended", "recommendations", "similar", "teaser", "teasers", "playlist", "trending"}
)
_OWN = re.compile(r"footer|sidebar|colophon|widget|copyright|licen[cs](?:es?|ing)(?!\w)|lizenz|licencia|licenza")
_OWN_WORDS = frozenset(
    {"foot", "fuss", "fuß", "seitenfuss", "fusszeile", "fußzeile", "pie", "rodape", "rodapé", "stopka"}
)
# Names of a state or a kind of the page, and of pieces that builders of pages make all of it of.
_STATE = re.compile(r"(?:has|no|with|without|is|js|format|category|tag|type|hide|show)[-_]|elementor|content-?sidebar")
_STATE_END = re.compile(r"[-_](?:open|closed|enabled|disabled)$")
_ALL = re.compile(r"(?:h-?entry|post|page|site|article|main|wrapper|(?:post|page)-\d+)$")  # most of the page lies in it
_WORD = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MEDIA = re.compile(r"\.(?:jpe?g|png|gif|svg|webp|tiff?|mp[34]|og[agv]|web[mp]|pdf)$")
# Types of schema.org and other vocabularies that are something on a page.
_OTHER_TYPES = re.compile(
    r"(?:imageobject|photograph|image|videoobject|audioobject|mediaobject|musicrecording|visualartwork|painting|map"
    r"|comments?|usercomments|review|dataset|product|softwareapplication|softwaresourcecode|mw:file\S*)(?:\s|$)"
)


class Place(NamedTuple):
    """is_part: of a figure, a comment, a quotation, or of what else is not the page's own matter. is_own: of a footer,
    a side bar or a box about rights. in_article: of an article. item: where the content of the innermost list item
    begins, -1 outside of lists."""

    is_part: bool = False
    is_own: bool = False
    in_article: bool = False
    item: int = -1


def places_of(html: bytes, elements: Iterable[Element]) -> list[Place]:
    """What holds within each of a page's elements; those that an element is in come before it."""
    found: list[Place] = []
    for element in elements:
        above = found[element.above] if element.above >= 0 else Place()
        source = html[element.begin : min(element.end, element.begin + MAX_ATTRIBUTES)]
        said = {name: value.decode("utf-8", "replace") for name, value in attributes(source).items()}
        names = list(_names(said))
        is_part = above.is_part or element.tag in _PARTS or _is_part(said, names, element.tag)
        in_article = above.in_article or element.tag == "article"
        is_own = element.tag == "footer" or (element.tag == "aside" and not in_article) or _is_own(said, names)
        item = element.end + 1 if element.tag == "li" else above.item
        found.append(Place(is_part, above.is_own or is_own, in_article, item))
    return found


def names_own(source: bytes) -> bool:
    """Whether a tag's own attributes say that it is about the page's rights, as class=license does."""
    said = {name: value.decode("utf-8", "replace") for name, value in attributes(source[:MAX_ATTRIBUTES]).items()}
    return _is_own(said, list(_names(said)))


def _names(said: dict[bytes, str]) -> Iterator[str]:
    """Class names and id, but for those of a state of the page."""
    for name in f"{said.get(b'class', '')} {said.get(b'id', '')}".split():
        name = _HUMP.sub("-", name).lower()
        if not _STATE.match(name) and not _STATE_END.search(name):
            yield name


def _is_part(said: dict[bytes, str], names: list[str], tag: str) -> bool:
    words = {word for name in names for word in _WORD.findall(name)}
    if words & (_COMMENT_WORDS | _OTHER_WORDS):
        return True
    # A theme tells on the whole article that it has an image, a widget that it shows one.
    holds_all = tag in ("article", "main") or "widget" in words or any(_ALL.match(name) for name in names)
    if not holds_all and any(_FIGURE_WORDS.intersection(_WORD.findall(name)) for name in names if "footer" not in name):
        return True
    kinds = " ".join(said.get(name, "") for name in (b"itemtype", b"typeof")).lower()
    return _OTHER_TYPES.search(kinds) is not None or _MEDIA.search(said.get(b"about", "").lower()) is not None


def _is_own(said: dict[bytes, str], names: list[str]) -> bool:
    return said.get(b"role", "").lower() in ("contentinfo", "complementary") or any(
        _OWN.search(name) or _OWN_WORDS.intersection(_WORD.findall(name)) for name in names
    )
