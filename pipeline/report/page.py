"""The report: one HTML page that needs nothing but itself, the same bytes for the same inputs."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.drift.comparison import Comparison
from pipeline.report import comparison, costs, mixing, reasons, samples, tables, words
from pipeline.report.clusters import clusters
from pipeline.report.gather import Corpus, Stage, gather
from pipeline.report.learnt import learnt
from pipeline.report.pictures import flow, heat_maps
from pipeline.report.pictures.charts import Funnel, funnel
from pipeline.report.pictures.run_pictures import KINDS, pictures
from pipeline.report.signals import signals
from pipeline.store import storage
from schemas.errors import UserError
from schemas.records import STAGES, unbalanced

PAGE = "report.html"
FUNNEL_STAGES = ("extract", *tables.DOCUMENT_STAGES)  # vocab only reads some of these
UNITS = {"extract": ("records", "documents")}
CORPUS_PARTS = (
    ("flow", "Flow"),
    ("reasons", "Reasons"),
    ("signals", "Signals"),
    ("languages", "Languages"),
    ("mixture", "Mixture"),
    ("vocabulary", "Vocabulary"),
    ("samples", "Samples"),
    ("copies", "Copies"),
    ("cost", "Cost"),
    ("archives", "Archives"),
)


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


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    written = (words.count, words.share, words.number, words.ratio, words.nats, words.setting, words.name_of)
    environment.filters |= {formatter.__name__: formatter for formatter in (*written, breakable)}
    return environment


def style() -> str:
    """The style sheet that all our pages share."""
    return _environment().get_template("style.css.j2").render(shades=heat_maps.SHADES)


def render(corpus: Corpus, drift: Comparison | None = None) -> str:
    environment = _environment()
    script = environment.get_template("script.js.j2").render()
    values = {**_corpus(corpus), **_training(corpus), **_evaluation(corpus)}
    page = environment.get_template("page.html.j2").render(
        style=Markup(style()),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        figures=tables.figures(corpus),
        archives=corpus.archives,
        lines=corpus.lines,
        paragraphs=corpus.paragraphs,
        root=corpus.root,
        drift=drift,
        records=_records(corpus),
        contents=_contents(corpus, values["heat_maps"], drift is not None),
        **values,
    )
    return words.printable(page)


def breakable(reason: str) -> Markup:
    """A reason that a narrow column may break behind its colon and between its words."""
    return Markup("<wbr>").join(re.split("(?<=[:_])", reason))


def _corpus(corpus: Corpus) -> dict[str, Any]:
    """What the template says of the stages."""
    picture = funnel({name: stage.ledger for name in FUNNEL_STAGES if (stage := corpus.stages[name])})
    kept = "; ".join(
        f"{bar.stage} keeps {words.count(bar.rows_out)} of {words.count(bar.rows_in)}" for bar in picture.bars
    )
    return {
        "stages": [_stage(name, corpus.stages[name], picture) for name in STAGES],
        "ways_out": _ways_out(corpus) if corpus.root else [],
        "funnel": picture,
        "across": flow.across(picture),
        "down": flow.down(picture),
        "flow_title": f"From records to shards: {kept}",
        "grid": reasons.grid(corpus),
        "grid_edges": reasons.SHADES_FROM,
        "signals": signals(corpus.distributions) if corpus.distributions is not None else None,
        "learnt": learnt(corpus.learnt or []),
        "languages": tables.languages(corpus),
        "fates": tables.DOCUMENT_STAGES,
        "mixture": corpus.mixture,
        "mixed": mixing.mixed(corpus.mixture) if corpus.mixture else None,
        "vocabulary": corpus.vocabulary,
        "clusters": clusters(corpus.clusters) if corpus.clusters is not None else None,
        "passages": _passages(corpus.stages["dedup"]),
        "costs": costs.costs({name: stage.cost for name, stage in corpus.stages.items() if stage}),
        "cost_columns": costs.COLUMNS,
    }


def _passages(dedup: Stage | None) -> dict[str, int] | None:
    """Figures of the passages that pages share; None where dedup looked for none."""
    if dedup is None or "spans" not in dedup.ledger["tables"]:
        return None
    told: Any = dedup.record["config"]
    return {**dedup.ledger["tables"], "least": told["substring_bytes"], "cuts": told["cut_substrings"]}


def _ways_out(corpus: Corpus) -> list[dict[str, str]]:
    """A line for what has not run, and one a stage that was made from what is no more."""
    lines = []
    missing = [name for name in STAGES if corpus.stages[name] is None]
    if missing:
        text = f"Not run yet: {', '.join(missing)}. This goes on from where the corpus is"
        lines.append({"text": text, "command": "spark-submit jobs/corpus.py --input ARCHIVES --root ROOT"})
    for name, stage in corpus.stages.items():
        if stage and stage.outdated:
            above = " and ".join(stage.outdated)
            text = f"{name} was made from an earlier {above}: its figures are of those documents. This makes it anew"
            lines.append({"text": text, "command": f"spark-submit jobs/{name}.py --root ROOT"})
    return lines


def _contents(corpus: Corpus, maps: Sequence[heat_maps.HeatMap], compared: bool) -> list[tuple[str, str]]:
    """(anchor, title) of the page's parts, in its order."""
    parts = [("drift", "Drift")] if compared else []
    parts += CORPUS_PARTS if corpus.root else []
    if corpus.root and corpus.learnt:
        parts.insert([anchor for anchor, _ in parts].index("languages"), ("learnt", "Learnt scores"))
    if corpus.root and corpus.lines:
        parts.append(("lines", "Lines"))
    if corpus.root and corpus.paragraphs:
        parts.append(("paragraphs", "Paragraphs"))
    if corpus.root or corpus.runs:
        parts.append(("training", "Training"))
    if corpus.evaluations:
        parts.append(("evaluation", "Evaluation"))
        if not corpus.root and not corpus.runs:
            parts += [(one.anchor, one.title) for one in maps]
    if corpus.root or corpus.runs:
        parts.append(("records", "Run records"))
    return parts


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
        "reasons": reasons.reasons(name, stage, bar),
        "unexplained": unbalanced(stage.ledger),
        "examples": samples.examples(name, stage),
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
