import hashlib
import json
import os
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from pipeline.config import SampleConfig
from pipeline.spark import tables
from pipeline.stages import sample
from pipeline.stages.sample import Plan, Stratum
from pipeline.store.ledger import ledger as ledger_of
from schemas.errors import UserError
from schemas.records import Counts, unbalanced
from schemas.sample import SHARD, shard_path

CONFIG = SampleConfig(shard_bytes=1 << 16, row_group_rows=50, validation_share=0.1, seed=5)
ROWS = {"eng_Latn": 600, "tha_Thai": 120, "srp_Cyrl": 30, "srp_Latn": 30, "amh_Ethi": 1}
WORDS = {
    "eng_Latn": "river stone ",
    "tha_Thai": "ภาษาไทย",
    "srp_Cyrl": "језик ",
    "srp_Latn": "jezik ",
    "amh_Ethi": "ቋንቋ ",
}


def corpus() -> list[dict[str, Any]]:
    """Documents of uneven length; every fifth pair of eng shares a cluster, and many a column is null."""
    rng = np.random.default_rng(11)
    rows = []
    for label, count in ROWS.items():
        language, script = label.split("_")
        for i in range(count):
            name = f"{label}-{i:04d}"
            rows.append({
                "text": f"{name} " + WORDS[label] * int(rng.integers(1, 60)), "id": name, "dump": "CC-MAIN-2026-43",
                "url": f"https://example.org/{name}", "date": "2026-10-01T00:00:00Z" if i % 3 else None,
                "file_path": "a.warc.gz", "language": language, "language_score": 0.5 + i / 2000,
                "language_script": script, "minhash_cluster_size": 1 + i % 4, "top_langs": "{}" if i % 2 else None,
                "cluster_id": f"{label}-{i - i % 2:04d}" if i % 10 < 2 else name,
            })  # fmt: skip
    return rows


CORPUS = corpus()
BYTES = {label: sum(len(row["text"].encode()) for row in CORPUS if row["id"].startswith(label)) for label in ROWS}
SCHEMA = """text string, id string, dump string, url string, date string, file_path string, language string,
    language_score double, language_script string, minhash_cluster_size long, top_langs string, cluster_id string"""


def frame(spark: SparkSession, rows: list[dict[str, Any]], partitions: int) -> DataFrame:
    order = np.random.default_rng(partitions).permutation(len(rows))
    return spark.createDataFrame([rows[i] for i in order], SCHEMA).repartition(partitions)


def run(documents: DataFrame, config: SampleConfig, folder: Path) -> tuple[dict[str, Any], Counts]:
    """The stage as its job runs it: shards, mixture.json and README.md in `folder`."""
    split = sample.split_of(documents, config)
    planned = sample.plan(sample.sizes(split), config)
    chosen = sample.choose(split, planned, config)
    receipts = sample.write_shards(chosen, planned, config, str(folder))
    mixed = sample.mixture(planned, receipts, config)
    (folder / "mixture.json").write_text(json.dumps(mixed))
    (folder / "README.md").write_text(sample.card(mixed))
    left_out = tables.count_reasons(chosen.where(chosen["drop_reason"].isNotNull()))
    return mixed, sample.account(mixed, left_out)


@pytest.fixture(scope="module")
def folders(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made = []
    for partitions in (1, 6):
        made.append(tmp_path_factory.mktemp(f"sample-{partitions}-"))
        run(frame(spark, CORPUS, partitions), CONFIG, made[-1])
    return made


@pytest.fixture(scope="module")
def folder(folders: list[Path]) -> Path:
    return folders[0]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def read(folder: Path, pattern: str = "*/*.parquet") -> list[dict[str, Any]]:
    return [row for path in sorted((folder / "data").glob(pattern)) for row in pq.read_table(path).to_pylist()]


def mixture_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "mixture.json").read_text())


def test_the_same_bytes_for_any_partitions_and_order(folders: list[Path]) -> None:
    one, other = map(files, folders)
    assert sum(name.endswith(".parquet") for name in one) > 8
    assert one == other


