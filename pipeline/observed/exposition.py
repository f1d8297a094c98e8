"""`Sums` as Prometheus has them: names, units, help, in its official text format."""

from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from pipeline.observed.sums import Sums

Values = dict[tuple[str, ...], float]  # by the labels' values


class Counted(NamedTuple):
    """A counter of `Sums`: its name there; labels: those of its key that say something."""

    key: str
    name: str
    labels: tuple[str, ...]
    about: str


COUNTERS = (
    Counted("pages", "wanyu_pages", ("outcome",), "Records that extract has read in this run, by what became of them"),
    Counted("archives", "wanyu_archives", ("status",), "Archives that extract has read, ok or by their first break"),
    Counted("rows", "wanyu_rows", ("stage", "outcome"), "Rows that a stage has judged, in the end those of its ledger"),
    Counted("dropped", "wanyu_dropped", ("stage", "reason"), "Rows and records that a stage dropped, by reason"),
    Counted("read_bytes", "wanyu_read_bytes", ("stage",), "Bytes read of archives and tables, as stored"),
    Counted("written_bytes", "wanyu_written_bytes", ("stage",), "Bytes of files written whole"),
    Counted("requests", "wanyu_store_requests", ("stage", "store"), "Calls to stores and web servers, each try"),
    Counted("retries", "wanyu_store_retries", ("stage", "store"), "Those of them that were tried again"),
)
GAUGES = {
    "wanyu_info": "What runs: job, root and version; always 1",
    "wanyu_start_time_seconds": "When the run began, seconds since 1970",
    "wanyu_run_seconds": "Seconds since the run began",
    "wanyu_archives_planned": "Archives that were asked for",
    "wanyu_stage_running": "Whether the stage is in progress, 1 or 0",
    "wanyu_stage_seconds": "Seconds that the stage has taken",
    "wanyu_step_done": "How much of the step in progress is done, in its unit",
    "wanyu_step_size": "How much the step in progress has in all",
    "wanyu_workers": "Worker processes that are connected",
    "wanyu_exit_status": "Status of the run that has ended: 0 good, 2 a mistake, 3 a drift, 130 stopped",
}
_PLACES = {"stage": 1, "outcome": 2, "reason": 2, "status": 2, "store": 2}


def metric_names() -> set[str]:
    """All that is exported, as queries name them."""
    return {f"{one.name}_total" for one in COUNTERS} | set(GAUGES)


class Collector:
    """For a registry of prometheus_client. workers: how many are connected."""

    def __init__(self, sums: Sums, info: dict[str, str], workers: Callable[[], int]) -> None:
        try:
            own = version("wanyu")
        except PackageNotFoundError:
            own = "unknown"
        self._sums, self._info, self._workers = sums, {**info, "version": own}, workers

    def collect(self) -> Iterator[Any]:
        from prometheus_client.metrics_core import CounterMetricFamily

        totals = self._sums.totals()
        for counted in COUNTERS:
            family = CounterMetricFamily(counted.name, counted.about, labels=counted.labels)
            added: dict[tuple[str, ...], int] = {}
            for key, n in totals.items():
                if key.name == counted.key:
                    labels = tuple(key[_PLACES[label]] for label in counted.labels)
                    added[labels] = added.get(labels, 0) + n
            for labels, n in sorted(added.items()):
                family.add_metric(labels, n)
            yield family
        yield from self._gauges()

    def _gauges(self) -> Iterator[Any]:
        from prometheus_client.metrics_core import GaugeMetricFamily

        sums = self._sums

        def gauge(name: str, labels: tuple[str, ...], values: Values) -> Any:
            family = GaugeMetricFamily(name, GAUGES[name], labels=labels)
            for said, value in values.items():
                family.add_metric(said, value)
            return family

        yield gauge("wanyu_info", tuple(self._info), {tuple(self._info.values()): 1})
        yield gauge("wanyu_start_time_seconds", (), {(): sums.began})
        yield gauge("wanyu_run_seconds", (), {(): sums.seconds()})
        if sums.archives is not None:
            yield gauge("wanyu_archives_planned", (), {(): sums.archives})
        stages = sorted(sums.stages.items())
        running: Values = {(name,): float(stage.state == "running") for name, stage in stages}
        yield gauge("wanyu_stage_running", ("stage",), running)
        seconds: Values = {(name,): sums.stage_seconds(stage) for name, stage in stages}
        yield gauge("wanyu_stage_seconds", ("stage",), seconds)
        labels, steps = ("stage", "step", "unit"), [step for step in sums.steps.values() if step.sizes]
        done: Values = {(step.stage, step.name, step.unit): float(step.done_size) for step in steps}
        yield gauge("wanyu_step_done", labels, done)
        sizes: Values = {(step.stage, step.name, step.unit): float(sum(step.sizes)) for step in steps}
        yield gauge("wanyu_step_size", labels, sizes)
        yield gauge("wanyu_workers", (), {(): self._workers()})
        if sums.status is not None:
            yield gauge("wanyu_exit_status", (), {(): sums.status})
