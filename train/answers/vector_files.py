"""Files of vectors, written and read part by part: NumPy's .npy, or .parquet with the texts beside their vectors.

In Parquet: `file`, `row` (from 1), `text`, `language` (null where nobody knows it), `vector` (float32, as many as the
model is wide), and in the metadata how they were made. A file appears when it is whole.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.errors import UserError
from train.answers.nearest import Candidate, Part, unit
from train.answers.texts import Text
from train.checkpoints.files import WholeFile
from train.encoders.vectors import Vectors

ENDINGS = (".npy", ".parquet")
MADE_BY = b"wanyu.vectors"
VECTOR, TEXT, LANGUAGE, FILE, ROW = "vector", "text", "language", "file", "row"
AT_ONCE = 4096  # rows


@dataclass(frozen=True)
class Making:
    """How vectors were made. probe: the vector of a text that all know (`train.answers.embed`). map: a digest of the
    map that they were brought through, "" of none."""

    model: str
    pooling: str
    layer: int
    probe: list[float]
    map: str = ""


class VectorFile(Protocol):
    """A context; a file beside the target until it ends well."""

    def write(self, texts: Sequence[Text], languages: Sequence[str | None], vectors: Vectors) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None: ...


def vector_file(target: Path, making: Making) -> VectorFile:
    return (NpyFile if target.suffix == ".npy" else ParquetFile)(target, making)


class NpyFile(WholeFile):
    """float32 [texts, width], a row a text."""

    def __init__(self, target: Path, making: Making) -> None:
        super().__init__(target)
        self.rows, self.making = 0, making
        self._file = self.part.open("wb")
        self._header()

    def write(self, texts: Sequence[Text], languages: Sequence[str | None], vectors: Vectors) -> None:
        self._file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
        self.rows += len(vectors)

    def close(self, whole: bool) -> None:
        self._file.seek(0)
        self._header()
        self._file.close()

    def _header(self) -> None:
        """NumPy leaves room in it for any number of rows."""
        shape = (self.rows, len(self.making.probe))
        np.lib.format.write_array_header_1_0(self._file, {"descr": "<f4", "fortran_order": False, "shape": shape})


class ParquetFile(WholeFile):
    def __init__(self, target: Path, making: Making) -> None:
        super().__init__(target)
        schema = pa.schema(
            [
                (FILE, pa.string()), (ROW, pa.int64()), (TEXT, pa.string()), (LANGUAGE, pa.string()),
                (VECTOR, pa.list_(pa.float32(), len(making.probe))),
            ],
            metadata={MADE_BY: json.dumps(asdict(making))},
        )  # fmt: skip
        # Vectors are as good as random: neither dictionaries nor statistics nor compression are worth their time.
        self._writer = pq.ParquetWriter(
            self.part, schema, compression={FILE: "zstd", TEXT: "zstd", LANGUAGE: "zstd", ROW: "zstd"},
            use_dictionary=[FILE, LANGUAGE], write_statistics=[LANGUAGE, ROW],
        )  # fmt: skip

    def write(self, texts: Sequence[Text], languages: Sequence[str | None], vectors: Vectors) -> None:
        schema = self._writer.schema
        width = schema.field(VECTOR).type.list_size
        columns = [
            pa.array([text.file for text in texts], pa.string()), pa.array([text.row for text in texts], pa.int64()),
            pa.array([text.parts[0] for text in texts], pa.string()), pa.array(languages, pa.string()),
            pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(vectors, np.float32).ravel()), width),
        ]  # fmt: skip
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))

    def close(self, whole: bool) -> None:
        self._writer.close()


@dataclass(frozen=True)
class _Rows:
    """What is known of rows, made when it is asked for."""

    file: str
    first: int
    columns: dict[str, pa.Array]

    def __getitem__(self, number: int) -> Candidate:
        file, row = self._value(FILE, number), self._value(ROW, number)
        text, language = self._value(TEXT, number), self._value(LANGUAGE, number)
        if row is None:
            return Candidate(text, language, self.file, self.first + number)
        return Candidate(text, language, file or "", int(row))

    def _value(self, column: str, number: int) -> Any:
        return self.columns[column][number].as_py() if column in self.columns else None


class StoredVectors:
    """Candidates in a file; its vectors are brought to length 1 as they are read.

    rows, width: of the matrix of them. parts: UserError for a row that is no vector of this width.
    """

    def __init__(self, path: Path) -> None:
        """UserError where there is no file of vectors."""
        self.path = path
        self.making: Making | None = None
        if not path.is_file():
            raise UserError(f"--vectors {path} is not there: make it by predict.py embed --output {path}")
        if path.suffix not in ENDINGS:
            raise UserError(f"--vectors {path} is none of {', '.join(ENDINGS)}: make it by predict.py embed")
        try:
            self.rows = self._open_npy() if path.suffix == ".npy" else self._open_parquet()
        except (OSError, ValueError, TypeError, pa.ArrowException) as error:
            if isinstance(error, UserError):
                raise
            why = " ".join(str(error).split())[:200]
            raise UserError(f"--vectors {path} cannot be read ({why}): embed its texts again") from None

    def parts(self) -> Iterator[Part]:
        if self._matrix is not None:
            for first in range(0, len(self._matrix), AT_ONCE):
                rows = self._finite(np.asarray(self._matrix[first : first + AT_ONCE], np.float32), first + 1)
                yield Part(unit(rows), [None] * len(rows), _Rows(str(self.path), first + 1, {}))
            return
        names = [name for name in (FILE, ROW, TEXT, LANGUAGE) if name in self._table.schema_arrow.names]
        first = 1
        for batch in self._table.iter_batches(AT_ONCE, columns=[*names, VECTOR]):
            columns = {name: batch.column(name) for name in names}
            known = columns[LANGUAGE].to_pylist() if LANGUAGE in columns else [None] * len(batch)
            yield Part(
                unit(self._vectors(batch.column(VECTOR), first)),
                known,
                _Rows(str(self.path), first, columns),
            )
            first += len(batch)

    def languages(self) -> set[str]:
        """Those of its rows; empty where it says none."""
        if self._matrix is not None or LANGUAGE not in self._table.schema_arrow.names:
            return set()
        batches = self._table.iter_batches(AT_ONCE, columns=[LANGUAGE])
        return {name for batch in batches for name in batch.column(LANGUAGE).unique().to_pylist() if name}

    def _open_npy(self) -> int:
        self._matrix: NDArray[Any] | None = np.load(self.path, mmap_mode="r", allow_pickle=False)
        if self._matrix.ndim != 2 or self._matrix.dtype.kind != "f":
            raise UserError(f"--vectors {self.path} is no matrix of numbers, a row a text: make it by predict.py embed")
        self.width = self._matrix.shape[1]
        return len(self._matrix)

    def _open_parquet(self) -> int:
        self._matrix = None
        self._table = pq.ParquetFile(self.path, buffer_size=1 << 20, pre_buffer=False)
        schema = self._table.schema_arrow
        kind = schema.field(VECTOR).type if VECTOR in schema.names else pa.null()
        if not pa.types.is_nested(kind) or not pa.types.is_floating(getattr(kind, "value_type", pa.null())):
            raise UserError(f"--vectors {self.path} has no column {VECTOR} of numbers: make it by predict.py embed")
        self.width = kind.list_size if pa.types.is_fixed_size_list(kind) else self._first_width()
        said = (schema.metadata or {}).get(MADE_BY)
        self.making = Making(**json.loads(said)) if said else None
        return int(self._table.metadata.num_rows)

    def _first_width(self) -> int:
        for batch in self._table.iter_batches(1, columns=[VECTOR]):
            return len(batch.column(VECTOR)[0].as_py() or ())
        return 0

    def _vectors(self, column: pa.Array, first: int) -> Vectors:
        lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(lengths != self.width)
        if len(wrong):
            place = f"{self.path}:{first + int(wrong[0])}"
            raise UserError(f"--vectors {place} is no vector of {self.width} numbers: embed its texts again")
        values = column.flatten().to_numpy(zero_copy_only=False)
        return self._finite(values.astype(np.float32, copy=False).reshape(len(column), self.width), first)

    def _finite(self, rows: Vectors, first: int) -> Vectors:
        wrong = np.flatnonzero(~np.isfinite(rows).all(1))
        if len(wrong):
            place = f"{self.path}:{first + int(wrong[0])}"
            raise UserError(f"--vectors {place} has numbers that are not finite: embed its texts again")
        return rows
