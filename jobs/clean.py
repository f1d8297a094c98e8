"""Repair, identify, measure and judge documents.

spark-submit jobs/clean.py --root ROOT [--presets fineweb2] [--min-words 50] [--config corpus.toml]
spark-submit jobs/clean.py --input TABLE --output FOLDER [--text-column body] [--id-column key]

Run again with other thresholds or rules, it takes the verdicts again and reads no text.
"""

import time
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.config import CleanConfig, Config
from pipeline.language.identifier import Identifier
from pipeline.language.model_files import checksum, local_model
from pipeline.lists import contamination, list_files
from pipeline.quality import profiles
from pipeline.quality.rules import Decider
from pipeline.spark import job, tables
from pipeline.spark.sources import Source
from pipeline.spark.stage_progress import stage_progress
from pipeline.spark.tasks import engine_runner
from pipeline.stages import clean
from pipeline.store import run_records, storage
from pipeline.store.ledger import ledger, totals
from schemas.errors import UserError
from schemas.records import EXAMPLES, FAILED, Example, RunRecord

# Of the config, what annotated columns depend on; what the files hold is in the record's inputs.
ANNOTATING = ("mask", "decontaminate", "block_lists", "bad_words", "text_seconds")


def run(spark: SparkSession, config: Config, source: Source, folder: str) -> RunRecord:
    began, settings = time.monotonic(), _absolute(config.clean)
    known = profiles.load(settings.thresholds, settings.threshold_names())
    record = record_of(settings, known, source.inputs)
    if job.up_to_date(record, folder):
        return record
    decide = Decider(settings.chosen_rules(), settings.limits(known))
    earlier = run_records.finished(folder)
    again = earlier is not None and annotations(earlier) == annotations(record)
    with run_records.building(folder, record) as building:
        path = storage.join(building, "documents")
        with stage_progress(spark, "clean"):
            given = source.open(spark, clean.REQUIRED)
            if again:
                clean.decide_again(engine_runner(spark), storage.join(folder, "documents"), path, decide)
            else:
                annotate = clean.Annotator(settings, settings.stop_words(known), record["inputs"]["model"])
                for line in annotate.summary():
                    job.say(f"clean    {line}")
                tables.write(clean.clean(given, annotate, decide, settings.text_seconds), path)
        documents = tables.written(spark, path)
        counts = tables.count_reasons(documents)
        account = ledger("clean", given.count(), counts, {"documents": documents.count()})
        job.say_failed("clean", account, settings.max_failed_text_share)
        total = totals(counts)
        shown = _examples_again(documents, total, folder) if again else tables.examples(documents, total)
        for example in shown:
            if (example["reason"] or "").startswith(f"{FAILED}:"):
                example["text"] = ""  # not to be given to masks again
        run_records.publish(folder, record, account, shown)
    job.say_done("clean", account["rows_in"], account["rows_out"], began)
    return record


def record_of(settings: CleanConfig, known: profiles.Profiles, inputs: Mapping[str, str]) -> RunRecord:
    """The run's record: of the profiles a digest; `for_all_languages`, the thresholds that were set, not default."""
    inputs = {**inputs, **_inputs(settings), "thresholds": known.digest}
    inputs["stop_words"] = run_records.fingerprint(settings.stop_words(known))
    settled = settings.model_dump(mode="json", exclude={"max_failed_text_share"})
    settled["for_all_languages"] = sorted(settings.given())
    return run_records.make_record("clean", clean.VERSION, settled, inputs)


def annotations(record: RunRecord) -> object:
    """What the annotated columns depend on: with equal ones, only the verdict is taken again."""
    inputs = {name: value for name, value in record["inputs"].items() if name != "thresholds"}
    config = {name: record["config"].get(name) for name in ANNOTATING}
    return record["stage_version"], inputs, record["versions"], config


def _absolute(settings: CleanConfig) -> CleanConfig:
    """With paths that mean the same in every working folder."""
    sources = tuple(map(list_files.absolute, settings.decontaminate.sources))
    return settings.model_copy(
        update={
            "model": storage.absolute(settings.model) if settings.model else "",
            "thresholds": storage.absolute(settings.thresholds) if settings.thresholds else "",
            "block_lists": tuple(map(list_files.absolute, settings.block_lists)),
            "bad_words": tuple(map(storage.absolute, settings.bad_words)),
            "decontaminate": settings.decontaminate.model_copy(update={"sources": sources}),
        }
    )


def _inputs(settings: CleanConfig) -> dict[str, str]:
    """SHA-256 of the files of the user's that annotating reads. UserError where one is not there."""
    if settings.model:
        identifier = Identifier(settings.model)  # a file that is no model is an error here, not in a task
        settings.check_languages(identifier.languages)
    digests = {"model": checksum(local_model(settings.model))}
    files = [(f"block_lists {source}", list_files.named(source)[1]) for source in settings.block_lists]
    files += [(f"bad_words {path}", path) for path in settings.bad_words]
    files += [
        (f"decontaminate {source}", contamination.source(source).path) for source in settings.decontaminate.sources
    ]
    for name, path in files:
        if not storage.exists(path):
            raise UserError(f"[clean] {name.partition(' ')[0]}: {path}: no such file or folder")
        digests[name] = storage.digest(path)
    return digests


def _examples_again(documents: DataFrame, total: dict[str | None, int], folder: str) -> list[Example]:
    """Examples of the new verdicts with the texts that the earlier run showed; others stay empty, for none is read."""
    texts = {example["id"]: example["text"] for example in storage.read_json(storage.join(folder, EXAMPLES)) or []}
    shown = tables.examples(documents.withColumn("text", F.lit("")), total)
    return [Example({**example, "text": texts.get(example["id"], "")}) for example in shown]


def main(argv: list[str] | None = None) -> int:
    return job.stage_job("clean", run, argv)


if __name__ == "__main__":
    job.program(main)
