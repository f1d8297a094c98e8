"""The stage over files, whole: plan and shards, without an engine."""

import hashlib
import json
import os
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stages_sample
from stages_sample import run, serially

from pipeline.config import PhaseConfig, SampleConfig
from pipeline.mixture import placing
from pipeline.mixture.plan_table import as_json, as_text
from pipeline.stages import sample
from pipeline.store.document_table import document_table
from pipeline.store.ledger import ledger as ledger_of
from schemas.errors import UserError
from schemas.records import unbalanced
from schemas.sample import SHARD
from tokenizer.learn import learn_vocabulary

CONFIG = SampleConfig(
    shard_bytes=1 << 16, row_group_rows=50, validation_share=0.1, min_validation_documents=0, seed=5
)  # fmt: skip
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
                "url": f"https://{'www.big' if i % 2 else f'host{i}'}.example/{name}",
                "date": "2026-10-01T00:00:00Z" if i % 3 else None,
                "file_path": "a.warc.gz", "language": language, "language_score": 0.5 + i / 2000,
                "language_script": script, "minhash_cluster_size": 1 + i % 4, "top_langs": "{}" if i % 2 else None,
                "cluster_id": f"{label}-{i - i % 2:04d}" if i % 10 < 2 else name,
            })  # fmt: skip
    return rows


CORPUS = corpus()
BYTES = {label: sum(len(row["text"].encode()) for row in CORPUS if row["id"].startswith(label)) for label in ROWS}
SCHEMA = pa.schema([*(field for field in SHARD if field.name != "weight"), ("cluster_id", pa.string())])


def table(folder: Path, rows: list[dict[str, Any]], files: int, schema: pa.Schema = SCHEMA) -> str:
    return stages_sample.table(folder, rows, files, schema)


