"""Repair, identify, measure and judge documents.

spark-submit jobs/clean.py --root ROOT [--presets fineweb2] [--min-words 50] [--config corpus.toml]
spark-submit jobs/clean.py --input TABLE --output FOLDER [--text-column body] [--id-column key]

Run again with other thresholds or rules, it takes the verdicts again, reads no text and writes what differs.
"""

import time
from collections.abc import Mapping

import pyarrow as pa
from pyspark.sql import SparkSession

from pipeline.config import CleanConfig, Config
from pipeline.keys import stage_keys
from pipeline.language.identifier import Identifier
from pipeline.language.model_files import LID_176, checksum, local_model
from pipeline.lists import contamination, list_files
from pipeline.quality import profiles
from pipeline.quality.distributions import as_json
from pipeline.quality.kept_shares import too_little
from pipeline.quality.rules import Decider
from pipeline.spark import job
from pipeline.spark.session import LazySession
from pipeline.spark.sources import Source, files_of_table
from pipeline.spark.tasks import cheapest_runner
from pipeline.stages import clean
from pipeline.stages.annotate import PASSED_ON, Annotator, learnt_inputs
from pipeline.store import generations, run_records, storage, verdict_files
from pipeline.store.document_table import DocumentTable
from pipeline.store.generations import Generation
from pipeline.store.ledger import ledger
from pipeline.web import addresses
from schemas.distributions import DISTRIBUTIONS
from schemas.errors import UserError
from schemas.records import EXAMPLES, FAILED, Example, RunRecord
from schemas.scores import SCORES, LearntRule

MOST_NAMED = 12  # languages in a line of the log

# Of the config, what annotated columns depend on; what the files hold is in the record's inputs.
ANNOTATING = ("mask", "decontaminate", "block_lists", "bad_words", "classifiers", "perplexity", "text_seconds")


def run(engine: SparkSession | LazySession, config: Config, source: Source, folder: str) -> RunRecord:
    """By tasks over the table's files: on a local master processes of the machine, without a session."""
    began, settings = time.monotonic(), _absolute(config.clean)
    known = profiles.load(settings.thresholds, settings.threshold_names())
    record = record_of(settings, known, source.inputs)
    if job.up_to_date(record, folder):
        return record
    decide = Decider(settings.chosen_rules(), settings.limits(known))
    now = generations.current(folder)
    base = now if now is not None and annotations(now.record()) == annotations(record) else None
    with run_records.building(folder, record) as building:
        path, scratch = storage.join(building, "documents"), storage.join(building, "_scratch")
        run_tasks = cheapest_runner(engine)
        table, learnt = source.table(), settings.score_fields()
        if base is not None:
            files, beside = files_of_table(base, "documents")
            verdicts = storage.join(building, verdict_files.TABLE)
            judged = clean.decide_again(run_tasks, files, beside, verdicts, decide, scratch, learnt)
            written = {verdict_files.TABLE: judged.files}
        else:
            others = [] if source.stage else clean.others_of(table, learnt)
            inputs = record["inputs"]
            annotate = Annotator(settings, settings.stop_words(known), inputs["model"], inputs)
            for line in (*annotate.summary(), *(() if source.stage else _not_passed_on(table))):
                job.say(f"clean    {line}")
            cleaning = clean.Cleaning(table, others, path, annotate, decide, settings.text_seconds, scratch)
            judged = clean.clean(run_tasks, cleaning)
            files = {name: storage.join(path, name) for name in judged.files}
            written = {"documents": judged.files}
        counts = clean.counts_of(judged)
        account = ledger("clean", table.files.rows, counts, {"documents": sum(judged.counts.values())})
        job.say_failed("clean", account, settings.max_failed_text_share)
        if borrowed := known.without_own(account["by_language"]):
            more = f" and {len(borrowed) - MOST_NAMED} more" if len(borrowed) > MOST_NAMED else ""
            languages = ", ".join(borrowed[:MOST_NAMED]) + more
            job.say(f"clean    by the thresholds of their script, for lack of their own: {languages}")
        lie = clean.distributions(run_tasks, judged, decide, scratch, learnt)
        storage.remove(scratch)
        storage.write_bytes(storage.join(building, DISTRIBUTIONS), as_json(lie))
        counted, with_texts = clean.Counted(decide, learnt), base is None
        told = clean.learnt_rules(run_tasks, files, judged, counted, with_texts) if learnt else []
        shown = clean.examples(run_tasks, files, judged, with_texts=base is None)
        if base is not None:
            shown = _with_known_texts(shown, base)
            told = _with_texts(told, base)
        for example in shown:
            if (example["reason"] or "").startswith(f"{FAILED}:"):
                example["text"] = ""  # not to be given to masks again
        if told:
            storage.write_json(storage.join(building, SCORES), told)
        if base is not None:
            stage_keys.write_no_new_keys(building, "clean", source.inputs.get("extract"))
        elif source.stage:
            stage_keys.write_keys(run_tasks, building, "clean", written, source.inputs["extract"])
        run_records.publish(folder, record, account, shown, written, base, {verdict_files.TABLE: judged.gone})
    job.say_dropped("clean", account)
    for line in _told_of_scores(told, settings.warn_kept_share):
        job.say(f"clean    {line}")
    job.say_done("clean", account["rows_in"], account["rows_out"], began)
    return record


