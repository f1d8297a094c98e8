"""Learn one shared vocabulary from the shards and export the tokenizer that transformers.AutoTokenizer opens.

spark-submit jobs/vocab.py --root ROOT [--model unigram|bpe|wordpiece] [--vocab-size 64000] [--config corpus.toml]
spark-submit jobs/vocab.py --root ROOT --extend BASE     new pieces for new languages, the old ids stay
spark-submit jobs/vocab.py --input TABLE --output FOLDER [--text-column body] [--id-column key]
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from pipeline.config import Config, VocabConfig
from pipeline.spark import job
from pipeline.spark.session import LazySession
from pipeline.spark.sources import Source
from pipeline.spark.tasks import cheapest_runner
from pipeline.stages import vocab
from pipeline.store import generations, run_records, storage
from pipeline.store.ledger import ledger, totals
from schemas.errors import UserError
from schemas.records import RunRecord
from schemas.vocab import REPORT
from tokenizer.growing.extend import extend
from tokenizer.learn import LearntVocabulary, learn_vocabulary
from tokenizer.loading import load
from tokenizer.measure import measure_loaded

ALL = "all"  # of language_tokens
OWN = "_vocabulary"  # a generation's files; those of the current one stand at the top of the stage's folder


def run(engine: SparkSession | LazySession, config: Config, source: Source, folder: str) -> RunRecord:
    """By tasks over the table's files: on a local master processes of the machine, without a session."""
    began, settings = time.monotonic(), config.vocab
    inputs = dict(source.inputs)
    if settings.extend:
        settings = settings.model_copy(update={"extend": storage.absolute(settings.extend)})
        if not Path(settings.extend).is_dir():
            raise UserError(f"extend = {settings.extend}: no such folder; name one that jobs/vocab.py wrote")
        inputs["extend"] = storage.digest(settings.extend)
    record = run_records.make_record("vocab", vocab.VERSION, settings.model_dump(mode="json"), inputs)
    if job.up_to_date(record, folder):
        return record
    with run_records.building(folder, record) as building:
        scratch, run_tasks = storage.join(building, "_scratch"), cheapest_runner(engine)
        if source.stage:
            sample = vocab.sample_shards(generations.required(source.folder), settings, scratch, run_tasks)
        else:
            sample = vocab.sample_table(source.table(), settings, scratch, run_tasks)
        storage.remove(scratch)
        job.say(
            f"vocab    {len(sample.documents):,} documents of {sample.kept:,} bytes drawn, {sample.read:,} bytes read"
        )
        learnt = _learn(sample, settings)
        for name, content in sorted(learnt.files.items()):
            storage.write_bytes(storage.join(building, OWN, name), content)
        with tempfile.TemporaryDirectory() as made:
            for name, content in learnt.files.items():
                Path(made, name).write_bytes(content)
            report = {**measure_loaded(load(Path(made)), sample.held_out), **_about(sample, settings, learnt)}
        text = json.dumps(report, indent=1, ensure_ascii=False)
        storage.write_bytes(storage.join(building, OWN, REPORT), text.encode())
        rows_in = sum(sum(reasons.values()) for reasons in sample.counts.values())
        tables = {"sentences": learnt.told["lines"], "pieces": len(learnt.pieces)}
        account = ledger("vocab", rows_in, sample.counts, tables)
        if account["rows_out"] != len(sample.documents):
            raise AssertionError(
                f"vocab: {len(sample.documents)} documents were drawn, {totals(sample.counts)} counted"
            )
        front = {name: f"{OWN}/{name}" for name in [*learnt.files, REPORT]}
        run_records.publish(folder, record, account, [], {}, front=front)
    job.say_done("vocab", account["rows_in"], account["rows_out"], began)
    return record


def _learn(sample: vocab.Sample, settings: VocabConfig) -> LearntVocabulary:
    labels = sorted(label for label, counts in sample.counts.items() if counts[None])
    tokens = settings.language_tokens
    shared: dict[str, Any] = {
        "vocab_size": settings.vocab_size,
        "character_coverage": settings.character_coverage,
        "max_sentence_bytes": settings.max_sentence_bytes,
        "num_threads": settings.num_threads,
        "allow_smaller": True,
    }
    if settings.extend:
        learnt = extend(Path(settings.extend), vocab.sentences(sample), **shared)
    else:
        learnt = learn_vocabulary(
            vocab.sentences(sample),
            model=settings.model,
            normalization=settings.normalization,
            spare_rows=settings.spare_rows,
            language_tokens=labels if tokens == (ALL,) else tokens,
            **shared,
        )
    if len(learnt.pieces) < settings.vocab_size:
        job.say(f"vocab    the sample supports {len(learnt.pieces):,} rows, not vocab_size = {settings.vocab_size:,}")
    return learnt


def _about(sample: vocab.Sample, settings: VocabConfig, learnt: LearntVocabulary) -> dict[str, object]:
    """What the report says beside the measures: of the sample, and of texts that were mended on the way."""
    missing = sorted(label for label, counts in sample.counts.items() if counts[None] and label not in sample.held_out)
    if missing:
        job.say(f"vocab    not measured, for all of their text was learnt from: {', '.join(missing[:12])}")
    mended = {name: learnt.told[name] for name in ("lines_cut", "controls_removed") if learnt.told.get(name)}
    if mended:
        job.say("vocab    " + ", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in mended.items()))
    drawn = {"documents": len(sample.documents), "bytes": sample.kept, "bytes_read": sample.read}
    return {"model": settings.model, "sample": drawn, "learnt": learnt.told, "not_measured": missing}


def main(argv: list[str] | None = None) -> int:
    return job.stage_job("vocab", run, argv, lazy=True)


if __name__ == "__main__":
    job.program(main)
