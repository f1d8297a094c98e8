"""The report: one HTML page that needs nothing but itself, the same bytes for the same inputs."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report import tables, words
from pipeline.report.charts import Curve, Funnel, curve, funnel
from pipeline.report.gather import Corpus, Stage, Training, gather
from pipeline.store import storage
from schemas.records import STAGES, unbalanced

PAGE = "report.html"
FUNNEL_STAGES = ("extract", *tables.DOCUMENT_STAGES)  # vocab only reads some of these
UNITS = {"extract": ("records", "documents")}


def write_report(root: str, run: str | None = None) -> str:
    """Writes ROOT/report.html over the finished stages and the training run in folder `run`; answers its path.

    UserError where a folder is not there. A stage that has not run is said to be so.
    """
    root = storage.absolute(root)
    page = render(gather(root, storage.absolute(run) if run else None))
    path = storage.join(root, PAGE)
    storage.write_bytes(path, page.encode())
    return path


def render(corpus: Corpus) -> str:
    environment = Environment(
        loader=PackageLoader("pipeline.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    written = (words.count, words.share, words.number, words.ratio, words.nats, words.setting)
    environment.filters |= {formatter.__name__: formatter for formatter in written}
    script = environment.get_template("script.js.j2").render()
    picture = funnel({name: stage.ledger for name in FUNNEL_STAGES if (stage := corpus.stages[name])})
    page = environment.get_template("page.html.j2").render(
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        figures=tables.figures(corpus),
        stages=[_stage(name, corpus.stages[name], picture) for name in STAGES],
        funnel=picture,
        languages=tables.languages(corpus),
        fates=tables.DOCUMENT_STAGES,
        mixture=corpus.mixture,
        vocabulary=corpus.vocabulary,
        archives=corpus.archives,
        lines=corpus.lines,
        training=corpus.training,
        curves=_curves(corpus.training) if corpus.training else [],
        losses=tables.losses(corpus.training) if corpus.training else [],
        records=_records(corpus),
    )
    return words.printable(page)


def _stage(name: str, stage: Stage | None, picture: Funnel) -> dict[str, Any]:
    """What the template says of a stage; `ledger` is None where it has not run."""
    if stage is None:
        return {"name": name, "ledger": None}
    bar = next((bar for bar in picture.bars if bar.stage == name), None)
    return {
        "name": name,
        "ledger": stage.ledger,
        "units": UNITS.get(name, ("documents", "documents")),
        "outdated": stage.outdated,
        "reasons": tables.reasons(name, stage, bar),
        "unexplained": unbalanced(stage.ledger),
        "examples": tables.examples(name, stage),
    }


def _curves(run: Training) -> list[tuple[str, str, Curve]]:
    """(title, unit, picture): the loss with its validation, then what else the log has."""
    drawn = [("Loss", "nats", curve({"training": _series(run, "loss")}, {"validation": run.validation}))]
    for key, title, unit in (
        ("lr", "Learning rate", ""),
        ("grad_norm", "Norm of the gradient", ""),
        ("tokens_per_second", "Speed", "tokens a second"),
    ):
        drawn.append((title, unit, curve({title: _series(run, key)})))
    return [(title, unit, picture) for title, unit, picture in drawn if picture]


def _series(run: Training, key: str) -> list[tuple[float, float]]:
    return [(line["step"], line[key]) for line in run.steps if line.get(key) is not None]


def _records(corpus: Corpus) -> list[tuple[str, list[tuple[str, Mapping[str, Any]]]]]:
    """(stage, tables of what its run record holds)."""
    records: dict[str, Mapping[str, Any]] = {name: stage.record for name, stage in corpus.stages.items() if stage}
    if corpus.training and corpus.training.record:
        records["pretrain"] = corpus.training.record
    result: list[tuple[str, list[tuple[str, Mapping[str, Any]]]]] = []
    for name, record in records.items():
        parts = {key: value for key, value in record.items() if isinstance(value, Mapping)}
        facts = {key: value for key, value in record.items() if key not in parts and key != "stage"}
        result.append((name, [("run", facts), *sorted(parts.items())]))
    return result
