"""Licences of all that the installed package needs, held against [tool.wanyu.licences] in pyproject.toml, and the page
docs/licences.md made of them.

python .ci/licences.py [--write]

Exit status 1 where a licence is not allowed, is not stated, or the page says something else. Looked at is what
constraints.txt pins and the dependencies and extras in pyproject.toml lead to, as far as it is installed here.
"""

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "licences.md"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = ("train", "evaluate", "serve", "fit")
# What packages without an SPDX expression say, by classifier or in the field License.
SPDX = {
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "mit license": "MIT",
    "mit": "MIT",
    "bsd license": "BSD-3-Clause",
    "bsd": "BSD-3-Clause",
    "the bsd 2-clause license": "BSD-2-Clause",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "isc license (iscl)": "ISC",
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> set[str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {normal(line.partition("==")[0]) for line in lines if "==" in line}


def needed() -> dict[str, importlib.metadata.Distribution]:
    """By name: all that pyproject.toml leads to."""
    project, pins = PROJECT["project"], pinned()
    wanted = list(project["dependencies"])
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    found: dict[str, importlib.metadata.Distribution] = {}
    left = [Requirement(line) for line in wanted]
    while left:
        asked = left.pop()
        name = normal(asked.name)
        if name in found or name not in pins:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for line in found[name].requires or []:
            inner = Requirement(line)
            extras = ("", *asked.extras)
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                left.append(inner)
    return found


def licence(distribution: importlib.metadata.Distribution) -> str:
    """An SPDX expression; "" where nobody can tell."""
    said = distribution.metadata
    if expression := said.get("License-Expression"):
        return str(expression)
    field = str(said.get("License") or "").strip()
    if re.fullmatch(r"[\w.-]+(?: (?:AND|OR|WITH) [\w.-]+)*", field) and field.lower() not in SPDX:
        return field
    classifiers = [line.rpartition(" :: ")[2] for line in said.get_all("Classifier", []) if "License ::" in line]
    for name in (field.splitlines()[0] if field else "", *classifiers):
        if known := SPDX.get(name.lower()):
            return known
    return ""


def allowed(expression: str, allow: set[str]) -> bool:
    """Of alternatives one, of what holds together all."""
    plain = expression.replace("(", "").replace(")", "")
    return any(all(part.strip() in allow for part in one.split(" AND ")) for one in plain.split(" OR "))


def page(found: dict[str, str]) -> str:
    rows = "\n".join(f"| {name} | {expression} |" for name, expression in sorted(found.items()))
    return f"""# Licences

Of what wanyu needs to run, with the extras {", ".join(EXTRAS)}, as each package states it. Made by
`python .ci/licences.py --write` and held against `[tool.wanyu.licences]` in `pyproject.toml` by `make lint`: a licence
that is not allowed there fails it. Of an `OR` one is enough.

Not looked at are the extras `stores` and `bench`, which are not installed for the tests, and what torch's builds for a
GPU bring along: NVIDIA's libraries, under NVIDIA's own terms. Java, which Spark needs, comes from the system.

The project's own language model is CC-BY-SA-4.0 (`docs/languages.md`).

| package | licence |
|---|---|
{rows}
"""


def main(write: bool) -> int:
    rules = PROJECT["tool"]["wanyu"]["licences"]
    found = {name: licence(distribution) for name, distribution in needed().items()}
    wrong = [
        f"licences: {name}: {expression or 'no licence that is known'}: not allowed by [tool.wanyu.licences]"
        for name, expression in sorted(found.items())
        if not allowed(expression, {*rules["allow"]}) and rules["exceptions"].get(name) != expression
    ]
    if write:
        PAGE.write_text(page(found), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page(found):
        wrong.append("licences: docs/licences.md is another one: python .ci/licences.py --write")
    print("\n".join(wrong) or f"licences: {len(found)} packages, all allowed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv[1:]))
