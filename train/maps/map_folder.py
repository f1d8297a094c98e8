"""A map as a folder: of each language what brings its vectors into the space of all, and what that was learnt from.

`map.json` says of what vectors (space, layer, pooling), by which method, and of which models; `map.safetensors` holds
`LANGUAGE.mean` [d], float32, and `LANGUAGE.matrix` [d, k] of each. The pivot has its own entry, which need not be
the identity.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from schemas.errors import UserError
from train.alignment.normalising import less_mean, unit
from train.benchmarks.languages import same_language
from train.checkpoints.files import publish

FORMAT = 1
SETTINGS, TENSORS = "map.json", "map.safetensors"
Space = Literal["sentences", "words", "embeddings", "vectors"]
SPACES = ("sentences", "words", "embeddings", "vectors")
MEAN_OF, LINES, WORDS = "mean of", "lines", "words"  # in the lineage


@dataclass(frozen=True)
class LanguageMap:
    """mean: float32 [d], of unit vectors, taken from them. matrix: float32 [d, k]; a row of vectors times it."""

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]


@dataclass(frozen=True)
class Origin:
    """Where a language's vectors come from: a model's folder or a file of vectors, as it was named, and a digest,
    which says whether it is the same wherever it lies."""

    folder: str
    digest: str


@dataclass(frozen=True)
class VectorMap:
    """space: what the vectors are of: sentences or words by an encoder, words as the mean of their tokens' rows in the
    table of embeddings, or a file of vectors. layer, pooling: of an encoder's. languages, origins: by language, the
    pivot among them. lineage: method, settings, data and figures, as JSON."""

    space: Space
    method: str
    pivot: str
    languages: Mapping[str, LanguageMap]
    origins: Mapping[str, Origin]
    layer: int = -1
    pooling: str = "mean"
    lineage: Mapping[str, Any] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Of what it gives, k; whatever the language."""
        return int(self.languages[self.pivot].matrix.shape[1])

    @property
    def mean_of(self) -> str:
        """What the means were taken of, LINES or WORDS; "" where the map does not say. Those of sentences lie about
        their own mean, far from words: asked of the other, a map leaves much that all vectors share."""
        return str(self.lineage.get(MEAN_OF, ""))

    @property
    def told(self) -> dict[str, object]:
        """For the settings of a table."""
        told = {name: getattr(self, name) for name in ("method", "space", "pivot", "layer", "pooling")}
        return told | ({MEAN_OF: self.mean_of} if self.mean_of else {})

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of what it makes of vectors, wherever they come from."""
        found = hashlib.sha256(f"{self.space} {self.layer} {self.pooling}".encode())
        for language, one in sorted(self.languages.items()):
            found.update(f"{language} {one.matrix.shape}".encode())
            found.update(np.ascontiguousarray(one.mean, "<f4").tobytes())
            found.update(np.ascontiguousarray(one.matrix, "<f4").tobytes())
        return found.hexdigest()

    def apply(self, language: str, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """float32 [n, k], unit rows: (unit(vectors [n, d]) - mean) made unit, times the matrix. Zeros stay zeros.

        KeyError for a language that the map does not have, ValueError for vectors of another width."""
        one = self.languages[language]
        if vectors.ndim != 2 or vectors.shape[1] != len(one.mean):
            raise ValueError(f"vectors have the shape {vectors.shape}, and the map of {language} is of {len(one.mean)}")
        return unit(less_mean(vectors, one.mean) @ one.matrix)


def named(found: VectorMap, language: str) -> str | None:
    """What the map calls a language, which may have another name, as `fr`, `fra` and `fra_Latn`; None: it lacks it."""
    names = sorted(found.languages)
    return language if language in names else next((one for one in names if same_language(one, language)), None)


def write_map(found: VectorMap, folder: Path) -> None:
    """Replaces `folder` at once. OSError where the disk fails; nothing is left of it then."""
    publish(folder, partial(_write, found))


def _write(found: VectorMap, part: Path) -> None:
    part.mkdir()
    tensors = {
        f"{language}.{name}": np.ascontiguousarray(value, np.float32)
        for language, one in found.languages.items()
        for name, value in (("mean", one.mean), ("matrix", one.matrix))
    }
    save_file(tensors, part / TENSORS)
    told = {
        "format": FORMAT,
        "space": found.space,
        "method": found.method,
        "pivot": found.pivot,
        "layer": found.layer,
        "pooling": found.pooling,
        "languages": sorted(found.languages),
        "origins": {language: asdict(one) for language, one in found.origins.items()},
        "lineage": dict(found.lineage),
    }
    (part / SETTINGS).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def is_map(folder: Path) -> bool:
    return (folder / SETTINGS).is_file()


def read_map(folder: Path) -> VectorMap:
    """UserError where there is no map, where it is damaged, and for numbers that are not finite."""
    if not is_map(folder):
        raise UserError(f"--map {folder} holds no {SETTINGS}: name a folder that train/align.py wrote")
    try:
        told = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        tensors = load_file(folder / TENSORS)
        if told["format"] != FORMAT:
            raise UserError(f"--map {folder} is of format {told['format']}, and this release reads {FORMAT}")
        languages = {
            language: LanguageMap(tensors[f"{language}.mean"], tensors[f"{language}.matrix"])
            for language in told["languages"]
        }
        origins = {language: Origin(**one) for language, one in told["origins"].items()}
        if told["space"] not in SPACES or told["pivot"] not in languages or set(origins) != set(languages):
            raise ValueError("space, pivot or origins do not fit")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        if isinstance(error, UserError):
            raise
        why = " ".join(str(error).split())
        raise UserError(f"--map {folder} is damaged ({why}): learn it again with train/align.py") from None
    for language, one in languages.items():
        if one.mean.ndim != 1 or one.matrix.ndim != 2 or len(one.mean) != len(one.matrix):
            raise UserError(f"--map {folder} is damaged (the shapes of {language}): learn it again with train/align.py")
        if not (np.isfinite(one.mean).all() and np.isfinite(one.matrix).all()):
            raise UserError(f"--map {folder} holds numbers that are not finite: learn it again with train/align.py")
    return VectorMap(
        told["space"],
        told["method"],
        told["pivot"],
        languages,
        origins,
        told["layer"],
        told["pooling"],
        told["lineage"],
    )
