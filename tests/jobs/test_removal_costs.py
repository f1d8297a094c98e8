"""What taking one page down costs on a store: bytes read and written there do not grow with the corpus."""

import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jobs import explain, remove
from pipeline.keys import stage_keys
from pipeline.lists.takedown import Takedown
from pipeline.spark.session import LazySession
from pipeline.store import generations, run_records, storage
from pipeline.store.row_groups import RowGroupWriter
from schemas.clean import VERDICT
from schemas.dedup import CLUSTERS, SIGNATURES
from schemas.extract import DOCUMENTS, INPUTS, SKIPPED
from schemas.records import Ledger
from schemas.sample import SHARD, shard_path

PAGES = 12  # an archive
SIZES = (3, 60)  # archives
ARCHIVES_A_FILE = 3  # of clusters and shards
ASKED = "https://of-archive-1.example.org/3"


def here(function: Callable[[Any], Any], items: Sequence[Any], /, step: object = None) -> list[Any]:
    return [function(item) for item in items]


class Counted:
    """A store whose bytes are counted by what is asked of it: `read` and `written`."""

    def __init__(self, store: Any, counts: Counter[str]) -> None:
        self.store, self.bytes = store, counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        data: bytes = self.store.cat_file(path, start, end)
        self.bytes["read"] += len(data)
        return data

    def put_file(self, source: str, path: str) -> None:
        self.bytes["written"] += Path(source).stat().st_size
        self.store.put_file(source, path)

    @contextmanager
    def open(self, path: str, mode: str = "rb") -> Iterator[Any]:
        with self.store.open(path, mode) as file:
            yield Reading(file, self.bytes)


class Reading:
    def __init__(self, file: Any, counts: Counter[str]) -> None:
        self._file, self._counts = file, counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._file.read(size)
        self._counts["read"] += len(data)
        return data


def rows_of(archive: int) -> list[dict[str, Any]]:
    draw = random.Random(archive)
    return [
        {
            "id": f"<urn:uuid:{archive:08}-0000-4000-8000-{page:012}>",
            "url": f"https://of-archive-{archive}.example.org/{page}",
            "text": "".join(draw.choices("abcdefghij klmnop", k=1500)),
            "language": "eng",
            "language_script": "Latn",
            "language_score": 0.9,
            "weight": 1.0,
            "minhash_cluster_size": 2,
            "file_path": f"{archive}.warc.gz",
            "shingles": draw.randbytes(800),
        }
        for page in range(PAGES)
    ]


def corpus(root: str, archives: int) -> None:
    """Four finished stages over made-up pages, every second of which is a copy of the one before."""
    pages = [rows_of(number) for number in range(archives)]
    names = [f"part-{number:05d}.parquet" for number in range(archives)]
    groups = [[*chain(*pages[at : at + ARCHIVES_A_FILE])] for at in range(0, archives, ARCHIVES_A_FILE)]
    shards = [shard_path("eng", "Latn", "train", at, len(groups)) for at in range(len(groups))]
    own = ("id", "text", "url", "language", "language_script", "language_score")
    cleaned = pa.schema([*map(SHARD.field, own), pa.field(*VERDICT)])
    counts = {"counts": [{"record_type": "response", "reason": None, "count": PAGES}], "documents": PAGES}
    receipts = [[{"file_path": page[0]["file_path"], "records": PAGES, "status": "ok", **counts}] for page in pages]
    copies = [
        [{**row, **dict.fromkeys(("cluster_id", "kept_id"), group[at - at % 2]["id"]),
          "drop_reason": "minhash" if at % 2 else None}
         for at, row in enumerate(group)] for group in groups
    ]  # fmt: skip
    written: dict[str, dict[str, tuple[pa.Schema, Sequence[str], list[list[dict[str, Any]]]]]] = {
        "extract": {
            "documents": (DOCUMENTS, names, pages),
            "skipped": (SKIPPED, names, [[] for _ in pages]),
            "inputs": (INPUTS, names, receipts),
        },
        "clean": {"documents": (cleaned, names, pages)},
        "dedup": {
            "documents": (cleaned, names, pages),
            "signatures": (SIGNATURES, names, pages),
            "clusters": (CLUSTERS, names[: len(groups)], copies),
        },
        "sample": {"data": (SHARD, [name.removeprefix("data/") for name in shards], groups)},
    }
    before: dict[str, str] = {}
    rows = archives * PAGES
    entry = {"documents": rows, "bytes": 1500 * rows, "characters": 1500 * rows, "validation_documents": 0}
    entry |= {"validation_bytes": 0, "weighted": rows, "epochs": 1.0, "share": 1.0, "max_epochs": 4}
    mixed = {"format": 2, "method": "natural", "unit": "bytes", "max_epochs": 4, "upsampling": "none", "schedule": []}
    for stage, tables in written.items():
        record = run_records.make_record(stage, 1, {"thresholds": ""}, before)
        folder = storage.join(root, stage)
        with run_records.building(folder, record) as place:
            for table, (schema, named, parts) in tables.items():
                for name, part in zip(named, parts, strict=True):
                    with RowGroupWriter(storage.join(place, table, name), schema) as out:
                        for row in part:
                            out.add({column: row.get(column) for column in schema.names})
            listed = {table: named for table, (_, named, _) in tables.items()}
            origin = stage_keys.origin_of(generations.current(storage.join(root, "extract"))) or record["fingerprint"]
            stage_keys.write_keys(here, place, stage, listed, origin)
            if stage == "sample":
                storage.write_json(storage.join(place, "mixture.json"), {**mixed, "languages": {"eng_Latn": entry}})
            account = Ledger(
                stage=stage, rows_in=rows, rows_out=rows, dropped={}, by_language={}, tables=dict.fromkeys(tables, rows)
            )  # fmt: skip
            run_records.publish(folder, record, account, [], listed)
        before = {stage: record["fingerprint"]}


def test_a_page_costs_the_same_in_a_corpus_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty times the archives: the same bytes written, and read but for buckets of indexes, which fill up."""
    monkeypatch.setattr(remove, "cheapest_runner", lambda _: here)
    monkeypatch.setattr("pipeline.explaining.corpus.process_runner", lambda _: here)
    (tmp_path / "urls.txt").write_text(f"{ASKED}\n")
    costs: dict[str, list[Counter[str]]] = {"explain": [], "remove": []}
    held = []
    for archives in SIZES:
        root = f"memory://{uuid.uuid4().hex}"
        with monkeypatch.context() as patch:
            counts, real = Counter[str](), storage.filesystem

            def counted(path: str, real: Any = real, counts: Counter[str] = counts) -> tuple[Any, str]:
                fs, inside = real(path)
                return (Counted(fs, counts) if path.startswith("memory://") else fs), inside

            patch.setattr(storage, "filesystem", counted)
            corpus(root, archives)
            held.append(counts["written"])
            counts.clear()
            assert explain.main(["--root", root, "--url", ASKED]) == 0
            assert "sample: in data/" in capsys.readouterr().out
            costs["explain"].append(Counter(counts))
            counts.clear()
            remove.run(LazySession("test", None), root, Takedown([str(tmp_path / "urls.txt")], []), [])
            costs["remove"].append(Counter(counts))
            assert "1 rows of sample/data" in capsys.readouterr().out
            for stage in ("extract", "clean"):
                assert sum("/g2/" in path for path in generations.files(f"{root}/{stage}", "documents").values()) == 1
    assert held[1] > 15 * held[0]
    for small, large in costs.values():
        assert large["written"] <= 1.05 * small["written"]
        assert large["read"] <= 1.25 * small["read"]
    assert costs["explain"][0]["written"] == 0
