"""clean: each rule in force, what it reads of the page beside the thresholds in effect for it, and which fired."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.config import CleanConfig
from pipeline.explaining.story import Judged, Language, Limit, Rule
from pipeline.explaining.votes import votes_of
from pipeline.keys.page_rows import FILE, ROW, Row
from pipeline.quality import profiles
from pipeline.quality.profiles import Profiles
from pipeline.quality.rules import Decider, Thresholds, chosen
from pipeline.quality.rules import Rule as RuleInForce
from pipeline.quality.signals import SIGNALS
from pipeline.report.words import meaning
from pipeline.store import storage
from schemas.clean import ANNOTATIONS
from schemas.errors import UserError
from schemas.records import FAILED, RunRecord
from schemas.scores import PERPLEXITY, PREFIX, THRESHOLD, score_fields

LISTS = {"blocked_host": "block list of hosts", "blocked_url": "block list of addresses"}
LISTS |= {"contaminated_by": "evaluation texts (decontaminate)"}
_TYPES = {name: kind for name, kind, _ in (*ANNOTATIONS, *SIGNALS, *PERPLEXITY)}
_SIGNALS = {name for name, _, _ in SIGNALS}


class Rules(NamedTuple):
    """Those of a finished run of clean. decider: None where they cannot be told; notes say why."""

    decider: Decider | None
    rules: tuple[RuleInForce, ...]
    thresholds: Thresholds | None
    known: Profiles | None
    profile_file: str
    model: str
    notes: tuple[str, ...]


def rules_of(record: RunRecord) -> Rules:
    """As the record says that they were. Nothing of it is made up where the record is of another version."""
    config: Mapping[str, Any] = record["config"]
    place, model = str(config.get("thresholds", "")), str(config.get("model", ""))
    names = CleanConfig.threshold_names()
    known, notes = None, []
    learnt = score_fields(tuple(config.get("classifiers", ())), bool(config.get("perplexity")))
    scores = {f"{THRESHOLD}{name}": value for name, value in config.get("score_thresholds", {}).items()}
    try:
        limits = {name: float(config[name]) for name in names if name in config["for_all_languages"]} | scores
        set_for = {key: _numbers(values) for key, values in config["by_language"].items()}
        rules = chosen(
            config["presets"], config["rules"], names, languages=config["languages"],
            undetermined=config["undetermined"], opt_out=config["opt_out"], learnt=learnt,
        )  # fmt: skip
        known = profiles.load(place)
    except (KeyError, TypeError, ValueError) as error:
        why = str(error) if isinstance(error, UserError) else "its run record is of another version"
        return Rules(None, (), None, known, place, model, (f"the rules that clean ran with cannot be told: {why}",))
    if known.digest != record["inputs"].get("thresholds"):
        named = place or "the shipped profiles"
        notes.append(f"{named} changed since clean ran: the thresholds told here may be others")
    defaults = {name: float(CleanConfig.model_fields[name].default) for name in names}
    defaults |= {f"{THRESHOLD}{name}": 0.0 for name in config.get("classifiers", ())}
    thresholds = Thresholds(set_for, limits, known.thresholds, defaults)
    return Rules(Decider(rules, thresholds), rules, thresholds, known, place, model, tuple(notes))


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if not isinstance(value, list)}


def judged_of(row: Row, rules: Rules, with_votes: bool) -> Judged:
    """Of a row of clean/documents."""
    reason = row["drop_reason"]
    if (reason or "").startswith(f"{FAILED}:"):
        return Judged(reason, meaning("clean", reason), None)
    told, notes = _rules(row, rules), list(rules.notes)
    first = next((rule.reason for rule in told if rule.fired), None)
    if rules.decider is not None and first != reason:
        notes.append(f"by the rules as they are now it would be {first or 'kept'}")
    read = {name for rule in told for name in rule.signals}
    others = {name: value for name, value in row.items() if name not in read and _is_signal(name, value)}
    lists = {kind: str(row[name]) for name, kind in LISTS.items() if row.get(name)}
    if row.get("n_bad_words"):
        lists["bad words"] = f"{row['n_bad_words']} hits of {row['language']}'s list"
    return Judged(
        reason, meaning("clean", reason or ""), _language(row, rules, with_votes), told, others, lists, tuple(notes)
    )


def _rules(row: Row, rules: Rules) -> tuple[Rule, ...]:
    if rules.decider is None or rules.thresholds is None:
        return ()
    cells = [pa.array([row.get(name)], _type(name)) for name in rules.decider.columns]
    batch = pa.RecordBatch.from_arrays(cells, list(rules.decider.columns))
    language, script = row["language"] or "und", row["language_script"] or "Zyyy"
    found = []
    for rule, fires in zip(rules.rules, rules.decider.fires(batch), strict=True):
        names = sorted(rule.expression.names)
        limits = []
        for name in names:
            if name in rules.thresholds.defaults:
                value, source = rules.thresholds.told(name, language, script, rule.values)
                own = f" of {rules.profile_file}" if source.startswith("profile") and rules.profile_file else ""
                limits.append(Limit(name, value, source + own))
        signals = {name: row.get(name) for name in names if name not in rules.thresholds.defaults}
        found.append(Rule(rule.reason, rule.expression.text, bool(fires.all()), signals, tuple(limits)))
    return tuple(found)


def _type(name: str) -> pa.DataType:
    return pa.float64() if name.startswith(PREFIX) else _TYPES.get(name, pa.string())


def _is_signal(name: str, value: object) -> bool:
    """Masks count too: `n_emails`."""
    if name in (FILE, ROW) or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return name in _SIGNALS or name.startswith((PREFIX, "perplexity")) or name.startswith("n_") or name not in _TYPES


def _language(row: Row, rules: Rules, with_votes: bool) -> Language:
    label = f"{row['language']}_{row['language_script']}"
    own = rules.known is None or not rules.known.without_own([label])
    votes, untold = None, ""
    if with_votes:
        if rules.model and "://" not in rules.model and not storage.exists(rules.model):
            untold = f"the model {rules.model} is not here"
        else:
            votes = votes_of(row["text"], rules.model)
    return Language(
        label, row["language_score"], row.get("script_share"), row.get("language_share"),
        json.loads(row.get("top_langs") or "{}"), own, votes, untold,
    )  # fmt: skip