def record_of(settings: CleanConfig, known: profiles.Profiles, inputs: Mapping[str, str]) -> RunRecord:
    """The run's record: of the profiles a digest; `for_all_languages`, the thresholds that were set, not default."""
    inputs = {**inputs, **_inputs(settings), "thresholds": known.digest}
    inputs["stop_words"] = run_records.fingerprint(settings.stop_words(known))
    settled = settings.model_dump(mode="json", exclude={"max_failed_text_share", "warn_kept_share"})
    settled["for_all_languages"] = sorted(settings.given())
    return run_records.make_record("clean", clean.VERSION, settled, inputs)


def annotations(record: RunRecord) -> object:
    """What the annotated columns depend on: with equal ones, only the verdict is taken again."""
    inputs = {name: value for name, value in record["inputs"].items() if name != "thresholds"}
    config = {name: record["config"].get(name) or None for name in ANNOTATING}
    return record["stage_version"], inputs, record["versions"], config


def _absolute(settings: CleanConfig) -> CleanConfig:
    """With paths that mean the same in every working folder."""
    sources = tuple(map(list_files.absolute, settings.decontaminate.sources))
    return settings.model_copy(
        update={
            "model": settings.model if settings.model in ("", LID_176) else storage.absolute(settings.model),
            "thresholds": storage.absolute(settings.thresholds) if settings.thresholds else "",
            "classifiers": {name: storage.absolute(place) for name, place in settings.classifiers.items()},
            "perplexity": storage.absolute(settings.perplexity) if settings.perplexity else "",
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
    digests |= learnt_inputs(settings)
    if settings.block_lists:
        digests["addresses"] = str(addresses.VERSION)
    return digests


def _not_passed_on(table: DocumentTable) -> list[str]:
    """A line for the log where columns of the table give way to those that clean makes under their names."""
    own = {table.id_column, table.text_column, *clean.others_of(table)}
    read = {field.name for field in table.files.schema if not pa.types.is_nested(field.type)}
    read &= set(PASSED_ON) - {"id", "text"}
    replaced = [name for name in table.files.schema.names if name not in own | read]
    return [f"columns that clean makes, not the table's own: {', '.join(replaced)}"] if replaced else []


def _with_known_texts(examples: list[Example], base: Generation) -> list[Example]:
    """Examples of new verdicts with the texts that the earlier run showed; others stay empty, for none is read."""
    texts = {example["id"]: example["text"] for example in base.read_json(EXAMPLES) or []}
    return [Example({**example, "text": texts.get(example["id"], "")}) for example in examples]


def _with_texts(told: list[LearntRule], base: Generation) -> list[LearntRule]:
    """Documents near new thresholds with the texts that the earlier run showed."""
    texts = {example["id"]: example["text"] for example in base.read_json(EXAMPLES) or []}
    texts |= {one["id"]: one["text"] for rule in base.read_json(SCORES) or [] for one in rule["examples"]}
    for rule in told:
        rule["examples"] = [{**one, "text": texts.get(one["id"], "")} for one in rule["examples"]]
    return told


def _told_of_scores(told: list[LearntRule], least: float) -> list[str]:
    """Lines for the log: what each rule that reads a learnt score leaves, and of which languages less than `least`."""
    lines = [f"{rule['rule']} leaves {rule['after']:,} of {rule['before']:,} documents" for rule in told]
    poor = too_little(told, least)
    for rule in dict.fromkeys(name for name, *_ in poor):
        of = [f"{label} ({after:,} of {before:,})" for name, label, before, after in poor if name == rule]
        more = f" and {len(of) - MOST_NAMED} more" if len(of) > MOST_NAMED else ""
        lines.append(
            f"{rule} leaves less than {least:.0%} of {', '.join(of[:MOST_NAMED])}{more}: look at them in the report, "
            "or set a threshold of their own in by_language"
        )
    return lines


def main(argv: list[str] | None = None) -> int:
    return job.stage_job("clean", run, argv, lazy=True)


if __name__ == "__main__":
    job.program(main)
