"""Maps as users name them, DIR or NAME=DIR, put before the models that are called so."""

from collections.abc import Sequence
from pathlib import Path

from schemas.errors import UserError
from train.encoders.named import name_of
from train.encoders.opened import OpenedModel
from train.maps.map_folder import read_map
from train.maps.mapped import MappedModel


def with_maps(models: Sequence[OpenedModel], given: Sequence[str]) -> list[OpenedModel]:
    """The models in their order, those that a map is named for with it. A map without a name is of the only model.

    UserError where a map cannot be read, no model or several are called so, or it is a map of another model.
    """
    found = {one.name: one for one in models}
    for one in given:
        name, folder = name_of(one)
        if not name and len(models) > 1:
            raise UserError(f"--map {one}: say which model it is for, as --map {models[0].name}={one}")
        name = name or models[0].name
        if name not in found:
            raise UserError(f"--map {one}: no --model is called {name}: there are {', '.join(found)}")
        if isinstance(found[name], MappedModel):
            raise UserError(f"--map {one}: {name} has a map already: name the model once more, as --model NAME=DIR")
        found[name] = MappedModel(found[name], read_map(Path(folder)), Path(folder))
    return list(found.values())
