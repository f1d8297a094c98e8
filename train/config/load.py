"""Flags over the TOML file of --config over a preset over defaults."""

import difflib
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_type_hints

from schemas.errors import UserError
from schemas.records import STAGES
from train.config.checks import check
from train.config.fields import about, default_of, read_value
from train.config.objectives import OBJECTIVES
from train.config.tables import TABLES, PretrainConfig

PRESETS = Path(__file__).with_name("presets")
USAGE = "usage: train/pretrain.py --shards DIR --tokenizer DIR --output DIR [--preset NAME] [--config FILE.toml]"
FOREIGN_TABLES = STAGES  # what jobs/ read of the same file: a recipe is one file for both wings
TOOLS = ("config", "preset", "dry_run", "help")

Settings = dict[str, dict[str, Any]]
"""By table, then by field; values as they were given."""


def load_config(arguments: Sequence[str]) -> PretrainConfig:
    return parse_arguments(arguments)[0]


def parse_arguments(arguments: Sequence[str]) -> tuple[PretrainConfig, bool]:
    """(the config, whether --dry-run was among them). UserError, one line, for what is wrong."""
    given, tools = _flags(arguments)
    if "help" in tools:
        print(help_text())
        sys.exit(0)
    settings: Settings = {}
    preset = tools.get("preset")
    if "config" in tools:
        settings, named = read_toml(Path(tools["config"]))
        preset = preset or named
    if preset:
        settings = _over(read_preset(preset), settings)
    return build(_over(settings, given)), "dry_run" in tools


def build(settings: Settings) -> PretrainConfig:
    """Of settings by table. Masked language modelling is the first objective; others are those that are named."""
    objectives = dict.fromkeys(["objectives.mlm", *(name for name in settings if name.startswith("objectives."))])
    tables = {name: _table(name, settings.get(name, {})) for name in TABLES}
    labelled = {name.removeprefix("objectives."): _table(name, settings.get(name, {})) for name in objectives}
    config = PretrainConfig(objectives=labelled, **tables)
    check(config)
    return config


