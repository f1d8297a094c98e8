"""sample: a mixture of languages, planned and written as a Hugging Face dataset folder by tasks over the table's files.

Texts are read twice: to be measured, and to be written. What lies between are narrow rows, a hundredth of the table.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.config import SampleConfig
from pipeline.lists.url_lists import UrlLists
from pipeline.mixture import placing
from pipeline.mixture.document_rows import Measure, added, write_rows
from pipeline.mixture.placing import Sorted, Written
from pipeline.mixture.planning import Plan, plan_mixture, row_files
from pipeline.mixture.upsampling import score_steps
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable, check_numbers
from pipeline.store.examples import chosen_examples, first_examples
from pipeline.store.ledger import totals
from pipeline.workers.tasks import Step, TaskRunner
from schemas.records import Counts, Example

VERSION = 2


class Planned(NamedTuple):
    """rows: folder of the narrow rows. sizes: of all documents, by label: documents, bytes, units."""

    plan: Plan
    rows: str
    sizes: dict[str, tuple[int, int, int]]


def plan(table: DocumentTable, config: SampleConfig, scratch: str, run_tasks: TaskRunner) -> Planned:
    """Reads every text once. UserError for what cannot be read, and for a mixture that the corpus cannot give."""
    rows, splits = storage.join(scratch, "rows"), table.files.splits
    listed = UrlLists(config.genre_lists) if config.genre_lists else None
    check_numbers("--score-column", config.score_column, table)
    scores = score_steps(config)
    measure = Measure(config.unit, config.tokenizer, listed, config.seed, scores)
    measuring = functools.partial(write_rows, table=table, measure=measure, folder=rows)
    measured = run_tasks(measuring, splits, Step("sample: measured", [split.rows for split in splits], "documents"))
    sizes = added(measured)
    return Planned(plan_mixture(row_files(rows, splits), sizes, config, run_tasks), rows, sizes)


class Outcome(NamedTuple):
    written: list[Written]
    examples: list[Example]


def write(
    table: DocumentTable, planned: Planned, config: SampleConfig, scratch: str, folder: str, run_tasks: TaskRunner
) -> Outcome:
    """Writes every shard of the plan, also those that no row falls into: `-of-00012` promises twelve files."""
    plan_, sorted_ = planned.plan, storage.join(scratch, "sorted")
    rows, n_bytes, _ = (sum(size[place] for size in planned.sizes.values()) for place in range(3))
    pieces = placing.pieces_of(table.files.splits, rows, n_bytes)
    sorting = functools.partial(placing.sort_piece, table=table, plan=plan_, rows=planned.rows, folder=sorted_)
    sizes = [sum(split.rows for split in piece) for piece in pieces]
    answers = run_tasks(sorting, pieces, Step("sample: sorted", sizes, "documents"))
    storage.remove(planned.rows)
    shards = placing.with_pieces(placing.shards_of(plan_), answers)
    labels = [language.label for language in plan_.languages]
    writing = functools.partial(
        placing.write_shard, labels=labels, row_group_rows=config.row_group_rows, folder=folder
    )  # fmt: skip
    written = run_tasks(writing, shards, Step("sample: written", [1] * len(shards), "shards"))
    return Outcome(written, _examples(answers, planned))


def counts_of(planned: Planned) -> Counts:
    """Rows by language and reason, None for those in the shards."""
    counts: Counts = {}
    for language in planned.plan.languages:
        kept = language.train.documents + language.held_out.documents
        counts[language.label] = {None: kept}
        counts[language.label].update(planned.plan.left_out.get(language.label, {}))
    return counts


def _examples(answers: Sequence[Sorted], planned: Planned) -> list[Example]:
    seen = [(reason, row) for answer in answers for reason, rows in answer.first.items() for row in rows]
    candidates: Mapping[str | None, list[str]] = {
        reason: first_examples(row["id"] for of, row in seen if of == reason)
        for reason in {reason for reason, _ in seen}
    }
    return chosen_examples(candidates, [row for _, row in seen], totals(counts_of(planned)))
