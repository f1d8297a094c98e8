"""The reference of all public modules out of their docstrings, by pdoc, and the pages of docs/ beside it.

python docs/reference.py [FOLDER]    (make docs: build/docs)

Every module is imported, but for jobs/dags, which has an environment of its own. No engine is started, nothing is
fetched, and what is written needs nothing from outside. What pdoc warns of ends it with status 1.
"""

import os
import shutil
import sys
import warnings
from html import escape
from pathlib import Path

import markdown2

os.environ["PDOC_DISPLAY_ENV_VARS"] = "1"  # a default that equals a variable of this machine is no secret of it
import pdoc
import pdoc.render

REPOSITORY = Path(__file__).resolve().parents[1]
ROOTS = ("schemas", "pipeline", "jobs", "tokenizer", "train")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
KNOWN = "Cannot determine where"  # of fields that a TypedDict has from another, whose bases Python does not keep
MARKDOWN = ["tables", "fenced-code-blocks", "header-ids", "cuddled-lists"]
STYLE = """body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark; }
table { border-collapse: collapse; display: block; overflow-x: auto; } td, th { border-bottom: 1px solid #8886; padding: .3rem .6rem; text-align: start; }
pre { overflow-x: auto; padding: .6rem; background: #8882; } code { font-size: .9em; }"""  # noqa: E501


def write_pages(folder: Path) -> list[str]:
    """The Markdown pages as HTML; their names. Links between them lead to each other's HTML."""
    names = []
    for page in (*(REPOSITORY / name for name in PAGES), *sorted((REPOSITORY / "docs").glob("*.md"))):
        if page.exists():
            text = page.read_text(encoding="utf-8")
            body = markdown2.markdown(text, extras=MARKDOWN).replace('.md"', '.html"').replace(".md#", ".html#")
            target = folder / page.relative_to(REPOSITORY).with_suffix(".html")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_page(page.stem, body), encoding="utf-8")
            names.append(str(target.relative_to(folder)))
    return names


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>'


def build(folder: Path) -> list[str]:
    """Writes everything anew; what pdoc warned of."""
    shutil.rmtree(folder, ignore_errors=True)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        pdoc.render.configure(footer_text="wanyu", show_source=False, search=False)  # half of the time each
        pdoc.pdoc(*ROOTS, "!jobs.dags", output_directory=folder / "reference")
    pages = write_pages(folder)
    links = "".join(f'<li><a href="{name}">{name.removesuffix(".html")}</a></li>' for name in pages)
    links += "".join(f'<li><a href="reference/{root}.html">{root}/</a>: modules</li>' for root in ROOTS)
    (folder / "index.html").write_text(_page("wanyu", f"<h1>wanyu</h1><ul>{links}</ul>"), encoding="utf-8")
    said = [str(one.message) for one in heard if "pdoc" in Path(one.filename).parts]
    return [line for line in said if not line.startswith(KNOWN)]


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "build" / "docs"
    found = build(folder)
    for line in found:
        print(line, file=sys.stderr)
    print(folder / "index.html")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