def planned(source: str, config: SampleConfig, scratch: Path) -> dict[str, Any]:
    plan = sample.plan(document_table(source, "id", "text"), config, str(scratch), serially).plan
    assert as_text(as_json(plan, config.unit))
    return as_json(plan, config.unit)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same corpus in one file and in six, sorted in one piece and in many."""
    made = []
    for files, piece_bytes in ((1, placing.PIECE_BYTES), (6, 20_000)):
        place = tmp_path_factory.mktemp(f"sample-{files}-")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(placing, "PIECE_BYTES", piece_bytes)
            run(table(place / "in", CORPUS, files), CONFIG, place / "out")
        made.append(place / "out")
    return made


@pytest.fixture(scope="module")
def folder(folders: list[Path]) -> Path:
    return folders[0]


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and "_scratch" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def read(folder: Path, pattern: str = "*/*.parquet") -> list[dict[str, Any]]:
    return [row for path in sorted((folder / "data").glob(pattern)) for row in pq.read_table(path).to_pylist()]


def mixture_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "mixture.json").read_text())
    return found


def test_the_same_bytes_for_any_files_and_pieces(folders: list[Path]) -> None:
    one, other = map(files, folders)
    assert sum(name.endswith(".parquet") for name in one) > 8
    assert one == other


def test_every_document_is_there_once_and_whole(folder: Path) -> None:
    wanted = {row["id"]: {**{name: row.get(name) for name in SHARD.names}, "weight": 1.0} for row in CORPUS}
    found = {row["id"]: row for row in read(folder)}
    left_out = set(wanted) - set(found)
    assert len(read(folder)) == len(found) and left_out == set()
    assert found == wanted


def test_shards_are_all_there_and_of_their_size(folder: Path) -> None:
    names = defaultdict(list)
    for path in (folder / "data").glob("*/*.parquet"):
        split, index, _, count = path.stem.split("-")
        names[path.parent.name, split, int(count)].append(int(index))
    for stratum, indexes in names.items():
        assert sorted(indexes) == list(range(stratum[2])), stratum
    shards = {(label, split): count for label, split, count in names}
    held = mixture_of(folder)["languages"]
    for label, entry in held.items():
        assert shards[label, "train"] == -(-entry["bytes"] // CONFIG.shard_bytes)
    assert shards["eng_Latn", "train"] >= 3
    paths = sorted((folder / "data/eng_Latn").glob("train-*.parquet"))
    sizes = [sum(len(row["text"].encode()) for row in pq.read_table(path).to_pylist()) for path in paths]
    assert max(sizes) < 1.05 * min(sizes)  # cut by bytes, not by rows


def test_row_groups_are_exact_and_pages_are_indexed(folder: Path) -> None:
    for path in (folder / "data").glob("*/*.parquet"):
        metadata = pq.ParquetFile(path).metadata
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        assert sizes[:-1] == [CONFIG.row_group_rows] * (len(sizes) - 1) and 0 < sizes[-1] <= CONFIG.row_group_rows
        assert pq.read_schema(path).equals(SHARD)
        column = metadata.row_group(0).column(0)
        assert column.compression == "ZSTD" and column.has_offset_index and column.has_column_index
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


def test_a_cluster_in_two_languages_is_on_one_side(tmp_path: Path) -> None:
    """With a floor the small languages hold out a larger share: copies between the thresholds are left out."""
    rows = [dict(row, cluster_id=f"c-{i % 90}") for i, row in enumerate(CORPUS)]
    for row in rows[:90]:
        row["cluster_id"] = row["id"]
    names = {f"c-{i}": rows[i]["id"] for i in range(90)}
    rows = [dict(row, cluster_id=names.get(row["cluster_id"], row["cluster_id"])) for row in rows]
    _, counts = run(
        table(tmp_path / "in", rows, 2), CONFIG.model_copy(update={"min_validation_documents": 20}), tmp_path
    )
    cluster = {row["id"]: row["cluster_id"] for row in rows}
    splits = {
        split: {cluster[row["id"]] for row in read(tmp_path, f"*/{split}-*")} for split in ("train", "validation")
    }
    assert splits["train"] & splits["validation"] == set() and splits["validation"]
    assert sum(reasons.get("near_validation", 0) for reasons in counts.values()) > 0
    assert unbalanced(ledger_of("sample", len(rows), counts, {})) == 0


def test_validation_has_a_floor_and_a_cap(tmp_path: Path) -> None:
    source = table(tmp_path, CORPUS, 1)
    config = CONFIG.model_copy(update={"validation_share": 0.01, "min_validation_documents": 20})
    held = {
        label: entry["validation_documents"] for label, entry in planned(source, config, tmp_path)["languages"].items()
    }
    assert held["tha_Thai"] == 20 and held["srp_Latn"] == 5 == held["srp_Cyrl"] and held["amh_Ethi"] == 0
    config = config.model_copy(update={"validation_share": 0.5, "max_validation_bytes": 20_000})
    found = planned(source, config, tmp_path)["languages"]
    assert all(entry["validation_bytes"] <= 20_000 for entry in found.values())
    assert found["eng_Latn"]["validation_bytes"] > 15_000


def test_the_mixture_tells_what_the_files_hold(folder: Path) -> None:
    mixed = mixture_of(folder)
    assert list(mixed["languages"]) == sorted(ROWS)
    for label, entry in mixed["languages"].items():
        for split, prefix in (("train", ""), ("validation", "validation_")):
            texts = [row["text"] for row in read(folder, f"{label}/{split}-*")]
            assert entry[f"{prefix}documents"] == len(texts)
            assert entry[f"{prefix}bytes"] == sum(len(text.encode()) for text in texts)
        assert entry["weighted"] == entry["bytes"]
    languages = mixed["languages"].values()
    assert sum(entry["documents"] + entry["validation_documents"] for entry in languages) == len(CORPUS)
    seen = {label: entry["epochs"] for label, entry in mixed["languages"].items()}
    assert seen["eng_Latn"] == pytest.approx(1) and seen["amh_Ethi"] == CONFIG.max_epochs
    assert 1 < seen["tha_Thai"] < seen["srp_Cyrl"] <= CONFIG.max_epochs
    total = sum(entry["bytes"] * entry["epochs"] for entry in languages)
    assert mixed["total_bytes"] == pytest.approx(total, abs=1) == mixed["budget"]
    for entry in languages:
        assert entry["weight"] == pytest.approx(entry["bytes"] * entry["epochs"] / total, abs=1e-7)
        assert entry["share"] == pytest.approx(entry["weight"], abs=1e-7)
    assert sum(mixed["schedule"][0]["shares"].values()) == pytest.approx(1)


def test_readers_open_the_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """datasets, whole and streamed, one language and all; DuckDB, Polars, pandas."""
    for name in ("HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "1")
    datasets = pytest.importorskip("datasets", reason="no datasets: pip install -e .[dev]")
    options = {"cache_dir": str(tmp_path / "cache")}
    languages = mixture_of(folder)["languages"]
    assert set(datasets.get_dataset_config_names(str(folder), **options)) == {"default", *ROWS}
    everything = datasets.load_dataset(str(folder), **options)
    train = sum(entry["documents"] for entry in languages.values())
    assert {split: len(part) for split, part in everything.items()} == {
        "train": train,
        "validation": sum(entry["validation_documents"] for entry in languages.values()),
    }
    thai = datasets.load_dataset(str(folder), "tha_Thai", **options)
    assert len(thai["train"]) == languages["tha_Thai"]["documents"]
    assert set(thai["train"]["language_script"]) == {"Thai"}
    assert thai["train"].column_names == SHARD.names
    amharic = datasets.load_dataset(str(folder), "amh_Ethi", **options)  # one document: one split alone
    assert sum(map(len, amharic.values())) == 1
    for name, rows in (("default", train), ("tha_Thai", languages["tha_Thai"]["documents"])):
        streamed = datasets.load_dataset(str(folder), name, split="train", streaming=True)
        assert sum(1 for _ in streamed) == rows
    pattern = str(folder / "data" / "*" / "train-*.parquet")
    duckdb, polars = (
        pytest.importorskip("duckdb", reason="no duckdb: pip install -e .[dev]"),
        pytest.importorskip("polars", reason="no polars: pip install -e .[dev]"),
    )
    pandas = pytest.importorskip("pandas", reason="no pandas: pip install -e .[dev]")
    found = duckdb.sql(
        f"select language, count(*), sum(weight) from read_parquet('{pattern}') group by language"
    ).fetchall()
    assert {name: (rows, weights) for name, rows, weights in found}["tha"] == (len(thai["train"]),) * 2
    assert polars.scan_parquet(pattern).select(polars.len()).collect().item() == train
    frame = pandas.concat(map(pandas.read_parquet, sorted((folder / "data").glob("*/train-*.parquet"))))
    assert len(frame) == train and set(frame["language"]) == {name.split("_")[0] for name in ROWS}


def test_the_card_says_what_publishing_needs(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    for said in (
        "language:\n- amh\n- eng",
        "| eng_Latn | ",
        "CC-MAIN-2026-43 | 781",
        "To cite",
        "To take pages down",
        "epochs",
    ):
        assert said in text, said
    assert "configs:" in text.split("---")[1]


def kept(source: str, config: SampleConfig, place: Path) -> dict[str, set[str]]:
    run(source, config, place)
    return {
        split: {row["id"] for row in read(place, f"*/{split}-*")} for split in ("train", "validation")
    }  # fmt: skip


def test_a_larger_budget_only_adds(tmp_path: Path) -> None:
    source = table(tmp_path, CORPUS, 2)
    small, large, all_ = (
        kept(source, CONFIG.model_copy(update={"budget": n}), tmp_path / str(n)) for n in (60_000, 150_000, None)
    )
    assert small["train"] < large["train"] < all_["train"]
    assert small["validation"] == large["validation"] == all_["validation"]
    languages = {name[:8] for name in small["train"]}
    assert languages >= {"eng_Latn", "tha_Thai", "srp_Cyrl", "srp_Latn"}
    assert all_["train"] | all_["validation"] == {row["id"] for row in CORPUS}


def test_a_budget_is_met_exactly_and_accounted_for(tmp_path: Path) -> None:
    """A hash alone misses a language of 120 documents by a tenth: the threshold comes from bytes over the hash, and
    what is still missing is in `epochs`."""
    config = CONFIG.model_copy(update={"budget": 100_000, "temperature": 1.0})
    mixed, counts = run(table(tmp_path / "in", CORPUS, 2), config, tmp_path)
    ledger = ledger_of("sample", len(CORPUS), counts, {})
    assert unbalanced(ledger) == 0 and ledger["rows_out"] == len(read(tmp_path))
    assert ledger["dropped"] == {"not_sampled": len(CORPUS) - len(read(tmp_path))}
    assert {name: account["rows_in"] for name, account in ledger["by_language"].items()} == ROWS
    train = {
        label: BYTES[label] - entry["validation_bytes"] for label, entry in mixed["languages"].items()
    }  # fmt: skip
    for label, entry in mixed["languages"].items():
        seen = entry["bytes"] * entry["epochs"] / 100_000
        assert seen == pytest.approx(train[label] / sum(train.values()), rel=1e-5), label
    assert mixed["languages"]["eng_Latn"]["epochs"] == pytest.approx(1, abs=0.01)
    assert mixed["total_bytes"] == 100_000


@pytest.mark.parametrize("unit", ["characters", "bytes"])
def test_the_unit_that_shares_are_in(tmp_path: Path, unit: str) -> None:
    config = CONFIG.model_copy(update={"method": "unimax", "unit": unit, "budget": 6_000, "validation_share": 0})
    run(table(tmp_path / "in", CORPUS, 1), config, tmp_path)
    mixed = mixture_of(tmp_path)
    amount: Counter[str] = Counter()
    for row in read(tmp_path, "*/train-*"):
        label = f"{row['language']}_{row['language_script']}"
        size = len(row["text"]) if unit == "characters" else len(row["text"].encode())
        amount[label] += size * mixed["languages"][label]["epochs"]
    largest = {label: size for label, size in amount.items() if label != "amh_Ethi"}  # that is capped
    assert max(largest.values()) == pytest.approx(min(largest.values()), rel=1e-6)
    assert sum(amount.values()) == pytest.approx(6_000, rel=1e-6)


def test_good_texts_are_seen_more_often(tmp_path: Path) -> None:
    """Weights by a score: 0.5 below 0.4, 2 from 0.4 on, 6 from 0.75; 1 without one; times FineWeb-2's of copies."""
    scores = {row["id"]: None if i % 7 == 0 else (i % 20) / 20 for i, row in enumerate(CORPUS)}
    rows = [{**row, "score_edu": scores[row["id"]]} for row in CORPUS]
    given = {"0.75": 6.0, "0": 0.5, "0.4": 2.0}
    config = CONFIG.model_copy(
        update={"score_column": "score_edu", "score_weights": given, "upsampling": "fineweb2", "validation_share": 0}
    )
    source = table(tmp_path / "in", rows, 2, SCHEMA.append(pa.field("score_edu", pa.float32())))
    mixed, _ = run(source, config, tmp_path)
    assert mixed["score_weights"] == {"score_edu": given}
    found = read(tmp_path, "eng_Latn/train-*")

    def raw(row: dict[str, Any]) -> float:
        score = scores[row["id"]]
        weight = 1.0 if score is None else 6.0 if score >= 0.75 else 2.0 if score >= 0.4 else 0.5
        return weight * (1, 2, 3, 3)[row["minhash_cluster_size"] - 1]

    size = {row["id"]: len(row["text"].encode()) for row in CORPUS}
    mean = sum(size[row["id"]] * raw(row) for row in found) / sum(size[row["id"]] for row in found)
    assert {row["id"]: row["weight"] for row in found} == pytest.approx(
        {row["id"]: raw(row) / mean for row in found}, rel=1e-6
    )
    text_column = config.model_copy(update={"score_column": "dump"})
    with pytest.raises(UserError, match="--score-column dump: it is string; name a column of numbers"):
        sample.plan(document_table(source, "id", "text"), text_column, str(tmp_path / "s"), serially)
    missing = config.model_copy(update={"score_column": "score_edv"})
    with pytest.raises(UserError, match=r"--score-column score_edv: .* has no such column; it has"):
        sample.plan(document_table(source, "id", "text"), missing, str(tmp_path / "s"), serially)


