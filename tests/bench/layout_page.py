"""What a template asks for while it makes a page: chances and texts of the page, and tastes of its site.

A site is a variant of a layout: what `taste` answers is the same on all its pages, what the rest answers is the page's.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from bench import layout_code, layout_listings, layout_math
from bench.layout_marks import line, out
from bench.layout_texts import RIGHT_TO_LEFT, Deal, Texts, words
from markupsafe import Markup, escape

PARTS = ("list", "links", "table", "code", "formula", "terms", "quote", "figure", "note", "details", "rule")
USERS = (
    "mika",
    "owl_77",
    "Ж. Белов",
    "李明",
    "さくら",
    "nino.k",
    "서연",
    "dgebre",
    "Layla",
    "ravi",
    "tekle",
    "อรุณ",
    "admin",
    "kvaratsi",
)
CALLS = (
    "read_page",
    "open()",
    "--verbose",
    "Shelf.add",
    "config.yml",
    "null",
    "/etc/hosts",
    "Ctrl+C",
    "git push",
    "O(n)",
)
INLINE_CODE = (
    "<code>{}</code>", '<code class="docutils literal notranslate"><span class="pre">{}</span></code>', "<tt>{}</tt>",
    '<code class="highlighter-rouge">{}</code>', "<kbd>{}</kbd>",
)  # fmt: skip
MODELS = ("Model", "Type", "Series", "Mark", "MX-", "Nova ", "R", "Alto ", "T-", "Level")


class Page:
    """A page in the making. language: a key of `texts`. number: of the page within its site."""

    def __init__(self, layout: str, variant: int, texts: Mapping[str, Texts], language: str, random: Random):
        self.layout, self.variant, self.language, self.random = layout, variant, language, random
        self.w = words(language)
        self.direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
        self.number = random.randrange(10, 99999)
        self.heads: list[tuple[int, str]] = []  # (level, text) of the headings so far
        self._titles = list(texts[language].headings)
        self._deal = Deal(texts[language], random)
        self._taste: dict[str, Any] = {}
        self._styles: dict[str, Any] = {"permalink": "none", "code": "plain", "math": "text", "part": PARTS}
        self.name = self.taste("name", ("Harbour", "Orchard", "Lantern", "Compass", "Meadow", "Bridge", "Quarry")) + (
            self.taste("last", ("", " Docs", " Weekly", " Lab", " Notes"))
        )

    # chances
    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, options: Sequence[Any]) -> Any:
        return self.random.choice(options)

    def some(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def many(self, most: int) -> int:
        """How many parts: few oftener than many."""
        return 1 + int(self.random.random() ** 1.7 * most)

    # the site's tastes
    def taste(self, key: str, options: Sequence[Any]) -> Any:
        if key not in self._taste:
            self._taste[key] = Random(f"{self.layout} {self.variant} {key}").choice(options)
        return self._taste[key]

    def odds(self, key: str, share: float) -> bool:
        return bool(Random(f"{self.layout} {self.variant} {key}").random() < share)

    def theme(self, count: int) -> int:
        """Which generator of the layout's, of so many, the site is made with."""
        return self.variant % count

    def use(self, **options: Sequence[Any]) -> str:
        """Of each option one is the site's: `permalink`, `code`, `math`; `part` are the parts its texts may have."""
        for key, choice in options.items():
            self._styles[key] = choice if key == "part" else self.taste(key, choice)
        return ""

    def style(self, key: str) -> Any:
        return self._styles[key]

    # texts
    def title(self) -> str:
        return self._titles.pop(self.random.randrange(len(self._titles))) if self._titles else self.phrase(3, 7)

    def phrase(self, least: int = 1, most: int = 5) -> str:
        return self._deal.phrase(least, most) or self.model()

    def text(self, least: int = 1, most: int = 4) -> str:
        return self._deal.text(least, most)

    def junk(self, least: int = 1, most: int = 2) -> str:
        """Of what surrounds the main text: teasers, comments, biographies."""
        return self._deal.text(least, most, main=False)

    def teaser(self, least: int = 2, most: int = 7) -> str:
        return self._deal.phrase(least, most, main=False) or "News"

    def user(self) -> str:
        return self.pick(USERS) if self.chance(0.7) else self.teaser(1, 1)

    def model(self) -> str:
        return f"{self.pick(MODELS)} {self.some(1, 900)}".replace("- ", "-").replace("  ", " ")

    def identifier(self) -> str:
        return "_".join(
            self.pick(("read", "open", "max", "page", "row", "size", "line", "file", "key", "node")) for _ in "ab"
        )

    def date(self) -> str:
        year, month, day = self.some(2004, 2026), self.some(1, 12), self.some(1, 28)
        forms = {
            "zho": "{y}年{m}月{d}日",
            "jpn": "{y}年{m}月{d}日",
            "kor": "{y}. {m}. {d}.",
            "rus": "{d:02}.{m:02}.{y}",
        }
        form = forms.get(self.language, "{d}/{m}/{y}") if self.taste("dates", (True, False)) else "{y}-{m:02}-{d:02}"
        return form.format(y=year, m=month, d=day) + (
            f", {self.some(0, 23):02}:{self.some(10, 59)}" if self.chance(0.3) else ""
        )

    def price(self) -> str:
        amount = f"{self.some(3, 2400)}.{self.pick(('00', '99', '50'))}"
        return self.taste("currency", ("${}", "€{}", "£{}", "¥{}", "{} ₽", "₩{}", "{} ₺", "฿{}")).format(amount)

    # pieces of main text
    def head(self, level: int, text: str = "") -> str:
        text = text or self.phrase(1, 6)
        self.heads.append((level, text))
        return text

    def slug(self, text: str) -> str:
        ascii_only = "-".join(text.lower().split()[:5]).encode("ascii", "ignore").decode().strip("-")
        return escape(ascii_only) if len(ascii_only) > 3 else f"s{len(self.heads)}"

    def code(self, most: int = 30) -> Markup:
        copy = self.w["copy"] if self.odds("copy button", 0.3) else ""
        return layout_listings.listing(layout_code.code(self.random, most), self.style("code"), copy)

    def math(self, display: bool = False) -> Markup:
        return layout_math.rendered(self.random, self.style("math"), display)

    def plan(self, count: int) -> list[str]:
        """Kinds of parts of a text: mostly paragraphs, now and then a heading before them."""
        kinds = ["paragraph"]
        for _ in range(count - 1):
            value = self.random.random()
            kinds.append("heading" if value < 0.16 else "paragraph" if value < 0.55 else self.pick(self.style("part")))
        return kinds

    def inline(self, text: str) -> Markup:
        """A paragraph with links, emphasis, code and formulas where such may be."""
        spaced = not self._deal.unspaced
        pieces: list[Any] = text.split(" ") if spaced else list(text)
        between = " " if spaced else ""
        if not spaced and any(map(_joins, text)):
            pieces = [text]  # a cut within a syllable would be none of a person's
        for _ in range(self.pick((0, 0, 1, 1, 2, 3))):
            size = self.some(1, 4 if spaced else 8)
            at = self.random.randrange(len(pieces))
            run = pieces[at : at + size]
            if all(type(piece) is str for piece in run):
                form = self.pick(self._inline_forms())
                pieces[at : at + size] = [Markup(form).format(t=between.join(run), n=self.some(1, 99))]
        if self.style("math") and "formula" in self.style("part") and self.chance(0.12):
            pieces.insert(
                self.random.randrange(len(pieces) + 1), Markup(f" {self.math()} ") if not spaced else self.math()
            )
        if "code" in self.style("part") and self.chance(0.3):
            form = self.taste("inline code", INLINE_CODE)
            pieces.insert(self.random.randrange(len(pieces) + 1), Markup(form).format(self.pick(CALLS)))
        if self.language in ("zho", "zho-Hant", "jpn") and self.odds("wrapped source", 0.3):
            return Markup(between).join(f"{piece}\n" if piece in ("，", "、") else piece for piece in pieces)
        if spaced and self.odds("wrapped source", 0.3):
            return Markup("").join(
                Markup("{}{}").format(piece, "\n" if number % 12 == 11 else " ") for number, piece in enumerate(pieces)
            )
        return Markup(between).join(pieces)

    def _inline_forms(self) -> Sequence[str]:
        return (
            '<a href="/p/{n}">{t}</a>', '<a href="https://other.example/{n}" rel="nofollow noopener">{t}</a>',
            '<a class="reference internal" href="../{n}.html"><span class="std std-ref">{t}</span></a>',
            "<strong>{t}</strong>", "<b>{t}</b>", "<em>{t}</em>", "<i>{t}</i>", '<span style="color:#c00">{t}</span>',
            "<mark>{t}</mark>", '{t}<sup class="footnote-ref"><a href="#fn{n}">[{n}]</a></sup>', "<u>{t}</u>",
        )  # fmt: skip

    line, out = staticmethod(line), staticmethod(out)


def _joins(character: str) -> bool:
    return "\u0e00" <= character <= "\u0e7f" or "\u1780" <= character <= "\u17ff" or "\u0e80" <= character <= "\u0eff"
