"""What a fit says of itself: a table for people, and JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.drift.intervals import Interval
from pipeline.scores.fitting.judging import LEAST_JUDGED, Judgement
from pipeline.scores.fitting.whole import ALL, Fit


def lines(fit: Fit) -> Iterator[str]:
    """The table: a row a language, those that no fit has seen marked, all together first. Then what is amiss."""
    about, share = fit.about, fit.about.kept_share
    held_out = set(about.made_from["held_out"])
    yield (
        f"{'':14} {'good':>6} {'bad':>6} {'hosts':>6}  {'AUC':22} {'precision at ' + format(share, '.0%'):22} "
        f"{'recall':>6}"
    )
    for name in sorted(fit.judged, key=lambda name: (name != ALL, name in held_out, name)):
        one = fit.judged[name]
        if one.auc is None:
            continue
        mark = "*" if name in held_out else " "
        yield (
            f"{name + mark:14} {one.good:6,} {one.bad:6,} {one.hosts:6,}  {_figure(one.auc, one.auc_interval):22} "
            f"{_figure(one.precision, one.precision_interval):22} {one.recall:6.3f}"
        )
    if held_out:
        yield "* left out of the fit"
    yield from warnings(fit)


def warnings(fit: Fit) -> Iterator[str]:
    """Languages with too few texts to judge or to calibrate, and what they go by."""
    few = [f"{name} ({one.good} good, {one.bad} bad)" for name, one in fit.judged.items() if one.auc is None]
    if few:
        yield (
            f"not judged, with fewer than {LEAST_JUDGED} good or bad texts of hosts to judge by: {', '.join(few)}: "
            f"give more texts of more hosts"
        )
    own = fit.about.quantiles
    lacking = sorted(name for name in fit.calibrated_on if name not in own)
    if lacking:
        told = [f"{name} ({fit.calibrated_on[name]} texts, goes by {_stand_in(name, own)})" for name in lacking]
        yield f"without quantiles of their own: {', '.join(told)}: give more texts with --corpus"


def as_json(fit: Fit) -> dict[str, Any]:
    """The file beside the model."""
    about = fit.about
    return {
        "kept_share": about.kept_share,
        "least_kept_share": about.least_kept_share,
        "languages": {name: judgement_json(one) for name, one in sorted(fit.judged.items())},
        "held_out": about.made_from["held_out"],
        "calibrated_on": fit.calibrated_on,
        "made_from": about.made_from,
        "warnings": list(warnings(fit)),
    }


def judgement_json(one: Judgement) -> dict[str, Any]:
    """Figures to four digits."""
    return {name: _rounded(value) for name, value in one._asdict().items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [round(end, 4) for end in value]
    return round(value, 4) if isinstance(value, float) else value


def _figure(value: float | None, interval: Interval | None) -> str:
    return "" if value is None or interval is None else f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _stand_in(name: str, quantiles: Mapping[str, Any]) -> str:
    script = name.rpartition("_")[2]
    return script if script in quantiles else "all languages"
