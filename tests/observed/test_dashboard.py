"""docs/grafana.json asks for nothing that is not exported, shows all that is, and docs/operations.md names it."""

import json
import re
from pathlib import Path
from typing import Any

from pipeline.observed import exposition as of_jobs
from train.telemetry import exposition as of_training

DOCS = Path(__file__).resolve().parents[2] / "docs"
DASHBOARD: dict[str, Any] = json.loads((DOCS / "grafana.json").read_text(encoding="utf-8"))
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
EXPORTED = of_jobs.metric_names() | of_training.metric_names()
LABELS = {label for one in of_jobs.COUNTERS for label in one.labels} | {
    "instance", "stage", "step", "unit", "split", "language", "objective", "executor_id", "job", "root",
}  # fmt: skip


def test_each_metric_of_a_query_is_exported_and_each_one_is_shown() -> None:
    asked = {name for query in QUERIES for name in re.findall(r"\bwanyu_\w+", query)}
    assert asked == EXPORTED
    [variable] = [one for one in DASHBOARD["templating"]["list"] if one["name"] == "instance"]
    assert set(re.findall(r"\bwanyu_\w+", variable["query"]["query"])) <= EXPORTED


def test_labels_are_those_that_there_are() -> None:
    legends = [target["legendFormat"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    named = {label for legend in legends for label in re.findall(r"{{(\w+)}}", legend)}
    named |= {label for query in QUERIES for label in re.findall(r"(\w+)[=!]~?\"", query)}
    by = [label for query in QUERIES for group in re.findall(r"\bby \(([^)]+)\)", query) for label in group.split(", ")]
    assert named | set(by) <= LABELS


def test_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_page_for_operators_names_all_metrics_of_jobs() -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    watching = page.partition("\n## Watching a run\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(wanyu_\w+)`", watching)) == of_jobs.metric_names()