def test_every_document_is_there_once_and_whole(folder: Path) -> None:
    wanted = {row["id"]: {name: row[name] for name in SHARD.names} for row in CORPUS}
    found = read(folder)
    assert len(found) == len(CORPUS)
    assert {row["id"]: row for row in found} == wanted


def test_shards_are_all_there_and_of_their_size(folder: Path) -> None:
    names = defaultdict(list)
    for path in (folder / "data").glob("*/*.parquet"):
        split, index, _, count = path.stem.split("-")
        names[path.parent.name, split, int(count)].append(int(index))
    for stratum, indexes in names.items():
        assert sorted(indexes) == list(range(stratum[2])), stratum
    shards = {(label, split): count for label, split, count in names}
    held = mixture_of(folder)["languages"]
    assert len(names) == len(shards) == len(ROWS) + sum(entry["validation_documents"] > 0 for entry in held.values())
    for label, entry in held.items():
        assert shards[label, "train"] == -(-entry["bytes"] // CONFIG.shard_bytes)
    assert shards["eng_Latn", "train"] >= 3
    for path in (folder / "data/eng_Latn").glob("train-*.parquet"):
        size = sum(len(row["text"].encode()) for row in pq.read_table(path).to_pylist())
        assert size < 1.5 * CONFIG.shard_bytes


def test_row_groups_are_exact(folder: Path) -> None:
    for path in (folder / "data").glob("*/*.parquet"):
        metadata = pq.ParquetFile(path).metadata
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        assert sizes[:-1] == [CONFIG.row_group_rows] * (len(sizes) - 1) and 0 < sizes[-1] <= CONFIG.row_group_rows
        assert pq.read_schema(path).equals(SHARD)
        assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert max(pq.ParquetFile(path).metadata.num_row_groups for path in (folder / "data/eng_Latn").iterdir()) > 1


def test_rows_are_mixed(folder: Path) -> None:
    """Not by id, not by length: the order of a hash, that goes on from shard to shard."""
    order = [int(row["id"][-4:]) for row in read(folder, "eng_Latn/train-*.parquet")]
    ascents = sum(a < b for a, b in pairwise(order)) / len(order)
    assert 0.4 < ascents < 0.6


def test_a_cluster_is_held_out_whole(folder: Path) -> None:
    cluster = {row["id"]: row["cluster_id"] for row in CORPUS}
    splits = {split: {cluster[row["id"]] for row in read(folder, f"*/{split}-*")} for split in ("train", "validation")}
    assert splits["train"] & splits["validation"] == set()
    pairs = Counter(cluster.values())
    assert any(pairs[one] == 2 for one in splits["validation"])  # the rule was put to the test
    held_out = len(splits["validation"]) / len(pairs)
    assert abs(held_out - 0.1) < 4 * (0.1 * 0.9 / len(pairs)) ** 0.5


def test_the_mixture_tells_what_the_files_hold(folder: Path) -> None:
    mixed = mixture_of(folder)
    assert list(mixed["languages"]) == sorted(ROWS)
    for label, entry in mixed["languages"].items():
        for split, prefix in (("train", ""), ("validation", "validation_")):
            texts = [row["text"] for row in read(folder, f"{label}/{split}-*")]
            assert entry[f"{prefix}documents"] == len(texts)
            assert entry[f"{prefix}bytes"] == sum(len(text.encode()) for text in texts)
    languages = mixed["languages"].values()
    assert sum(entry["documents"] + entry["validation_documents"] for entry in languages) == len(CORPUS)
    seen = {label: entry["epochs"] for label, entry in mixed["languages"].items()}
    assert seen["eng_Latn"] == 1 and seen["amh_Ethi"] == CONFIG.max_epochs
    assert 1 < seen["tha_Thai"] < seen["srp_Cyrl"] <= CONFIG.max_epochs
    total = sum(entry["bytes"] * entry["epochs"] for entry in languages)
    assert mixed["total_bytes"] == pytest.approx(total, abs=1)
    assert all(
        entry["weight"] == pytest.approx(entry["bytes"] * entry["epochs"] / total, abs=1e-7) for entry in languages
    )
    assert sum(entry["weight"] for entry in languages) == pytest.approx(1, abs=1e-6)


def test_datasets_opens_the_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "1")
    datasets = pytest.importorskip("datasets", reason="no datasets: pip install -e .[dev]")
    options = {"cache_dir": str(tmp_path / "cache")}
    languages = mixture_of(folder)["languages"]
    assert set(datasets.get_dataset_config_names(str(folder), **options)) == {"default", *ROWS}
    everything = datasets.load_dataset(str(folder), **options)
    assert {split: len(part) for split, part in everything.items()} == {
        "train": sum(entry["documents"] for entry in languages.values()),
        "validation": sum(entry["validation_documents"] for entry in languages.values()),
    }
    thai = datasets.load_dataset(str(folder), "tha_Thai", **options)
    assert len(thai["train"]) == languages["tha_Thai"]["documents"]
    assert set(thai["train"]["language_script"]) == {"Thai"}
    assert thai["train"].column_names == SHARD.names
    amharic = datasets.load_dataset(str(folder), "amh_Ethi", **options)  # one document: one split alone
    assert sum(map(len, amharic.values())) == 1


