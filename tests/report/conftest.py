"""The page over a made-up corpus and run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from reported import build_corpus, build_run


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return build_corpus(tmp_path / "root")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_run(tmp_path / "runs" / "demo")


@pytest.fixture
def page(corpus: Path) -> Callable[..., str]:
    """The page over the corpus, as text."""
    from pipeline.report.page import write_report

    def build(root: Path = corpus, run: Path | None = None) -> str:
        return Path(write_report(str(root), [str(run)] if run else [])).read_text(encoding="utf-8")

    return build
