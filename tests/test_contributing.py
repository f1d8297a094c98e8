"""CONTRIBUTING.md: what it names is there, and its steps, done as they stand there, add what they say."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from programs import REPOSITORY

from pipeline.flags import load
from pipeline.quality import profiles
from pipeline.quality.rules import Decider

PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
NAMES = sorted(set(re.findall(r"`([^`\s]+)`", PROSE)))
BLOCKS = dict(zip(("rules", "profile"), re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL), strict=True))
DIFFS = re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)
COPIED = ("schemas", "pipeline", "jobs", "tokenizer", "train", "docs", "tests")


def test_the_files_named_are_there() -> None:
    paths = [name for name in NAMES if "/" in name and name.isascii() and not re.search("[A-Z]{4}", name)]
    assert len(paths) > 25
    assert [path for path in paths if not (REPOSITORY / path).exists()] == []


def test_the_names_are_those_of_the_code() -> None:
    names = [name for name in NAMES if re.fullmatch(r"(schemas|pipeline|train|jobs|tokenizer)(\.\w+)+", name)]
    assert len(names) > 15
    for name in names:
        module, _, own = name.rpartition(".")
        assert hasattr(importlib.import_module(module), own), name


def test_the_targets_are_those_of_make() -> None:
    targets = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert {"test", "docs"} <= set(re.findall(r"^make ([\w-]+)", PAGE, re.MULTILINE)) <= targets


def test_a_rule_of_your_own(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(BLOCKS["rules"])
    settings = load(str(tmp_path / "own.toml"), {}).clean
    (own,) = [rule for rule in settings.chosen_rules() if rule.reason.startswith("rule:")]
    decide = Decider([own], settings.limits(profiles.shipped()))
    rows = pa.RecordBatch.from_pydict(
        {
            "n_words": pa.array([79, 79, 80, None]),
            "upper_char_share": [0.51, 0.5, 0.9, 0.9],
            "language": ["eng"] * 4,
            "language_script": ["Latn"] * 4,
        }
    )
    assert decide(rows).to_pylist() == ["rule:short_and_loud", None, None, None]


def test_a_profile(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(BLOCKS["profile"])
    known = profiles.load(str(tmp_path / "own.toml"))
    settings = load(None, {}).clean
    assert settings.limits(known).told("min_words", "swh", "Latn", {}) == (30, "profile swh_Latn")
    assert known.stop_words["swh_Latn"] == ("na", "ya", "wa", "kwa")


def added(folder: Path, diff: str) -> None:
    """Puts the lines behind the one that is shown before them, which is there once."""
    for file in re.split(r"^--- a/.*\n", diff, flags=re.MULTILINE)[1:]:
        name, _, rest = file.removeprefix("+++ b/").partition("\n")
        text = (folder / name).read_text(encoding="utf-8")
        for hunk in re.split(r"^@@\n", rest, flags=re.MULTILINE)[1:]:
            lines = hunk.splitlines()
            before = "".join(f"{line[1:]}\n" for line in lines if line.startswith(" "))
            after = "".join(f"{line[1:]}\n" for line in lines if line.startswith("+"))
            assert before and after and text.count(before) == 1, (name, before)
            text = text.replace(before, before + after)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house with the page's changes."""
    folder = tmp_path_factory.mktemp("changed")
    for name in COPIED:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy(REPOSITORY / name, folder / name)
    for diff in DIFFS:
        added(folder, diff)
    return folder


def python(folder: Path, *words: str) -> str:
    path = os.pathsep.join([str(folder), str(folder / "tests")])
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


RULES = """
import pyarrow as pa
from pipeline.config import CleanConfig
from pipeline.quality import profiles
from pipeline.quality.rules import Decider
from pipeline.quality.signals import SIGNALS
import pipeline
settings = CleanConfig(presets=("boilerplate",))
(rule,) = [rule for rule in settings.chosen_rules() if rule.reason == "symbols:few_words"]
decide = Decider([rule], settings.limits(profiles.shipped()))
rows = {"unique_word_share": [0.04, 0.05, None], "language": ["tha"] * 3, "language_script": ["Thai"] * 3}
print(decide(pa.RecordBatch.from_pydict(rows)).to_pylist(), "bytes_a_char" in dict((n, k) for n, k, _ in SIGNALS))
print(pipeline.__file__)
"""


def test_a_rule_of_a_preset_and_a_signal(changed: Path) -> None:
    """Done as the page says it, they drop what they should, and what holds the house to its contracts is content."""
    said, where = python(changed, "-c", RULES).splitlines()
    assert said == "['symbols:few_words', None, None] True" and where.startswith(str(changed))
    before = (changed / "docs" / "signals.md").read_text(encoding="utf-8")
    python(changed, "tests/test_signals_page.py")
    after = (changed / "docs" / "signals.md").read_text(encoding="utf-8")
    new = set(after.splitlines()) - set(before.splitlines())
    assert {re.findall("`(.*?)`", line)[0] for line in new} == {
        "bytes_a_char", "symbols:few_words", "min_unique_word_share"
    }  # fmt: skip
    asked = "rules_are_the_contract or threshold_is_a_rule or reasons_are_words or picture"
    house = ["tests/test_architecture.py", "tests/test_signals_page.py", "-k", f"{asked} or up_to_date"]
    python(changed, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *house)


@pytest.mark.faults
def test_the_signal_is_measured(changed: Path) -> None:
    """Its kernels are compiled anew, for they lie elsewhere."""
    program = (
        "from pipeline.quality.signals import signals; "
        "print([signals(text, 'und', 'Zyyy')['bytes_a_char'] for text in ('abc', 'тест', 'ไทย', '𐍈𐍈', '')])"
    )
    assert python(changed, "-c", program).strip() == "[1.0, 2.0, 3.0, 4.0, 0.0]"
