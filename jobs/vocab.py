"""Learn one shared vocabulary from the shards and export the tokenizer that transformers.AutoTokenizer opens.

spark-submit jobs/vocab.py --root ROOT [--vocab-size 64000] [--config corpus.toml]
spark-submit jobs/vocab.py --input TABLE --output FOLDER [--text-column body] [--id-column key]
"""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.config import Config
from pipeline.spark import job, tables
from pipeline.spark.sources import Source
from pipeline.spark.stage_progress import stage_progress
from pipeline.stages import vocab
from pipeline.store import run_records, storage
from pipeline.store.ledger import ledger, totals
from pipeline.store.parquet_files import batches_of
from schemas.records import RunRecord
from schemas.vocab import SENTENCES
from tokenizer.export import export
from tokenizer.learn import learn_unigram
from tokenizer.measure import measure
from tokenizer.model import encoder, read_vocabulary

TEXTS_A_LANGUAGE = 50  # for the report


def run(spark: SparkSession, config: Config, source: Source, folder: str) -> RunRecord:
    began, settings = time.monotonic(), config.vocab
    record = run_records.make_record("vocab", vocab.VERSION, settings.model_dump(mode="json"), source.inputs)
    if job.up_to_date(record, folder):
        return record
    with run_records.building(folder, record) as building:
        scratch = storage.join(building, "_sentences")
        with stage_progress(spark, "vocab"):
            documents = source.open(spark, vocab.REQUIRED)
            if source.stage:
                documents = documents.where(F.input_file_name().rlike(r"/train-\d+-of-\d+\.parquet$"))
            sentences = vocab.sentences(documents)
            chosen = vocab.choose(sentences, vocab.shares(vocab.sizes(sentences), settings), settings)
            tables.write(vocab.in_order(chosen, settings), scratch)
        model = learn_unigram(
            _texts(scratch),
            vocab_size=settings.vocab_size,
            character_coverage=settings.character_coverage,
            max_sentence_bytes=settings.max_sentence_bytes,
            num_threads=settings.num_threads,
            allow_smaller=True,
        )
        pieces = [piece for piece, _ in read_vocabulary(model)]
        if len(pieces) < settings.vocab_size:
            job.say(f"vocab: the sample yields {len(pieces):,} pieces, not vocab_size = {settings.vocab_size:,}")
        with tempfile.TemporaryDirectory() as made:
            export(model, Path(made))
            for file in sorted(Path(made).iterdir()):
                storage.write_bytes(storage.join(building, file.name), file.read_bytes())
        report = measure(encoder(model), _texts_by_language(documents), pieces)
        storage.write_bytes(
            storage.join(building, "report.json"), json.dumps(report, indent=1, ensure_ascii=False).encode()
        )
        counts = tables.count_reasons(chosen)
        rows_in = sentences.count()
        learnt = {"sentences": tables.written(spark, scratch).count(), "pieces": len(pieces)}
        storage.remove(scratch)
        if learnt["sentences"] != totals(counts).get(None, 0):
            raise AssertionError(f"vocab: {learnt['sentences']} sentences were written, {counts} counted")
        run_records.publish(folder, record, ledger("vocab", rows_in, counts, learnt), [])
    job.say_done("vocab", rows_in, learnt["sentences"], began, "sentences")
    return record


def _texts(folder: str) -> Iterator[str]:
    """The sentences in the order in which they were written, a few thousand in memory at a time."""
    for name in storage.listing(folder):
        for batch in batches_of(storage.join(folder, name), 1 << 16, SENTENCES.names[:1]):
            yield from batch.column(0).to_pylist()


def _texts_by_language(documents: DataFrame) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for row in vocab.some_of_each(documents, TEXTS_A_LANGUAGE).collect():
        texts.setdefault(row["label"], []).append(row["text"])
    return texts


def main(argv: list[str] | None = None) -> int:
    return job.stage_job("vocab", run, argv)


if __name__ == "__main__":
    job.program(main)
