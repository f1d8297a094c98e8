"""The labelled texts of the development data: an archive of plain pages, a paragraph a line, with a key file."""

import gzip
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fastwarc.warc import ArchiveIterator

from pipeline.language.labels import OTHER_CODES
from pipeline.privacy.repair import repair

PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)
CODES = OTHER_CODES | {"orm": "gaz", "sa": "san", "kau": "knc"}
SCRIPTS = {"Hans": "Hani", "Hant": "Hani", "Kore": "Hang"}


class Labelled(NamedTuple):
    """`language` ISO 639-3 and `script` ISO 15924, both as clean writes them; `text` repaired."""

    source: str
    language: str
    script: str
    url: str
    text: str


def label(language: str, script: str) -> tuple[str, str]:
    """A key's language and script as clean writes them: individual languages, one code for Chinese characters."""
    return CODES.get(language, language), SCRIPTS.get(script, script)


def read(data: Path) -> Iterator[Labelled]:
    """The texts under DATA/text, in the order of the keys."""
    texts: dict[str, str] = {}
    with open(data / "text" / "labelled.warc.gz", "rb") as archive:
        for record in ArchiveIterator(archive):
            page = record.reader.read().decode("utf-8", "replace")
            paragraphs = (html.unescape(part).strip() for part in PARAGRAPH.findall(page))
            texts[record.headers.get("WARC-Target-URI")] = "\n".join(part for part in paragraphs if part)
    with gzip.open(data / "text" / "labelled.keys.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            key = json.loads(line)
            yield Labelled(key["source"], *label(key["lang"], key["script"]), key["url"], repair(texts[key["url"]]))
