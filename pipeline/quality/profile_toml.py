"""Profiles of languages put together and written as TOML."""

import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any


def merge(*parts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Profiles that say different things about the same keys."""
    return {key: {n: v for part in parts for n, v in part.get(key, {}).items()} for key in sorted(set().union(*parts))}


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # no comment in TOML may have them


def to_toml(profiles: Mapping[str, Mapping[str, Any]], comments: Iterable[str]) -> str:
    """Profiles as TOML: a section `by_language.KEY` each, keys and names sorted, lines of up to 120 characters.

    Values are numbers and sequences of words. A line break in a comment begins another one.
    """
    lines = [f"# {_CONTROL.sub(' ', line)}".rstrip() for comment in comments for line in comment.splitlines() or [""]]
    for key in sorted(profiles):
        lines += ["", f"[by_language.{key}]"]
        for name in sorted(profiles[key]):
            value = profiles[key][name]
            if isinstance(value, int | float):
                lines.append(f"{name} = {int(value) if value == int(value) else value!r}")
                continue
            quoted = [json.dumps(word, ensure_ascii=False).replace(" ", "\\u0020") for word in value]  # no break there
            wrapped = textwrap.wrap(", ".join(quoted), 110, break_long_words=False, break_on_hyphens=False)
            lines += [f"{name} = [", *(f"  {line}" for line in wrapped), "]"]
    return "\n".join(lines) + "\n"
