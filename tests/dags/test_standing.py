"""The DAG under a scheduler, a processor of DAGs and an API server on loopback, started as `airflow` starts them: a run
that is asked for over REST, a task of it that is killed, and what people see of it."""

import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faulty
import pytest
from airflows import AIRFLOW, asked, process_of, settings, soon
from standalone import kill_session

from pipeline.store import generations, storage

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]


class Server:
    """REST at loopback, as the user admin."""

    def __init__(self, port: int) -> None:
        self.url, self.token = f"http://127.0.0.1:{port}", ""

    def ask(self, path: str, body: object = None) -> tuple[int, Any]:
        """(status, answer)"""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")
        except OSError:
            return 0, None

    def log_in(self) -> bool:
        status, answer = self.ask("/auth/token", {"username": "admin", "password": "loopback"})
        self.token = answer["access_token"] if status == 201 else ""
        return bool(self.token)


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (home / "passwords.json").write_text(json.dumps({"admin": "loopback"}))
    environment = {
        **settings(home),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": "of these tests",
        "AIRFLOW__API_AUTH__JWT_SECRET": "of these tests, and long enough for its algorithm, which wants 64 bytes",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW_VAR_WANYU_ROOTS": str(tmp_path),
        "AIRFLOW_VAR_WANYU_PAGES": "https://corpora.example.org/",
    }
    commands = [
        ["api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        ["dag-processor"],
        ["scheduler"],
    ]
    running = []
    try:
        for command in commands:
            with open(home / f"{command[0]}.log", "wb") as log:
                running.append(
                    subprocess.Popen(
                        [AIRFLOW / "airflow", *command],
                        env=environment,
                        cwd=home,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
        server = Server(port)
        assert soon(server.log_in, 90), (home / "api-server.log").read_text()[-3000:]
        yield server
    finally:
        for process in running:
            kill_session(process.pid)
            process.wait()


def test_a_run_over_rest(server: Server, home: Path, calm: dict[str, bytes], tmp_path: Path) -> None:
    root = tmp_path / "root"
    runs = "/api/v2/dags/corpus/dagRuns"
    assert soon(lambda: server.ask("/api/v2/dags/corpus")[0] == 200), (home / "dag-processor.log").read_text()[-3000:]
    status, answer = server.ask(runs, {"logical_date": None, "conf": {"crawl": "October"}})
    assert status == 400 and "Invalid input for param crawl" in str(answer)
    status, answer = server.ask(runs, {"logical_date": None, "conf": asked(root)})
    assert status == 200, answer
    run = f"{runs}/{answer['dag_run_id']}"

    begun = storage.join(str(root), "extract", generations.BUILDING)
    assert soon(lambda: storage.exists(begun), 90), (home / "scheduler.log").read_text()[-3000:]
    jvm = process_of("java", "jobs/extract.py", root)
    task = int(Path(f"/proc/{jvm}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(task, signal.SIGKILL)
    assert soon(lambda: not Path(f"/proc/{jvm}").exists(), 20)

    assert soon(lambda: server.ask(run)[1]["state"] in ("success", "failed"), 240)
    tasks = {one["task_id"]: one for one in server.ask(f"{run}/taskInstances")[1]["task_instances"]}
    assert {name: one["state"] for name, one in tasks.items()} == {
        name: "skipped" if name in ("canary.submit", "drift", "pretrain", "evaluate") else "success" for name in tasks
    }
    assert {name for name, one in tasks.items() if one["try_number"] > 1} == {"extract.submit"}
    assert faulty.difference(str(root), calm) == ""

    links = server.ask(f"{run}/taskInstances/report/links")[1]["extra_links"]
    assert links == {"Report": "https://corpora.example.org/root/report.html"}
    assert (root / "report.html").is_file()
    (event,) = server.ask("/api/v2/assets/events")[1]["asset_events"]
    assert event["name"] == "wanyu_corpus" and event["extra"]["root"] == str(root)
    assert "A crawl a run" in server.ask("/api/v2/dags/corpus/details")[1]["doc_md"]
