"""What the DAGs share: a job as a task, which failures are tried again, and settings of an installation.

Imports airflow.sdk and the provider of Spark, nothing of wanyu: Airflow has an environment of its own, in which neither
pyspark nor the project is, and starts both by `spark-submit` and a shell.

    environment, when DAGs are parsed   WANYU_POOL [default_pool], WANYU_RETRY_SECONDS [300], WANYU_SCHEDULE [none]
    connection                          wanyu_spark, of type spark: master and deploy mode
    Variables, when a task runs         wanyu_home [/opt/wanyu], wanyu_venv [/opt/venv], wanyu_roots, wanyu_crawl,
                                        wanyu_spark_properties (a file), wanyu_pages, wanyu_takedown
"""

import os
import re
import shlex
import signal
import subprocess
from contextlib import suppress
from datetime import timedelta
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

AIRFLOW, SPARK = "apache-airflow", "apache-airflow-providers-apache-spark"
NEEDED = {AIRFLOW: "3.3.2", SPARK: "6.3.4"}  # retry policies; `durable` and how a driver's end is told


def _require(package: str) -> None:
    """ImportError, which Airflow shows above its list of DAGs, in one line."""
    try:
        there = metadata.version(package)
    except metadata.PackageNotFoundError:
        there = "none"
    number, needed = (tuple(map(int, re.findall(r"\d+", text)[:3])) for text in (there, NEEDED[package]))
    if number < needed:
        wanted = f"{package}=={NEEDED[package]}"
        raise ImportError(
            f"wanyu's DAGs need {package} {NEEDED[package]} or later, here is {there}: pip install '{wanted}' "
            "--constraint docker/airflow-constraints.txt"
        )


for _package in NEEDED:
    _require(_package)

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator  # noqa: E402
from airflow.sdk import BaseOperatorLink, Connection, RetryDecision, RetryPolicy, Variable  # noqa: E402
from airflow.sdk.exceptions import (  # noqa: E402
    AirflowException,
    AirflowFailException,
    AirflowRuntimeError,
    AirflowSkipException,
)

CONNECTION = "wanyu_spark"
POOL = os.environ.get("WANYU_POOL", "default_pool")
RETRY_DELAY = timedelta(seconds=int(os.environ.get("WANYU_RETRY_SECONDS", "300")))
MISTAKE, DRIFTED = 2, 3  # exit statuses of jobs that no second try heals
BUSY = "is being written by"  # but for this mistake: another run, or a takedown, has the root
TERM_SECONDS = 3.0  # Airflow itself waits five, then kills the task's process
GUARD = str(Path(__file__).with_name("guard.sh"))

# In front of each template: names for what the parameters or Variables say.
PLACES = """
{%- set home = var.value.get('wanyu_home', '/opt/wanyu') -%}
{%- set venv = var.value.get('wanyu_venv', '/opt/venv') -%}
"""
NAMES = f"""{PLACES}
{{%- set crawl = params.crawl or var.value.wanyu_crawl -%}}
{{%- set root = params.root or (var.value.wanyu_roots ~ '/' ~ crawl) -%}}
"""
SHELL = f"""{NAMES}
set -euo pipefail
. {shlex.quote(GUARD)}
unset PYTHONPATH "${{!AIRFLOW__@}}"
export PYTHONSAFEPATH=1 PATH={{{{ venv | q }}}}/bin:$PATH
cd {{{{ home | q }}}}
"""
FILTERS = {"q": lambda value: shlex.quote(str(value)), "each": lambda values: shlex.join(map(str, values))}


