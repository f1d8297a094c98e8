"""sample: a temperature mixture over languages, written as a Hugging Face dataset folder.

Every choice is a threshold on a hash of the document's id (of its cluster's id for the split), so the files are the
same bytes for any number of partitions, and a larger `total_bytes` only adds documents.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.config import SampleConfig
from pipeline.mixture.temperature import epochs
from pipeline.spark import tables
from pipeline.store import storage
from pipeline.store.row_groups import RowGroupWriter
from schemas.errors import UserError
from schemas.records import Counts
from schemas.sample import SHARD, SPLITS, shard_path

VERSION = 1
REQUIRED = ("id", "text", "language", "language_script")

RECEIPT = pa.schema([("path", pa.string()), ("rows", pa.int64()), ("bytes", pa.int64())])


class Stratum(NamedTuple):
    """One language's documents of one split."""

    language: str
    script: str
    split: str

    @property
    def label(self) -> str:
        return f"{self.language}_{self.script}"


class Plan(NamedTuple):
    """What the mixture asks for: epochs by `eng_Latn`, and shards by stratum."""

    epochs: dict[str, float]
    shards: dict[Stratum, int]


def split_of(documents: DataFrame, config: SampleConfig) -> DataFrame:
    """Adds `split`, and names the languages and scripts that are null.

    The hash is of the cluster, so that no near-duplicate of a training text is held out.
    """
    held_out = tables.uniform(config.seed, "split", F.col("cluster_id")) < config.validation_share
    known = {
        "language": F.coalesce("language", F.lit("und")),
        "language_script": F.coalesce("language_script", F.lit("Zyyy")),
    }
    return documents.withColumns(known).withColumn("split", F.when(held_out, SPLITS[1]).otherwise(SPLITS[0]))


def sizes(documents: DataFrame) -> dict[Stratum, int]:
    """UTF-8 bytes of text by language and split."""
    amount = F.coalesce(F.sum(F.octet_length("text")), F.lit(0)).alias("bytes")
    rows = documents.groupBy("language", "language_script", "split").agg(amount).collect()
    for row in rows:
        if not (row["language"].isalnum() and row["language_script"].isalnum()):
            label = f"{row['language']}_{row['language_script']}"
            raise UserError(f"{label!r} cannot name a folder of shards: use ISO 639-3 and ISO 15924 codes")
    return {Stratum(row["language"], row["language_script"], row["split"]): int(row["bytes"]) for row in rows}


def plan(available: dict[Stratum, int], config: SampleConfig) -> Plan:
    """Epochs and shard counts from the bytes that there are. Validation documents are all kept, once."""
    if not any(available.values()):
        raise UserError("no document is left to sample from: see clean/_ledger.json for why, and loosen thresholds")
    train = {stratum.label: size for stratum, size in available.items() if stratum.split == SPLITS[0] and size}
    wanted = epochs(train, config.temperature, config.max_epochs, config.total_bytes)
    shards = {}
    for stratum, size in available.items():
        kept = min(1.0, wanted.get(stratum.label, 1.0)) if stratum.split == SPLITS[0] else 1.0
        shards[stratum] = max(1, math.ceil(size * kept / config.shard_bytes))
    return Plan(wanted, shards)


def choose(documents: DataFrame, planned: Plan, config: SampleConfig) -> DataFrame:
    """Adds `drop_reason`: null, or `not_sampled` for what lies past a language's share of the mixture."""
    below_one = {label: share for label, share in sorted(planned.epochs.items()) if share < 1}
    if not below_one:
        return documents.withColumn("drop_reason", F.lit(None).cast("string"))
    label = F.concat_ws("_", "language", "language_script")
    share = F.coalesce(tables.lookup(below_one, "double")[label], F.lit(1.0))
    past = (F.col("split") == SPLITS[0]) & (tables.uniform(config.seed, "keep", F.col("id")) >= share)
    return documents.withColumn("drop_reason", F.when(past, "not_sampled"))


def write_shards(chosen: DataFrame, planned: Plan, config: SampleConfig, folder: str) -> list[dict[str, Any]]:
    """Writes every shard, rows in the order of their hash, and answers its receipts: path, rows, bytes of text."""
    counts = {"/".join(stratum): count for stratum, count in sorted(planned.shards.items())}
    key = F.concat_ws("/", "language", "language_script", "split")
    count = tables.lookup(counts, "int")[key]
    position = tables.uniform(config.seed, "order", F.col("id"))
    placed = chosen.where(F.col("drop_reason").isNull()).select(
        *SHARD.names,
        F.concat_ws("/", key, F.floor(position * count).cast("string"), count.cast("string")).alias("_shard"),
        position.alias("_order"),
    )
    total = sum(counts.values())
    ordered = placed.repartition(min(total, 4096), "_shard").sortWithinPartitions("_shard", "_order", "id", "text")
    rows_a_group = config.row_group_rows

    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        receipts = [_write_shard(folder, name, rows, rows_a_group) for name, rows in _by_shard(batches)]
        yield pa.RecordBatch.from_pylist(receipts, schema=RECEIPT)

    receipts = [row.asDict() for row in ordered.mapInArrow(write, tables.spark_schema(RECEIPT)).collect()]
    return sorted(receipts + _empty_shards(folder, planned, receipts), key=lambda receipt: receipt["path"])


