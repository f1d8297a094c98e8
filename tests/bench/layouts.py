"""Pages of our own whose main text is known, in the layouts that documentation, posts, threads, question pages, shops
and encyclopedias are written in.

python tests/bench/layouts.py OUT --count N [--seed S] [--texts FOLDER] [--only sphinx,blog]

writes OUT/web-000.warc.gz and OUT/gold.jsonl.gz, as tests/bench/train_blocks.py reads them. FOLDER has more texts than
the repository's articles: lid/train.jsonl.gz, mono/*.jsonl.gz, parallel/*.txt.gz. Same seed, texts, code and Python:
same pages. A layout has VARIANTS sites, each a host of its own with one template's tastes.
"""

import argparse
import gzip
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.layout_marks import KINDS, Line, formulas, line, lines, out, unmarked
from bench.layout_page import Page
from bench.layout_texts import Texts, from_articles, from_folder, language_of
from warcs import warc

HERE = Path(__file__).resolve().parent / "layouts"
LAYOUTS = (
    "sphinx", "docusaurus", "reference", "blog", "board", "discourse", "questions", "shop", "index", "wiki", "news",
    "faq",
)  # fmt: skip
VARIANTS = 60  # sites of a layout
LEAST = 100  # characters of gold text: training takes no shorter one
SHORT = {"ara": "ar", "zho": "zh-CN", "zho-Hant": "zh-TW", "jpn": "ja", "kor": "ko", "deu": "de"}  # fmt: skip


class Made(NamedTuple):
    """A page and its main text, by lines. formulas: sources that the gold text has where the page shows formulas."""

    url: str
    layout: str
    language: str
    html: bytes
    gold_text: str
    structure: tuple[Line, ...]
    formulas: tuple[str, ...]


@cache
def templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined,
        extensions=["jinja2.ext.do"],
    )  # fmt: skip
    environment.globals.update({name: _marker(kind) for kind, name in KINDS.items()}, out=out)
    return environment


def _marker(kind: str) -> Callable[[str], Markup]:
    return lambda content: line(kind, content)


def pages(seed: int, count: int, texts: Mapping[str, Texts], only: Sequence[str] = LAYOUTS) -> Iterator[Made]:
    """`count` pages, their layouts in turn."""
    for number in range(count):
        random = Random(f"{seed} {number}")
        layout = only[number % len(only)]
        yield page(layout, random.randrange(VARIANTS), number, language_of(random, texts), texts, random)


def page(layout: str, variant: int, number: int, language: str, texts: Mapping[str, Texts], random: Random) -> Made:
    made = Page(layout, variant, texts, language, random)
    made.short = SHORT.get(language, language[:2])
    marked = templates().get_template(f"{layout}.html.j2").render(p=made, w=made.w)
    marked = as_written(marked, made)
    structure = lines(marked)
    url = f"https://{layout}-{variant:02}.example/{made.short.lower()}/{number}.html"
    gold = "\n".join(text for _, text in structure)
    return Made(url, layout, language, unmarked(marked).encode(), gold, tuple(structure), formulas(marked))


PRE = re.compile(r"(<pre.*?</pre>|<script.*?</script>|<textarea.*?</textarea>)", re.S)
_CLASS = re.compile(r'class="([^"]*)"')
_TELLING = re.compile(r"line|gutter|\bln|lnt|code|high|hljs|katex|math|anchor|link|crayon|language|blob|\bm", re.I)


def as_written(marked: str, made: Page) -> str:
    """The page as its site's generator leaves it: minified or not, with closing tags or without."""
    minified, unclosed, unquoted = (
        made.odds(*taste) for taste in (("minified", 0.3), ("unclosed", 0.2), ("bare", 0.2))
    )
    named = made.layout in ("blog", "news", "index", "shop", "faq", "questions") and made.odds("nameless", 0.12)
    pieces = PRE.split(marked)
    for at in range(0, len(pieces), 2):
        if minified:
            pieces[at] = re.sub(r">\s*\n\s*<", "><", pieces[at])
        if named:
            pieces[at] = _CLASS.sub(_hashed, pieces[at])
        if unclosed:
            pieces[at] = re.sub(
                r"</(?:li|p|td|th|tr|dt|dd)>(?=\s*<(?:li|p|td|th|tr|dt|dd|/ul|/ol|/table|/tr|/dl)\b)", "", pieces[at]
            )
        if unquoted:
            pieces[at] = re.sub(r'(<[^>]*?)="([\w.#:-]+)"(?=[ >])', r"\1=\2", pieces[at])
    return "".join(pieces)


def _hashed(found: re.Match[str]) -> str:
    """Class names as made by tools, which say nothing; those of listings, formulas and permalinks stay."""
    if _TELLING.search(found[1]):
        return found[0]
    return f'class="css-{zlib.crc32(found[1].encode()):x}"'


def write(folder: Path, made: Iterator[Made]) -> int:
    """Archive and gold of the pages; answers how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / "web-000.warc.gz").open("wb") as archive, gzip.open(folder / "gold.jsonl.gz", "wt") as gold:
        for one in made:
            if len(one.gold_text) < LEAST:
                continue
            archive.write(
                warc([{"url": one.url, "body": one.html, "http": [("Content-Type", "text/html; charset=utf-8")]}])
            )
            kinds = {kind for kind, _ in one.structure}
            has = [name for name, kind in (("code", "code"), ("table", "cell"), ("list", "item")) if kind in kinds]
            row = {
                "url": one.url, "source": one.layout, "site": one.url.split("/")[2], "lang_if_known": one.language,
                "gold_text": one.gold_text, "has": has + (["math"] if one.formulas else []),
            }  # fmt: skip
            gold.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def asked(parser: argparse.ArgumentParser, *, count: int, seed: int) -> tuple[argparse.Namespace, Iterator[Made]]:
    """The arguments, with those that say which pages are made, and the pages. count, seed: where none is given."""
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--texts", type=Path, help="folder of more texts")
    parser.add_argument("--only", default=",".join(LAYOUTS), help="layouts, divided by commas")
    args = parser.parse_args()
    only = args.only.split(",")
    if unknown := sorted(set(only) - set(LAYOUTS)):
        parser.error(f"--only {unknown[0]}: the layouts are {', '.join(LAYOUTS)}")
    return args, pages(args.seed, args.count, from_folder(args.texts) if args.texts else from_articles(), only)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    args, made = asked(parser, count=1200, seed=1)
    print(f"{args.out}: {write(args.out, made)} pages")


if __name__ == "__main__":
    main()