class Retries(RetryPolicy):
    """Tries again what may heal. A mistake and a drift do not, whoever ran the job: spark-submit or a shell."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        status = status_of(str(exception))
        if status == MISTAKE and BUSY in str(exception):
            return RetryDecision.retry(6 * RETRY_DELAY, "another process writes this root")
        if status == MISTAKE:
            return RetryDecision.fail("status 2: a mistake, its line is in the log; no second try heals it")
        if status == DRIFTED:
            return RetryDecision.fail("status 3: the corpus has drifted; the log has a line for each figure")
        return RetryDecision.default()


def status_of(message: str) -> int | None:
    """A job's exit status as the provider of Spark (its own code, or in cluster modes the driver's) or the shell task
    tells it."""
    told = re.search(r"User application exited with (\d+)|spark exit code is: (\d+)", message) or re.search(
        r"Error code is: (\d+)|non-zero exit code (\d+)", message
    )
    return int(next(filter(None, told.groups()))) if told else None


DEFAULTS = {
    "owner": "wanyu",
    "pool": POOL,
    "retries": 3,
    "retry_delay": RETRY_DELAY,
    "retry_policy": Retries(),
    "trigger_rule": "none_failed",  # what a run does not ask for is skipped
}


class Report(BaseOperatorLink):
    """Where ROOT/report.html is seen: below the Variable wanyu_pages, at which wanyu_roots is served, else its path."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        words = shlex.split(operator.arguments)
        if "--root" not in words:
            return ""
        page = words[words.index("--root") + 1].rstrip("/") + "/report.html"
        pages, roots = (str(Variable.get(name, default="")).rstrip("/") for name in ("wanyu_pages", "wanyu_roots"))
        return pages + page.removeprefix(roots) if pages and page.startswith(f"{roots}/") else page


class Job(SparkSubmitOperator):
    """A job of wanyu by `spark-submit` of the project's own environment, with a command line in the place of a list.

    job: a file below wanyu_home. arguments: a template of its command line; where it renders to nothing the task is
    skipped. All that it starts ends with it. Not deferrable, for the provider has no such way (6.3.4), and not durable:
    a retry submits anew, since stages skip what is done, where a durable one takes a driver that once succeeded for the
    answer, though the task was cleared to run again, and refuses YARN's cluster mode without its REST API.
    """

    template_fields = (*SparkSubmitOperator.template_fields, "arguments", "home", "venv")
    operator_extra_links = (Report(),)

    def __init__(self, *, job: str, arguments: str, **others: Any) -> None:
        super().__init__(
            application=f"{PLACES}{{{{ home }}}}/{job}",
            properties_file="{{ var.value.get('wanyu_spark_properties', '') }}",
            conn_id=CONNECTION,
            name=f"wanyu {Path(job).stem}",
            durable=False,
            **others,
        )
        self.arguments = arguments
        self.home, self.venv = f"{PLACES}{{{{ home }}}}", f"{PLACES}{{{{ venv }}}}"

    def execute(self, context: Any) -> None:
        self.application_args = shlex.split(self.arguments)
        if not self.application_args:
            raise AirflowSkipException(f"{self.task_id}: this run does not ask for it")
        try:
            Connection.get(CONNECTION)
        except (AirflowException, AirflowRuntimeError):  # the provider would take YARN for granted
            raise AirflowFailException(
                f"no connection {CONNECTION}: airflow connections add {CONNECTION} --conn-type spark "
                "--conn-host 'local[*]'   (or yarn, spark://HOST:7077, k8s://https://HOST:6443)"
            ) from None
        super().execute(context)

    def on_kill(self) -> None:
        """The provider kills the JVM alone, and in cluster modes the application. A driver in Python would go on."""
        process = self._hook._submit_sp if self._hook else None
        if process is None:
            return
        if self._hook._connection["deploy_mode"] != "cluster":  # there spark-submit has to live until it is asked
            _signal(process, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(TERM_SECONDS)
        super().on_kill()
        _signal(process, signal.SIGKILL)

    def _get_hook(self) -> Any:
        """The provider's, whose spark-submit has a process group of its own, is guarded, and finds this environment."""
        hook = super()._get_hook()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
        kept.pop("PYTHONPATH", None)
        environment = {
            "PYSPARK_PYTHON": f"{self.venv}/bin/python",
            **kept,
            "PYTHONSAFEPATH": "1",
            "PATH": f"{self.venv}/bin:{kept.get('PATH', os.defpath)}",
        }
        hook.submit = partial(hook.submit, start_new_session=True, env=environment, cwd=self.home)
        hook._get_spark_binary_path = lambda: ["sh", GUARD, hook._connection["spark_binary"]]
        return hook


def _signal(process: Any, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
