"""A Parquet file without some of its rows: the same schema, order, codec and row groups, one of them in memory.

A row group keeps its number, be it empty: a training run goes by these in its data, and goes on in what is left. Only
empty ones at the front are left out, since readers take the first one's size for that of all.

Rows go by their `url`, their `host` or their `id`. A `cluster_id`, `kept_id` or `other_id` that names a document that
goes is replaced by a name that does not tell it and still holds the cluster together.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.lists.takedown import Takedown
from pipeline.store import verdict_files
from pipeline.store.parquet_files import open_parquet
from pipeline.store.row_groups import RowGroupWriter

CLUSTER_NAMES = ("cluster_id", "kept_id", "other_id")
KEYS = ("id", "url", "host", *CLUSTER_NAMES)
LOST = pa.struct([("language", pa.string()), ("language_script", pa.string()), ("reason", pa.string())])
RECEIPT = pa.schema(
    [
        ("path", pa.string()),
        ("rows", pa.int64()),  # before
        ("removed", pa.int64()),
        ("bytes", pa.int64()),  # of the removed rows' `text`, as UTF-8
        ("lost", pa.list_(pa.struct([*LOST, ("rows", pa.int64())]))),  # the removed rows by what they say
    ]
)


def concealed(name: str) -> str:
    """Another name for the cluster of a removed document."""
    return "removed:" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def key_columns(path: str, names: Iterable[str] = KEYS) -> Iterator[pa.Table]:
    """The columns `names`, as far as the file has them and they can be read as strings, in bounded pieces."""
    with open_parquet(path) as file:
        keys = _keys_of(file.schema_arrow, names)
        if keys:
            for batch in file.iter_batches(batch_size=1 << 16, columns=keys, use_threads=False):
                yield _as_strings(pa.Table.from_batches([batch]), keys)


def remove_rows(
    source: str, target: str | None, listed: Takedown, ids: pa.Array, reason: str | None, verdicts: str | None = None
) -> dict[str, Any]:
    """Writes `target`, the file `source` without the rows that are listed or whose id is in `ids`; answers a row of
    RECEIPT, its path null. Where `target` is None nothing is written. `reason`: the column that says why a row was
    dropped, None where a table has only kept rows. `verdicts`: file that stands for this column, whose values are
    written. Paths are of any store; `target` may be `source`.
    """
    lost: Counter[tuple[str | None, ...]] = Counter()
    removed = size = 0
    judged = verdict_files.read_verdicts(verdicts) if verdicts else None
    with open_parquet(source) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        counted_by = [name for name in (*LOST.names[:2], reason) if name in schema.names]
        weighed = ["text"] if "text" in schema.names and _is_text(schema.field("text").type) else []
        read = None if target else list(dict.fromkeys([*_keys_of(schema, KEYS), *counted_by, *weighed]))

        def kept() -> Iterator[pa.Table]:
            nonlocal removed, size
            for place in range(file.num_row_groups):
                group = file.read_row_group(place, read, use_threads=False)
                if judged is not None:
                    group = verdict_files.with_verdicts(group, judged[place])
                goes = _goes(group, listed, ids)
                gone = group.filter(pa.array(goes))
                removed += len(gone)
                for name in weighed:
                    size += pc.sum(pc.binary_length(gone[name])).as_py() or 0
                columns = [
                    gone[name].to_pylist() if name in counted_by else [None] * len(gone) for name in LOST.names[:2]
                ]
                reasons = gone[reason].to_pylist() if reason in counted_by else [None] * len(gone)
                lost.update(zip(*columns, reasons, strict=True))
                yield _conceal(group.filter(pa.array(~goes)), ids)

        if target is None:
            for _ in kept():
                pass
        else:
            with RowGroupWriter(target, schema, compression=_codec(file.metadata)) as out:
                for piece in kept():
                    if len(piece) or out.rows:
                        out.write_group(piece)
    breakdown = [dict(zip([*LOST.names, "rows"], [*what, n], strict=True)) for what, n in sorted(lost.items(), key=str)]
    return {"path": None, "rows": rows, "removed": removed, "bytes": size, "lost": breakdown}


def listed_rows(keys: pa.Table, listed: Takedown) -> np.ndarray:
    """bool, a value a row: whether its url or host is listed. keys: a piece of `key_columns`."""
    goes = np.zeros(len(keys), np.bool_)
    for name, match in (("url", listed.match), ("host", listed.match_hosts)):
        if name in keys.column_names:
            goes |= match(_joined(keys[name]))
    return goes


def _goes(group: pa.Table, listed: Takedown, ids: pa.Array) -> np.ndarray:
    keys = _as_strings(group, _keys_of(group.schema, KEYS))
    goes = listed_rows(keys, listed)
    if "id" in keys.column_names and len(ids):
        goes |= pc.is_in(_joined(keys["id"]), value_set=ids).to_numpy(zero_copy_only=False)
    return goes


def _conceal(kept: pa.Table, ids: pa.Array) -> pa.Table:
    for column in _keys_of(kept.schema, CLUSTER_NAMES) if len(ids) else ():
        place = kept.schema.get_field_index(column)
        field, named = kept.schema.field(place), _joined(_as_strings(kept, [column])[column])
        hit = pc.is_in(named, value_set=ids)
        if pc.any(hit).as_py() and _is_text(field.type):
            names = pa.array([concealed(name or "") for name in named.filter(hit).to_pylist()], pa.string())
            kept = kept.set_column(place, field, pc.replace_with_mask(named, hit, names).cast(field.type))
    return kept


def _codec(old: pq.FileMetaData) -> str:
    if not old.num_row_groups or not old.num_columns:
        return "ZSTD"
    codec = str(old.row_group(0).column(0).compression)
    return "NONE" if codec == "UNCOMPRESSED" else codec


def _keys_of(schema: pa.Schema, names: Iterable[str]) -> list[str]:
    return [name for name in names if name in schema.names and _is_key(schema.field(name).type)]


def _is_key(kind: pa.DataType) -> bool:
    return _is_text(kind) or pa.types.is_integer(kind)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _as_strings(table: pa.Table, names: Iterable[str]) -> pa.Table:
    strings = table.select(list(names))  # of no column it has rows all the same
    for place, name in enumerate(strings.column_names):
        strings = strings.set_column(place, name, strings[name].cast(pa.string()))
    return strings


def _joined(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
