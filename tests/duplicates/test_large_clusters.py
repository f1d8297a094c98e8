"""The largest clusters and their members, beside a plain reading of the rows."""

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.duplicates import large_clusters as module
from schemas.dedup import CLUSTERS
from schemas.distributions import LARGEST_CLUSTERS, MEMBERS_SHOWN

Row = dict[str, Any]


def clustered(seed: int) -> list[Row]:
    """Clusters of many sizes, of which several are alike, of this crawl and of earlier ones, and what failed."""
    draw, rows = random.Random(seed), list[Row]()
    for number in range(60):
        crawl, first = draw.choice([None, None, "0ld"]), f"{draw.choice(['ก', '字', 'a', 'ب'])}{number:02}"
        members = [first, *(f"{first}-{n}" for n in range(draw.choice([1, 2, 3, 12])))]
        kept = [name for name in members if name == first or draw.random() < 0.2]
        for name in members:
            copy = name if name in kept else draw.choice(kept)
            alike = draw.choice([1.0, None, round(draw.uniform(0.5, 0.99), 2)])
            rows.append(
                {
                    "id": name,
                    "cluster_id": first,
                    "kept_id": copy,
                    "minhash_cluster_size": len(members) + (crawl is not None),
                    "drop_reason": None if name in kept else "exact" if alike == 1.0 else "minhash",
                    "similarity": 1.0 if name in kept else alike,
                    "crawl": crawl if name == first else None,
                    "cluster_crawl": crawl,
                    "kept_crawl": crawl if copy == first else None,
                    "language": "eng",
                    "language_script": "Latn",
                }
            )
    failed = {"minhash_cluster_size": 1, "drop_reason": "failed:signing"}
    rows += [{"id": f"x{n}", "cluster_id": f"x{n}", "kept_id": f"x{n}", **failed} for n in range(9)]
    draw.shuffle(rows)
    return rows


def expected(rows: list[Row]) -> list[Row]:
    clusters: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["minhash_cluster_size"] > 1 and row.get("crawl") is None:
            clusters[row["cluster_id"], row["cluster_crawl"] or ""].append(row)
    names = sorted(clusters, key=lambda name: (-clusters[name][0]["minhash_cluster_size"], *name))[:LARGEST_CLUSTERS]
    found = []
    for name in names:
        kept = [row for row in clusters[name] if row["drop_reason"] is None]
        kept.sort(key=lambda row: (name[1] != "" or row["id"] != name[0], row["id"]))
        gone = [row for row in clusters[name] if row["drop_reason"] is not None]
        gone.sort(
            key=lambda row: (
                row["kept_id"] != name[0], 1.0 if row["similarity"] is None else row["similarity"], row["id"],
            )
        )  # fmt: skip
        n_kept = max(2, MEMBERS_SHOWN - len(gone))
        members = (kept[:n_kept] + gone)[:MEMBERS_SHOWN]
        found.append(
            {
                "cluster_id": name[0],
                "size": members[0]["minhash_cluster_size"],
                "members": [
                    {
                        **page(row["id"]),
                        "similarity": row["similarity"] if row["drop_reason"] == "minhash" else None,
                        "reason": row["drop_reason"],
                        "kept_id": row["kept_id"],
                    }
                    for row in members
                ],
            }
        )
    return found


def page(name: str) -> dict[str, str]:
    return {"id": name, "url": f"http://x/{name}", "language": "eng_Latn", "text": f"text of {name}"}


@pytest.mark.parametrize("seed", range(8))
def test_they_are_the_largest_in_any_division(seed: int, tmp_path: Path) -> None:
    rows = clustered(seed)
    seen = [page(row["id"]) for row in rows]
    table = pa.Table.from_pylist(rows, schema=CLUSTERS)
    assert module.large_clusters(module.in_rows(table), seen) == expected(rows)
    assert any(len(one["members"]) == MEMBERS_SHOWN for one in expected(rows))
    cuts = sorted(random.Random(seed).sample(range(1, len(rows)), 20))
    paths = []
    for begin, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        paths.append(str(tmp_path / f"{begin}.parquet"))
        pq.write_table(table.slice(begin, end - begin), paths[-1])
    found = module.in_files(lambda function, items, step=None: [function(item) for item in items], paths)
    assert module.large_clusters(found, seen) == expected(rows)


def test_without_copies() -> None:
    assert module.large_clusters(module.in_rows(CLUSTERS.empty_table()), []) == []
