"""What is installed: its licences and its known vulnerabilities, and that neither is passed over in silence."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ci_{name}", REPOSITORY / ".ci" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


AUDIT, LICENCES = program("audit"), program("licences")
FLAW = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"]}


@pytest.mark.parametrize(
    ("answer", "error", "status", "said"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], "", 0, "0 known vulnerabilities in 1 packages"),
        ([{"name": "a", "version": "1", "vulns": [FLAW]}], "", 1, "a 1: PYSEC-2026-1: mended in 2.0"),
        ([{"name": "a", "skip_reason": "no such package"}], "", 75, "NOT DONE"),
        (
            None,
            "ConnectionError: pypi.org\n",
            75,
            "NOT DONE: the advisory service cannot be asked (ConnectionError: pypi",
        ),
        (None, "", 75, "NOT DONE"),
    ],
)
def test_an_audit_says_what_it_knows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Any, error: str, status: int, said: str
) -> None:
    out = json.dumps({"dependencies": answer}) if answer is not None else ""
    ended = subprocess.CompletedProcess([], 1, out, error)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    assert AUDIT.audit(REPOSITORY / "constraints.txt") == status
    assert said in capsys.readouterr().out


def test_ci_does_not_pass_over_a_vulnerability() -> None:
    line = next(line for line in (REPOSITORY / ".ci/run").read_text().splitlines() if "audit.py" in line)
    for status, passes in ((0, True), (75, True), (1, False), (2, False)):
        tried = line.replace(".venv/bin/python .ci/audit.py", f"(exit {status})")
        assert (subprocess.run(["bash", "-euo", "pipefail", "-c", tried]).returncode == 0) is passes
    assert "\tlicences.py" not in line and "licences.py" in (REPOSITORY / "Makefile").read_text()


def test_all_licences_are_allowed_and_the_page_is_true() -> None:
    ended = subprocess.run([sys.executable, REPOSITORY / ".ci/licences.py"], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.count("\n")) == (0, 1), ended.stdout
    assert {"pyspark", "ada-url", "torch", "trafilatura", "lxml"} <= set(LICENCES.needed())


@pytest.mark.parametrize(
    ("expression", "passes"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("MPL-1.1 OR GPL-2.0-only OR LGPL-2.1-or-later", True),
        ("(MIT AND BSD-3-Clause) OR GPL-3.0-only", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("LGPL-2.1-only", False),
        ("", False),
    ],
)
def test_which_licences_are_allowed(expression: str, passes: bool) -> None:
    assert LICENCES.allowed(expression, {*LICENCES.PROJECT["tool"]["wanyu"]["licences"]["allow"]}) is passes


def test_a_licence_that_is_not_allowed_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(LICENCES.PROJECT["tool"]["wanyu"]["licences"], "allow", ["MIT"])
    assert LICENCES.main(write=False) == 1
    assert "licences: pyspark: Apache-2.0: not allowed by [tool.wanyu.licences]" in capsys.readouterr().out
