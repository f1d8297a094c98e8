"""What train/evaluate.py found, read, held against the contract in schemas/evaluation.py, and put side by side."""

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.report.runs import names
from pipeline.store import storage
from schemas.errors import UserError
from schemas.evaluation import VERSION, Evaluation, Model, Table

BESIDE_A_RUN = "evaluation.json"
IN_A_ROOT = "evaluation"
AGAIN = "write it again with train/evaluate.py"


class Source(NamedTuple):
    """A file. name: the end of its path."""

    path: str
    name: str
    content: Evaluation


@dataclass
class Evaluations:
    """models: no two of one name. tables: of all files, those over the same question as one. damaged: what is wrong
    with files that were found, not named."""

    models: list[Model] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def read_evaluations(given: Sequence[str], root: str | None = None, runs: Sequence[str] = ()) -> Evaluations | None:
    """The files given, those in ROOT/evaluation and that beside each run's log, each once; None where there is none.

    UserError, naming file and field, where a file that was given is not there or not as the contract has it.
    """
    paths = [storage.absolute(path) for path in given]
    found = [storage.join(root, IN_A_ROOT, name) for name in _json_files(storage.join(root, IN_A_ROOT))] if root else []
    beside = [storage.join(run, BESIDE_A_RUN) for run in runs]
    found += [path for path in beside if storage.exists(path)]
    every = list(dict.fromkeys([*paths, *map(storage.absolute, found)]))
    sources, damaged = [], []
    for path, name in zip(every, names(every), strict=True) if every else ():
        try:
            sources.append(Source(path, name.removesuffix(".json"), read_evaluation(path)))
        except UserError as error:
            if path in paths:
                raise UserError(f"--evaluation {error}") from None
            damaged.append(str(error))
    return _side_by_side(sources, damaged) if every else None


def _json_files(folder: str) -> list[str]:
    return sorted(name for name in storage.listing(folder) if name.endswith(".json"))


def read_evaluation(path: str) -> Evaluation:
    try:
        content = storage.read_json(path)
    except UserError:
        raise UserError(f"{path} is no JSON: {AGAIN}") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder: name the JSON that train/evaluate.py wrote") from None
    if content is None and not storage.exists(path):
        raise UserError(f"{path}: no such file")
    version = content.get("version") if isinstance(content, dict) else None
    if isinstance(version, int) and version != VERSION:
        raise UserError(f"{path} is of version {version}, and this reads version {VERSION}: {AGAIN}")
    if wrong := _wrong(content, Evaluation, "") or _wrong_together(content):
        raise UserError(f"{path}: {wrong}: {AGAIN}")
    return typing.cast(Evaluation, content)


def _wrong(value: Any, kind: Any, at: str) -> str:
    """The first field that is not of its type in the contract, in words; empty where all are."""
    said = at or "the file"
    if typing.is_typeddict(kind):
        if not isinstance(value, dict):
            return f"{said} should be an object, and is {_shown(value)}"
        for name, inner in typing.get_type_hints(kind).items():
            where = f"{at}.{name}" if at else name
            if name not in value:
                if name in kind.__required_keys__:
                    return f"{where} is missing"
            elif wrong := _wrong(value[name], inner, where):
                return wrong
        return ""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (dict, list):
        if not isinstance(value, origin):
            return f"{said} should be {'an object' if origin is dict else 'a list'}, and is {_shown(value)}"
        parts = value.items() if isinstance(value, dict) else ((f"[{n}]", one) for n, one in enumerate(value))
        separator = "." if origin is dict else ""
        return next((w for name, one in parts if (w := _wrong(one, inside[-1], f"{at}{separator}{name}"))), "")
    if origin is typing.Literal:
        choice = ", ".join(inside)
        return "" if value in inside else f"{said} should be one of {choice}, and is {_shown(value)}"
    if origin is types.UnionType:
        if type(None) in inside and value is None:
            return ""
        kind = next(one for one in inside if one is not type(None))
    if kind is object:
        return ""
    if kind in (int, float):
        fits = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        what = "a whole number" if kind is int else "a finite number"
        return "" if fits and math.isfinite(value) else f"{said} should be {what}, and is {_shown(value)}"
    return "" if isinstance(value, kind) else f"{said} should be text, and is {_shown(value)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + " …"


