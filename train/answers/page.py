"""Cards as one page of HTML that needs nothing else: no script, no font, no network; for light and dark."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from train.answers.cards import Bars, Card, Line
from train.answers.terminal_view import cut_in_the_middle, spelt
from train.checkpoints.files import WholeFile

UNMARKED = 4000  # columns of a stretch without a mark that are shown; of a longer one its ends
COLOURS = 6  # of kinds, in order of appearance

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{
  color-scheme: light dark;
  --paper: #fbfbfa; --card: #ffffff; --ink: #1c1e21; --faint: #5f656d; --edge: #dfe1e4;
  --bar: #3467b8; --track: #e9ebee;
  --k0: #cfe3ff; --k1: #ffdcc2; --k2: #d3f0d3; --k3: #f3d6f5; --k4: #fdf0b0; --k5: #cdeeee;
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --paper: #16181b; --card: #1e2125; --ink: #e7e9ec; --faint: #9aa1aa; --edge: #33383e;
    --bar: #7aa7f0; --track: #2c3036;
    --k0: #234a7d; --k1: #734321; --k2: #2b5a2e; --k3: #64356a; --k4: #665a17; --k5: #1f5c5c;
  }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0; padding: 2rem 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, "Noto Sans", sans-serif; }}
main, header, footer {{ max-width: 52rem; margin: 0 auto; }}
h1 {{ font-size: 1.3rem; margin: 0; }}
header p, footer p {{ color: var(--faint); margin: .2rem 0 1.4rem; overflow-wrap: anywhere; }}
article {{ background: var(--card); border: 1px solid var(--edge); border-radius: .5rem; padding: .8rem 1rem;
  margin: 0 0 .8rem; }}
.place, .role, h2, .note {{ color: var(--faint); font-size: .85rem; font-weight: normal; }}
.place {{ display: flex; justify-content: space-between; gap: 1rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }}
.role {{ margin: .3rem 0 0; }}
h2 {{ margin: .6rem 0 0; }}
.text {{ margin: 0; font-size: 1.08rem; overflow-wrap: anywhere; white-space: pre-line; }}
mark {{ color: inherit; border-radius: .25rem; padding: .08em .25em; }}
mark small {{ color: var(--ink); opacity: .75; font-size: .72em; margin-inline-start: .5em; white-space: nowrap; }}
.k0 {{ background: var(--k0); }} .k1 {{ background: var(--k1); }} .k2 {{ background: var(--k2); }}
.k3 {{ background: var(--k3); }} .k4 {{ background: var(--k4); }} .k5 {{ background: var(--k5); }}
table {{ border-collapse: collapse; width: 100%; margin-top: .5rem; }}
td {{ padding: .12rem 0; vertical-align: baseline; }}
td + td {{ padding-left: .8rem; }}
.bar {{ width: 11rem; }}
.bar span {{ display: block; height: .7rem; border-radius: .2rem; background: var(--track); overflow: hidden; }}
.bar i {{ display: block; height: 100%; min-width: 1px; background: var(--bar); }}
.figure {{ width: 4.5rem; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
.note {{ width: 5.5rem; white-space: nowrap; }}
.label {{ overflow-wrap: anywhere; }}
.label bdi {{ display: inline-block; text-align: start; }}
@media (max-width: 34rem) {{ .bar {{ width: 5rem; }} }}
@media print {{ body {{ padding: 0; }} article {{ break-inside: avoid; }} }}
</style>
</head>
<body>
<header><h1>{title}</h1><p>{said}</p></header>
<main>
"""
FOOT = """</main>
<footer><p>{said}</p></footer>
</body>
</html>
"""


class Page(WholeFile):
    """A context that writes cards as they come; the file appears when it is whole."""

    def __init__(self, target: Path, title: str, said: str) -> None:
        super().__init__(target)
        self.cards = 0
        self._kinds: dict[str, int] = {}
        self._file = self.part.open("w", encoding="utf-8")
        self._file.write(HEAD.format(title=escape(title), said=escape(said)))

    def add(self, card: Card) -> None:
        self.cards += 1
        self._file.write("".join(self._article(card)))

    def close(self, whole: bool) -> None:
        if whole:
            self._file.write(FOOT.format(said=f"{self.cards:,} text{'' if self.cards == 1 else 's'}"))
        self._file.close()

    def _article(self, card: Card) -> Iterator[str]:
        lang = f' lang="{escape(card.language.replace("_", "-"))}"' if card.language else ""
        yield "<article>\n"
        if card.place or card.language:
            yield f'<p class="place"><span>{safe(card.place)}</span><span>{safe(card.language)}</span></p>\n'
        for line in card.lines:
            if line.role:
                yield f'<p class="role">{safe(line.role)}</p>\n'
            yield f'<p class="text" dir="auto"{lang}>{"".join(self._line(line))}</p>\n'
        for group in card.bars:
            yield from self._bars(group)
        yield "</article>\n"

    def _line(self, line: Line) -> Iterator[str]:
        place = 0
        for mark in line.marks:
            colour = self._kinds.setdefault(mark.kind, len(self._kinds)) % COLOURS
            note = f'<small><bdi dir="ltr">{safe(mark.note)}</bdi></small>' if mark.note else ""
            yield safe(cut_in_the_middle(line.text[place : mark.begin], UNMARKED))
            yield f'<mark class="k{colour}"><bdi>{safe(line.text[mark.begin : mark.end])}</bdi>{note}</mark>'
            place = mark.end
        yield safe(cut_in_the_middle(line.text[place:], UNMARKED))

    def _bars(self, group: Bars) -> Iterator[str]:
        if group.heading:
            yield f"<h2>{safe(group.heading)}</h2>\n"
        yield "<table>\n"
        has_notes = any(bar.note for bar in group.bars)
        for bar in group.bars:
            full = "" if bar.share is None else f'<span><i style="width:{100 * bar.share:.2f}%"></i></span>'
            lang = f' lang="{escape(bar.note.replace("_", "-"))}"' if bar.note else ""
            note = f'<td class="note">{safe(bar.note)}</td>' if has_notes else ""
            yield (
                f'<tr><td class="bar">{full}</td><td class="figure">{safe(bar.figure)}</td>{note}'
                f'<td class="label"><bdi{lang}>{safe(spelt(bar.label))}</bdi></td></tr>\n'
            )
        yield "</table>\n"


def safe(text: str) -> str:
    """Escaped, without the signs that HTML may not have."""
    return escape("".join(sign if sign.isprintable() or sign in "\n\t\u200c\u200d" else " " for sign in text))