def test_copies_are_seen_more_often_and_hosts_less(tmp_path: Path) -> None:
    """Weights: FineWeb-2's 1, 2, 3 and 3 for clusters of 1, 2, 3 and 4, over their mean; a host with half of a language
    counts as a fifth of it, and its documents by as much less."""
    config = CONFIG.model_copy(update={"upsampling": "fineweb2", "max_host_share": 0.2, "validation_share": 0})
    mixed, _ = run(table(tmp_path / "in", CORPUS, 2), config, tmp_path)
    rows = read(tmp_path, "eng_Latn/train-*")
    size = {row["id"]: len(row["text"].encode()) for row in CORPUS}
    total = BYTES["eng_Latn"]
    of_host = sum(size[row["id"]] for row in rows if "big" in row["url"])
    cap = 0.2 * total / of_host
    raw = {
        row["id"]: (1, 2, 3, 3)[row["minhash_cluster_size"] - 1] * (cap if "big" in row["url"] else 1) for row in rows
    }
    capped = sum(size[row["id"]] * (cap if "big" in row["url"] else 1) for row in rows)
    mean = sum(size[name] * weight for name, weight in raw.items()) / capped
    assert {row["id"]: row["weight"] for row in rows} == pytest.approx(
        {name: w / mean for name, w in raw.items()}, rel=1e-6
    )
    entry = mixed["languages"]["eng_Latn"]
    assert entry["weighted"] == pytest.approx(capped, rel=1e-6) and "max_host_share" in entry["capped_by"]
    assert entry["largest_host"] == "big.example" and entry["largest_host_share"] == pytest.approx(
        of_host / total, abs=1e-4
    )


