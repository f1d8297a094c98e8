"""The DAGs as Airflow reads them: without errors, with the order that one writer a root asks for, each command line one
that its program takes, bad parameters refused."""

import ast
import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflows import AIRFLOW, DAGS, look, settings
from programs import REPOSITORY

from pipeline.flags import parse

CRAWL = "CC-MAIN-2026-43"
EVERYTHING = {
    "crawl": CRAWL,
    "root": "/roots/a month's",
    "input": ["/archives/one.warc.gz", "two words.paths"],
    "prefix": "https://data.commoncrawl.org/",
    "config": "jobs/demo.toml",
    "limit": 3,
    "against": ["/roots/old", "/roots/older one"],
    "canary": 0.05,
    "compare": "/roots/old",
    "drift": "/etc/drift.toml",
    "run": "/runs/a run",
    "train": "train/configs/demo.toml",
    "steps": 50,
    "processes": 2,
}
ON_A_STORE = {"root": "s3://corpus/root", "run": "/runs/x", "canary": None}
REFUSED = [
    ("crawl", "CC-MAIN-26-43"), ("crawl", "CC-MAIN-2026-43/../x"), ("crawl", 43), ("limit", 0), ("limit", "3"),
    ("canary", 0), ("canary", 1), ("input", "/archives"), ("root", ""), ("processes", 0), ("steps", 1.5),
]  # fmt: skip
TAKEDOWN = '{"roots": ["/roots/a", "s3://b/c d"], "urls": ["/lists/u.txt", "v.txt"], "hosts": ["/lists/h.txt"]}'


AIRFLOW_ITSELF, SPARK = "apache-airflow", "apache-airflow-providers-apache-spark"


@pytest.fixture(scope="module")
def seen(migrated: Path) -> dict[str, Any]:
    """Cases by name: what they render to."""
    cases = {
        "least": ("corpus", {}),
        "everything": ("corpus", EVERYTHING),
        "store": ("corpus", ON_A_STORE),
        "takedown": ("takedown", {}),
        "only": ("takedown", {"only": ["s3://b/c d"]}),
        **{f"{key}={value}": ("corpus", {key: value}) for key, value in REFUSED},
    }
    variables = {
        "AIRFLOW_VAR_WANYU_CRAWL": CRAWL,
        "AIRFLOW_VAR_WANYU_ROOTS": "s3://corpus",
        "AIRFLOW_VAR_WANYU_TAKEDOWN": TAKEDOWN,
    }
    answer = look(migrated, "parse", given=list(cases.values()), **variables)
    return {**answer, "cases": dict(zip(cases, answer["cases"], strict=True))}


def test_they_parse(seen: dict[str, Any]) -> None:
    assert seen["errors"] == {}
    assert set(seen["dags"]) == {"corpus", "takedown"}


def test_they_import_airflow_s_sdk_the_provider_of_spark_and_nothing_of_ours() -> None:
    for file in DAGS.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                ours = name == "wanyu_tasks" or name.split(".")[0] in sys.stdlib_module_names
                assert ours or name.startswith(("airflow.sdk", "airflow.providers.apache.spark")), f"{file}: {name}"
    command = [Path(sys.executable).with_name("ruff"), "check", "--preview", "--select", "AIR", DAGS]
    assert subprocess.run(command, cwd=REPOSITORY).returncode == 0


def test_one_task_after_the_other_and_the_asset_last(seen: dict[str, Any]) -> None:
    tasks = seen["dags"]["corpus"]
    order = [
        "canary.submit", "extract.submit", "clean.submit", "dedup.submit", "sample.submit", "drift", "vocab",
        "pretrain", "evaluate", "report", "publish",
    ]  # fmt: skip
    assert {name: task["upstream"] for name, task in tasks.items()} == {
        name: [before] if before else [] for before, name in zip(["", *order], order, strict=False)
    }
    assert {name: task["outlets"] for name, task in tasks.items() if task["outlets"]} == {"publish": ["wanyu_corpus"]}
    for name, task in tasks.items():
        assert task["owner"] == "wanyu" and task["retries"] > 0
        assert task["timeout"] or name == "publish"


PROGRAMS = {
    "canary.submit": "corpus", "extract.submit": "extract", "clean.submit": "clean", "dedup.submit": "dedup",
    "sample.submit": "sample", "drift": "report", "vocab": "vocab", "report": "report",
}  # fmt: skip
CALLERS = ("pipeline.spark.job", "jobs.corpus", "jobs.extract", "jobs.remove", "jobs.report")


