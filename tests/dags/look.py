"""What Airflow makes of the DAGs, as JSON in a file; run by Airflow's Python, which has nothing of the project.

look.py FILE parse < [[DAG, PARAMS], ...]   import errors, tasks, what each case renders to or what of it is refused
look.py FILE run DAG < CONF                 dag.test(): state and tries of each task
"""

import json
import sys
from pathlib import Path

from airflow.configuration import conf
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.exceptions import ParamValidationError
from airflow.sdk import DAG
from airflow.sdk.execution_time.context import VariableAccessor


def bag() -> BundleDagBag:
    folder = conf.get("core", "dags_folder")
    return BundleDagBag(dag_folder=folder, bundle_path=folder)


def tasks(dag: DAG) -> dict[str, object]:
    return {
        task.task_id: {
            "upstream": sorted(task.upstream_task_ids),
            "outlets": [outlet.name for outlet in task.outlets],
            "owner": task.owner,
            "pool": task.pool,
            "retries": task.retries,
            "timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
        }
        for task in dag.tasks
    }


def rendered(dag: DAG, given: dict[str, object]) -> dict[str, object]:
    """Strictly: jinja2's StrictUndefined is Airflow's own default, and the DAGs leave it so."""
    try:
        dag.params.update(given)
        values = dag.params.validate()
    except ParamValidationError as error:
        return {"refused": str(error)}
    context = {"params": values, "dag": dag, "var": {"value": VariableAccessor(deserialize_json=False)}}
    environment = dag.get_template_env()
    assert environment.undefined.__name__ == "StrictUndefined"
    answer: dict[str, object] = {}
    for task in dag.tasks:
        if task.is_mapped:
            continue
        if task.task_id == "roots":
            answer["roots"] = task.python_callable(params=values)
            continue
        if task.task_id in ("pretrain", "evaluate"):
            if not values["run"]:
                continue
            task.bash_command = task.python_callable(params=values)
        task.render_template_fields({**context, "task": task}, environment)
        answer[task.task_id] = {
            name: getattr(task, name)
            for name in ("application", "arguments", "bash_command", "properties_file", "op_args")
            if isinstance(getattr(task, name, None), (str, list, tuple))
        }
    return answer


def parse(cases: list[tuple[str, dict[str, object]]]) -> dict[str, object]:
    found = bag()
    answer = {"errors": found.import_errors, "dags": {name: tasks(dag) for name, dag in found.dags.items()}}
    return {**answer, "cases": [rendered(bag().dags[name], given) for name, given in cases]}


def run(name: str, given: dict[str, object]) -> dict[str, object]:
    ended = bag().dags[name].test(run_conf=given)
    tries = {one.task_id: [one.state, one.try_number] for one in ended.get_task_instances()}
    return {"state": ended.state, "tasks": tries}


if __name__ == "__main__":
    said = {"parse": parse, "run": run}[sys.argv[2]](*sys.argv[3:], json.load(sys.stdin))
    Path(sys.argv[1]).write_text(json.dumps(said))