def test_a_genre_counts_as_its_share(tmp_path: Path) -> None:
    """Half of each language is one host, listed as a genre: without the cap, the small ones repeat it four times."""
    hosts = tmp_path / "bibles.txt"
    hosts.write_text("big.example\n")
    config = CONFIG.model_copy(update={"genre_lists": (str(hosts),), "max_genre_share": 0.1, "validation_share": 0})
    mixed, _ = run(table(tmp_path / "in", CORPUS, 2), config, tmp_path)
    for label, entry in mixed["languages"].items():
        rows = read(tmp_path, f"{label}/train-*")
        size = {row["id"]: len(row["text"].encode()) for row in rows}
        genre = sum(size[row["id"]] * row["weight"] for row in rows if "big" in row["url"])
        if any("big" in row["url"] for row in rows):
            assert genre == pytest.approx(0.1 * sum(size.values()), rel=1e-5), label
            assert "max_genre_share" in entry["capped_by"]
        assert entry["weighted"] == pytest.approx(sum(size[row["id"]] * row["weight"] for row in rows), rel=1e-6)


def test_a_schedule_of_phases(tmp_path: Path) -> None:
    phases = (
        PhaseConfig(fraction=0.75, temperature=1.0, languages=("eng", "tha")),
        PhaseConfig(fraction=0.25, method="unimax", languages=()),
    )
    config = CONFIG.model_copy(update={"schedule": phases, "budget": 200_000})
    mixed, _ = run(table(tmp_path / "in", CORPUS, 1), config, tmp_path)
    first, second = mixed["schedule"]
    assert set(first["shares"]) == {"eng_Latn", "tha_Thai"} and set(second["shares"]) == set(ROWS)
    assert first["temperature"] == 1.0 and "temperature" not in second
    assert set(second["shares"].values()) == {0.2}
    assert mixed["method"] == "schedule" and len(mixed["schedule"]) == 2
    seen = sum(entry["epochs"] * entry["bytes"] for entry in mixed["languages"].values())
    assert seen == pytest.approx(200_000, rel=1e-6)
    assert all(entry["epochs"] <= 4 + 1e-6 for entry in mixed["languages"].values())


