import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs import dedup
from pipeline.config import DedupConfig
from pipeline.duplicates.minhash import signatures
from pipeline.kernels.arrow_text import from_strings
from pipeline.words.words import words
from schemas.dedup import CLUSTERS, REASONS, SIGNATURES, SIGNING_FAILED
from schemas.records import unbalanced

CONFIG = DedupConfig(quality_column="quality")
HASHER = CONFIG.hasher()


class Signature(NamedTuple):
    text_hash: bytes
    bands: list[int]
    shingles: list[int]


def signature(text: str) -> Signature:
    found = signatures(from_strings([text]), HASHER, CONFIG.min_shingles)
    return Signature(found.text_hashes.tobytes(), found.bands.tolist(), found.shingles.tolist())


SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "text")),
        ("quality", pa.float32()),
        *((name, pa.string()) for name in ("date", "language", "language_script")),
        ("extra", pa.int32()),
    ]
)
WORDS = [
    "river",
    "stone",
    "light",
    "wind",
    "house",
    "garden",
    "winter",
    "silver",
    "morning",
    "letter",
    "bridge",
    "answer",
    "doctor",
    "village",
    "music",
    "paper",
]
HAN = "河石光风家园冬银晨信桥答医生村音乐纸的了在是我有他这中大来上国个"
THAI = "กขคงจชซญดตถทนบปผฝพฟมยรลวสหอ"


class Doc(NamedTuple):
    id: str
    text: str | None
    quality: float | None = 0.0
    date: str | None = "2026-01-01"
    language: str | None = "eng"
    language_script: str | None = "Latn"
    extra: int = 0


def planted() -> list[Doc]:
    """About 60 documents: copies of every kind in three scripts, and what has no copy."""
    rng = np.random.default_rng(7)
    documents: list[Doc] = []

    def family(name: str, alphabet: Any, glue: str, language: tuple[str, str], changes: list[int], length: int) -> None:
        first = rng.choice(list(alphabet), length).tolist()
        for number, changed in enumerate(changes):
            text = list(first)
            for at in rng.choice(length, changed, replace=False).tolist():
                text[at] = alphabet[int(rng.integers(len(alphabet)))]
            documents.append(Doc(f"{name}-{number}", glue.join(text), 0.0, "2026-01-01", *language))

    family("near", WORDS, " ", ("eng", "Latn"), [0, 1, 2, 3, 5, 8, 13, 21, 34, 55], 300)
    family("han", HAN, "", ("cmn", "Hani"), [0, 1, 2, 4, 8, 16, 32, 64], 250)
    family("thai", THAI, "", ("tha", "Thai"), [0, 0, 1, 3, 30], 250)
    for number in range(12):
        family(f"alone{number}", WORDS, " ", ("eng", "Latn"), [0], 60)
    drift = rng.choice(WORDS, 200).tolist()  # a chain: each a near copy of the next, the ends unlike
    for number in range(10):
        drift[number * 20 : number * 20 + 12] = rng.choice(WORDS, 12).tolist()
        documents.append(Doc(f"drift-{number}", " ".join(drift)))
    documents += [
        # Equal words, from here to the end of each group the preferred copy first.
        Doc("score-b", "Another text with few words", 0.9, "2026-09-09"),
        Doc("score-a", "another TEXT with -- few -- words", 0.3, "2020-01-01"),
        Doc("score-d", "another text with few WORDS!!!!!!!!", -0.3, "2019-01-01"),
        Doc("score-c", "another, text, with, few, WORDS!!!!!", None, "2018-01-01"),
        Doc("score-e", "another, text, with, few, WORDS!!!!!", float("nan"), "2019-01-01"),
        Doc("long-b", "Copied; text of -- some -- words!!", 0.0, "2026-09-09"),
        Doc("long-a", "copied text of some words", 0.0, "2020-01-01"),
        Doc("date-b", "A third text of words", 0.0, "2025-12-31"),
        Doc("date-a", "a THIRD text of words", 0.0, "2026-01-01"),
        Doc("date-c", "a third TEXT of words", 0.0, None),
        Doc("id-a", "The last of such texts", 0.0, "2026-01-01"),
        Doc("id-b", "the LAST of such texts", 0.0, "2026-01-01"),
        # Nothing to tell them apart by: blank texts are copies of one another, signs of their like only.
        Doc("blank-0", "", None, None, None, None),
        Doc("blank-1", None, None, None, None, None),
        Doc("blank-2", " \n", None, None, None, None),
        Doc("signs-0", "..."),
        Doc("signs-1", "?!"),
        # Too short for bands, one word apart: no copies.
        Doc("short-0", "eight words are too few for any shingle"),
        Doc("short-1", "eight words are too few for any band"),
        # Of equal ids one stays: the longer text, whatever the order.
        Doc("same", "first of two rows with an id", extra=1),
        Doc("same", "second of the two rows with an id", language="deu", extra=2),
        Doc("same", None, extra=3),
        Doc("twin", "word for word", extra=4),
        Doc("twin", "word for word", extra=4),
    ]
    return documents


