"""A map of files of word vectors, as a column of figures beside models: it has words, and nothing else."""

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np

from schemas.errors import UserError
from train.checkpoints.files import digest
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Reading, Vectors
from train.maps.map_folder import VectorMap, named
from train.maps.vec_files import MOST_WORDS, read_vec


class MappedWords(OpenedModel):
    """Each language's own file, read when its words are first asked, as whole as the map was learnt of it. A word is
    looked up as it is written, and then in lower case; one that the file lacks has a vector of zeros.

    No model is opened: UserError for what needs one."""

    one_module, words_only = False, True
    kind, parameters = "word vectors", 0

    def __init__(self, found: VectorMap, folder: Path, name: str) -> None:
        self.found, self.map_folder, self.given, self.name = found, folder, folder, name
        self.config = SimpleNamespace(hidden_size=found.width)
        self.language = ""
        self._files: dict[str, tuple[dict[str, int], Vectors]] = {}

    @property
    def lineage(self) -> dict[str, Any]:
        return {}

    def knows(self, language: str) -> bool:
        return named(self.found, language) is not None

    def in_language(self, language: str) -> "MappedWords":
        twin = copy(self)
        twin.language = named(self.found, language) or ""
        return twin

    def own_vectors(self, texts: Sequence[str], reading: Reading) -> Vectors:
        """UserError where the file is gone, or is not the one that the map is of."""
        if self.language not in self._files:
            origin = self.found.origins[self.language]
            path = Path(origin.folder)
            if not path.is_file():
                raise UserError(
                    f"--map {self.map_folder} is of the vectors in {path}, which are not there: put them back"
                )
            if digest(path) != origin.digest:
                raise UserError(
                    f"--map {self.map_folder} is of other vectors than those in {path}: learn the map again"
                )
            words, vectors = read_vec(path, self.found.lineage.get("words", {}).get(self.language, MOST_WORDS))
            self._files[self.language] = ({word: row for row, word in enumerate(words)}, vectors)
        rows, vectors = self._files[self.language]
        found = np.zeros((len(texts), vectors.shape[1]), np.float32)
        for place, text in enumerate(texts):
            row = rows.get(text, rows.get(text.lower()))
            if row is not None:
                found[place] = vectors[row]
        return self.found.apply(self.language, found)

    @property
    def tokenizer(self) -> NoReturn:
        raise self._words_alone()

    def mask_token(self) -> NoReturn:
        raise self._words_alone()

    def model(self, kind: str, needs: str = "") -> NoReturn:
        raise self._words_alone()

    def untrained(self, seed: int = 0) -> OpenedModel:
        return self

    def _words_alone(self) -> UserError:
        return UserError(
            f"--map {self.map_folder} is of word vectors, which know words alone: ask it by --dictionaries"
        )