def read_toml(path: Path) -> tuple[Settings, str | None]:
    """(the tables of a file, the preset that it names)."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror}; point to a TOML file") from None
    except ValueError as error:
        raise UserError(f"--config {path} is no TOML: {error}") from None
    preset = content.pop("preset", None)
    settings: Settings = {}
    for name, table in content.items():
        if name in FOREIGN_TABLES:
            continue
        if name not in (*TABLES, "objectives"):
            raise UserError(f"unknown table {name} of {path}{_nearest(name, [*TABLES, 'objectives', *FOREIGN_TABLES])}")
        if not isinstance(table, dict):
            raise UserError(f"--config {path}: {name} is no table; write its keys under [{name}]")
        for key, inner in {name: table}.items() if name in TABLES else table.items():
            whole = key if name in TABLES else f"{name}.{key}"
            kind = table_of(whole, path)
            if not isinstance(inner, dict):
                raise UserError(f"--config {path}: {whole} is no table; write its keys under [{whole}]")
            names = [one.name for one in fields(kind)]
            for field_name in inner:
                if field_name not in names:
                    homes = [f"[{table}]" for table in places_of_names().get(field_name, [])]
                    way_out = f": it belongs under {' or '.join(homes)}" if homes else _nearest(field_name, names)
                    raise UserError(f"unknown key {field_name} under [{whole}] of {path}{way_out}")
            settings[whole] = inner
    return settings, preset


def read_preset(name: str) -> Settings:
    there = sorted(path.stem for path in PRESETS.glob("*.toml"))
    if name not in there:
        raise UserError(f"there is no preset {name}: take one of {', '.join(there)}")
    return read_toml(PRESETS / f"{name}.toml")[0]


def table_of(name: str, path: Path | None = None) -> Any:
    """The class of a table by its whole name."""
    first, _, objective = name.partition(".")
    if first != "objectives":
        return TABLES[name]
    if objective not in OBJECTIVES:
        where = f" of {path}" if path else ""
        raise UserError(f"unknown objective {objective}{where}{_nearest(objective, OBJECTIVES)}")
    return OBJECTIVES[objective]


def help_text() -> str:
    """Every field by table; those marked * a resumed run must share."""
    lines = [USAGE, "", "  --dry-run: checks the data and says what a run would be.", ""]
    lines.append("Settings, as flags or in FILE.toml under their table; a run that goes on must share those marked *:")
    for name in _all_tables():
        lines += ["", f"[{name}]"]
        for one in fields(table_of(name)):
            default = default_of(one)
            shown = "required" if default is MISSING else f"default {default!r}".replace("'", "")
            text = f"--{one.name}{'*' if about(one).fixed else ''}: {about(one).description} ({shown})"
            lines += textwrap.wrap(text, 118, initial_indent="  ", subsequent_indent="      ")
    return "\n".join(lines)


def _table(table: str, given: Mapping[str, Any]) -> Any:
    kind = table_of(table)
    hints = get_type_hints(kind)
    values = {}
    for one in fields(kind):
        if one.name in given:
            values[one.name] = read_value(flag_of(table, one.name), hints[one.name], given[one.name], about(one))
        elif default_of(one) is MISSING:
            raise UserError(f"{one.name} is not set: give --{one.name} or {one.name} under [{table}]")
    return kind(**values)


def _over(below: Settings, above: Settings) -> Settings:
    return {name: below.get(name, {}) | above.get(name, {}) for name in dict.fromkeys([*below, *above])}


def _all_tables() -> list[str]:
    return [*TABLES, *(f"objectives.{name}" for name in OBJECTIVES)]


def flag_of(table: str, name: str) -> str:
    """What a field is called by: with its table where others have a field of that name."""
    return name if len(places_of_names()[name]) == 1 else f"{table}.{name}"


def default_fixed(key: str) -> Any:
    """What a run had as this one of PretrainConfig.fixed before there was such a setting."""
    if key == "objectives":
        return ["mlm"]
    table, _, name = key.rpartition(".")
    return next(default_of(one) for one in fields(table_of(table)) if one.name == name)


def places_of_names() -> dict[str, list[str]]:
    """The tables that have a field of this name."""
    places: dict[str, list[str]] = {}
    for table in _all_tables():
        for one in fields(table_of(table)):
            places.setdefault(one.name, []).append(table)
    return places


def _flags(arguments: Sequence[str]) -> tuple[Settings, dict[str, str]]:
    """(values by table and field, values of TOOLS)."""
    places = places_of_names()
    whole = {f"{table}.{name}" for name, tables in places.items() for table in tables}
    settings: Settings = {}
    tools: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, sign, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if not word.startswith("--") and word != "-h":
            raise UserError(f"unknown argument {word}: flags begin with --, see --help")
        known = name in TOOLS or name in places or name in whole or word == "-h"
        if not known:
            last = name.rpartition(".")[2]
            homes = [f"{table}.{last}" for table in places.get(last, [])]  # a field under the name of another table
            raise UserError(f"unknown argument {word}{_nearest(name, homes or [*places, *whole, *TOOLS], '--')}")
        if word == "-h" or name in ("dry_run", "help"):
            if sign:
                raise UserError(f"{word}: --{name.replace('_', '-')} takes no value")
            tools["help" if word == "-h" else name] = ""
            continue
        if not sign:
            if not rest or rest[0].startswith("--"):
                raise UserError(f"{word} expected one argument: write {word} VALUE")
            value = rest.pop(0)
        if name in TOOLS:
            tools[name] = value
            continue
        tables = places[name] if name in places else [name.rpartition(".")[0]]
        if len(tables) > 1:
            where = f"in {len(tables)} tables" if len(tables) > 3 else f"in {' and in '.join(tables)}"
            raise UserError(f"--{name} is {where}: write the table before it, as --{tables[0]}.{name}")
        settings.setdefault(tables[0], {})[name.rpartition(".")[2]] = value
    return settings, tools


def _nearest(word: str, names: Iterable[str], prefix: str = "") -> str:
    close = difflib.get_close_matches(word, list(names), 1, 0.5)
    return f": did you mean {prefix}{close[0]}?" if close else ": see --help for the names"
