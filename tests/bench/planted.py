"""Good texts spoiled on purpose: KINDS of defects, each with the reasons that name it rightly.

PYTHONPATH=tests python -m bench.planted make --data DATA --output TABLE [--each 5]
spark-submit jobs/clean.py --input TABLE --output CLEANED
PYTHONPATH=tests python -m bench.planted score CLEANED/documents

`make` writes the spoilt texts and the good ones (kind `good`) as a table with the columns id and text. `score` prints,
by kind and by language, what share is dropped for a right reason, and what is dropped of the good texts. Everything
follows from the texts: no clock, no chance.
"""

import argparse
import hashlib
import random
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
from bench import labelled

from pipeline.words.words import is_spaced, words

LANGUAGES = (
    "eng_Latn", "deu_Latn", "fra_Latn", "spa_Latn", "pol_Latn", "fin_Latn", "tur_Latn", "vie_Latn", "swh_Latn",
    "rus_Cyrl", "ukr_Cyrl", "ell_Grek", "arb_Arab", "heb_Hebr", "hin_Deva", "tam_Taml", "amh_Ethi", "kat_Geor",
    "kor_Hang", "cmn_Hani", "jpn_Jpan", "tha_Thai",
)  # fmt: skip


class Good(NamedTuple):
    """A text as it was. `language` ISO 639-3, `script` ISO 15924."""

    language: str
    script: str
    text: str


class Planted(NamedTuple):
    kind: str
    language: str
    script: str
    text: str


class Kind(NamedTuple):
    """`spoil` makes the defect of a good text, or "" where it cannot; `reasons`: beginnings of those that are right."""

    spoil: Callable[[Good, random.Random], str]
    reasons: tuple[str, ...]


LONG_TEXT = 4000  # characters
REPETITION = ("gopher_repetition:", "fineweb:char_dup")
LISTS = ("gopher_quality:few_stop_words", "keywords:", "fineweb:newlines", "fineweb:line_punct")

END = re.compile(r"(?<=[.!?。！？؟۔։።।…])\s*|\n+")


def sentences(text: str) -> list[str]:
    """Stretches up to a sentence's end; lines where the script marks none."""
    return [part.strip() for part in END.split(text) if part and part.strip()]


def _pieces(good: Good) -> list[str]:
    """Words as they are written; in scripts without spaces two characters at a time, a usual length of a word there."""
    if is_spaced(good.script):
        return [part for part in (re.sub(r"^\W+|\W+$", "", chunk) for chunk in good.text.split()) if part]
    size = {"Hani": 2, "Jpan": 3}.get(good.script, 5)
    found = ["".join(run) for run in re.findall(r"[\w\u0e31-\u0e4e]+", good.text)]
    return [run[i : i + size] for run in found for i in range(0, len(run) - size + 1, size)]