def kept(documents: DataFrame, config: SampleConfig) -> dict[str, set[str]]:
    split = sample.split_of(documents, config)
    chosen = sample.choose(split, sample.plan(sample.sizes(split), config), config)
    found: dict[str, set[str]] = {name: set() for name in ("train", "validation")}
    for row in chosen.where(chosen["drop_reason"].isNull()).select("id", "split").collect():
        found[row["split"]].add(row["id"])
    return found


def test_a_larger_budget_only_adds(spark: SparkSession) -> None:
    documents = frame(spark, CORPUS, 2).cache()
    size = {row["id"]: len(row["text"].encode()) for row in CORPUS}
    small, large, all_ = (
        kept(documents, CONFIG.model_copy(update={"total_bytes": n})) for n in (60_000, 150_000, None)
    )
    documents.unpersist()
    assert small["train"] < large["train"] < all_["train"]
    assert small["validation"] == large["validation"] == all_["validation"]
    assert small["train"] | small["validation"] != {row["id"] for row in CORPUS}
    repeated = sum(size[name] for name in large["train"])
    assert repeated < 150_000 * 1.1  # the rest of the budget are repeats of the small languages
    languages = {name[:8] for name in small["train"]}
    assert languages >= {"eng_Latn", "tha_Thai", "srp_Cyrl", "srp_Latn"}
    assert all_["train"] | all_["validation"] == {row["id"] for row in CORPUS}


def test_a_budget_is_accounted_for(spark: SparkSession, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"total_bytes": 100_000, "temperature": 1.0})
    mixed, counts = run(frame(spark, CORPUS, 2), config, tmp_path)
    ledger = ledger_of("sample", len(CORPUS), counts, {})
    assert unbalanced(ledger) == 0
    assert ledger["rows_out"] == len(read(tmp_path))
    assert ledger["dropped"] == {"not_sampled": len(CORPUS) - len(read(tmp_path))}
    assert {name: account["rows_in"] for name, account in ledger["by_language"].items()} == ROWS
    assert all(entry["epochs"] == 1.0 for entry in mixed["languages"].values())  # a subset is seen once
    train = sum(BYTES.values()) - sum(entry["validation_bytes"] for entry in mixed["languages"].values())
    share = mixed["languages"]["eng_Latn"]["bytes"] / BYTES["eng_Latn"]
    assert share == pytest.approx(100_000 / train, rel=0.2)
    assert mixed["total_bytes"] == pytest.approx(100_000, rel=0.15)


