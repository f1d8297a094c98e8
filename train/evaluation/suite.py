"""An evaluation: every measure over every model, one model after the other, tables of one name put together."""

from collections.abc import Callable, Sequence
from time import monotonic

from schemas.errors import UserError
from schemas.evaluation import VERSION, Evaluation, Model, Table
from train.encoders.named import open_models
from train.encoders.opened import OpenedModel
from train.evaluation.chosen import chosen
from train.evaluation.measures import LEFT_OUT, MEASURE, Measure, means
from train.evaluation.settings import Settings
from train.maps.given import with_maps

Tell = Callable[[str], None]
Keep = Callable[[Evaluation], None]


def evaluate(
    models: Sequence[str],
    settings: Settings,
    tell: Tell,
    keep: Keep = lambda found: None,
    *,
    maps: Sequence[str] = (),
    device: str = "auto",
    precision: str = "auto",
) -> Evaluation:
    """models: `DIR` or `NAME=DIR`, of several that answer together `NAME=DIR+DIR`. maps: `DIR` or `NAME=DIR`, for the
    model called so. tell: is given a line of each measure's time, or of why it was left out. keep: is given what there
    is, after each measure of each model.

    UserError before any model is asked where files cannot be read; and where in the end nothing could be measured.
    """
    opened = with_maps(open_models(models, device=device, precision=precision), maps)
    measures = chosen(settings)
    found = Evaluation(version=VERSION, models=[], tables=[])
    failed: UserError | None = None
    while opened:
        model = opened.pop(0)  # so that its weights go before the next one's come
        found["models"].append(described(model))
        twin = model.untrained()
        for measure in measures:
            began = monotonic()
            try:
                tables = measure.run(model, settings)
                if measure.untrained or settings.untrained:
                    tables += [as_baseline(one) for one in measure.run(twin, settings)]
            except UserError as error:
                if len(models) == len(measures) == 1:
                    raise
                failed = failed or error
                tell(f"left out: {measure.name} of {model.name}: {error}")
                continue
            add(found["tables"], tables, measure)
            keep(found)
            for line in left_out(tables, model.name):
                tell(f"left out: {measure.name} of {model.name}: {line}")
            tell(f"{measure.name} of {model.name}: {monotonic() - began:.1f} s")
    if failed and not found["tables"]:
        raise failed
    for measure in measures:
        names = {one["name"] for one in found["tables"]}
        if measure.baselines and names:
            add(found["tables"], [one for one in measure.baselines(settings) if one["name"] in names], measure)
    keep(found)
    return found


def described(model: OpenedModel) -> Model:
    """Its row among the models; parameters are the encoder's."""
    told = Model(
        name=model.name,
        folder=str(model.given),
        kind=model.kind,
        parameters=model.parameters,
    )
    step = model.lineage.get("step")
    if isinstance(step, int):
        told["step"] = step
    return told


def left_out(tables: Sequence[Table], model: str) -> list[str]:
    """What a model could not be asked in these tables, each once."""
    found: dict[str, None] = {}
    for one in tables:
        of_models = one["settings"].get(LEFT_OUT)
        found |= dict.fromkeys(of_models.get(model, ()) if isinstance(of_models, dict) else ())
    return list(found)


def as_baseline(table: Table) -> Table:
    """Figures of a model that is not one of those that are compared."""
    return {**table, "figures": {}, "baselines": table["baselines"] | table["figures"]}


def add(tables: list[Table], more: Sequence[Table], measure: Measure) -> None:
    """Puts figures of one model, or of baselines, beside those that are there, and makes the means anew. Settings that
    are told by model are put together too."""
    by_name = {one["name"]: one for one in tables}
    for one in more:
        there = by_name.get(one["name"])
        if there is None:
            there = by_name[one["name"]] = {**one, "settings": {MEASURE: measure.name, **one["settings"]}}
            tables.append(there)
        else:
            there["figures"] |= one["figures"]
            there["baselines"] |= one["baselines"]
            for name, value in one["settings"].items():
                known = there["settings"].setdefault(name, value)
                if isinstance(known, dict) and isinstance(value, dict):
                    there["settings"][name] = known | value
        there["means"] = means(there)