def _content(good: Good) -> list[str]:
    """Pieces that no function word is among: the rarer and longer half, each once."""
    pieces = _pieces(good)
    counts = Counter(piece.casefold() for piece in pieces)
    longest = sorted({piece for piece in pieces if counts[piece.casefold()] <= 2}, key=lambda p: (-len(p), p))
    keep = set(longest[: max(40, len(longest) // 2)])
    return [piece for piece in dict.fromkeys(pieces) if piece in keep]


def repeated_lines(good: Good, rng: random.Random) -> str:
    lines = sentences(good.text)[:30]
    chosen = rng.sample(lines, min(len(lines), 3))
    return "\n".join(line for i, line in enumerate(lines * 2) for line in ([line] if i % 3 else [line, *chosen]))


def repeated_paragraphs(good: Good, rng: random.Random) -> str:
    parts = sentences(good.text)
    blocks = ["\n".join(parts[i : i + 4]) for i in range(0, min(len(parts), 24), 4)]
    return "\n\n".join(blocks + [rng.choice(blocks) for _ in blocks] + blocks)


def repeated_phrase(good: Good, rng: random.Random) -> str:
    pieces = good.text.split() if is_spaced(good.script) else list(good.text.replace("\n", ""))
    size = rng.randint(6, 10) * (1 if is_spaced(good.script) else 3)
    start = rng.randrange(max(1, len(pieces) - size))
    phrase = pieces[start : start + size]
    glue = " " if is_spaced(good.script) else ""
    return glue.join(pieces[:120]) + glue + glue.join(phrase * 30)


def symbol_soup(good: Good, rng: random.Random) -> str:
    soup = "★☆►◄■□▪▲▼◆◇○●♦♣♠♥→←↑↓✓✔✗✘❤☎✆$€£¥%^~|=+<>§¶†‡°±×÷"
    out = []
    for piece in _pieces(good)[:200]:
        out += [piece, *("".join(rng.choice(soup) for _ in range(rng.randint(1, 5))) for _ in range(rng.randint(1, 3)))]
    return " ".join(out)


def keyword_list(good: Good, rng: random.Random) -> str:
    chosen = _content(good)[:150]
    rng.shuffle(chosen)
    joined = rng.choice((", ", " ", "; ", "\n"))
    return joined.join(chosen)


def glued_words(good: Good, rng: random.Random) -> str:
    """Machine-joined keywords: two to four words become one."""
    pieces = _content(good)
    rng.shuffle(pieces)
    out = []
    while pieces:
        size = rng.randint(2, 4)
        out.append("".join(pieces[:size]))
        pieces = pieces[size:]
    return " ".join(out)


def truncated_lines(good: Good, rng: random.Random) -> str:
    """Teasers: each line is cut short and ends in dots."""
    dots = rng.choice(("...", "…", " ...", "[…]")[:3])
    cut = (line[: max(8, min(len(line) * 2 // 3, 70))].rstrip() for line in sentences(good.text))
    return "\n".join(line + dots for line in cut)


def menu(good: Good, rng: random.Random) -> str:
    """A site's navigation: lines of one to three words."""
    pieces = _content(good)[:160]
    rng.shuffle(pieces)
    glue, lines = (" " if is_spaced(good.script) else ""), []
    while pieces:
        size = rng.randint(1, 3)
        lines.append(glue.join(pieces[:size]))
        pieces = pieces[size:]
    return "\n".join(lines)


def hash_tags(good: Good, rng: random.Random) -> str:
    tags = ["#" + piece for piece in _content(good)[:100]]
    return "\n".join([*sentences(good.text)[:2], " ".join(tags)])


def link_list(good: Good, rng: random.Random) -> str:
    """Bullets with a title and an address."""
    out = []
    for i, line in enumerate(sentences(good.text)[:40]):
        title = line[:50].strip()
        out.append(f"{'•' if i % 2 else '-'} {title} https://example.org/{hashlib.md5(title.encode()).hexdigest()[:9]}")
    return "\n".join(out)


def number_table(good: Good, rng: random.Random) -> str:
    pieces = _content(good)[:40]
    rows = [" | ".join([piece, *(f"{rng.uniform(0, 5000):.2f}" for _ in range(7))]) for piece in pieces]
    return "\n".join(rows)


def stub(good: Good, rng: random.Random) -> str:
    """A teaser of 15 to 25 English words' length, whole."""
    factor = {"Hani": 1.6, "Jpan": 2.4, "Thai": 4.2}.get(good.script, 1.0)
    limit, out = rng.randint(15, 25) * factor, ""
    for character in good.text:
        out += character
        if len(words(out)) >= limit:
            break
    return out


def code_leftover(good: Good, rng: random.Random) -> str:
    """What is left of a page whose scripts became text."""
    out = sentences(good.text)[:2]
    for piece in _content(good)[:30]:
        key = rng.choice(("track", "init", "load", "push", "config"))
        number = rng.randint(10, 9999)
        push = f'if (e.data["{piece}"] != null) {{ _q.push(["{key}", {number}]); }}'
        out.append(f"window.{key}{number} = function (e) {{ {push} }};")
    return "\n".join(out)


BANNERS: dict[str, str] = tomllib.loads(Path(__file__).with_name("banners.toml").read_text(encoding="utf-8"))


def cookie_banner(good: Good, rng: random.Random) -> str:
    """A consent banner with a headline of the page before or behind it."""
    banner = BANNERS.get(f"{good.language}_{good.script}", "")
    title = sentences(good.text)[0][:80]
    return banner and "\n".join([title, banner] if rng.random() < 0.5 else [banner, title])


KINDS: dict[str, Kind] = {
    "repeated_lines": Kind(repeated_lines, REPETITION),
    "repeated_paragraphs": Kind(repeated_paragraphs, REPETITION),
    "repeated_phrase": Kind(repeated_phrase, REPETITION),
    "symbol_soup": Kind(symbol_soup, ("gopher_quality:few_alpha_words", "gopher_quality:hash_signs", "symbols:")),
    "cookie_banner": Kind(cookie_banner, ("c4:policy_lines", "boilerplate:policy_lines")),
    "keyword_list": Kind(keyword_list, LISTS),
    "glued_words": Kind(glued_words, ("gopher_quality:long_words", "gopher_quality:few_stop_words", "keywords:")),
    "truncated_lines": Kind(truncated_lines, ("gopher_quality:ellips",)),
    "menu": Kind(menu, LISTS),
    "hash_tags": Kind(hash_tags, ("gopher_quality:hash_signs",)),
    "link_list": Kind(link_list, ("gopher_quality:bullet_lines", *LISTS)),
    "number_table": Kind(number_table, ("gopher_quality:few_alpha_words", "gopher_quality:short_words", "symbols:")),
    "stub": Kind(stub, ("gopher_quality:too_few_words",)),
    "code_leftover": Kind(
        code_leftover, ("c4:curly_bracket", "c4:javascript_lines", "gopher_quality:few_alpha_words", "symbols:")
    ),
}


def is_right(kind: str, reason: str | None) -> bool:
    return reason is not None and reason.startswith(KINDS[kind].reasons)


def _long(goods: Iterable[Good]) -> Iterator[Good]:
    """Texts of LONG_TEXT characters and more; all there is of a language that has less."""
    waiting: dict[tuple[str, str], list[str]] = defaultdict(list)
    long: set[tuple[str, str]] = set()
    for language, script, text in sorted(goods):
        texts = waiting[language, script]
        texts.append(text)
        if sum(map(len, texts)) >= LONG_TEXT:
            yield Good(language, script, "\n".join(texts))
            long.add((language, script))
            texts.clear()
    for key, texts in waiting.items():
        if texts and key not in long:
            yield Good(*key, "\n".join(texts))


def plant(goods: Iterable[Good], each: int = 5) -> Iterator[Planted]:
    """`each` of every kind of every language, the same for the same texts. Short texts are joined to long ones, so
    that every defect but a stub has more words than a rule for short texts asks for."""
    by_language: dict[str, list[Good]] = defaultdict(list)
    for good in _long(goods):
        by_language[f"{good.language}_{good.script}"].append(good)
    for language in sorted(by_language):
        texts = sorted(by_language[language], key=lambda good: hashlib.md5(good.text.encode()).digest())
        for kind in KINDS:
            for i in range(each):
                good = texts[i % len(texts)]
                spoilt = KINDS[kind].spoil(good, random.Random(f"{kind} {language} {i}"))
                if spoilt:
                    yield Planted(kind, good.language, good.script, spoilt)


def table(data: Path, each: int) -> pa.Table:
    """Columns id and text. An id is KIND/language_Script/number; all labelled texts are there too, as `good`."""
    texts = list(labelled.read(data))
    goods = [Good(one.language, one.script, one.text) for one in texts if f"{one.language}_{one.script}" in LANGUAGES]
    rows = [(f"{p.kind}/{p.language}_{p.script}", p.text) for p in plant(goods, each)]
    rows += [(f"good/{one.language}_{one.script}", one.text) for one in texts]
    return pa.table({"id": [f"{name}/{i}" for i, (name, _) in enumerate(rows)], "text": [text for _, text in rows]})


class Score(NamedTuple):
    """Counts by group: rows, those dropped, those dropped for a right reason (none are right for `good`)."""

    rows: Counter[str]
    dropped: Counter[str]
    right: Counter[str]
    reasons: dict[str, Counter[str]]

    def share(self, group: str) -> float:
        return (self.dropped if group.startswith("good") else self.right)[group] / self.rows[group]


def score(ids: Sequence[str], reasons: Sequence[str | None]) -> Score:
    """By kind; by language, `*/language_Script` for planted rows and `good/language_Script`; all planted rows: `*`."""
    found = Score(Counter(), Counter(), Counter(), defaultdict(Counter))
    for name, reason in zip(ids, reasons, strict=True):
        kind, label, _ = name.split("/")
        for group in (kind, f"good/{label}") if kind == "good" else (kind, f"*/{label}", "*"):
            found.rows[group] += 1
            found.dropped[group] += reason is not None
            found.right[group] += kind != "good" and is_right(kind, reason)
            found.reasons[group][reason or "kept"] += 1
    return found


def report(found: Score) -> None:
    """Prints a line a group, of the good texts' languages those that lose most."""
    for group in sorted(found.rows, key=lambda name: (name.count("/"), name)):
        if group.startswith("good/") and (found.rows[group] < 20 or found.share(group) <= 0.05):
            continue
        common = ", ".join(f"{reason} {count}" for reason, count in found.reasons[group].most_common(4))
        print(f"{group:24} {found.share(group):6.1%} of {found.rows[group]:5,}   {common}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make")
    make.add_argument("--data", type=Path, required=True)
    make.add_argument("--output", type=Path, required=True)
    make.add_argument("--each", type=int, default=5)
    commands.add_parser("score").add_argument("documents", type=Path)
    args = parser.parse_args()
    if args.command == "make":
        args.output.mkdir(parents=True, exist_ok=True)
        rows = table(args.data, args.each)
        pa.parquet.write_table(rows, args.output / "part-0.parquet")
        print(f"{rows.num_rows:,} rows")
        return
    read = pa.dataset.dataset(str(args.documents), format="parquet").to_table(["id", "drop_reason"])
    report(score(*(read.column(name).to_pylist() for name in ("id", "drop_reason"))))


if __name__ == "__main__":
    main()
