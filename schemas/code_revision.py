"""Which code wrote a table or a model. setup.py runs this file too, so it imports nothing of ours."""

import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
WRITTEN = "revision.txt"  # beside this file in a wheel, where there is no git; setup.py writes it


def code_revision() -> str:
    """The git commit, `-dirty` behind it where tracked files differ; `unknown` where neither wheel nor git says it."""
    written = HERE / WRITTEN
    return written.read_text().strip() if written.is_file() else of_sources(HERE)


def of_sources(folder: Path) -> str:
    """As git has it, of a folder of tracked files."""
    described = ["git", "-C", str(folder), "describe", "--always", "--exclude", "*", "--abbrev=40", "--dirty"]
    tracked = ["git", "-C", str(folder), "ls-files", "--error-unmatch", "."]  # not a folder in somebody else's
    try:
        answers = [subprocess.run(one, capture_output=True, text=True, timeout=10) for one in (tracked, described)]
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answers[1].stdout.strip() if all(one.returncode == 0 for one in answers) else "unknown"
