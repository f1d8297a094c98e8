"""Vectors of the texts of a measure: of the layer asked for or of all of them, with progress."""

from collections.abc import Sequence

import numpy as np

from train.encoders.opened import OpenedModel
from train.encoders.vectors import Vectors, embed_layers, vectors
from train.evaluation.settings import EVERY, Settings
from train.telemetry.progress import Progress


class Embedding:
    """What one model makes of many lists of texts, with progress towards `total` texts."""

    def __init__(self, model: OpenedModel, settings: Settings, what: str, total: int) -> None:
        self.model, self.settings = model, settings
        self.reading = settings.reading()
        self.progress = Progress(f"{what} of {model.name}", "texts", total)

    def __enter__(self) -> "Embedding":
        self.progress.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self.progress.__exit__(None, None, None)

    def layers(self, texts: Sequence[str]) -> Vectors:
        """float32 [layers, texts, width]: one layer, or all of them where the settings ask for each."""
        if self.settings.layer == EVERY:
            return embed_layers(self.model, texts, self.reading, self.progress.add)
        return self.one(texts)[None]

    def one(self, texts: Sequence[str]) -> Vectors:
        """float32 [texts, width], of one text at least: of the layer asked for, of the last where that is each."""
        return np.concatenate(list(vectors(self.model, texts, self.reading, self.progress.add)))

    def told(self) -> dict[str, object]:
        """For the settings of a table."""
        settings: dict[str, object] = {"pooling": self.reading.pooling, "layer": self.reading.layer}
        return settings | {"truncated": {self.model.name: self.reading.truncated}}