class Parsed(BaseException):
    pass


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Jobs end where their flags are parsed."""

    def stop(*words: Any) -> None:
        raise Parsed(vars(parse(*words)))

    for module in CALLERS:
        monkeypatch.setattr(importlib.import_module(module), "parse", stop)
    yield


def flags_of(job: str, line: str) -> dict[str, Any]:
    """What the job's own parser makes of a command line."""
    with pytest.raises(Parsed) as parsed:
        status = importlib.import_module(f"jobs.{job}").main(shlex.split(line))
        raise AssertionError(f"jobs/{job}.py {line}: status {status}")
    found: dict[str, Any] = parsed.value.args[0]
    return found


@pytest.mark.parametrize("task", PROGRAMS)
def test_each_command_line_is_one_that_its_job_takes(seen: dict[str, Any], task: str, parser: None) -> None:
    """A canary and a drift are flags of jobs/corpus.py and jobs/report.py."""
    job = PROGRAMS[task]
    for case, root in (
        ("least", f"s3://corpus/{CRAWL}"),
        ("everything", EVERYTHING["root"]),
        ("store", "s3://corpus/root"),
    ):
        told = seen["cases"][case][task]
        assert told["application"] == f"{REPOSITORY}/jobs/{job}.py"
        if not told["arguments"].strip():
            assert (task, case) in {("drift", "least"), ("drift", "store"), ("canary.submit", "store")}
            continue
        assert flags_of(job, told["arguments"])["root"] == root


def test_what_the_jobs_are_told(seen: dict[str, Any], parser: None) -> None:
    least, everything = seen["cases"]["least"], seen["cases"]["everything"]
    flags = flags_of("extract", least["extract.submit"]["arguments"])
    assert flags["input"] == [f"s3://commoncrawl/crawl-data/{CRAWL}/warc.paths.gz"]
    flags = flags_of("extract", everything["extract.submit"]["arguments"])
    assert flags["input"] == EVERYTHING["input"] and flags["config"] == "jobs/demo.toml"
    assert (flags["extract.prefix"], flags["extract.limit"]) == (EVERYTHING["prefix"], "3")
    assert flags_of("dedup", everything["dedup.submit"]["arguments"])["dedup.against"] == EVERYTHING["against"]
    assert flags_of("dedup", least["dedup.submit"]["arguments"])["dedup.against"] is None
    flags = flags_of("report", seen["cases"]["store"]["report"]["arguments"])
    assert (flags["run"], flags["evaluation"]) == (["/runs/x"], ["/runs/x/evaluation/evaluation.json"])
    assert everything["publish"]["op_args"] == [CRAWL, EVERYTHING["root"], EVERYTHING["run"]]