def test_languages_that_are_left_out(tmp_path: Path) -> None:
    weights = {"srp": 2.0, "eng": 1.0, "amh": 1.0}
    config = CONFIG.model_copy(update={"method": "weights", "weights": weights, "min_documents": 2})
    mixed, counts = run(table(tmp_path / "in", CORPUS, 2), config, tmp_path)
    assert set(mixed["languages"]) == {"eng_Latn", "srp_Cyrl", "srp_Latn"}
    assert counts["tha_Thai"] == {None: 0, "no_share": 120} and counts["amh_Ethi"] == {None: 0, "few_documents": 1}
    assert not (tmp_path / "data/tha_Thai").exists()
    assert unbalanced(ledger_of("sample", len(CORPUS), counts, {})) == 0


def test_mixtures_that_cannot_be(tmp_path: Path) -> None:
    source = table(tmp_path, CORPUS, 1)
    for update, said in (
        (
            {"method": "weights", "weights": {"xho": 1.0}},
            r"weights names 'xho', which the corpus lacks; it has amh_Ethi, eng",
        ),
        ({"method": "weights", "weights": {"eng": 0.0}}, "weights sum to nothing"),
        ({"min_documents": 601}, "no language has min_documents = 601: the largest has 600; take that"),
        (
            {"schedule": (PhaseConfig(fraction=1, languages=("xho",)),)},
            "schedule's languages names 'xho', which the corpus",
        ),
    ):
        with pytest.raises(UserError, match=said):
            planned(source, CONFIG.model_copy(update=update), tmp_path)
    train = sum(entry["written_bytes"] for entry in planned(source, CONFIG, tmp_path)["languages"].values())
    with pytest.raises(UserError, match=rf"more than max_epochs = 4 allows: at most {4 * train:,}, or max_epochs of 8"):
        planned(source, CONFIG.model_copy(update={"budget": 8 * train}), tmp_path)
    assert planned(source, CONFIG.model_copy(update={"budget": 4 * train}), tmp_path)


