"""Every day: the pages that must be nowhere are removed from every corpus.

The Variable `wanyu_takedown` says which and where, as JSON: `{"roots": [...], "urls": [...], "hosts": [...]}`. `urls`
are files with an address a line, `hosts` files with hosts, of which all goes: the flags of `jobs/remove.py`. The lists
are permanent: they grow, and each day they hold for every root, also for what an extract has brought back since. A
root that holds nothing of them costs seconds. One root after the other; one that `corpus` writes is tried again later.
`only` names roots for a run by hand.
"""

import shlex
from datetime import timedelta
from typing import Any

from wanyu_tasks import DEFAULTS, FILTERS, Job  # before Airflow, of which it says what is missing

# isort: split
from airflow.sdk import DAG, Param, Variable, task
from airflow.sdk.exceptions import AirflowFailException

VARIABLE = "wanyu_takedown"
EXAMPLE = '{"roots": ["s3://corpus/CC-MAIN-2026-43"], "urls": ["s3://corpus/lists/urls.txt"], "hosts": []}'
PARAMS = {"only": Param([], type="array", items={"type": "string", "minLength": 1}, description="roots [all]")}


def command_lines(wanted: Any, only: list[str]) -> list[str]:
    """Of jobs/remove.py, a root each. AirflowFailException where the Variable is no such object."""
    known = isinstance(wanted, dict) and set(wanted) <= {"roots", "urls", "hosts"}
    if not (known and all(isinstance(value, list) for value in wanted.values()) and wanted.get("roots")):
        raise AirflowFailException(
            f"no Variable {VARIABLE} as it has to be: airflow variables set {VARIABLE} '{EXAMPLE}'"
        )
    if other := set(only) - set(wanted["roots"]):
        raise AirflowFailException(f"only = {sorted(other)[0]}: no root of the Variable {VARIABLE}; add it there")
    lists = [part for flag in ("urls", "hosts") if wanted.get(flag) for part in (f"--{flag}", *wanted[flag])]
    if not lists:
        raise AirflowFailException(f"the Variable {VARIABLE} names no list: give it urls or hosts")
    return [shlex.join(["--root", root, *lists]) for root in only or dict.fromkeys(wanted["roots"])]


with DAG(
    "takedown",
    doc_md=__doc__,
    schedule="@daily",
    max_active_runs=1,
    params=PARAMS,
    default_args=DEFAULTS,
    user_defined_filters=FILTERS,
    tags=["wanyu"],
):

    @task
    def roots(params: dict[str, Any]) -> list[str]:
        return command_lines(Variable.get(VARIABLE, default=None, deserialize_json=True), params["only"])

    Job.partial(
        task_id="remove",
        job="jobs/remove.py",
        max_active_tis_per_dag=1,
        map_index_template="{{ task.arguments.split()[1] }}",
        execution_timeout=timedelta(hours=12),
    ).expand(arguments=roots())
