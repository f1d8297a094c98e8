"""What every stage writes beside its tables: the run record, the ledger and the examples for people.

Spark and `datasets` ignore files whose name starts with an underscore.
"""

from typing import TypedDict

RUN = "_run.json"
LEDGER = "_ledger.json"
EXAMPLES = "_examples.json"

Counts = dict[str, dict[str | None, int]]  # `eng_Latn` -> reason, None for kept -> rows
UNLABELLED = {"language": "und", "language_script": "Zyyy"}  # the label where a table does not say
EXAMPLES_A_REASON = 6
EXAMPLE_CHARACTERS = 700
ROW_GROUP_ROWS = 1024  # of a Parquet file: small enough to be read and split by many

FAILED = "failed"  # failed:STEP: reason of rows whose text a step of clean or dedup failed on
REMOVED = "removed"  # reason of rows that jobs/remove.py has taken down, in any stage

STAGES = ("extract", "clean", "dedup", "sample", "vocab")


class Account(TypedDict):
    """Rows in = rows out + the sum of `dropped`."""

    rows_in: int
    rows_out: int
    dropped: dict[str, int]  # reason -> rows


class Ledger(Account):
    """The account of one stage, counted from its written tables."""

    stage: str
    by_language: dict[str, Account]  # `eng_Latn` -> account; empty for extract
    tables: dict[str, int]  # table -> rows


class RunRecord(TypedDict):
    """How a stage's folder came to be. Written last: a folder without one is unfinished."""

    stage: str
    fingerprint: str  # of config, stage version and inputs: equal fingerprints, equal tables
    stage_version: int  # raised when the same config gives other tables
    config: dict[str, object]  # resolved
    inputs: dict[str, str]  # what was read -> its fingerprint
    versions: dict[str, str]  # Python and libraries
    code_revision: str  # git commit, or `unknown`


class Example(TypedDict):
    """A document shown in the report."""

    id: str
    url: str
    language: str
    reason: str | None  # null: kept
    text: str  # the first characters


def unbalanced(account: Account) -> int:
    """Rows that the account cannot explain: 0 when it adds up."""
    return account["rows_in"] - account["rows_out"] - sum(account["dropped"].values())