def test_plan_by_hand() -> None:
    """Roots of 640,000 and 10,000 are 800 and 100; eng once is 800 a point, which makes amh 80,000, 8 epochs of 4."""
    config = SampleConfig(temperature=2, shard_bytes=100_000)
    available = {
        Stratum("eng", "Latn", "train"): 640_000,
        Stratum("amh", "Ethi", "train"): 10_000,
        Stratum("eng", "Latn", "validation"): 100_001,
        Stratum("tha", "Thai", "validation"): 0,
        Stratum("tha", "Thai", "train"): 0,
    }
    planned = sample.plan(available, config)
    assert planned.epochs == {"eng_Latn": 1.0, "amh_Ethi": 4.0}
    assert list(planned.shards.values()) == [7, 1, 2, 1, 1]
    half = sample.plan(available, config.model_copy(update={"total_bytes": 90_000}))
    assert half.epochs == pytest.approx({"eng_Latn": 80_000 / 640_000, "amh_Ethi": 1.0})
    assert list(half.shards.values()) == [1, 1, 2, 1, 1]


def test_shards_without_rows_are_written_too(spark: SparkSession, tmp_path: Path) -> None:
    rows = [row for row in CORPUS if row["language"] == "srp"][:3]
    chosen = sample.choose(sample.split_of(frame(spark, rows, 1), CONFIG.model_copy(update={"validation_share": 0})),
                           Plan({}, {}), CONFIG)  # fmt: skip
    planned = Plan({}, {Stratum("srp", "Cyrl", "train"): 9, Stratum("tha", "Thai", "validation"): 2})
    receipts = sample.write_shards(chosen, planned, CONFIG, str(tmp_path))
    expected = [shard_path("srp", "Cyrl", "train", i, 9) for i in range(9)]
    expected += [shard_path("tha", "Thai", "validation", i, 2) for i in range(2)]
    assert [receipt["path"] for receipt in receipts] == expected == sorted(files(tmp_path))
    for receipt in receipts:
        table = pq.read_table(tmp_path / receipt["path"])
        assert (len(table), table.schema.equals(SHARD)) == (receipt["rows"], True)
    assert sum(receipt["rows"] for receipt in receipts) == 3


def test_no_documents(spark: SparkSession) -> None:
    """The user's to mend: nothing downstream could use an empty corpus."""
    nothing = sample.sizes(sample.split_of(frame(spark, CORPUS[:1], 1).limit(0), CONFIG))
    assert nothing == {}
    for available in (nothing, {Stratum("eng", "Latn", "train"): 0}):
        with pytest.raises(UserError, match="no document is left to sample from"):
            sample.plan(available, CONFIG)


def test_what_a_foreign_table_may_lack(spark: SparkSession, tmp_path: Path) -> None:
    """No language, no script, no text: rows all the same."""
    nothing = dict.fromkeys(CORPUS[0])
    rows = [{**nothing, "id": "a", "text": "words"}, {**nothing, "id": "b"}, {**nothing, "id": "c", "language": "tha"}]
    mixed, counts = run(frame(spark, rows, 1), CONFIG.model_copy(update={"validation_share": 0}), tmp_path)
    assert {label: entry["documents"] for label, entry in mixed["languages"].items()} == {"tha_Zyyy": 1, "und_Zyyy": 2}
    assert counts == {"tha_Zyyy": {None: 1}, "und_Zyyy": {None: 2}}
    assert sorted((row["id"], row["text"], row["language"]) for row in read(tmp_path)) == [
        ("a", "words", "und"), ("b", None, "und"), ("c", None, "tha"),
    ]  # fmt: skip


def test_the_bytes_of_a_shard_are_pinned(folder: Path) -> None:
    """What is chosen, its order and its place outlive the code: a resumed training run reads on in the same shards."""
    names = [row["id"] for row in read(folder, "srp_Cyrl/train-*")] + [row["id"] for row in read(folder, "*/valid*")]
    assert hashlib.sha256("\n".join(names).encode()).hexdigest()[:16] == "aabf6833c35b011d"
    assert os.listdir(folder / "data/amh_Ethi") == ["train-00000-of-00001.parquet"]
