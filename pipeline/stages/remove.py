"""remove: documents taken out of every table of a root, and out of what the stages say of their tables.

What is listed is found by its address wherever that came in: in extract, and in tables that nothing of the root was
made from. Its ids go from all other tables. Which files hold them is told by indexes of keys (`pipeline.keys`), so that
a page costs the same whatever there is of the corpus; lists of hosts need the addresses of all documents. The caller
holds the ids of all that is listed. Only files that hold a removed row are written again, a task a few files.

A removed row counts as `removed` in each stage whose tables had it: it moves there from the rows out, or from the
reason for which it had been dropped. `rows_in` is what the stage once read and stays.
"""

import functools
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.keys import key_index, stage_keys
from pipeline.lists.row_removal import CLUSTER_NAMES, concealed, key_columns, listed_rows, remove_rows
from pipeline.lists.takedown import Takedown
from pipeline.mixture.manifest import without_rows
from pipeline.stages.extract_receipts import counts_column
from pipeline.store import storage, verdict_files
from pipeline.store.generations import Generation
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.workers.tasks import TaskRunner
from schemas.distributions import LargeCluster, Member
from schemas.extract import INPUTS
from schemas.records import REMOVED, STAGES, Account, Example, Ledger, RunRecord
from schemas.scores import LearntRule, NearThreshold

T = TypeVar("T")
Page = TypeVar("Page", Example, Member, NearThreshold)

MOST_TASKS = 4096
FEW_FILES = 8  # a task: it costs more than a small file
IDS = pa.schema([("id", pa.string())])

# Stage and table whose rows are its account: the column with the reason; null or no column: a row out. Clusters tell
# of the dropped rows only, for kept ones are in documents.
COUNTED = {
    ("extract", "documents"): None,
    ("extract", "skipped"): "reason",
    ("clean", "documents"): "drop_reason",
    ("dedup", "documents"): None,
    ("dedup", "clusters"): "drop_reason",
    ("sample", "data"): None,
}
NO_PAGES = ("inputs", verdict_files.TABLE)  # tables without a row a page

Receipt = dict[str, Any]  # a row of RECEIPT
Moves = Counter[tuple[str, str | None]]  # (`eng_Latn`, reason; None: it was kept) -> rows


class File(NamedTuple):
    """path: folder of the root, table, name, whatever generation it lies in. source: where it lies. verdicts: of its
    last column."""

    path: str
    source: str
    verdicts: str | None = None


@dataclass(frozen=True)
class Corpus:
    """stages: by folder of the root. foreign: folders that are no stage's."""

    root: str
    stages: Mapping[str, tuple[RunRecord, Generation]]
    foreign: Sequence[str]

    def made_of_extract(self) -> list[str]:
        """Folders of stages all of whose documents are those of extract as it is: of these ids are enough."""
        if STAGES[0] not in self.stages:
            return []
        origin = stage_keys.origin_of(self.stages[STAGES[0]][1])
        chain = [stage for stage in STAGES if stage in self.stages and self.stages[stage][0]["stage"] == stage]
        return [stage for stage in chain if stage_keys.origin_of(self.stages[stage][1]) == origin]

    def files(self, folder: str, table: str, there: Mapping[str, str] | None = None) -> list[File]:
        """there: some of the table's files, name -> path; None: all."""
        now = self.stages[folder][1]
        there = now.files(table) if there is None else there
        judged = verdict_files.verdicts_of(now, there) if table == "documents" else {}
        return [File(f"{folder}/{table}/{name}", path, judged.get(name)) for name, path in sorted(there.items())]


class Found(NamedTuple):
    """documents: how many ids go. copies: documents that are listed nowhere and had been found to be copies of these.
    ids: all. held: the files that hold a row of theirs or name them as a cluster, each with its ids.
    """

    documents: int
    copies: int
    ids: pa.Array
    held: dict[File, list[str]]


