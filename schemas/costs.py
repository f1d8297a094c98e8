"""What a stage's run has cost: `_cost.json` of its generation.

It is measured, so no two runs have the same one and no fingerprint holds it; a stage published without one, as by an
older version, has none. `jobs/plan.py --actual` and the report read it.
"""

from typing import TypedDict

COST = "_cost.json"


class Cost(TypedDict):
    """Of all processes of the run, on all machines. A run that was resumed counts what all its attempts took, where
    they could say so. None: nobody could tell."""

    stage: str
    began: str  # ISO 8601, UTC
    attempts: int
    seconds: float  # wall clock
    cores: int  # that it could use
    cpu_seconds: float | None
    peak_bytes: int | None  # resident memory of the largest process
    shuffle_bytes: int | None  # written for exchanges by the engine, or in its place by our own temporary files
    bytes_read: int | None  # of tables and archives
    bytes_written: int | None  # of the published generation, its new files
    requests: int | None  # sent to stores
