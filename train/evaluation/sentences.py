"""Vectors of the texts of a measure: of the layer asked for or of all of them, or of a model's map, with progress."""

from collections.abc import Iterable, Sequence

import numpy as np

from schemas.errors import UserError
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Vectors, embed_layers, vectors
from train.evaluation.measures import LEFT_OUT
from train.evaluation.settings import EVERY, Settings
from train.maps.mapped import MappedModel
from train.telemetry.progress import Progress


class Embedding:
    """What one model makes of many lists of texts, with progress towards `total` texts. Of a model with a map, the
    vectors are those of the map, whatever layer and pooling are asked for."""

    def __init__(self, model: OpenedModel, settings: Settings, what: str, total: int) -> None:
        self.model, self.settings = model, settings
        self.reading = settings.reading()
        self.progress = Progress(f"{what} of {model.name}", "texts", total)
        self.unknown: list[str] = []

    def __enter__(self) -> "Embedding":
        self.progress.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self.progress.__exit__(None, None, None)

    def known(self, languages: Iterable[str], always: Sequence[str] = ()) -> list[str]:
        """Those languages that the model has vectors of; the others are told of. UserError where it has none of them,
        or lacks one of `always`, without which nothing can be measured."""
        found = list[str]()
        self.unknown = []
        for one in languages:
            (found if self.model.knows(one) else self.unknown).append(one)
        lacks = [one for one in always if not self.model.knows(one)] or ([] if found else self.unknown)
        if lacks:
            raise UserError(f"the map of {self.model.name} lacks {', '.join(lacks)}: learn one with it")
        return found

    def layers(self, texts: Sequence[str], language: str) -> Vectors:
        """float32 [layers, texts, width]: one layer, or all of them where the settings ask for each."""
        if self.settings.layer == EVERY:
            return embed_layers(self.model, texts, self.reading, self.progress.add)
        return self.one(texts, language)[None]

    def one(self, texts: Sequence[str], language: str) -> Vectors:
        """float32 [texts, width], of one text at least: of the layer asked for, of the last where that is each."""
        model = self.model.in_language(language)
        return np.concatenate(list(vectors(model, texts, self.reading, self.progress.add)))

    def told(self) -> dict[str, object]:
        """For the settings of a table."""
        name = self.model.name
        told: dict[str, object] = {"truncated": {name: self.reading.truncated}}
        if self.unknown:
            told[LEFT_OUT] = {name: [f"{', '.join(self.unknown)}, which its map lacks"]}
        if isinstance(self.model, MappedModel):
            return {**told, "map": {name: self.model.told}}
        return {"pooling": self.reading.pooling, "layer": self.reading.layer, **told}
