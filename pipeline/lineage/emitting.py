"""OpenLineage's run events, of each stage one when it begins and one when it ends, by the official client with the
official configuration: OPENLINEAGE_URL, OPENLINEAGE_CONFIG or openlineage.yml, OPENLINEAGE__TRANSPORT__...

We tell it ourselves because the engine's own listener sees no input and no output: the engine touches no store.
Nothing that goes wrong here stops a run; it is said once.
"""

import functools
import importlib.util
import logging
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pipeline.lineage import datasets
from pipeline.lineage.datasets import Dataset
from pipeline.observed import events
from schemas.records import Ledger, RunRecord
from schemas.redacted import redacted

log = logging.getLogger(__name__)
PRODUCER = "https://openlineage.io/producer/wanyu"
FILE = "openlineage.yml"


@contextmanager
def lineage(job: str, given: Sequence[str]) -> Iterator[None]:
    """What stages do in the block is told, where lineage is configured. job: whose stages. given: see
    `datasets.inputs_of`."""
    if not configured():
        yield
    elif importlib.util.find_spec("openlineage") is None:
        log.warning("OpenLineage is configured, but its client is missing: pip install 'wanyu[lineage]'")
        yield
    else:
        with events.listening(_Emitter(job, given)):
            yield


def configured() -> bool:
    """Whether the client would find a transport, in the places where it looks."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    named = [os.environ.get("OPENLINEAGE_CONFIG"), FILE, os.path.expanduser(f"~/.openlineage/{FILE}")]
    transports = [name for name in os.environ if name.startswith("OPENLINEAGE__TRANSPORT")]
    return bool(os.environ.get("OPENLINEAGE_URL") or transports or any(path and os.path.isfile(path) for path in named))


def _harmless(method: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(method)
    def call(self: "_Emitter", *args: Any) -> None:
        try:
            method(self, *args)
        except Exception as error:
            if not self.warned:
                self.warned = True
                log.warning("OpenLineage: not told (%s: %s); the run goes on", type(error).__name__, _short(error))

    return call


def _short(error: Exception) -> str:
    return redacted(" ".join(str(error).split())[:300])


class _Emitter:
    """A client for each event, closed behind it: one that keeps threads would have them while workers are forked."""

    def __init__(self, job: str, given: Sequence[str]) -> None:
        self._job, self._given = job, given
        self._runs: dict[str, str] = {}  # folder -> run
        self.warned = False

    @_harmless
    def began(self, folder: str, record: RunRecord) -> None:
        from openlineage.client.uuid import generate_new_uuid

        if folder not in self._runs:  # a stage may open its folder twice
            self._runs[folder] = str(generate_new_uuid())
            self._emit("START", folder, record, None, None)

    @_harmless
    def finished(self, folder: str, record: RunRecord, ledger: Callable[[], Ledger | None]) -> None:
        self._emit("COMPLETE", folder, record, ledger(), None)

    def found(self, folder: str, record: RunRecord, ledger: Callable[[], Ledger | None]) -> None:
        """It has been told when it was made."""

    @_harmless
    def failed(self, folder: str, record: RunRecord, error: BaseException) -> None:
        self._emit("ABORT" if isinstance(error, KeyboardInterrupt) else "FAIL", folder, record, None, error)

    def _emit(
        self, state: str, folder: str, record: RunRecord, ledger: Ledger | None, error: BaseException | None
    ) -> None:
        from openlineage.client import OpenLineageClient
        from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
        from openlineage.client.facet_v2 import job_type_job

        stage = record["stage"]
        name = stage if self._job in (stage, "corpus") else f"{self._job}.{stage}"
        kind = job_type_job.JobTypeJobFacet(processingType="BATCH", integration="WANYU", jobType="STAGE")
        reads = datasets.inputs_of(folder, record, self._given)
        writes = datasets.outputs_of(folder, record, ledger)
        event = RunEvent(
            eventTime=datetime.now(UTC).isoformat(timespec="milliseconds"),
            eventType=RunState[state],
            run=Run(runId=self._runs[folder], facets=_run_facets(record, error)),
            job=Job(namespace=datasets.namespace(), name=name, facets={"jobType": kind}),
            inputs=[InputDataset(one.namespace, one.name, facets=_facets(one)) for one in reads],
            outputs=[
                OutputDataset(one.namespace, one.name, facets=_facets(one), outputFacets=_statistics(one))
                for one in writes
            ],
            producer=PRODUCER,
        )
        client = OpenLineageClient()
        try:
            client.emit(event)
        finally:
            client.close()


def _facets(one: Dataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset, schema_dataset

    facets: dict[str, Any] = {}
    if one.version:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=one.version)
    if one.fields:
        fields = [schema_dataset.SchemaDatasetFacetFields(name=name, type=kind) for name, kind in one.fields]
        facets["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
    return facets


def _statistics(one: Dataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    if one.rows is None:
        return {}
    return {"outputStatistics": statistics.OutputStatisticsOutputDatasetFacet(rowCount=one.rows, fileCount=one.files)}


def _run_facets(record: RunRecord, error: BaseException | None) -> dict[str, Any]:
    from openlineage.client.facet_v2 import error_message_run, parent_run, processing_engine_run

    engine = processing_engine_run.ProcessingEngineRunFacet(version=record["code_revision"], name="wanyu")
    facets: dict[str, Any] = {"processing_engine": engine}
    if parent := datasets.parent_of(os.environ.get("OPENLINEAGE_PARENT_ID")):
        space, job, run = parent
        facets["parent"] = parent_run.ParentRunFacet(
            run=parent_run.Run(runId=run), job=parent_run.Job(namespace=space, name=job)
        )
    if error is not None:
        trace = "".join(traceback.format_exception(error))
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            message=redacted(str(error) or type(error).__name__), programmingLanguage="python",
            stackTrace=redacted(trace),
        )  # fmt: skip
    return facets
