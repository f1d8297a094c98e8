"""Pieces of source code in the spans of a highlighter. The code is this repository's, Python's standard library's, and
a few pieces of other languages'."""

import re
import sysconfig
import textwrap
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from markupsafe import Markup, escape

HERE = Path(__file__).resolve().parent
LIBRARY = ("textwrap.py", "heapq.py", "bisect.py", "json/decoder.py", "shlex.py", "csv.py", "queue.py", "graphlib.py")
NAMES = {"py": "python", "js": "javascript", "rs": "rust", "sh": "bash", "yml": "yaml", "ts": "typescript"}
TOKEN = re.compile(
    r"(?P<comment>(?:#|//|--)[ !][^\n]*|/\*.*?\*/)|(?P<string>\"[^\"\n]*\"|'[^'\n]*')|(?P<number>\b\d[\d_.]*\b)"
    r"|(?P<keyword>\b(?:def|class|return|if|else|elif|for|in|while|import|from|as|with|yield|raise|try|except|not|and|or"
    r"|None|True|False|const|let|function|await|async|new|fn|pub|use|mut|impl|struct|match|public|static|void|int|final"
    r"|SELECT|FROM|WHERE|GROUP|ORDER|BY|JOIN|ON|CREATE|TABLE|INSERT|echo|then|fi|do|done|export)\b)|(?P<name>\w+(?=\())",
    re.S,
)
PYGMENTS = {"comment": "c1", "string": "s2", "number": "mi", "keyword": "k", "name": "nf"}
COLOURS = {"comment": "#75715e", "string": "#e6db74", "number": "#ae81ff", "keyword": "#66d9ef", "name": "#a6e22e"}


class Code(NamedTuple):
    language: str
    lines: list[str]


@cache
def sources() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(language, lines) of files."""
    root = HERE.parents[1]
    library = Path(sysconfig.get_path("stdlib"))
    files = [
        *sorted((root / "pipeline/words").glob("*.py")), *sorted((root / "pipeline/archive").glob("*.py")),
        *(library / name for name in LIBRARY), *sorted((HERE / "layouts/snippets").iterdir()),
    ]  # fmt: skip
    found = []
    for path in files:
        extension = path.suffix[1:]
        rows = path.read_text("utf-8").expandtabs(4).splitlines()
        found.append((NAMES.get(extension, extension), tuple(rows)))
    return tuple(found)


def code(random: Random, most: int = 30) -> Code:
    """Some lines of a file."""
    every = sources()
    language, rows = random.choice(every if random.random() < 0.5 else [one for one in every if one[0] != "python"])
    count = min(random.choice((1, 2, 3, 5, 8, 12, 20, 30)), most, len(rows))
    at = random.randrange(len(rows) - count + 1)
    kept = textwrap.dedent("\n".join(rows[at : at + count])).strip("\n").splitlines()
    kept = [row.rstrip() for row in kept]
    return Code(language, kept or ["pass"]) if any(kept) else Code("bash", ["make install"])


def _spans(text: str, attribute: str, classes: dict[str, str]) -> Markup:
    pieces, at = [], 0
    for found in TOKEN.finditer(text):
        value = classes[found.lastgroup or "name"]
        pieces += [escape(text[at : found.start()]), f'<span {attribute}="{value}">', escape(found.group()), "</span>"]
        at = found.end()
    return Markup("".join(map(str, [*pieces, escape(text[at:])])))


def highlighted(text: str, style: str) -> Markup:
    """A line in the spans of the highlighter that `style` belongs to."""
    if style in ("plain", "vitepress", "bare-table", "syntaxhighlighter") or style.startswith("plain"):
        return escape(text)
    if style == "hugo-style":
        return _spans(text, "style", {kind: f"color:{colour}" for kind, colour in COLOURS.items()})
    if style.startswith(("hljs", "hexo")):
        return _spans(text, "class", {kind: f"hljs-{kind}" for kind in COLOURS} | {"name": "hljs-title function_"})
    if style.startswith(("prism", "docusaurus")):
        return _spans(text, "class", {kind: f"token {kind}" for kind in COLOURS} | {"name": "token function"})
    if style in ("github",):
        return _spans(text, "class", {kind: f"pl-{short}" for kind, short in PYGMENTS.items()})
    if style in ("crayon",):
        return _spans(text, "class", {kind: f"crayon-{short}" for kind, short in PYGMENTS.items()})
    if style in ("prettify",):
        return _spans(text, "class", dict(zip(COLOURS, ("com", "str", "lit", "kwd", "pln"), strict=True)))
    return _spans(text, "class", PYGMENTS)
