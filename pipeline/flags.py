"""From flags and a TOML file to a config. An unknown key, flag or value is one line that names it and the nearest
right one.
"""

import argparse
import json
import os
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from pipeline.config import MODELS, Config, StageConfig, shown
from pipeline.observed import logs
from pipeline.quality.expressions import nearest
from pipeline.web.public import ALLOWED, FLAG
from schemas.errors import UserError
from schemas.records import STAGES

# What train/pretrain.py reads of the same file: a recipe is one file for both wings.
FOREIGN_SECTIONS = ("preset", "model", "data", "objectives", "optim", "run")


class _Allow(argparse.Action):
    """Said for this process and those that it starts."""

    def __call__(self, *_: object) -> None:
        os.environ[ALLOWED] = "1"


class Parser(argparse.ArgumentParser):
    """argparse that raises UserError in one line instead of printing its usage, with the flags that every job has."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        group = self.add_argument_group("every job")
        group.add_argument(FLAG, action=_Allow, nargs=0, help="let http(s) URLs lead to private addresses, too")
        group.add_argument(
            logs.FLAG, choices=logs.FORMATS, help=f"of what is said on standard error [{logs.VARIABLE}, text]"
        )

    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def fields_of(model: type[StageConfig]) -> Iterator[tuple[str, FieldInfo]]:
    """Fields by name; those of a section inside the stage's as `decontaminate.sources`."""
    for name, field in model.model_fields.items():
        if (inner := _section(field)) is None:
            yield name, field
        else:
            yield from ((f"{name}.{inner_name}", inner_field) for inner_name, inner_field in fields_of(inner))


def _is_list(field: FieldInfo) -> bool:
    return typing.get_origin(field.annotation) is tuple


def _section(field: FieldInfo) -> type[StageConfig] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, StageConfig) else None


def add_stage_flags(parser: argparse.ArgumentParser, stages: Sequence[str]) -> None:
    """A flag a field: `--num-perm` (or `--num_perm`); with several stages also `--dedup.num-perm`."""
    names = [name for stage in stages for name, _ in fields_of(MODELS[stage])]
    for stage in stages:
        group = parser.add_argument_group(f"{stage} ([{stage}] in TOML)")
        for name, field in fields_of(MODELS[stage]):
            flags = [f"--{stage}.{name}"] if len(stages) > 1 else []
            if names.count(name) == 1:
                flags.append(f"--{name}")
            both = [spelling for flag in flags for spelling in dict.fromkeys((flag.replace("_", "-"), flag))]
            default = "" if field.default_factory else f" [{shown(field.default)}]"
            help_text = f"{field.description}{default}".replace("%", "%%")
            several: dict[str, Any] = {"action": "extend", "nargs": "+"} if _is_list(field) else {}
            if field.annotation is bool:
                several = {"nargs": "?", "const": "true"}
            group.add_argument(*both, dest=f"{stage}.{name}", metavar="VALUE", help=help_text, **several)


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parsed flags; UserError names an unknown one and the nearest right one."""
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        flags = [flag for action in parser._actions for flag in action.option_strings if "_" not in flag]
        first = unknown[0].split("=")[0]
        if shared := [flag for flag in flags if flag.endswith("." + first.lstrip("-").replace("_", "-"))]:
            raise UserError(f"{first} is a setting of several stages: say {' or '.join(shared)}")
        raise UserError(f"unknown flag or argument {first}{nearest(first.replace('_', '-'), flags)}; see --help")
    return args


def load(path: str | None, flags: Mapping[str, str | list[str] | None]) -> Config:
    """The resolved config: defaults, then the TOML file, then flags named `stage.field`."""
    sections: dict[str, dict[str, Any]] = {stage: {} for stage in STAGES}
    if path:
        for section, values in _read_toml(path).items():
            if section in FOREIGN_SECTIONS:
                continue
            if section not in sections:
                raise UserError(f"{path}: unknown section [{section}]{nearest(section, (*STAGES, *FOREIGN_SECTIONS))}")
            if not isinstance(values, dict):
                raise UserError(f"{path}: {section} must be a section, [{section}]")
            sections[section] = values
    for name, text in flags.items():
        stage, field = name.split(".", 1)
        if text is not None:
            value = _from_text(dict(fields_of(MODELS[stage]))[field], field, text)
            sections[stage] = _with(sections[stage], field.split("."), value, stage)
    return Config.model_validate({stage: _validated(stage, values) for stage, values in sections.items()})


def _with(section: dict[str, Any], path: list[str], value: Any, where: str) -> dict[str, Any]:
    """The section with the value put where the path leads."""
    name, *below = path
    if below:
        inner = section.get(name, {})
        if not isinstance(inner, dict):
            raise UserError(f"{where}.{name} must be a section, [{where}.{name}]")
        value = _with(inner, below, value, f"{where}.{name}")
    return {**section, name: value}


def _validated(stage: str, values: dict[str, Any]) -> StageConfig:
    model = MODELS[stage]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "value_error" and not isinstance(first["ctx"]["error"], UserError):
            raise first["ctx"]["error"] from None  # a bug in a validator of ours
        loc = [str(part) for part in first["loc"]]
        where = ".".join([stage, *loc])
        if first["type"] == "extra_forbidden":
            section = model if len(loc) == 1 else _section(model.model_fields[loc[0]]) or model
            raise UserError(f"unknown key {where}{nearest(loc[-1], section.model_fields)}") from None
        if loc[:1] == ["by_language"]:  # pydantic adds which of the two kinds was tried
            where = ".".join([stage, *loc[:3]])
        message = first["msg"].removeprefix("Value error, ")
        message = message[0].lower() + message[1:]
        if not first["loc"]:
            raise UserError(f"{stage}: {message}") from None
        raise UserError(f"{where} = {shown(first['input'])}: {message}") from None


def _read_toml(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"--config {path}: no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"--config {path}: not readable as TOML: {error}") from None


def _from_text(field: FieldInfo, name: str, text: str | list[str]) -> Any:
    """A flag's text as the value that TOML would hold; pydantic turns '5' into 5 itself. A list: of a flag that takes
    several values, which commas part as well, but for the name of a file or folder that is there."""
    annotation = field.annotation
    origin = typing.get_origin(annotation)
    if isinstance(text, list):
        return [part for argument in text for part in _parts(argument, name)]
    if origin is dict:
        return _json(text, name)
    return None if text == "none" and type(None) in typing.get_args(annotation) else text


def _parts(argument: str, name: str) -> list[Any]:
    if argument.lstrip().startswith("{"):
        return [_json(argument, name)]
    parts = [argument] if Path(argument).exists() else argument.split(",")
    return [part.strip() for part in parts if part.strip()]


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"--{name.replace('_', '-')}: not JSON: {error}") from None