def find(run_tasks: TaskRunner, corpus: Corpus, listed: Takedown, scratch: str) -> Found:
    """Looks through the tables; `scratch`: a folder for ids that tasks share."""
    chain = corpus.made_of_extract()
    foreign = [File(path, storage.join(corpus.root, path)) for path in _foreign_files(corpus)]
    apart = [
        file
        for folder, (_, now) in corpus.stages.items()
        if folder not in chain
        for table in now.tables()
        if table not in NO_PAGES
        for file in corpus.files(folder, table)
    ]
    lines = corpus.files("dedup", "lines") if "dedup" in chain and listed.n_hosts else []
    come_in = _with_addresses(run_tasks, corpus, listed) if "extract" in chain else []
    by_url = functools.partial(_listed_ids, listed=listed)
    held: dict[File, set[str]] = {}
    pages: set[str] = set()
    for file, ids in _each(run_tasks, by_url, [*come_in, *lines, *apart, *foreign]):
        held.setdefault(file, set()).update(ids)
        if not file.path.startswith("extract/skipped/"):
            pages.update(ids)
    known = sorted(set[str]().union(*held.values()))
    ids_file = _write_ids(scratch, known)
    hashes = key_index.hashes_of("id", known)
    candidates = [*apart, *foreign]
    for folder in chain if known else []:
        for table, columns in stage_keys.COLUMNS.get(folder, {}).items():
            if columns[0] == "id":
                now = corpus.stages[folder][1]
                there = stage_keys.files_with(run_tasks, now, folder, table, "id", hashes)
                candidates += corpus.files(folder, table, there)
    clusters: set[str] = set()
    if known:
        for file, (ids, named) in _each(run_tasks, functools.partial(_known_ids, ids_file=ids_file), candidates):
            held.setdefault(file, set()).update(ids)
            if file.path.startswith("dedup/clusters/"):
                clusters.update(named)
    copies = _copies(run_tasks, corpus, clusters, ids_file) if clusters else 0
    return Found(
        len(pages), copies, pa.array(known, pa.string()), {file: sorted(held[file]) for file in sorted(held)}
    )  # fmt: skip


def _with_addresses(run_tasks: TaskRunner, corpus: Corpus, listed: Takedown) -> list[File]:
    """Files of extract that may have a page that is listed."""
    now, files = corpus.stages["extract"][1], list[File]()
    for table in ("documents", "skipped"):
        there = None
        if not listed.n_hosts:
            there = stage_keys.files_with(run_tasks, now, "extract", table, "url", listed.url_hashes)
        files += corpus.files("extract", table, there)
    return files


def _copies(run_tasks: TaskRunner, corpus: Corpus, clusters: set[str], ids_file: str) -> int:
    """Documents that stay and are in one cluster with one that goes."""
    now = corpus.stages["dedup"][1]
    hashes = key_index.hashes_of("cluster_id", clusters)
    there = stage_keys.files_with(run_tasks, now, "dedup", "clusters", "cluster_id", hashes)
    counting = functools.partial(_count_copies, clusters=clusters, ids_file=ids_file)
    return sum(rows for _, rows in _each(run_tasks, counting, corpus.files("dedup", "clusters", there)))


def _each(run_tasks: TaskRunner, function: Any, files: Sequence[File]) -> list[tuple[File, Any]]:
    """What `function` gives of each file that it gives something of."""
    chunks = _chunks(files, FEW_FILES)
    task = functools.partial(_of_each, function=function)
    answers = [task(chunks[0])] if len(chunks) == 1 else run_tasks(task, chunks)
    return list(itertools.chain(*answers))


def _of_each(files: Sequence[File], function: Any) -> list[tuple[File, Any]]:
    answers = ((file, function(file)) for file in files)
    return [(file, answer) for file, answer in answers if answer is not None]


def _listed_ids(file: File, listed: Takedown) -> set[str] | None:
    """Ids of the rows that are listed; None where none is."""
    ids, rows = set[str](), 0
    for piece in key_columns(file.source, ("id", "url", "host")):
        hits = piece.filter(pa.array(listed_rows(piece, listed)))
        rows += len(hits)
        if "id" in hits.column_names:
            ids.update(name for name in hits["id"].to_pylist() if name is not None)
    return ids if rows else None


def _known_ids(file: File, ids_file: str) -> tuple[set[str], set[str]] | None:
    """Of the ids those that the file has, as a row's, a cluster's or a kept copy's; and the clusters of the rows that
    have one."""
    known, found, clusters = _ids_of(ids_file), set[str](), set[str]()
    for piece in key_columns(file.source, ("id", *CLUSTER_NAMES)):
        for name in piece.column_names:
            hits = piece.filter(pc.is_in(piece[name], value_set=known))
            found.update(hits[name].to_pylist())
            if name == "id" and "cluster_id" in piece.column_names:
                clusters.update(cluster for cluster in hits["cluster_id"].to_pylist() if cluster is not None)
    return (found, clusters) if found else None


