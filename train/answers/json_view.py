"""Answers as objects of JSON, for programs."""

import json
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from train.answers.texts import Text


def as_json(answer: Any) -> Any:
    """Dataclasses as objects, by the names of their fields; vectors as lists."""
    if is_dataclass(answer) and not isinstance(answer, type):
        return {field.name: as_json(getattr(answer, field.name)) for field in fields(answer)}
    if isinstance(answer, list | tuple):
        return [as_json(one) for one in answer]
    if isinstance(answer, dict):
        return {name: as_json(value) for name, value in answer.items()}
    return answer.tolist() if isinstance(answer, np.ndarray | np.generic) else answer


def json_line(text: Text, language: str | None, answer: Any) -> str:
    """file: null for arguments; row: from 1; language: null where it is not known; then the answer's own fields."""
    record = {"file": text.file or None, "row": text.row, "language": language, **as_json(answer)}
    return json.dumps(record, ensure_ascii=False)
