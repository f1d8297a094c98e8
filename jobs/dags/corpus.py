"""A crawl a run, from archives to a published corpus.

canary, extract, clean, dedup, sample, drift, vocab, pretrain, evaluate, report, publish: one after the other, since a
root has one writer. Each stage publishes whole and skips what is done, so a task that is tried again, or a run that is
cleared, goes on where it was and ends in the same bytes.

**Asks for** `crawl`, and where the archives are not Common Crawl's own list of it, `input`. `root` is wanyu_roots/CRAWL
unless said. What is not asked for is skipped: `canary: null`, no `compare`, no `run`.

**Stops** for good at exit status 2 (a mistake: its line is in the log) and 3 (a drift beyond its threshold: a line a
figure). The drift is looked at before anything is trained on it; where it is meant, mark the task as a success, and the
run goes on. All else is tried again.

**Ends** in an event of the asset `wanyu_corpus`, whose `extra` has `crawl`, `root` and `run`.
"""

import os
from datetime import timedelta
from typing import Any

from wanyu_tasks import DEFAULTS, FILTERS, NAMES, SHELL, Job  # before Airflow, of which it says what is missing

# isort: split
from airflow.sdk import DAG, Asset, Param, TaskGroup, chain, task
from airflow.sdk.exceptions import AirflowSkipException

CORPUS = Asset("wanyu_corpus")

PATH = {"type": ["null", "string"], "minLength": 1}
PARAMS = {
    "crawl": Param(None, type=["null", "string"], pattern=r"^CC-MAIN-20\d\d-[0-5]\d$", description="of Common Crawl, "
                   "such as CC-MAIN-2026-43 [the Variable wanyu_crawl]"),
    "root": Param(None, **PATH, description="folder of the corpus [wanyu_roots/CRAWL]"),
    "input": Param([], type="array", items={"type": "string", "minLength": 1}, description="archives: files, folders, "
                   ".paths lists, URLs [the crawl's warc.paths.gz]"),
    "prefix": Param("s3://commoncrawl/", type="string", description="where the archives of a list are"),
    "config": Param(None, **PATH, description="TOML with the stages' settings"),
    "limit": Param(None, type=["null", "integer"], minimum=1, description="archives at most [all]"),
    "against": Param([], type="array", items={"type": "string", "minLength": 1}, description="roots of earlier crawls "
                     "whose pages are copies"),
    "canary": Param(0.01, type=["null", "number"], exclusiveMinimum=0, exclusiveMaximum=1, description="share of the "
                    "archives that goes through all stages first; null: none"),
    "compare": Param(None, **PATH, description="root of an earlier crawl that this one must be like; null: no gate"),
    "drift": Param(None, **PATH, description="TOML with thresholds of the gate [the shipped ones]"),
    "run": Param(None, **PATH, description="folder of the training run, on the worker's disk; null: no training"),
    "train": Param(None, **PATH, description="TOML for train/pretrain.py"),
    "steps": Param(None, type=["null", "integer"], minimum=1, description="of training [train's]"),
    "processes": Param(1, type="integer", minimum=1, maximum=64, description="of training, one a GPU"),
}  # fmt: skip


def when(condition: str, text: str) -> str:
    return f"{{% if {condition} %}}{text}{{% endif %}}"


ROOT = "--root {{ root | q }} "
CONFIG = when("params.config", "--config {{ params.config | q }} ")
INPUT = (
    "--input {{ (params.input or [params.prefix ~ 'crawl-data/' ~ crawl ~ '/warc.paths.gz']) | each }} "
    "--prefix {{ params.prefix | q }} " + when("params.limit", "--limit {{ params.limit }} ")
)
AGAINST = when("params.against", "--against {{ params.against | each }} ")
COMPARE = when("params.compare", "--compare {{ params.compare | q }} ")
LIMITS = when("params.drift", "--drift {{ params.drift | q }} ")
CANARY = "--canary {{ params.canary }} --canary-only " + COMPARE + when("params.compare", LIMITS)
FIRST = when("params.canary", INPUT + ROOT + CONFIG + AGAINST + CANARY)
DRIFT = when("params.compare", ROOT + COMPARE + "--drift {{ params.drift | q if params.drift }}")
RUN = "--run {{ params.run | q }} --evaluation {{ params.run | q }}/evaluation/evaluation.json"
REPORT = ROOT + COMPARE + when("params.run", RUN)

