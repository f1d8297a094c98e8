"""What a page's scripts of JSON-LD (https://www.w3.org/TR/json-ld11/) describe first: the page, as a rule."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

MAX_DATA = 1 << 18  # bytes of a script
KEYS = (b'"datePublished"', b'"license"')  # scripts without them are not read


def page_nodes(scripts: Iterable[bytes]) -> list[dict[str, Any]]:
    """The objects at the top of the scripts that say one of KEYS, not what is inside or beside them."""
    found: list[dict[str, Any]] = []
    for script in scripts:
        if len(script) > MAX_DATA or not any(key in script for key in KEYS):
            continue
        try:
            found += _nodes(json.loads(script, strict=False))
        except (ValueError, RecursionError):
            continue
    return found


def types(node: dict[str, Any]) -> list[str]:
    """Names of what a node is, in small letters."""
    kinds = node.get("@type")
    return [kind.lower() for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    for node in value if isinstance(value, list) else [value]:
        if isinstance(node, dict):
            graph = node.get("@graph")
            yield from (one for one in (graph if isinstance(graph, list) else []) if isinstance(one, dict))
            yield node