def _path(name: str) -> str:
    language, script, split, index, count = name.split("/")
    return shard_path(language, script, split, int(index), int(count))


def _by_shard(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """Runs of rows that belong to one shard. Rows come sorted by shard; each run must be read before the next."""
    pieces = _pieces(batches)
    current = next(pieces, None)
    while current is not None:
        name = current[0]

        def run(name: str = name) -> Iterator[pa.Table]:
            nonlocal current
            while current is not None and current[0] == name:
                yield current[1]
                current = next(pieces, None)

        yield name, run()


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, pa.Table]]:
    for batch in batches:
        table = pa.Table.from_batches([batch])
        names = batch.column("_shard")
        start = 0
        for run in pc.run_end_encode(names).run_ends.to_pylist() if len(names) else []:
            yield names[start].as_py(), table.slice(start, run - start).select(SHARD.names).cast(SHARD)
            start = run


def _write_shard(folder: str, name: str, pieces: Iterator[pa.Table], rows_a_group: int) -> dict[str, Any]:
    """One file in row groups of exactly `rows_a_group` rows; moved into place when whole."""
    path = _path(name)
    size = 0
    with RowGroupWriter(storage.join(folder, path), SHARD, rows_a_group) as shard:
        for piece in pieces:
            size += pc.sum(pc.binary_length(piece["text"])).as_py() or 0
            shard.write(piece)
    return {"path": path, "rows": shard.rows, "bytes": size}


def _empty_shards(folder: str, planned: Plan, receipts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A shard that the hash left without rows is written all the same: `-of-00012` promises twelve files."""
    there = {receipt["path"] for receipt in receipts}
    shards = sorted(planned.shards.items())
    names = [f"{'/'.join(stratum)}/{index}/{count}" for stratum, count in shards for index in range(count)]
    return [_write_shard(folder, name, iter(()), 1) for name in names if _path(name) not in there]


def mixture(planned: Plan, receipts: list[dict[str, Any]], config: SampleConfig) -> dict[str, Any]:
    """`mixture.json`, from the written shards: bytes, documents, epochs (at least 1: fewer means a written subset) and
    weight, the share of the mixture's bytes, for each language.
    """
    languages: dict[str, dict[str, Any]] = {}
    for receipt in receipts:
        label, split = receipt["path"].split("/")[1], receipt["path"].split("/")[2].split("-")[0]
        entry = languages.setdefault(
            label, {"bytes": 0, "documents": 0, "validation_bytes": 0, "validation_documents": 0}
        )
        prefix = "" if split == SPLITS[0] else "validation_"
        entry[f"{prefix}bytes"] += receipt["bytes"]
        entry[f"{prefix}documents"] += receipt["rows"]
    for label, entry in languages.items():
        entry["epochs"] = round(max(1.0, planned.epochs.get(label, 1.0)), 6)
    total = sum(entry["bytes"] * entry["epochs"] for entry in languages.values())
    for entry in languages.values():
        entry["weight"] = round(entry["bytes"] * entry["epochs"] / total, 8) if total else 0.0
    return {
        "temperature": config.temperature,
        "max_epochs": config.max_epochs,
        "total_bytes": round(total),
        "languages": dict(sorted(languages.items())),
    }


def card(mixed: dict[str, Any]) -> str:
    """The dataset card, whose YAML tells `datasets.load_dataset` where each language and split lies."""
    lines = ["---", "configs:"]
    everything = {"default": list(mixed["languages"]), **{label: [label] for label in mixed["languages"]}}
    for name, labels in everything.items():
        entries = [mixed["languages"][label] for label in labels]
        splits = [SPLITS[0]] if any(entry["documents"] for entry in entries) else []
        splits += [SPLITS[1]] if any(entry["validation_documents"] for entry in entries) else []
        if not splits:
            continue
        lines += [f"- config_name: {name}", "  data_files:"]
        for split in splits:
            lines += [f"  - split: {split}", f"    path: data/{'*' if name == 'default' else name}/{split}-*.parquet"]
    documents = sum(entry["documents"] + entry["validation_documents"] for entry in mixed["languages"].values())
    lines += [
        "---",
        "",
        "# A multilingual web corpus",
        "",
        f"{documents} documents in {len(mixed['languages'])} languages, mixed at temperature {mixed['temperature']}.",
        "`mixture.json` says how often each language is to be seen in one pass.",
        "",
    ]
    return "\n".join(lines)


def account(mixed: dict[str, Any], left_out: Counts) -> Counts:
    """Rows by language and reason: written ones from the receipts, the rest as counted."""
    counts: Counts = {
        label: {None: entry["documents"] + entry["validation_documents"]} for label, entry in mixed["languages"].items()
    }
    for label, reasons in left_out.items():
        counts.setdefault(label, {}).update(reasons)
    return counts
