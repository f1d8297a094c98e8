"""The report: one HTML page that needs nothing but itself, the same bytes for the same inputs."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.drift.comparison import Comparison
from pipeline.report import comparison, heat_maps, tables, words
from pipeline.report.charts import Funnel, funnel
from pipeline.report.gather import Corpus, Stage, gather
from pipeline.report.run_pictures import KINDS, pictures
from pipeline.store import storage
from schemas.errors import UserError
from schemas.records import STAGES, unbalanced

PAGE = "report.html"
FUNNEL_STAGES = ("extract", *tables.DOCUMENT_STAGES)  # vocab only reads some of these
UNITS = {"extract": ("records", "documents")}


def write_report(
    root: str | None,
    runs: Sequence[str] = (),
    output: str | None = None,
    evaluations: Sequence[str] = (),
    drift: Comparison | None = None,
) -> str:
    """Writes one page over the finished stages under `root`, the training runs in the folders `runs` and the files
    `evaluations` of train/evaluate.py, with what a comparison of the root with another one found; its path.

    That is `output`, or ROOT/report.html, or report.html beside the first run's log or the first evaluation. UserError
    where a folder or a file is not there, or nothing is named. A stage that has not run, and a run that has logged
    nothing, is said to be so.
    """
    if root is None and not runs and not evaluations:
        raise UserError(
            "nothing to report on: give --root FOLDER of a corpus, --run FOLDER of a training run, "
            "--evaluation FILE of train/evaluate.py, or several of them"
        )
    root = storage.absolute(root) if root is not None else None
    corpus = gather(root, runs, evaluations)
    folder = root or (corpus.runs[0].folder if corpus.runs else storage.absolute(evaluations[0]).rpartition("/")[0])
    path = storage.absolute(output) if output else storage.join(folder, PAGE)
    storage.write_bytes(path, render(corpus, drift).encode())
    return path


def render(corpus: Corpus, drift: Comparison | None = None) -> str:
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
        root=corpus.root,
        drift=drift,
        records=_records(corpus),
        **_training(corpus),
        **_evaluation(corpus),
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


def _training(corpus: Corpus) -> dict[str, Any]:
    """What the template says of the runs; `logged` are those that have come to a step."""
    logged = [run for run in corpus.runs if run.steps]
    several = len(logged) > 1
    languages = comparison.languages(logged) if several else None
    return {
        "runs": corpus.runs,
        "logged": logged,
        "kinds": {run.name: kind for run, kind in zip(logged, KINDS, strict=False)},
        "pictures": pictures(logged) if logged else None,
        "losses": tables.losses(logged[0]) if len(logged) == 1 else [],
        "objectives": tables.objectives(logged[0]) if len(logged) == 1 else [],
        "objective_losses": tables.objective_losses(logged[0]) if len(logged) == 1 else [],
        "compared": comparison.figures(logged) if several else [],
        "settings": comparison.settings(corpus.runs) if len(corpus.runs) > 1 else [],
        "by_language": languages,
        "balance": comparison.balance(languages, logged) if languages else "",
    }


def _evaluation(corpus: Corpus) -> dict[str, Any]:
    judged = corpus.evaluations
    maps = heat_maps.heat_maps(judged) if judged else []
    return {
        "evaluations": judged,
        "heat_maps": maps,
        "overview": heat_maps.overview(maps, judged.models) if judged else None,
        "shades": heat_maps.SHADES,
    }


def _records(corpus: Corpus) -> list[tuple[str, list[tuple[str, Mapping[str, Any]]]]]:
    """(stage, tables of what its run record holds)."""
    records: dict[str, Mapping[str, Any]] = {name: stage.record for name, stage in corpus.stages.items() if stage}
    for run in corpus.runs:
        if run.record:
            records["pretrain" if len(corpus.runs) == 1 else f"pretrain: {run.name}"] = run.record
    result: list[tuple[str, list[tuple[str, Mapping[str, Any]]]]] = []
    for name, record in records.items():
        parts = {key: value for key, value in record.items() if isinstance(value, Mapping)}
        facts = {key: value for key, value in record.items() if key not in parts and key != "stage"}
        result.append((name, [("run", facts), *sorted(parts.items())]))
    return result