@pytest.mark.parametrize("case", ["everything", "store"])
def test_what_shells_are_told(seen: dict[str, Any], case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script runs in bash with programs that print what they get, which the trainer's own parsers then read."""
    from train.config.load import load_config
    from train.evaluate import parser as evaluate

    for name in ("torchrun", "python"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(
            f'#!/bin/sh\nfor word in {name} "$@"; do printf "%s\\n" "$word"; done; echo END\n'
        )
        (tmp_path / "bin" / name).chmod(0o755)
    said: dict[str, list[list[str]]] = {}
    for task in ("pretrain", "evaluate"):
        script = seen["cases"][case][task]["bash_command"].replace(f"{sys.prefix}/bin", f"{tmp_path}/bin")
        run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, start_new_session=True)
        assert run.returncode == (1 if task == "pretrain" else 0), run.stderr  # there is no export
        said[task] = [part.strip("\n").split("\n") for part in run.stdout.split("END\n")[:-1]]
    monkeypatch.chdir(REPOSITORY)
    *fetched, (torchrun, *words) = said["pretrain"]
    program = words.index("train/pretrain.py")
    given = {"everything": EVERYTHING, "store": {**ON_A_STORE, "processes": 1}}[case]
    assert torchrun == "torchrun" and words[:program] == ["--standalone", "--nproc-per-node", str(given["processes"])]
    data = f"{given['run']}/corpus" if case == "store" else given["root"]
    assert fetched == [
        ["python", "docker/fetch.py", f"s3://corpus/root/{what}", f"{data}/{what}"] for what in ("sample", "vocab")
    ] * (case == "store")
    config = load_config(words[program + 1 :])
    places = [str(place) for place in (config.data.shards, config.data.tokenizer, config.run.output)]
    assert places == [f"{data}/sample", f"{data}/vocab", given["run"]]
    assert case == "store" or config.run.steps == EVERYTHING["steps"]
    ((python, script, *words),) = said["evaluate"]
    args = evaluate().parse_args(words)
    assert (python, script) == ("python", "train/evaluate.py")
    assert args.model == [f"{CRAWL}={given['run']}"] and str(args.shards) == f"{data}/sample"
    assert str(args.output) == f"{given['run']}/evaluation"


def test_a_variable_of_takedown_that_is_none_says_what_is_wrong(migrated: Path) -> None:
    cases: list[tuple[object, list[str], str]] = [
        (None, [], "no Variable wanyu_takedown as it has to be: airflow variables set wanyu_takedown"),
        ({"roots": ["/r"], "url": ["/u"]}, [], "no Variable wanyu_takedown as it has to be"),
        ({"roots": "/r", "urls": ["/u"]}, [], "no Variable wanyu_takedown as it has to be"),
        ({"roots": [], "urls": ["/u"]}, [], "no Variable wanyu_takedown as it has to be"),
        ({"roots": ["/r"], "urls": []}, [], "the Variable wanyu_takedown names no list"),
        ({"roots": ["/r"], "urls": ["/u"]}, ["/s"], "only = /s: no root of the Variable wanyu_takedown; add it there"),
    ]
    program = f"""
import takedown
for wanted, only, _ in {cases!r}:
    try:
        print(takedown.command_lines(wanted, only))
    except takedown.AirflowFailException as error:
        print(error)
"""
    environment = {**settings(migrated), "PYTHONPATH": str(DAGS)}
    ended = subprocess.run(
        [AIRFLOW / "python", "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    said = ended.stdout.splitlines()[-len(cases) :]
    assert [line.startswith(told) for line, (_, _, told) in zip(said, cases, strict=True)] == [True] * len(cases), said


def test_exit_statuses_are_found_in_what_the_provider_and_shells_say(migrated: Path) -> None:
    """Of client modes, Kubernetes and YARN in cluster mode, BashOperator."""
    told = {
        "Cannot execute: spark-submit x. Error code is: 3.\nLast spark-submit output:\nfine": 3,
        "Cannot execute: x. Error code is: 1. Kubernetes spark exit code is: 2": 2,
        "Cannot execute: x. Error code is: 1.\nSparkUserAppException: User application exited with 2": 2,
        "Bash command failed. The command returned a non-zero exit code 2.": 2,
        "Cannot execute: x. Error code is: -9.": None,
        "Task timed out": None,
    }
    program = (
        f"import wanyu_tasks\nfor text, status in {told!r}.items(): assert wanyu_tasks.status_of(text) == status, text"
    )
    environment = {**settings(migrated), "PYTHONPATH": str(DAGS)}
    subprocess.run([AIRFLOW / "python", "-c", program], env=environment, check=True)


def test_takedown_removes_from_every_root(seen: dict[str, Any], parser: None) -> None:
    lines = seen["cases"]["takedown"]["roots"]
    told = [flags_of("remove", line) for line in lines]
    assert [flags["root"] for flags in told] == ["/roots/a", "s3://b/c d"]
    assert all(flags["urls"] == ["/lists/u.txt", "v.txt"] and flags["hosts"] == ["/lists/h.txt"] for flags in told)
    assert seen["cases"]["only"]["roots"] == lines[1:]


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_a_parameter_outside_its_schema_is_refused_by_name(seen: dict[str, Any], key: str, value: object) -> None:
    assert f"Invalid input for param {key}" in seen["cases"][f"{key}={value}"]["refused"]


@pytest.mark.parametrize(
    ("package", "there", "line"),
    [
        (SPARK, None, f"{SPARK} 6.3.4 or later, here is none: pip install '{SPARK}==6.3.4'"),
        (SPARK, "5.3.0", "here is 5.3.0: pip install"),
        (
            AIRFLOW_ITSELF,
            "2.11.2",
            "apache-airflow 3.3.2 or later, here is 2.11.2: pip install 'apache-airflow==3.3.2'",
        ),
        (AIRFLOW_ITSELF, "3.0.6", "here is 3.0.6"),
    ],
)
def test_another_airflow_is_told_what_to_do(package: str, there: str | None, line: str, migrated: Path) -> None:
    """One import error, above Airflow's list of DAGs, whose last line says it."""
    program = f"""
import sys
from importlib import metadata
true = metadata.version
def version(name):
    if name == {package!r}:
        if {there!r} is None:
            raise metadata.PackageNotFoundError(name)
        return {there!r}
    return true(name)
metadata.version = version
if {there!r} == "2.11.2":
    sys.modules["airflow.sdk"] = None
import corpus
"""
    environment = {**settings(migrated), "PYTHONPATH": str(DAGS)}
    ended = subprocess.run([AIRFLOW / "python", "-c", program], env=environment, capture_output=True, text=True)
    last = ended.stderr.strip().splitlines()[-1]
    assert ended.returncode == 1 and last.startswith("ImportError: wanyu's DAGs need ") and line in last
    assert last.endswith("--constraint docker/airflow-constraints.txt") and not re.search(
        "During handling", ended.stderr
    )
