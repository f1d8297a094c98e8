"""Spark's daemon for the Python workers of the tests' session: it imports what they would all import, and forks."""

import gc
import importlib
import sys
from pathlib import Path

from pyspark.daemon import manager

STAGES = (
    "extract_tasks",
    "clean",
    "dedup",
    "repeats.repeated_lines",
    "repeats.repeated_paragraphs",
    "repeats.shared_substrings",
    "sample",
    "vocab",
    "fit_thresholds",
    "remove",
)

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    for name in ("pyspark.worker", *(f"pipeline.stages.{stage}" for stage in STAGES)):
        importlib.import_module(name)
    gc.freeze()  # a worker collects garbage after each task, which would walk all that is imported
    manager()
