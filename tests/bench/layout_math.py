"""Formulas as pages show them. Their source is the text, whatever the page has in its place."""

import re
import tomllib
from pathlib import Path
from random import Random
from typing import NamedTuple

from bench.layout_marks import formula
from markupsafe import Markup, escape


class Formula(NamedTuple):
    tex: str
    mathml: str


_TABLE = tomllib.loads((Path(__file__).resolve().parent / "layouts/formulas.toml").read_text("utf-8"))
FORMULAS = tuple(Formula(**row) for row in _TABLE["formula"])
STYLES = ("text", "parentheses", "katex", "mathml", "alttext", "wiki", "script", "mathjax2", "sphinx")
_TAG = re.compile(r"<[^>]*>")


def rendered(random: Random, style: str, display: bool) -> Markup:
    """A formula with its marks; `display`: it stands alone."""
    one = random.choice(FORMULAS[:8] if display else FORMULAS)
    tex, letters = escape(one.tex), _TAG.sub(" ", one.mathml).split()
    block = ' display="block"' if display else ""
    math = (
        f'<math xmlns="http://www.w3.org/1998/Math/MathML"{block}><semantics><mrow>{one.mathml}</mrow>'
        f'<annotation encoding="application/x-tex">{tex}</annotation></semantics></math>'
    )
    if style in ("text", "parentheses", "sphinx"):
        left, right = {"text": ("$", "$"), "parentheses": (r"\(", r"\)"), "sphinx": (r"\(", r"\)")}[style]
        if display:
            left, right = ("$$", "$$") if style == "text" else (r"\[", r"\]")
        shown = Markup("{}{}{}").format(left, one.tex, right)
        if style == "sphinx" and not display:
            return Markup('<span class="math notranslate nohighlight">{}</span>').format(shown)
        return shown
    if style == "katex":
        spans = "".join(f'<span class="mord mathnormal">{letter}</span>' for letter in letters)
        shown = (
            f'<span class="katex"><span class="katex-mathml">{math}</span><span class="katex-html" aria-hidden="true">'
            f'<span class="base"><span class="strut" style="height:0.6833em;"></span>{spans}</span></span></span>'
        )
        return formula(one.tex, Markup(f'<span class="katex-display">{shown}</span>' if display else shown))
    if style == "alttext":
        return formula(one.tex, Markup(f'<math alttext="{tex}"{block}>{one.mathml}</math>'))
    if style == "wiki":
        wrapped = f"{{\\displaystyle {tex}}}"
        inner = math.replace(f">{tex}</annotation>", f">{wrapped}</annotation>").replace(
            "<math ", f'<math alttext="{wrapped}" '
        )
        shown = (
            '<span class="mwe-math-element mwe-math-element-inline"><span class="mwe-math-mathml-inline '
            f'mwe-math-mathml-a11y" style="display: none;">{inner}</span><img src="/math/render/svg/1" '
            f'class="mwe-math-fallback-image-inline" aria-hidden="true" alt="{wrapped}"></span>'
        )
        return formula(one.tex, Markup(shown))
    if style in ("script", "mathjax2"):
        mode = "; mode=display" if display else ""
        source = Markup(f'<script type="math/tex{mode}">{one.tex}</script>')
        if style == "script":
            return formula(one.tex, source)
        spans = "".join(f'<span class="mi">{letter}</span>' for letter in letters)
        shown = Markup(
            f'<span class="MathJax_Preview"></span><span class="MathJax"><span class="math">{spans}</span></span>'
        )
        return formula(one.tex, shown + source)
    return formula(one.tex, Markup(math))
