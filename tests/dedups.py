"""Runs of jobs/dedup.py on made-up tables, and crawls to be compared."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from copies import Row, family

from jobs import dedup
from pipeline.duplicates.signing import Signer, signature_rows
from pipeline.repeats.small_paragraphs import TABLES as PARAGRAPHS
from pipeline.spark.session import LazySession
from pipeline.workers.expendable import enter
from schemas.records import unbalanced

Dedup = Callable[..., Path]


class Picky(Signer):
    """Fails on some texts."""

    def __call__(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        texts = batch.column("text").to_pylist()
        enter("signing")
        if any(text.startswith("UNREADABLE raise") for text in texts):
            raise ValueError("planted")
        while any(text.startswith("UNREADABLE loop") for text in texts):
            pass
        return signature_rows(batch, self.hasher, self.min_shingles)


def dedup_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dedup:
    """Runs the job on rows, or a table, and answers its folder; a small table without an engine unless `engine`."""

    def go(name: str, rows: list[Row] | pa.Table, *flags: object, status: int = 0, engine: bool = False) -> Path:
        monkeypatch.setattr(LazySession, "local_cores", lambda _: None if engine else 2)
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=50)
        output = tmp_path / name
        argv = ["--input", tmp_path / f"{name}.parquet", "--output", output, *flags]
        assert dedup.main([str(word) for word in argv]) == status
        if status == 0:
            assert unbalanced(json.loads((output / "_ledger.json").read_text())) == 0
            assert {path.name for path in output.iterdir()} - {"lines", "spans", *PARAGRAPHS} == {
                "_clusters.json", "_cost.json", "_examples.json", "_files.json", "_ledger.json", "_names.json",
                "_run.json", "clusters", "documents", "signatures",
            }  # fmt: skip
        return output

    return go


def rows_of(folder: Path, name: str = "documents") -> list[Row]:
    return sorted(pq.read_table(folder / name).to_pylist(), key=lambda row: str(row.get("id", row.get("line_hash"))))


# Three crawls: copies inside and across them, exact and near, and texts that are in one only.
FAMILIES = [
    *(family(f"near{n}", [0, 2, 5, 1, 3, 7], n) for n in range(6)),
    *(family(f"same{n}", [0, 0, 0, 4, 0, 0], 100 + n) for n in range(4)),
    *(family(f"pair{n}", [0, 6], 200 + n) for n in range(8)),
    *(family(f"alone{n}", [0], 300 + n) for n in range(10)),
]


def crawls() -> list[list[Row]]:
    parts: list[list[Row]] = [[], [], []]
    rng = np.random.default_rng(5)
    for members in FAMILIES:
        start = int(rng.integers(3))
        for number, row in enumerate(members):
            parts[(start + number) % 3].append({**row, "age": (start + number) % 3})
    return parts
