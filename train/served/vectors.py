"""A file of vectors that /nearest looks in, and the model that made it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UserError
from train.answers.embed import SAME, cosine, probe
from train.answers.vector_files import StoredVectors
from train.encoders.vectors import Reading
from train.served.heads import Served


@dataclass(frozen=True)
class ServedVectors:
    """reading: as its vectors were read. languages: those of its rows, by name."""

    stored: StoredVectors
    model: Served
    reading: Reading
    languages: list[str]

    @property
    def name(self) -> str:
        return self.stored.path.name


def served_vectors(path: Path, models: Sequence[Served]) -> ServedVectors:
    """UserError where no model here made the file; of one that does not say how it was made, any of its width may."""
    stored = StoredVectors(path)
    making = stored.making
    if making is not None and making.map:
        raise UserError(f"--vectors {path} was made with a map, which is not served: embed its texts without --map")
    reading = Reading() if making is None else Reading(making.pooling, making.layer)  # type: ignore[arg-type]
    for model in models:
        if model.opened.config.hidden_size != stored.width or not _has_layer(model, reading.layer):
            continue
        if making is None or cosine(probe(model.opened, reading), making.probe) >= SAME:
            return ServedVectors(stored, model, reading, sorted(stored.languages()))
    made = f"{stored.width} numbers a text" if making is None else f"the vectors of {making.model}"
    raise UserError(f"--vectors {path} holds {made}, and no --model here makes such: serve the one that made them")


def _has_layer(model: Served, layer: int) -> bool:
    most = model.opened.config.num_hidden_layers
    return bool(-most - 1 <= layer <= most)