def _count_copies(file: File, clusters: set[str], ids_file: str) -> int:
    known, named, rows = _ids_of(ids_file), pa.array(sorted(clusters), pa.string()), 0
    for piece in key_columns(file.source, ("id", "cluster_id")):
        theirs = piece.filter(pc.is_in(piece["cluster_id"], value_set=named))
        rows += pc.sum(pc.invert(pc.is_in(theirs["id"], value_set=known))).as_py() or 0
    return rows


def _write_ids(scratch: str, ids: Sequence[str]) -> str:
    path = storage.join(scratch, f"{key_index.digest(ids)}.parquet")  # a worker of an engine keeps what it has read
    with RowGroupWriter(path, IDS) as out:
        out.write(pa.table([ids], IDS))
    return path


@functools.lru_cache(maxsize=1)
def _ids_of(ids_file: str) -> pa.Array:
    return read_parquet(ids_file).column(0).combine_chunks()


def _foreign_files(corpus: Corpus) -> Iterator[str]:
    for folder in corpus.foreign:
        for name in storage.listing(storage.join(corpus.root, folder)):
            if name.endswith(".parquet"):
                yield f"{folder}/{name}"


def rewrite_files(
    run_tasks: TaskRunner, targets: Mapping[File, str | None], stages: Mapping[str, str], listed: Takedown, found: Found
) -> list[Receipt]:
    """Writes files without the rows that `find` found in them, verdicts that lie beside them put in; answers a row of
    RECEIPT for each.

    targets: where the new file is to be, None: count only. stages: folder of the root -> stage.
    """
    asked = [(file, target, found.held[file]) for file, target in sorted(targets.items())]
    task = functools.partial(_rewrite_chunk, stages=stages, listed=listed)
    return sorted(itertools.chain(*run_tasks(task, _chunks(asked))), key=lambda receipt: receipt["path"])


def _rewrite_chunk(
    asked: Sequence[tuple[File, str | None, list[str]]], stages: Mapping[str, str], listed: Takedown
) -> list[Receipt]:
    receipts = []
    for file, target, ids in asked:
        folder, table = table_of(file.path)
        reason = COUNTED.get((stages.get(folder, ""), table))
        known = pa.array(ids, pa.string())
        receipts.append({**remove_rows(file.source, target, listed, known, reason, file.verdicts), "path": file.path})
    return receipts


