"""The whole path on the sample archive, black box: archives in, shards, vocabulary and report out."""

import json
import shutil
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from jobs import clean, corpus, dedup, extract, sample
from pipeline.spark.session import LazySession
from pipeline.store import generations
from schemas.clean import REASONS as CLEAN_REASONS
from schemas.costs import COST
from schemas.extract import REASONS as EXTRACT_REASONS
from schemas.records import STAGES, unbalanced

REPOSITORY = Path(__file__).resolve().parents[2]
ARCHIVE = REPOSITORY / "tests" / "archive"
EXPECTED = [json.loads(line) for line in (ARCHIVE / "expected.jsonl").read_text().splitlines()]
PAGES = [record for record in EXPECTED if record["extract"] == "document"]
CONFIG = REPOSITORY / "jobs" / "demo.toml"


def rows(root: Path, table: str) -> list[dict[str, Any]]:
    found = ds.dataset(root / table, format="parquet", exclude_invalid_files=True).to_table().to_pylist()
    return sorted(found, key=lambda row: str(row.get("id")))


def record_id(record: dict[str, Any]) -> str:
    return record["record_id"].strip("<>").removeprefix("urn:uuid:")


def shard_bytes(root: Path) -> dict[str, bytes]:
    files = [file for file in sorted((root / "sample").rglob("*")) if file.is_file() and file.name != COST]
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


@pytest.fixture
def root(corpus_root: Path, without_engine: None) -> Path:
    return corpus_root