GIVEN = planted()
TEXT = {one.id: one.text or "" for one in GIVEN}
ONE_AN_ID = [one for one in GIVEN if not (one.id == "same" and one.extra != 2)]
ONE_AN_ID = list({one.id: one for one in ONE_AN_ID}.values())
KEPT_FIRST = [
    ["score-b", "score-a", "score-d", "score-c", "score-e"], ["long-b", "long-a"], ["date-b", "date-a", "date-c"],
    ["id-a", "id-b"],
]  # fmt: skip


def jaccard(one: str, other: str) -> float:
    """Over shingles as strings: no hash involved."""
    sets = []
    for text in (one, other):
        tokens = words(text)
        sets.append({tuple(tokens[i : i + 5]) for i in range(max(1, len(tokens) - 4))})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def order(one: Doc) -> tuple[Any, ...]:
    known = one.quality is not None and one.quality == one.quality
    return (-one.quality if known else float("inf"), -len(one.text or ""), one.date is None, one.date or "", one.id)


class Found(NamedTuple):
    """A row of the clusters."""

    cluster_id: str
    kept_id: str
    size: int
    reason: str | None
    similarity: float


def oracle(documents: list[Doc]) -> tuple[dict[str, Found], int]:
    """By id: every pair compared, no buckets, no folding of copies. In a cluster each document, the preferred first,
    goes to the first kept copy that it is like. And how many kept copies have another one before them in their cluster.
    """
    signed = {one.id: signature(one.text or "") for one in documents}
    by_id = {one.id: one for one in documents}
    graph = nx.Graph()
    graph.add_nodes_from(signed)
    for one, other in combinations(signed, 2):
        first, second = signed[one], signed[other]
        candidate = any(a == b for a, b in zip(first.bands, second.bands, strict=False))
        alike = candidate and jaccard(by_id[one].text or "", by_id[other].text or "") >= CONFIG.threshold
        if first.text_hash == second.text_hash or alike:
            graph.add_edge(one, other)
    answer: dict[str, Found] = {}
    unlike = 0
    for found in nx.connected_components(graph):
        copy: dict[str, str] = {}
        for name in sorted(found, key=lambda name: order(by_id[name])):
            equal = [other for other in copy if signed[other].text_hash == signed[name].text_hash]
            near = [kept for kept in dict.fromkeys(copy.values())
                    if jaccard(by_id[name].text or "", by_id[kept].text or "") >= CONFIG.threshold]  # fmt: skip
            copy[name] = copy[equal[0]] if equal else [*near, name][0]
        unlike += len(set(copy.values())) - 1
        for name, best in copy.items() if len(found) > 1 else ():
            exact = signed[name].text_hash == signed[best].text_hash
            similarity = 1.0 if exact else jaccard(by_id[name].text or "", by_id[best].text or "")
            reason = None if name == best else "exact" if exact else "minhash"
            answer[name] = Found(next(iter(copy)), best, len(found), reason, similarity)
    return answer, unlike


class Result(NamedTuple):
    signatures: list[tuple[Any, ...]]
    clusters: list[tuple[Any, ...]]
    survivors: list[dict[str, Any]]
    ledger: dict[str, Any]


def run(spark: SparkSession, given: Path, folder: Path, *flags: str) -> Result:
    """The job by shuffles."""
    argv = ["--input", str(given), "--output", str(folder), "--quality-column", "quality", "--one-task-documents", "0"]
    assert dedup.main([*argv, *flags]) == 0
    tables = {name: pq.read_table(folder / name) for name in ("signatures", "clusters", "documents")}
    assert tables["signatures"].schema.equals(SIGNATURES) and tables["clusters"].schema.equals(CLUSTERS)
    return Result(
        sorted((*row[:3], tuple(row[3]), *row[4:]) for row in map(tuple, rows_of(tables["signatures"]))),
        sorted(map(tuple, rows_of(tables["clusters"])), key=str),
        sorted(tables["documents"].to_pylist(), key=lambda row: row["id"]),
        json.loads((folder / "_ledger.json").read_text()),
    )


def rows_of(table: pa.Table) -> list[list[Any]]:
    return [list(row.values()) for row in table.to_pylist()]


