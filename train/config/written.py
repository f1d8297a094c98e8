"""Settings of a run as the TOML file that train/pretrain.py reads them from again."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from train.config.fields import default_of
from train.config.tables import PretrainConfig


def as_toml(config: PretrainConfig) -> str:
    """What is not at its default; every objective has its weight, so that its table is there."""
    lines: list[str] = []
    for name, table in config.tables().items():
        kept = {
            one.name: value
            for one in fields(table)
            if (value := getattr(table, one.name)) != default_of(one)
            or (name.startswith("objectives.") and one.name == "weight")
        }
        if kept:
            lines += [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in kept.items()), ""]
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_value(key)} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    assert isinstance(value, str | Path)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