@pytest.mark.parametrize("stage", [clean, dedup, sample], ids=["clean", "dedup", "sample"])
def test_the_engine_writes_what_processes_write(
    stage: ModuleType, spark: object, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of extract tests/jobs/test_extract.py says it."""
    monkeypatch.setattr(LazySession, "local_cores", lambda _: None)
    name, other = stage.__name__.rpartition(".")[2], tmp_path / "root"
    before = STAGES[STAGES.index(name) - 1]
    shutil.copytree(root / before, other / before)
    assert stage.main(["--root", str(other), "--config", str(CONFIG)]) == 0
    tables = {file.parent for file in (root / name).rglob("*.parquet")}
    assert tables
    for table in tables:
        assert rows(other, str(table.relative_to(root))) == rows(root, str(table.relative_to(root)))
    for file in ("_ledger.json", "_examples.json"):
        assert (other / name / file).read_bytes() == (root / name / file).read_bytes()
    fingerprints = {json.loads((one / name / "_run.json").read_text())["fingerprint"] for one in (root, other)}
    assert len(fingerprints) == 1


def test_every_record_becomes_what_is_written_beside_it(root: Path) -> None:
    documents = {row["id"]: row for row in rows(root, "extract/documents")}
    skipped = {row["id"]: row for row in rows(root, "extract/skipped") if row["id"]}
    for record in EXPECTED:
        name = record_id(record)
        if record["extract"] == "document":
            assert name in documents, record
            if record["encoding"]:
                assert documents[name]["encoding"] == record["encoding"], record
        elif record["extract"] not in ("type", "truncated"):
            assert skipped[name]["reason"] == record["extract"], record


def test_every_page_is_judged_as_written_beside_it(root: Path) -> None:
    cleaned = {row["id"]: row for row in rows(root, "clean/documents")}
    assert set(cleaned) == {record_id(record) for record in PAGES}
    for record in PAGES:
        row = cleaned[record_id(record)]
        verdict = (row["drop_reason"] or "kept").split(":")[0]
        if record["clean"]:
            assert verdict == record["clean"], (record["url"], row["drop_reason"])
        if record["language"]:
            assert (row["language"], row["language_script"]) == (record["language"], record["script"]), record["url"]
        for phrase in record["contains"] or []:
            assert phrase in row["text"], record["url"]
        for phrase in record["must_not_contain"] or []:
            assert phrase not in row["text"], record["url"]


def test_one_copy_of_each_cluster_stays_and_nothing_else_is_lost(root: Path) -> None:
    kept = {row["id"] for row in rows(root, "clean/documents") if not row["drop_reason"]}
    survivors = {row["id"]: row for row in rows(root, "dedup/documents")}
    clusters = defaultdict(list)
    for record in PAGES:
        if record_id(record) in kept:
            clusters[record["cluster"] or record_id(record)].append(record_id(record))
    assert any(len(members) > 2 for members in clusters.values())
    for members in clusters.values():
        alive = [member for member in members if member in survivors]
        assert len(alive) == 1, members
        assert survivors[alive[0]]["minhash_cluster_size"] == len(members)


def test_the_ledgers_add_up_and_hand_over(root: Path) -> None:
    ledgers = {stage: json.loads((root / stage / "_ledger.json").read_text()) for stage in STAGES}
    for stage, ledger in ledgers.items():
        assert unbalanced(ledger) == 0, stage
        for account in ledger["by_language"].values():
            assert unbalanced(account) == 0, stage
    for before, after in (("extract", "clean"), ("clean", "dedup"), ("dedup", "sample")):
        assert ledgers[before]["rows_out"] == ledgers[after]["rows_in"]
    assert ledgers["extract"]["rows_in"] == len(EXPECTED)
    assert {reason.split(":")[0] for reason in ledgers["extract"]["dropped"]} <= set(EXTRACT_REASONS)
    assert set(ledgers["clean"]["dropped"]) <= set(CLEAN_REASONS)


def test_every_archive_accounts_for_every_record(root: Path) -> None:
    inputs = {row["file_path"]: row for row in rows(root, "extract/inputs")}
    assert set(inputs) == {f"archive/sample{kind}.gz" for kind in (".warc", "-truncated.warc", ".warc.wet")}
    for row in inputs.values():
        assert sum(entry["count"] for entry in row["counts"]) == row["records"]
    broken = inputs["archive/sample-truncated.warc.gz"]
    assert broken["status"] == "truncated" and broken["broke_at"] > 0 and broken["documents"] > 0


def test_shards_open_with_datasets(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    from datasets import load_dataset

    ledger = json.loads((root / "sample" / "_ledger.json").read_text())
    everything = load_dataset(str(root / "sample"), "default", cache_dir=str(tmp_path))
    assert sum(len(split) for split in everything.values()) == ledger["rows_out"]
    thai = load_dataset(str(root / "sample"), "tha_Thai", cache_dir=str(tmp_path))
    assert set(thai["train"]["language"]) == {"tha"}


def test_the_vocabulary_is_one_for_sentencepiece_and_transformers(root: Path) -> None:
    import sentencepiece
    from transformers import AutoTokenizer

    ours = AutoTokenizer.from_pretrained(root / "vocab")
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(root / "vocab" / "spm.model"))
    for row in rows(root, "dedup/documents"):
        assert ours(row["text"], add_special_tokens=False)["input_ids"] == theirs.encode(row["text"])
        assert ours.decode(theirs.encode(row["text"]), clean_up_tokenization_spaces=False) == row["text"]


def test_the_report_is_one_page_with_the_ledgers_numbers(root: Path) -> None:
    page = (root / "report.html").read_text()
    assert str(json.loads((root / "clean" / "_ledger.json").read_text())["rows_out"]) in page
    assert 'src="http' not in page and 'href="http' not in page.split("<main")[0]


def test_run_again_nothing_is_made_again(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {f: f.stat().st_mtime_ns for f in root.rglob("*.parquet")}
    assert corpus.main(["--input", str(ARCHIVE), "--root", str(root), "--config", str(CONFIG)]) == 0
    assert capsys.readouterr().out.count("up to date") == len(STAGES)
    assert {f: f.stat().st_mtime_ns for f in root.rglob("*.parquet")} == before


def test_a_new_threshold_decides_again_without_extracting(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "root"
    shutil.copytree(root, copy)
    flags = ["--input", str(ARCHIVE), "--root", str(copy), "--config", str(CONFIG), "--min-words", "100000"]
    assert corpus.main(flags) == 2  # nothing is left to sample from
    decided = generations.current(str(copy / "clean"))
    assert decided and decided.number == 2
    ledger = decided.read_json("_ledger.json")
    assert ledger["rows_out"] == 0 and ledger["dropped"]["gopher_quality:too_few_words"] > 100
    assert (copy / "extract" / "_run.json").read_bytes() == (root / "extract" / "_run.json").read_bytes()


@pytest.mark.faults
@pytest.mark.parametrize("partitions", [1, 7])
def test_the_same_bytes_for_any_number_of_partitions(root: Path, tmp_path: Path, partitions: int) -> None:
    other = tmp_path / "root"
    other.mkdir()
    shutil.copytree(root / "extract", other / "extract")
    flags = ["--input", str(ARCHIVE), "--root", str(other), "--config", str(CONFIG), "--partitions", str(partitions)]
    assert corpus.main(flags) == 0
    assert shard_bytes(other) == shard_bytes(root)
    assert (other / "vocab" / "spm.model").read_bytes() == (root / "vocab" / "spm.model").read_bytes()


def test_row_groups_and_columns_of_the_shards(root: Path) -> None:
    file = next((root / "sample" / "data" / "eng_Latn").glob("train-*.parquet"))
    assert pq.ParquetFile(file).schema_arrow.names[:4] == ["text", "id", "dump", "url"]
    assert set(pq.read_table(file)["language"].to_pylist()) == {"eng"}


@pytest.mark.faults
def test_every_odd_archive_ends_in_rows_or_reasons(spark: object, tmp_path: Path) -> None:
    cases = REPOSITORY / ".." / "shared" / "data" / "warc-cases"
    if not cases.is_dir():
        pytest.skip("no ../shared/data/warc-cases")
    assert extract.main(["--input", str(cases), "--root", str(tmp_path), "--engine", "resiliparse"]) == 0
    inputs = rows(tmp_path, "extract/inputs")
    assert {row["file_path"] for row in inputs} == {
        f"warc-cases/{file.relative_to(cases)}" for file in cases.rglob("*") if file.is_file()
    }
    for row in inputs:
        assert row["records"] > 0 and sum(entry["count"] for entry in row["counts"]) == row["records"]
        assert (row["status"] == "ok") == (row["detail"] is None)


def test_the_card_tells_of_the_whole_way(root: Path) -> None:
    """From the stages' own ledgers and tables: funnel, licences, opt-outs."""
    mixed = json.loads((root / "sample" / "mixture.json").read_text())
    card = (root / "sample" / "README.md").read_text()
    ledgers = {
        stage: json.loads((root / stage / "_ledger.json").read_text()) for stage in ("extract", "clean", "dedup")
    }
    told = {stage: (n_in, n_out) for stage, n_in, n_out, _ in mixed["corpus"]["funnel"]}
    assert told == {stage: (ledger["rows_in"], ledger["rows_out"]) for stage, ledger in ledgers.items()}
    opt_outs = {reason: n for reason, n in ledgers["clean"]["dropped"].items() if reason.startswith("opt_out:")}
    assert dict(mixed["corpus"]["opt_outs"]) == opt_outs
    licences = [row["licence"] for row in rows(root, "extract/documents") if row["licence"]]
    assert dict(mixed["corpus"]["licences"]) == {name: licences.count(name) for name in set(licences)}
    for stage, (n_in, n_out) in told.items():
        assert f"| {stage} | {n_in:,} | {n_out:,} |" in card
    for label, entry in mixed["languages"].items():
        assert f"| {label} | {entry['documents']:,} |" in card
