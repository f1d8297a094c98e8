"""The reference is built of all public modules without a warning, needs nothing from outside, and starts no engine."""

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from programs import REPOSITORY, job_environment

BUILDER = REPOSITORY / "docs" / "reference.py"
Builder = dict[str, Any]


@pytest.fixture(scope="module")
def builder() -> Builder:
    return runpy.run_path(str(BUILDER))


def test_the_pages_lead_to_each_other(builder: Builder, tmp_path: Path) -> None:
    names = builder["write_pages"](tmp_path)
    assert {"README.html", "CONTRIBUTING.html", "docs/design.html", "docs/quality.html"} <= set(names)
    for name in names:
        page = (tmp_path / name).read_text(encoding="utf-8")
        for link in re.findall(r'href="(?!https?:|#)([^"#]+)', page):
            there = (tmp_path / name).parent / link
            assert there.exists() or (REPOSITORY / Path(name).parent / link).exists(), (name, link)
        assert not re.search(r'src="https?:|<link|@import', page)


def test_a_module_is_told_by_its_docstrings(tmp_path: Path) -> None:
    """One room, by pdoc alone; all of them below."""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-m", "pdoc", "-o", str(tmp_path), "pipeline.explaining"],
        cwd=REPOSITORY, env=job_environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "pipeline" / "explaining" / "telling.html").read_text(encoding="utf-8")
    assert "Of each corpus that has a record of the address" in page


@pytest.mark.faults
def test_it_is_built_without_a_warning(tmp_path: Path) -> None:
    program = (
        "import runpy, sys; from pathlib import Path; from pyspark.sql import SparkSession; "
        "said = runpy.run_path(sys.argv[1])['build'](Path(sys.argv[2])); print(said, SparkSession.getActiveSession())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(BUILDER), str(tmp_path / "docs")],
        cwd=REPOSITORY, env=job_environment(), capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "[] None", done.stdout[-500:] + done.stderr[-2000:]
    folder = tmp_path / "docs" / "reference"
    pages = {str(page.relative_to(folder)): page.read_text(encoding="utf-8") for page in folder.rglob("*.html")}
    files = [path for root in ("schemas", "pipeline", "jobs", "tokenizer", "train") for path in modules_of(root)]
    assert len(files) > 400 and {f"{file}.html" for file in files} <= pages.keys()
    assert not [name for name, page in pages.items() if re.search(r'(src="|@import |<link[^>]*)https?:', page)]


def modules_of(root: str) -> list[str]:
    """Paths of public modules without their ending, those of jobs/dags left out."""
    found = (path.relative_to(REPOSITORY).with_suffix("") for path in (REPOSITORY / root).rglob("*.py"))
    return [str(path) for path in found if not path.name.startswith("_") and path.parts[:2] != ("jobs", "dags")]
