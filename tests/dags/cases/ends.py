"""How a job and a shell may end: what Airflow makes of it."""

from airflow.sdk import DAG, task
from wanyu_tasks import DEFAULTS, FILTERS, SHELL, Job

with DAG(
    "ends", params={"crawl": "c", "root": "/r"}, default_args={**DEFAULTS, "retries": 1}, user_defined_filters=FILTERS
):
    for how in ("well", "bug", "mistake", "drift", "busy"):
        Job(task_id=how, job="jobs/ends.py", arguments=how)
    Job(task_id="skipped", job="jobs/ends.py", arguments="{% if params.crawl == 'd' %}well{% endif %}")

    @task.bash(task_id="shell_mistake")
    def shell() -> str:
        return SHELL + "exit 2"

    shell()

with DAG("lasts", default_args=DEFAULTS, user_defined_filters=FILTERS):
    Job(task_id="lasts", job="jobs/lasts.py", arguments="{{ var.value.wanyu_told }}", retries=0)