def _chunks(items: Sequence[T], few: int = 1) -> list[list[T]]:
    """Items for at most MOST_TASKS tasks, `few` or more for each."""
    size = max(few, -(-len(items) // MOST_TASKS)) if items else 0
    return [list(items[at : at + size]) for at in range(0, len(items), size or 1)]


def table_of(path: str) -> tuple[str, str]:
    """Folder of the root and table in it: `sample/data/eng_Latn/...` is of sample's `data`."""
    folder, _, rest = path.partition("/")
    return folder, rest.partition("/")[0] if "/" in rest else ""


def rows_by_table(receipts: Iterable[Receipt]) -> dict[str, int]:
    """`clean/documents` -> rows removed; a table that only lost the name of a cluster is not there."""
    counts: Counter[str] = Counter()
    for receipt in receipts:
        counts["/".join(filter(None, table_of(receipt["path"])))] += receipt["removed"]
    return {name: rows for name, rows in sorted(counts.items()) if rows}


def archive_of(receipt: Receipt) -> str:
    """In extract's tables: name of the archive's files."""
    return str(receipt["path"]).rsplit("/", 1)[-1]


def moves(stage: str, receipts: Iterable[Receipt]) -> Moves:
    """What of a stage's account the removed rows were; label empty in extract, which knows no languages.

    receipts: of the stage's folder.
    """
    moved: Moves = Counter()
    for receipt in receipts:
        table = table_of(receipt["path"])[1]
        if (stage, table) in COUNTED:
            for lost in receipt["lost"]:
                if table != "clusters" or lost["reason"] is not None:
                    label = f"{lost['language'] or 'und'}_{lost['language_script'] or 'Zyyy'}"
                    moved["" if stage == "extract" else label, lost["reason"]] += lost["rows"]
    return moved


def ledger(old: Ledger, moved: Moves, removed: Mapping[str, int]) -> Ledger:
    """The account after rows were removed. removed: table -> rows."""
    by_language = {name: _less(account, name, moved) for name, account in old["by_language"].items()}
    written = {name: rows - removed.get(name, 0) for name, rows in old["tables"].items()}
    total = _less(old, None, moved)
    return Ledger(stage=old["stage"], by_language=by_language, tables=written, **total)


def _less(account: Account, label: str | None, moved: Moves) -> Account:
    """`label` None: of all languages."""
    dropped, rows_out, total = Counter(account["dropped"]), account["rows_out"], 0
    for (where, reason), rows in moved.items():
        if label in (None, where):
            total += rows
            if reason is None:
                rows_out -= rows
            else:
                dropped[reason] -= rows
    dropped[REMOVED] += total
    return Account(
        rows_in=account["rows_in"],
        rows_out=rows_out,
        dropped={reason: rows for reason, rows in sorted(dropped.items()) if rows},
    )


def examples(old: list[Example], listed: Takedown, ids: pa.Array) -> list[Example]:
    """Those that stay."""
    return _staying(old, listed, ids)


def large_clusters(old: list[LargeCluster], listed: Takedown, ids: pa.Array) -> list[LargeCluster]:
    """With the members that stay, named as the tables name them; sizes are those of the tables, which stay too."""
    gone = set(ids.to_pylist())

    def name(known: str) -> str:
        return concealed(known) if known in gone else known

    found = []
    for cluster in old:
        members = [
            Member({**member, "kept_id": name(member["kept_id"])})
            for member in _staying(cluster["members"], listed, ids)
        ]
        found.append(LargeCluster(cluster_id=name(cluster["cluster_id"]), size=cluster["size"], members=members))
    return [cluster for cluster in found if cluster["members"]]


def learnt_rules(old: list[LearntRule], listed: Takedown, ids: pa.Array) -> list[LearntRule]:
    """With the examples that stay; the counts are those of the tables as clean wrote them."""
    return [LearntRule({**rule, "examples": _staying(rule["examples"], listed, ids)}) for rule in old]


def _staying(shown: list[Page], listed: Takedown, ids: pa.Array) -> list[Page]:
    gone = pc.is_in(pa.array([page["id"] for page in shown], pa.string()), value_set=ids).to_pylist()
    hits = listed.match(pa.array([page["url"] for page in shown], pa.string()))
    return [page for page, *why in zip(shown, gone, hits, strict=True) if not any(why)]


def mixture(old: dict[str, Any], receipts: Iterable[Receipt]) -> dict[str, Any]:
    """`mixture.json` without the removed rows; how often a language is seen stays as it was planned."""
    gone: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for receipt in receipts:
        _, _, label, name = receipt["path"].split("/")
        gone[label, name.split("-")[0]].update(rows=receipt["removed"], bytes=receipt["bytes"])
    return without_rows(old, gone)


def count_in_archives(
    run_tasks: TaskRunner, sources: Mapping[str, str], target: str, receipts: Iterable[Receipt]
) -> None:
    """Writes extract's table `inputs` to a folder, in step with its other two: an archive's receipt has the name of its
    rows' files. A later run of extract adds these receipts up. sources: the receipts as they are, name -> path.
    """
    moved: dict[str, Counter[str | None]] = defaultdict(Counter)
    for receipt in receipts:
        for lost in receipt["lost"]:
            moved[archive_of(receipt)][lost["reason"]] += lost["rows"]
    asked = [(sources[name], storage.join(target, name), counts) for name, counts in sorted(moved.items())]
    run_tasks(_count_in_chunk, _chunks(asked))


def _count_in_chunk(asked: Sequence[tuple[str, str, Mapping[str | None, int]]]) -> None:
    for source, target, moved in asked:
        with RowGroupWriter(target, INPUTS) as out:
            for row in read_parquet(source).to_pylist():
                counts = recounted(row["counts"], moved)
                documents = sum(entry["count"] for entry in counts if entry["reason"] is None)
                out.add({**row, "counts": counts, "documents": documents})


def recounted(counts: list[dict[str, Any]], moved: Mapping[str | None, int]) -> list[dict[str, Any]]:
    """An archive's counts with so many of each reason moved to `removed`. Where a reason has several types of record,
    the commonest gives first: a document does not say what type it came from.
    """
    left = Counter({(entry["record_type"], entry["reason"]): entry["count"] for entry in counts})
    for reason, rows in moved.items():
        for kind, why in sorted(left, key=lambda entry: (-left[entry], str(entry))):
            if why == reason and why != REMOVED:
                taken = min(rows, left[kind, why])
                left[kind, why] -= taken
                left[kind, REMOVED] += taken
                rows -= taken
    return counts_column(left)
