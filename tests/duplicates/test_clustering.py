"""Clusters in memory, on real sentences in six scripts, on one hot bucket, and beside what Spark hashes."""

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.config import DedupConfig
from pipeline.duplicates.clustering import Comparison, cluster
from pipeline.duplicates.signing import signature_rows
from pipeline.kernels.arrow_text import from_strings
from schemas.dedup import CLUSTERS, SIGNATURES

PARALLEL = Path(__file__).resolve().parents[3] / "shared" / "data" / "parallel"
CONFIG = DedupConfig()
SCRIPTS = ["eng", "tha", "hin", "arb", "jpn", "zho-CN"]


def signed(texts: dict[str, str]) -> pa.Table:
    n = len(texts)
    batch = pa.record_batch(
        {
            "id": pa.array(list(texts)),
            "text": from_strings(texts.values()).cast(pa.string()),
            "quality": np.zeros(n),
            "date": pa.array([""] * n),
            "language": pa.array(["und"] * n),
            "language_script": pa.array(["Zyyy"] * n),
        }
    )
    rows = pa.Table.from_batches(signature_rows(batch, CONFIG.hasher(), CONFIG.min_shingles), SIGNATURES)
    return rows.append_column("age", pa.array(np.zeros(n, np.int32)))


def shingles_of(table: pa.Table) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    def answer(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cells = [np.frombuffer(one, "<u4") for one in table["shingles"].take(pa.array(rows)).to_pylist()]
        return np.concatenate([np.empty(0, "<u4"), *cells]), np.cumsum([0, *map(len, cells)])

    return answer


def clustered(texts: dict[str, str], verify: str = "jaccard", keep_unlike: bool = True) -> dict[str, str]:
    """id -> cluster, of those that have a copy."""
    table = signed(texts)
    comparison = Comparison(CONFIG.threshold, verify, CONFIG.max_bucket, keep_unlike)
    found = cluster(table, shingles_of(table), comparison).rows
    assert found.schema == CLUSTERS
    return dict(zip(found["id"].to_pylist(), found["cluster_id"].to_pylist(), strict=True))


@pytest.mark.parametrize("keep_unlike", [True, False])
def test_a_chain_is_one_cluster_of_several_kept_copies(keep_unlike: bool) -> None:
    """Each of its texts is like the next and unlike the one after that."""
    words = [f"word{n}" for n in range(200)]
    texts = {f"t{n}": " ".join([*(f"own{w}" for w in range(12 * n)), *words[12 * n :]]) for n in range(9)}
    table = signed(texts)
    comparison = Comparison(CONFIG.threshold, "jaccard", CONFIG.max_bucket, keep_unlike)
    found = cluster(table, shingles_of(table), comparison)
    rows = {row["id"]: row for row in found.rows.to_pylist()}
    kept = {name for name, row in rows.items() if row["drop_reason"] is None}
    assert set(rows) == set(texts) and {row["minhash_cluster_size"] for row in rows.values()} == {len(texts)}
    (first,) = {row["cluster_id"] for row in rows.values()}
    assert first in kept and found.unlike == len(kept) - 1 and (len(kept) > 1) == keep_unlike
    for name, row in rows.items():
        assert row["kept_id"] in kept and (name == row["kept_id"]) == (name in kept)
        assert row["similarity"] >= CONFIG.threshold or not keep_unlike


@pytest.fixture(scope="module")
def merged() -> dict[str, dict[str, float]]:
    """By language: the share of planted pairs that share a cluster, by what was done to the second of a pair. All
    languages have the same sentences, the same replaced."""
    if not PARALLEL.exists():
        pytest.skip(f"no {PARALLEL}")
    shares: dict[str, dict[str, float]] = {}
    for language in SCRIPTS:
        lines = gzip.decompress((PARALLEL / f"{language}.txt.gz").read_bytes()).decode().splitlines()
        rng = np.random.default_rng(4)
        texts: dict[str, str] = {}
        kinds = {"one sentence in 24": 1, "two in 24": 2, "half of them": 12, "order of halves": 0, "all": 24}
        starts = range(0, len(lines) - 48, 6)
        for number, start in enumerate(starts):
            kind = list(kinds)[number % len(kinds)]
            first = [lines[i] for i in rng.permutation(len(lines))[:24]]
            other = list(first)
            for at in rng.choice(24, kinds[kind], replace=False).tolist():
                other[at] = lines[int(rng.integers(len(lines)))]
            if kind == "order of halves":
                other = other[12:] + other[:12]
            texts[f"{start}-a"], texts[f"{start}-b"] = "\n".join(first), "\n".join(other)
        kept = clustered(texts)
        shares[language] = {}
        for offset, kind in enumerate(kinds):
            pairs = [start for number, start in enumerate(starts) if number % len(kinds) == offset]
            joined = sum(kept.get(f"{s}-a", "a") == kept.get(f"{s}-b", "b") for s in pairs)
            shares[language][kind] = joined / len(pairs)
    return shares


@pytest.mark.parametrize("language", SCRIPTS)
def test_every_script_behaves_as_english(merged: dict[str, dict[str, float]], language: str) -> None:
    for kind, share in merged[language].items():
        if kind != "two in 24":  # Jaccard 0.85 in the mean: some pairs are below 0.8, others in each language
            assert abs(share - merged["eng"][kind]) <= 0.01, kind
    assert merged[language]["one sentence in 24"] >= 0.99 and merged[language]["order of halves"] >= 0.99
    assert merged[language]["half of them"] <= 0.01 and merged[language]["all"] <= 0.01


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_hardly_any_texts(pages: int) -> None:
    texts = {f"t{n}": "the same words again and again, all of them, as often as it takes to sign" for n in range(pages)}
    assert len(clustered(texts)) == (2 if pages == 2 else 0)


def test_a_hot_bucket_costs_its_size() -> None:
    """Pages of one template share every band that lies in it: time grows as they do, and they are one cluster."""
    rng = np.random.default_rng(0)
    vocabulary = [f"{a}{b}" for a in "bdfgklmnprst" for b in ("alo", "eni", "ira", "omu", "ust", "yk")]
    template = " ".join(rng.choice(vocabulary, 120))

    def seconds(pages: int) -> float:
        own = rng.choice(vocabulary, (pages, 6))
        table = signed({f"p{n}": f"{template} {' '.join(words)}" for n, words in enumerate(own)})
        shingles = shingles_of(table)
        began = time.process_time()
        found = cluster(table, shingles, Comparison(CONFIG.threshold, "jaccard", CONFIG.max_bucket, True)).rows
        spent = time.process_time() - began
        assert len(found) == pages and len(set(found["cluster_id"].to_pylist())) == 1
        return spent

    seconds(500)  # kernels
    assert seconds(16_000) < 10 * seconds(4_000)