def _wrong_together(content: Evaluation) -> str:
    """What is wrong between fields that are right by themselves."""
    models = [one["name"] for one in content["models"]]
    tables = [one["name"] for one in content["tables"]]
    for what, given in (("models", models), ("tables", tables)):
        for name in given:
            if given.count(name) > 1:
                return f"{what} has two of the name {name!r}"
    for number, table in enumerate(content["tables"]):
        at = f"tables[{number}]"
        for key, known in (("figures", models), ("means", [*models, *table["baselines"]])):
            for name in table[key]:  # type: ignore[literal-required]
                if name not in known:
                    return f"{at}.{key}.{name} is of a model that models does not name"
        for name in table["baselines"]:
            if name in models:
                return f"{at}.baselines.{name} has the name of a model"
        for key, columns in (("figures", table["figures"]), ("baselines", table["baselines"]), ("means", {"": {}})):
            for name, rows in columns.items():
                for label, figure in (table["means"] if key == "means" else rows).items():
                    low, high = figure["low"], figure["high"]
                    if low is not None and high is not None and low > high:
                        where = ".".join(part for part in (at, key, name, label) if part)
                        return f"{where}.low is above its high"
    return ""


def _side_by_side(sources: Sequence[Source], damaged: list[str]) -> Evaluations:
    """Models of one name that are not the same are told apart by their files."""
    result = Evaluations(damaged=damaged)
    by_name: dict[str, list[Model]] = {}
    for source in sources:
        for model in source.content["models"]:
            if model not in by_name.setdefault(model["name"], []):
                by_name[model["name"]].append(model)
    for source in sources:
        called = {
            name: f"{name} ({source.name})" if len(by_name[name]) > 1 else name
            for name in (model["name"] for model in source.content["models"])
        }
        for model in source.content["models"]:
            named: Model = {**model, "name": called[model["name"]]}
            if named not in result.models:
                result.models.append(named)
        for table in source.content["tables"]:
            _join(result.tables, _renamed(table, called), source.name)
    return result


def _renamed(table: Table, called: Mapping[str, str]) -> Table:
    figures = {called[name]: rows for name, rows in table["figures"].items()}
    means = {called.get(name, name): figure for name, figure in table["means"].items()}
    return {**table, "figures": figures, "means": means, "settings": {
        key: {called.get(name, name): one for name, one in value.items()} if isinstance(value, dict) else value
        for key, value in table["settings"].items()
    }}  # fmt: skip


def _join(tables: list[Table], new: Table, source: str) -> None:
    """Into the table that asked the same, of other models and with the same baselines where both have them; else it
    stands for itself, with its file in its title."""
    for old in tables:
        if _asked(old) != _asked(new):
            continue
        alike = all(old["baselines"].get(name, rows) == rows for name, rows in new["baselines"].items())
        if alike and not set(old["figures"]) & set(new["figures"]):
            old["figures"] = old["figures"] | new["figures"]
            old["baselines"] = old["baselines"] | new["baselines"]
            old["means"] = old["means"] | new["means"]
            for key, value in new["settings"].items():
                if isinstance(value, dict):
                    known = old["settings"].get(key)
                    old["settings"][key] = (known if isinstance(known, dict) else {}) | value
            return
    clash = any(old["name"] == new["name"] for old in tables)
    tables.append({**new, "title": f"{new['title']} ({source})"} if clash else new)


def _asked(table: Table) -> tuple[object, ...]:
    """What a table is an answer to: without settings by model, which say how each was read."""
    of_all = {key: value for key, value in table["settings"].items() if not isinstance(value, dict)}
    return table["name"], table["unit"], table["better"], of_all