def test_a_corpus_of_one_document(tmp_path: Path) -> None:
    source = table(tmp_path, CORPUS[:1], 1)
    with pytest.raises(
        UserError,
        match=r"no text for validation: .* has 1 documents, .* give 5 .*--validation-share 0",
    ):
        planned(source, CONFIG, tmp_path)
    mixed, _ = run(source, CONFIG.model_copy(update={"validation_share": 0}), tmp_path)
    assert mixed["languages"]["eng_Latn"]["epochs"] == pytest.approx(1) and len(read(tmp_path)) == 1


def test_no_documents(tmp_path: Path) -> None:
    """The user's to mend: nothing downstream could use an empty corpus."""
    for number, rows in enumerate(([], [{**CORPUS[0], "text": ""}], [{**CORPUS[0], "text": None}])):
        with pytest.raises(UserError, match="no document is left to sample from"):
            planned(table(tmp_path / str(number), rows, 1), CONFIG, tmp_path)


def test_what_a_foreign_table_may_lack(tmp_path: Path) -> None:
    """No language, no script, no text, other types: rows all the same."""
    schema = pa.schema(
        [("id", pa.string()), ("text", pa.string()), ("language", pa.string()), ("date", pa.timestamp("s"))]
    )
    rows = [{"id": "a", "text": "words"}, {"id": "b"}, {"id": "c", "language": "tha", "date": 0}]
    config = CONFIG.model_copy(update={"validation_share": 0})
    mixed, counts = run(table(tmp_path / "in", rows, 1, schema), config, tmp_path)
    assert {label: entry["documents"] for label, entry in mixed["languages"].items()} == {"tha_Zyyy": 1, "und_Zyyy": 2}
    assert counts == {"tha_Zyyy": {None: 1}, "und_Zyyy": {None: 2}}
    assert sorted((row["id"], row["text"], row["language"], row["date"]) for row in read(tmp_path)) == [
        ("a", "words", "und", None), ("b", None, "und", None), ("c", None, "tha", "1970-01-01T00:00:00.000"),
    ]  # fmt: skip


def test_a_label_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'en/x_Latn' cannot name a folder of shards"):
        planned(table(tmp_path, [{**CORPUS[0], "language": "en/x"}], 1), CONFIG, tmp_path)


def test_the_bytes_of_a_shard_are_pinned(folder: Path) -> None:
    """What is chosen, its order and its place outlive the code: a resumed training run reads on in the same shards."""
    names = [row["id"] for row in read(folder, "srp_Cyrl/train-*")] + [row["id"] for row in read(folder, "*/valid*")]
    assert hashlib.sha256("\n".join(names).encode()).hexdigest()[:16] == "e7e4bd540b97620c"
    assert os.listdir(folder / "data/amh_Ethi") == ["train-00000-of-00001.parquet"]


def test_sizes_in_tokens_of_a_vocabulary(tmp_path: Path) -> None:
    """By UniMax each language has as many tokens, whatever its bytes."""
    learnt = learn_vocabulary(
        (row["text"] for row in CORPUS[:300]), model="unigram", vocab_size=600, num_threads=1, allow_smaller=True
    )
    folder = tmp_path / "vocab"
    folder.mkdir()
    for name, content in learnt.files.items():
        (folder / name).write_bytes(content)
    settings = {"method": "unimax", "unit": "tokens", "tokenizer": str(folder), "budget": 8_000, "validation_share": 0}
    run(table(tmp_path / "in", CORPUS, 2), CONFIG.model_copy(update=settings), tmp_path)
    mixed = mixture_of(tmp_path)
    amount: Counter[str] = Counter()
    for row in read(tmp_path, "*/train-*"):
        label = f"{row['language']}_{row['language_script']}"
        amount[label] += len(learnt.encode([row["text"]])[0]) * mixed["languages"][label]["epochs"]
    shown = [tokens for label, tokens in amount.items() if label != "amh_Ethi"]  # that is capped
    assert max(shown) == pytest.approx(min(shown), rel=1e-6) and sum(amount.values()) == pytest.approx(8_000, rel=1e-6)
    with pytest.raises(UserError, match=r"holds no tokenizer\.json: name a folder that jobs/vocab\.py wrote"):
        wrong = CONFIG.model_copy(update={**settings, "tokenizer": str(tmp_path / "in")})
        planned(table(tmp_path / "in", CORPUS, 2), wrong, tmp_path)