# A trainer reads local files. Told to stop it saves and ends well: then it is not done, and a retry goes on.
TRAIN = (
    SHELL
    + """
run={{ params.run | q }} data={{ root | q }}
{% if '://' in root %}
data=$run/corpus
for what in sample vocab; do python docker/fetch.py {{ root | q }}/$what "$data/$what"; done
{% endif %}
torchrun --standalone --nproc-per-node {{ params.processes }} train/pretrain.py \\
  --shards "$data/sample" --tokenizer "$data/vocab" --output "$run" \\
  {% if params.train %}--config {{ params.train | q }}{% endif %} \\
  {% if params.steps %}--steps {{ params.steps }}{% endif %}

test -d "$run/export" || { echo 'error: the training was stopped before its last step' >&2; exit 1; }
"""
)
EVALUATE = (
    SHELL
    + """
run={{ params.run | q }} data={{ (params.run ~ '/corpus' if '://' in root else root) | q }}
python train/evaluate.py --model {{ crawl | q }}="$run" --shards "$data/sample" --output "$run/evaluation"
"""
)


def spark_job(name: str, job: str, arguments: str, hours: int) -> Job:
    limit = timedelta(hours=hours)
    return Job(task_id=name, job=f"jobs/{job}.py", arguments=NAMES + arguments, execution_timeout=limit)


def stage(name: str, job: str, arguments: str, hours: int) -> TaskGroup:
    with TaskGroup(name) as group:
        spark_job("submit", job, arguments, hours)
    return group


with DAG(
    "corpus",
    doc_md=__doc__,
    schedule=os.environ.get("WANYU_SCHEDULE"),  # a crawl's name cannot be told from a date: wanyu_crawl has it then
    max_active_runs=1,
    params=PARAMS,
    default_args=DEFAULTS,
    user_defined_filters=FILTERS,
    tags=["wanyu"],
):

    @task.bash(cwd="/", execution_timeout=timedelta(days=7))
    def pretrain(params: dict[str, object]) -> str:
        """Goes on from the last checkpoint in `run`."""
        if not params["run"]:
            raise AirflowSkipException("this run does not ask for training")
        return TRAIN

    @task.bash(cwd="/", execution_timeout=timedelta(hours=12))
    def evaluate(params: dict[str, object]) -> str:
        """Bits a byte and masked accuracy by language, on what the mixture held out."""
        if not params["run"]:
            raise AirflowSkipException("this run does not ask for training")
        return EVALUATE

    @task(outlets=[CORPUS])
    def publish(crawl: str, root: str, run: str, *, outlet_events: dict[Asset, Any]) -> None:
        """Tells whoever waits for the asset which corpus it is."""
        outlet_events[CORPUS].extra = {"crawl": crawl, "root": root, "run": run}

    chain(
        stage("canary", "corpus", FIRST, 6),
        stage("extract", "extract", INPUT + ROOT + CONFIG, 72),
        stage("clean", "clean", ROOT + CONFIG, 24),
        stage("dedup", "dedup", ROOT + CONFIG + AGAINST, 24),
        stage("sample", "sample", ROOT + CONFIG, 12),
        spark_job("drift", "report", DRIFT, 1),
        spark_job("vocab", "vocab", ROOT + CONFIG, 6),
        pretrain(),
        evaluate(),
        spark_job("report", "report", REPORT, 1),
        publish(NAMES + "{{ crawl }}", NAMES + "{{ root }}", "{{ params.run or '' }}"),
    )
