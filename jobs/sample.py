"""Mix languages and write the shards, a folder that datasets.load_dataset opens.

spark-submit jobs/sample.py --root ROOT [--temperature 3.33] [--max-epochs 4] [--method unimax]
spark-submit jobs/sample.py --root ROOT --plan          the plan alone: ROOT/sample_plan.json
spark-submit jobs/sample.py --input TABLE --output FOLDER [--text-column body] [--id-column key]
"""

import time

from pyspark.sql import SparkSession

from pipeline.config import Config, SampleConfig
from pipeline.keys import stage_keys
from pipeline.lists import list_files
from pipeline.mixture.card import CARD, card
from pipeline.mixture.manifest import manifest
from pipeline.mixture.plan_table import as_json, as_text
from pipeline.mixture.sources import sources
from pipeline.spark import job
from pipeline.spark.session import LazySession
from pipeline.spark.sources import Source
from pipeline.spark.tasks import cheapest_runner
from pipeline.stages import sample
from pipeline.store import generations, run_records, storage
from pipeline.store.ledger import ledger
from pipeline.web import addresses
from schemas.errors import UserError
from schemas.generations import inside
from schemas.records import RunRecord

PLAN = "sample_plan.json"


def run(engine: SparkSession | LazySession, config: Config, source: Source, folder: str) -> RunRecord:
    """By tasks over the table's files: on a local master processes of the machine, without a session."""
    began, settings = time.monotonic(), _absolute(config.sample)
    record = _record(settings, source)
    if job.up_to_date(record, folder):
        return record
    with run_records.building(folder, record) as building:
        run_tasks, table, scratch = cheapest_runner(engine), source.table(), storage.join(building, "_scratch")
        planned = sample.plan(table, settings, scratch, run_tasks)
        for line in as_text(as_json(planned.plan, settings.unit)).splitlines():
            job.say(f"sample   {line}")
        outcome = sample.write(table, planned, settings, scratch, building, run_tasks)
        storage.remove(scratch)
        mixed = manifest(planned.plan, outcome.written, settings)
        root = source.folder.rpartition("/")[0] if source.stage else None
        mixed["corpus"] = sources(root, [shard.dumps for shard in outcome.written])
        storage.write_json(storage.join(building, "mixture.json"), mixed)
        number = generations.following(folder).number
        storage.write_bytes(storage.join(building, CARD), card(mixed, [(inside(number, "data"), None)]).encode())
        rows_in = sum(documents for documents, _, _ in planned.sizes.values())
        rows = sum(shard.rows for shard in outcome.written)
        account = ledger("sample", rows_in, sample.counts_of(planned), {"data": rows})
        names = [shard.path.removeprefix("data/") for shard in outcome.written]
        if source.stage:
            origin = stage_keys.origin_of(generations.current(source.folder))
            stage_keys.write_keys(run_tasks, building, "sample", {"data": names}, origin)
        run_records.publish(folder, record, account, outcome.examples, {"data": names}, front={"README.md": CARD})
    job.say_done("sample", account["rows_in"], account["rows_out"], began)
    return record


def plan_only(engine: SparkSession | LazySession, config: Config, source: Source, folder: str) -> None:
    """Prints the plan and writes it beside `folder`."""
    settings = _absolute(config.sample)
    root, _, name = folder.rstrip("/").rpartition("/")
    scratch = storage.join(root, f"_{name}.planning")
    try:
        planned = sample.plan(source.table(), settings, scratch, cheapest_runner(engine))
    finally:
        storage.remove(scratch)
    told = as_json(planned.plan, settings.unit)
    path = storage.join(root, PLAN)
    storage.write_json(path, {**told, "config": settings.model_dump(mode="json")})
    job.say(as_text(told))
    job.say(f"{path} has all languages")


def _record(settings: SampleConfig, source: Source) -> RunRecord:
    inputs = dict(source.inputs)
    files = [("tokenizer", settings.tokenizer)] if settings.tokenizer else []
    files += [(f"genre_lists {path}", list_files.named(path)[1]) for path in settings.genre_lists]
    files += [("upsampling", settings.upsampling)] if settings.upsampling not in ("none", "fineweb2") else []
    for name, path in files:
        if not storage.exists(path):
            raise UserError(f"[sample] {name.partition(' ')[0]}: {path}: no such file or folder")
        inputs[name] = storage.digest(path)
    if settings.genre_lists:
        inputs["addresses"] = str(addresses.VERSION)
    return run_records.make_record("sample", sample.VERSION, settings.model_dump(mode="json"), inputs)


def _absolute(settings: SampleConfig) -> SampleConfig:
    """With paths that mean the same in every working folder."""
    given = settings.upsampling
    return settings.model_copy(
        update={
            "tokenizer": storage.absolute(settings.tokenizer) if settings.tokenizer else "",
            "genre_lists": tuple(map(list_files.absolute, settings.genre_lists)),
            "upsampling": given if given in ("none", "fineweb2") else storage.absolute(given),
        }
    )


def main(argv: list[str] | None = None) -> int:
    told = f"only the plan: printed, and written to {PLAN} beside the stage's folder"
    return job.stage_job("sample", run, argv, lazy=True, instead={"plan": (told, plan_only)})


if __name__ == "__main__":
    job.program(main)
