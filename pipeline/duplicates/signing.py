"""Signatures of a table's texts, a file a split."""

import functools
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import DedupConfig
from pipeline.duplicates.signature_table import Signer, guarded_signature_rows
from pipeline.duplicates.small_lines import step
from pipeline.duplicates.survivors import quality_of
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable, column_or, labels_of, rows_of
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import BATCH_BYTES, Split, part_file
from pipeline.workers.guard import Guard
from pipeline.workers.tasks import TaskRunner
from schemas.dedup import SIGNATURES
from schemas.records import UNLABELLED

PLAIN = ("id", "text_hash", "bands", "shingles", "n_chars")


def sign(table: DocumentTable, config: DedupConfig, folder: str, run_tasks: TaskRunner) -> list[int]:
    """Writes rows of SIGNATURES to the folder, a file a split, one a row that counts, in their order; how many in
    each."""
    signer, splits = Signer(config.hasher(), config.min_shingles), table.files.splits
    signing = functools.partial(_sign_split, table=table, signer=signer, config=config, folder=folder)
    return run_tasks(signing, splits, step("signatures", splits))


def _sign_split(split: Split, table: DocumentTable, signer: Signer, config: DedupConfig, folder: str) -> int:
    names, quality_column = set(table.files.schema.names), config.quality_column
    guard = _guard(signer, config.text_seconds)
    optional = [name for name in (quality_column, "date", *UNLABELLED) if name in names]
    columns = list(dict.fromkeys([table.id_column, table.text_column, *optional]))
    with RowGroupWriter(part_file(folder, split), SIGNATURES, plain=PLAIN, most_bytes=BATCH_BYTES) as out:
        for batch in rows_of(table, split, columns):
            for signed in guarded_signature_rows(guard, signer, _to_sign(batch, table, quality_column)):
                out.write(signed)
    return out.rows


@functools.lru_cache(maxsize=1)
def _guard(signer: Signer, text_seconds: float) -> Guard:
    """Once a worker."""
    return Guard("dedup", signer, text_seconds)


def _to_sign(batch: pa.RecordBatch, table: DocumentTable, quality_column: str) -> pa.RecordBatch:
    columns = {
        "id": batch.column(table.id_column),
        "text": pc.fill_null(batch.column(table.text_column), ""),
        "quality": quality_of(batch, quality_column),
        "date": pc.fill_null(column_or(batch, "date", ""), ""),
        **{name: column_or(batch, name, missing) for name, missing in UNLABELLED.items()},
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def leave_out(item: tuple[str, int, str]) -> Counter[str]:
    """Takes rows out of a file of signatures; how many by label. item: the file, its rows, and a table of those that
    go, `row`, ascending. What a file lacks already an earlier attempt took, which has said so beside the table."""
    path, n, gone = item
    table, said = read_parquet(path), f"{gone}.json"
    if len(table) == n:
        goes = np.zeros(n, np.bool_)
        goes[read_parquet(gone, ["row"])["row"].to_numpy()] = True
        storage.write_json(said, Counter(labels_of(table.filter(pa.array(goes)))))
        with RowGroupWriter(path, SIGNATURES, plain=PLAIN, most_bytes=BATCH_BYTES) as out:
            out.write(table.filter(pa.array(~goes)))
    return Counter(storage.read_json(said))
