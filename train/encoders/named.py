"""Models as users name them: DIR, NAME=DIR, or NAME=DIR+DIR for several that answer together."""

from collections.abc import Sequence
from pathlib import Path

from schemas.errors import UserError
from train.encoders.ensemble import Ensemble
from train.encoders.opened import OpenedModel, open_model


def open_models(given: Sequence[str], *, device: str = "auto", precision: str = "auto") -> list[OpenedModel]:
    """Of `DIR` or `NAME=DIR`, of a folder that is there the first; names are the ends of the paths, as short as they
    can be and differ. `DIR+DIR` is an ensemble. UserError where two are called the same."""

    def opened(path: str, name: str) -> OpenedModel:
        if "+" not in path or Path(path).exists():
            return open_model(Path(path), name=name, device=device, precision=precision)
        parts = path.split("+")
        if not all(parts):
            raise UserError(f"--model {path}: name a folder on either side of +, as NAME=DIR+DIR")
        return Ensemble([open_model(Path(one), device=device, precision=precision) for one in parts], name)

    return [opened(path, name) for name, path in _named(given)]


def named_folders(given: Sequence[str]) -> list[tuple[str, Path]]:
    """(name, folder as it was given) of each, with no ensemble among them; see `open_models`."""
    return [(name, Path(path)) for name, path in _named(given)]


def _named(given: Sequence[str]) -> list[tuple[str, str]]:
    named = [name_of(one) for one in given]
    paths = [path for _, path in named]
    short = shortest_names([Path(path) for name, path in named if not name])
    names = [name or short.pop(0) for name, _ in named]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--model: two models are called {name}: name them, as --model NAME=DIR")
    return list(zip(names, paths, strict=True))


def name_of(given: str) -> tuple[str, str]:
    """(name, path) of `NAME=DIR`; ("", path) of `DIR`."""
    if "=" not in given or Path(given).exists():
        return "", given
    name, _, path = given.partition("=")
    return name, path


def shortest_names(paths: Sequence[Path]) -> list[str]:
    """The ends of different paths, as short as they can be and differ."""
    parts = [path.absolute().parts for path in paths]
    length = 1
    while len({one[-length:] for one in parts}) < len(set(parts)):
        length += 1
    return ["/".join(one[-length:]) for one in parts]
