"""docs/signals.md says what the code says: its tables are made of the code's own definitions.

python tests/test_signals_page.py writes them again.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from pipeline.config import CleanConfig
from pipeline.quality.rules import PRESETS
from pipeline.quality.signals import SIGNALS
from schemas.clean import ANNOTATIONS, REASONS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "signals.md"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def tables() -> dict[str, str]:
    fields = CleanConfig.model_fields
    thresholds = [
        (name, f"{fields[name].default:g}", fields[name].description) for name in CleanConfig.threshold_names()
    ]
    rules = {reason: rule for preset in PRESETS.values() for reason, rule in preset.items()}
    return {
        "annotations": table(
            ("column", "type", "meaning"), ((f"`{name}`", str(kind), meaning) for name, kind, meaning in ANNOTATIONS)
        ),
        "signals": table(
            ("signal", "type", "definition"), ((f"`{name}`", str(kind), meaning) for name, kind, meaning in SIGNALS)
        ),
        "rules": table(
            ("reason", "fires where", "presets", "meaning"),
            (
                (
                    f"`{reason}`",
                    f"`{rules[reason]}`" if reason in rules else "",
                    ", ".join(name for name, preset in PRESETS.items() if reason in preset),
                    meaning,
                )
                for reason, meaning in REASONS.items()
            ),
        ),
        "thresholds": table(("threshold", "default", "source"), ((f"`{n}`", d, str(s)) for n, d, s in thresholds)),
    }


def filled(page: str) -> str:
    for name, text in tables().items():
        marked = rf"(<!-- {name} -->\n).*?(\n<!-- end -->)"
        page = re.sub(marked, lambda match, text=text: match[1] + text + match[2], page, flags=re.DOTALL)
    return page


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(text in filled(page) for text in tables().values())  # no mark is missing
    assert page == filled(page), "python tests/test_signals_page.py"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
