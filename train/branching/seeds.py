"""Evaluations of arms put side by side, and over seeds: means, Student's intervals, differences by seed."""

from collections.abc import Mapping, Sequence

from schemas.evaluation import VERSION, Evaluation, Figure, Rows, Table
from train.evaluation.suite import means
from train.metrics.figures import mean_of, measured
from train.metrics.intervals import t_interval

LESS = "less_{}"  # names of tables of differences
UNTRAINED = ", untrained"  # behind a model's name, as `OpenedModel.untrained` has it
Settings = dict[str, object]


def side_by_side(found: Sequence[Evaluation]) -> Evaluation:
    """One evaluation of all models; of each baseline the first one's figures. A model's untrained twin is the first
    one's alone, since all arms have one shape."""
    models = [model for one in found for model in one["models"]]
    tables: dict[str, Table] = {}
    for one in found:
        for table in one["tables"]:
            there = tables.setdefault(
                table["name"], {**table, "figures": {}, "baselines": {}, "settings": dict(table["settings"])}
            )
            there["figures"] |= table["figures"]
            own = {f"{model['name']}{UNTRAINED}" for model in one["models"]} if one is not found[0] else set()
            more = {name: rows for name, rows in table["baselines"].items() if name not in own}
            there["baselines"] = more | there["baselines"]
            for name, value in table["settings"].items():
                known = there["settings"].setdefault(name, value)
                if isinstance(known, dict) and isinstance(value, dict):
                    there["settings"][name] = known | value
    for table in tables.values():
        table["means"] = means(table)
    return Evaluation(version=VERSION, models=models, tables=list(tables.values()))


def over_seeds(by_seed: Mapping[int, Evaluation], reference: str | None) -> Evaluation:
    """Of several seeds the mean of each figure and its 95 % interval by Student's t over seeds, in the place of that
    over texts; of one seed its own. reference: the arm that a table of differences holds the others against, seed by
    seed, since seeds share what hangs on them; None: none."""
    evaluations = list(by_seed.values())
    tables: list[Table] = []
    for table in evaluations[0]["tables"]:
        same = [one for found in evaluations for one in found["tables"] if one["name"] == table["name"]]
        if len(same) != len(evaluations):
            continue  # a measure that failed for a seed
        tables.append(_over(same, list(by_seed)))
        if reference is not None and table["better"] != "neither" and len(table["figures"]) > 1:
            tables += _differences(same, list(by_seed), reference)
    return Evaluation(version=VERSION, models=evaluations[0]["models"], tables=tables)


def _over(same: Sequence[Table], seeds: Sequence[int]) -> Table:
    first = same[0]
    if len(same) == 1:
        return first
    found: Table = {
        **first,
        "settings": first["settings"] | _over_what(seeds),
        "figures": {},
        "baselines": {},
        "means": {},
    }
    for kind in ("figures", "baselines"):
        for name in first[kind]:
            of_seeds = [one[kind].get(name, {}) for one in same]
            found[kind][name] = _rows(of_seeds)
            alone = [one["means"][name] for one in same if name in one["means"]]
            if len(alone) == len(same):
                found["means"][name] = _figure(alone)
    return found


def _over_what(seeds: Sequence[int]) -> Settings:
    return {"seeds": list(seeds)} | ({"interval": "95 %, Student's t over seeds"} if len(seeds) > 1 else {})


def _rows(of_seeds: Sequence[Rows]) -> Rows:
    return {
        language: _figure([rows[language] for rows in of_seeds])
        for language in of_seeds[0]
        if all(language in rows for rows in of_seeds)
    }


def _figure(of_seeds: Sequence[Figure]) -> Figure:
    return measured(t_interval([one["value"] for one in of_seeds]), of_seeds[0]["count"])


def _differences(same: Sequence[Table], seeds: Sequence[int], reference: str) -> list[Table]:
    """A figure less the reference's, of each arm; its mean over languages too. None where nothing differs, as in what
    hangs on the vocabulary alone."""
    first = same[0]
    if any(reference not in one["figures"] for one in same) or all(map(_alike, same)):
        return []
    rows: dict[str, Rows] = {}
    average: Rows = {}
    for name in first["figures"]:
        if name == reference or any(name not in one["figures"] for one in same):
            continue
        of_seeds = [_less(one["figures"][name], one["figures"][reference]) for one in same]
        rows[name] = _rows(of_seeds)
        average[name] = _figure([mean_of(one) for one in of_seeds])
    return [
        {
            **first,
            "name": f"{first['name']}_{LESS.format(reference)}",
            "title": f"{first['title']}: less that of {reference}, seed by seed",
            "unit": first["unit"],
            "settings": first["settings"] | _over_what(seeds) | {"reference": reference},
            "figures": rows,
            "baselines": {},
            "means": average,
        }
    ]


def _alike(table: Table) -> bool:
    """Whether all arms have the same values."""
    of_arms = [{language: one["value"] for language, one in rows.items()} for rows in table["figures"].values()]
    return all(one == of_arms[0] for one in of_arms)


def _less(rows: Rows, others: Rows) -> Rows:
    return {
        language: {
            "value": figure["value"] - others[language]["value"],
            "low": None,
            "high": None,
            "count": figure["count"],
        }
        for language, figure in rows.items()
        if language in others
    }
