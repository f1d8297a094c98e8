"""Real sentences by language, dealt out to a made page so that its main text and what surrounds it share none."""

import gzip
import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random

import regex

ARTICLES = Path(__file__).resolve().parents[1] / "archive/articles"
WORDS = Path(__file__).resolve().parent / "layouts/words.toml"
SENTENCE_END = re.compile(r"(?<=[.!?؟।።။។…])\s+|(?<=[。！？])")
UNSPACED = ("zho", "zho-Hant", "jpn", "tha", "khm", "yue", "lao", "mya")
RIGHT_TO_LEFT = ("ara", "heb", "fas", "urd")
NAMES = {"arb": "ara", "pes": "fas", "swh": "swa", "cmn": "zho", "zho-CN": "zho"}  # as the articles' files have them
OFTEN = {"eng": 5.0, "zho": 3.0, "rus": 1.5, "jpn": 1.5}  # how much oftener than another language
SHARES = (0.6, 0.25, 0.15)  # of pages: languages that interfaces speak, others with articles, all others
FEWEST = 40  # sentences that make a page


class Texts:
    """Of a language, paragraphs (lists of sentences) and headings."""

    def __init__(self, language: str):
        self.language = language
        self.headings: list[str] = []
        self.paragraphs: list[list[str]] = []

    def add(self, text: str) -> None:
        found = [sentence.strip() for sentence in sentences(text, self.language) if len(sentence.strip()) > 3]
        if found:
            self.paragraphs.append(found)


def sentences(text: str, language: str) -> list[str]:
    """Thai, which ends its sentences with a space as it does phrases, is cut at every third."""
    if language == "tha":
        pieces = text.split()
        return [" ".join(pieces[at : at + 3]) for at in range(0, len(pieces), 3)]
    return [piece for piece in SENTENCE_END.split(" ".join(text.split())) if piece]


def from_articles(folder: Path = ARTICLES) -> dict[str, Texts]:
    """The repository's own articles: a title, then its paragraphs, between lines of ---."""
    found = {}
    for path in sorted(folder.glob("*.txt")):
        texts = found[path.stem] = Texts(path.stem)
        for article in path.read_text("utf-8").split("\n---\n"):
            title, *paragraphs = [row for row in article.splitlines() if row.strip()]
            texts.headings.append(title)
            for paragraph in paragraphs:
                texts.add(paragraph)
    return found


def from_folder(folder: Path) -> dict[str, Texts]:
    """The articles and what `folder` has more: lid/train.jsonl.gz, mono/*.jsonl.gz, parallel/*.txt.gz."""
    found = defaultdict(Texts, from_articles())

    def add(language: str, text: str) -> None:
        language = NAMES.get(language, language)
        if language not in found:
            found[language] = Texts(language)
        for paragraph in text.splitlines():
            found[language].add(paragraph)

    for path in sorted(folder.glob("parallel/*.txt.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [row.strip() for row in file if row.strip()]
        for at in range(0, len(rows), 4):
            add(path.name.split(".")[0], " ".join(rows[at : at + 4]))
    for path in (*sorted(folder.glob("mono/*.jsonl.gz")), *sorted(folder.glob("lid/train.jsonl.gz"))):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in map(json.loads, file):
                add(row.get("lang") or path.name.split(".")[0], row["text"])
    return {language: texts for language, texts in found.items() if sum(map(len, texts.paragraphs)) >= FEWEST}


@cache
def words(language: str) -> dict[str, str]:
    """What interfaces say in a language, in English where nothing else is known."""
    table = tomllib.loads(WORDS.read_text("utf-8"))
    languages = table["languages"]
    column = languages.index(language) if language in languages else 0
    return {name: row[column] for name, row in table["words"].items()}


@cache
def spoken() -> tuple[str, ...]:
    """The languages of `words`."""
    return tuple(tomllib.loads(WORDS.read_text("utf-8"))["languages"])


def language_of(random: Random, texts: Mapping[str, Texts]) -> str:
    """A page's language, by SHARES."""
    articles = {path.stem for path in ARTICLES.glob("*.txt")}
    groups: tuple[list[str], ...] = ([], [], [])
    for name in sorted(texts):
        groups[0 if name in spoken() else 1 if name in articles else 2].append(name)
    share = [part if group else 0.0 for part, group in zip(SHARES, groups, strict=True)]
    group = random.choices(groups, share)[0]
    return random.choices(group, [OFTEN.get(name, 1.0) for name in group])[0]


class Deal:
    """A page's share of the sentences: `main` for its text, the rest for what surrounds it."""

    def __init__(self, texts: Texts, random: Random):
        self.language, self.random = texts.language, random
        self.unspaced = texts.language in UNSPACED
        order = list(texts.paragraphs)
        if len(order) > 400:
            at = random.randrange(len(order) - 400)
            order = order[at : at + 400]
        random.shuffle(order)
        cut = max(1, len(order) * 2 // 5)
        self._pools = {False: order[:cut], True: order[cut:] or order}
        self._left: dict[bool, list[list[str]]] = {False: [], True: []}

    def _paragraph(self, main: bool) -> list[str]:
        if not self._left[main]:
            self._left[main] = list(self._pools[main])
            self.random.shuffle(self._left[main])
        return self._left[main].pop()

    def sentences(self, count: int, main: bool = True) -> list[str]:
        found = list(self._paragraph(main))
        while len(found) < count:
            found += self._paragraph(main)
        return found[:count]

    def text(self, least: int = 1, most: int = 4, main: bool = True) -> str:
        """A paragraph of so many sentences."""
        return ("" if self.language in ("zho", "zho-Hant", "jpn") else " ").join(
            self.sentences(self.random.randint(least, most), main)
        )

    def phrase(self, least: int = 1, most: int = 5, main: bool = True) -> str:
        """A few words without the sentence's end."""
        sentence = self.sentences(1, main)[0].strip("\"'«»“”„「」『』()（） ")
        count = self.random.randint(least, most)
        if self.unspaced:
            pieces = regex.findall(r"\X", regex.split(r"[\p{P}\s]", sentence.lstrip("—-– "))[0] or sentence)
            return "".join(pieces[: 2 + 2 * count])
        pieces = sentence.split()
        while count < len(pieces) and len(" ".join(pieces[:count])) < 5:
            count += 1  # no heading is "The"
        return " ".join(pieces[:count]).rstrip(".,;:!?-–—…\"'»”。、，؟،؛።፣।॥")