def written(documents: list[Doc], folder: Path, files: int) -> Path:
    """The documents in another order for each number of files."""
    folder.mkdir()
    order = np.random.default_rng(files).permutation(len(documents))
    rows = pa.Table.from_pylist([documents[i]._asdict() for i in order], schema=SCHEMA)
    for number, place in enumerate(range(0, len(rows) or 1, -(-len(rows) // files) or 1)):
        pq.write_table(rows.slice(place, -(-len(rows) // files)), folder / f"{number}.parquet", row_group_size=5)
    return folder


@pytest.fixture(scope="module")
def results(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Result]:
    folder = tmp_path_factory.mktemp("dedup")
    return {n: run(spark, written(GIVEN, folder / f"given {n}", n), folder / str(n)) for n in (1, 3)}


def test_clusters_are_those_of_every_pair_compared(results: dict[int, Result]) -> None:
    found = {row[0]: row for row in results[1].clusters}
    expected, unlike = oracle(ONE_AN_ID)
    assert len(found) == len(results[1].clusters)
    assert {name: tuple(row[1:5]) for name, row in found.items()} == {name: one[:4] for name, one in expected.items()}
    for name, row in found.items():
        assert row[5] == pytest.approx(expected[name].similarity, abs=1e-9)
        assert row[6:9] == (None, None, None)
    reasons = Counter(one.reason for one in expected.values())
    assert reasons["exact"] >= 8 and reasons["minhash"] > 10  # the planting took
    alike = {(a, b) for a in "0123456789" for b in "0123456789" if a < b
             and jaccard(TEXT[f"drift-{a}"], TEXT[f"drift-{b}"]) >= CONFIG.threshold}  # fmt: skip
    drift = [expected[f"drift-{i}"] for i in range(10) if f"drift-{i}" in expected]
    drifting = {one.kept_id for one in drift}
    assert len({one.cluster_id for one in drift}) < len(drifting)
    assert len(alike) >= 3 and 1 < len(drifting) < 9  # one cluster by the documents between, several kept copies
    assert results[1].ledger["tables"]["unlike"] == unlike >= len(drifting) - 1


def test_partitions_and_order_change_nothing(results: dict[int, Result]) -> None:
    assert results[1] == results[3]


def test_which_copy_stays(results: dict[int, Result]) -> None:
    """The highest quality, then the longest, then the earlier (unknown last), then the smaller id."""
    kept = {row["id"]: row for row in results[1].survivors}
    for group in KEPT_FIRST:
        assert [name for name in group if name in kept] == group[:1]
        assert kept[group[0]]["minhash_cluster_size"] == len(group)
        assert kept[group[0]]["cluster_id"] == group[0]
    assert kept["same"]["extra"] == 2 and kept["twin"]["extra"] == 4


def test_texts_without_words(results: dict[int, Result]) -> None:
    kept = {row["id"]: row["minhash_cluster_size"] for row in results[1].survivors}
    assert {name: size for name, size in kept.items() if name.startswith(("blank", "signs", "short"))} == {
        "blank-2": 3,  # the longest of them
        "signs-0": 1,
        "signs-1": 1,
        "short-0": 1,
        "short-1": 1,
    }


def test_survivors_are_the_documents_themselves(results: dict[int, Result]) -> None:
    expected, _ = oracle(ONE_AN_ID)
    by_id = {one.id: one for one in ONE_AN_ID}
    survivors = {row["id"]: row for row in results[1].survivors}
    assert len(survivors) == len(results[1].survivors)
    alone = {name: Found(name, name, 1, None, 1.0) for name in by_id if name not in expected}
    assert set(survivors) == {name for name, one in (expected | alone).items() if one.reason is None}
    for name, row in survivors.items():
        assert tuple(row[field] for field in Doc._fields) == pytest.approx(tuple(by_id[name]), nan_ok=True)
        said = (expected | alone)[name]
        assert (row["cluster_id"], row["minhash_cluster_size"]) == (said.cluster_id, said.size)
    sizes = {row["cluster_id"]: row["minhash_cluster_size"] for row in survivors.values()}
    assert sum(sizes.values()) == len(ONE_AN_ID)


def test_every_row_is_accounted_for(results: dict[int, Result]) -> None:
    ledger = results[1].ledger
    assert unbalanced(ledger) == 0 and ledger["rows_in"] == len(GIVEN)
    assert ledger["rows_out"] == len(results[1].survivors)
    assert ledger["dropped"]["same_id"] == len(GIVEN) - len(ONE_AN_ID) == 3
    assert set(ledger["dropped"]) == set(REASONS) - {"template", "substring", SIGNING_FAILED}
    rows = Counter(f"{one.language or 'und'}_{one.language_script or 'Zyyy'}" for one in GIVEN)
    assert {name: account["rows_in"] for name, account in ledger["by_language"].items()} == rows
    assert ledger["by_language"]["eng_Latn"]["dropped"]["same_id"] == 3
    assert "same_id" not in ledger["by_language"]["deu_Latn"]["dropped"]


def test_signatures_are_those_of_the_text(results: dict[int, Result]) -> None:
    by_id = {row[0]: row for row in results[1].signatures}
    for one in ONE_AN_ID:
        expected = signature(one.text or "")
        row = by_id[one.id]
        assert row[1] == expected.text_hash and list(row[3]) == expected.bands
        assert np.frombuffer(row[4], "<u4").tolist() == expected.shingles
        assert (row[5], row[7]) == (HASHER.version, len(one.text or ""))


def test_no_documents(spark: SparkSession, tmp_path: Path) -> None:
    result = run(spark, written([], tmp_path / "given", 1), tmp_path / "out")
    assert result[:3] == ([], [], []) and result.ledger["rows_in"] == 0


def test_the_contract_is_what_arrow_carries() -> None:
    assert CLUSTERS.field("minhash_cluster_size").type == pa.int64()
    assert SIGNATURES.field("text_hash").type == pa.binary()
