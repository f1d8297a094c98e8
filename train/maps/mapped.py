"""A model with a map: its vectors of texts in each language of the map, brought into the space of all."""

from collections.abc import Sequence
from copy import copy, deepcopy
from pathlib import Path
from typing import Any, NoReturn

from schemas.errors import UserError
from train.benchmarks.languages import same_language
from train.encoders.folders import model_folder
from train.encoders.opened import OpenedModel
from train.encoders.token_means import token_means
from train.encoders.vectors import Pooling, Reading, Vectors, embed
from train.maps.map_folder import VectorMap
from train.model_folders.digest import folder_digest


class MappedModel(OpenedModel):
    """An OpenedModel in all but vectors, which are those that the map is of, layer and pooling too, and are asked in a
    language. Where the map's vectors of a language are another model's, as a pivot's may be, that one is
    opened beside it.

    found: the map. language: as the map calls it, of the vectors that are asked; "" of the model in no language.
    """

    one_module = False

    def __init__(self, model: OpenedModel, found: VectorMap, folder: Path) -> None:
        """folder: the map's. UserError where it is a map of another model, of no model's vectors, or another layer."""
        super().__init__(model.source, model.name, model.place)
        self.plain, self.found, self.map_folder = model, found, folder
        if found.space == "vectors":
            raise UserError(
                f"--map {folder} is of files of word vectors: --dictionaries alone can ask it, without a model"
            )
        if not model.one_module:
            raise UserError(f"--map {folder}: a map is of one model, and {model.name} is several: name one")
        self.digest = folder_digest(model.folder)
        own = [name for name, origin in found.origins.items() if origin.digest == self.digest]
        if not [name for name in own if name != found.pivot]:
            named = ", ".join(sorted({origin.folder for origin in found.origins.values()}))
            raise UserError(
                f"--map {folder} is a map of another model ({named}) than --model {model.given}: take that one, or "
                "learn a map of this"
            )
        self._opened = {self.digest: model}
        self.language = ""

    @property
    def told(self) -> dict[str, object]:
        """For the settings of a table."""
        found = self.found
        return {
            "folder": str(self.map_folder), "method": found.method, "space": found.space, "pivot": found.pivot,
            "layer": found.layer, "pooling": found.pooling,
        }  # fmt: skip

    def knows(self, language: str) -> bool:
        return self._name(language) is not None

    def in_language(self, language: str) -> "MappedModel":
        name = self._name(language)
        if name is None:
            there = ", ".join(sorted(self.found.languages))
            raise UserError(f"--map {self.map_folder} has no language {language}: it has {there}")
        twin = copy(self)
        twin.language, twin.config = name, deepcopy(self.config)
        twin.config.hidden_size = self.found.languages[name].matrix.shape[1]
        return twin

    def _name(self, language: str) -> str | None:
        """What the map calls it."""
        names = sorted(self.found.languages)
        return language if language in names else next((one for one in names if same_language(one, language)), None)

    def _of_origin(self, name: str) -> OpenedModel:
        """The model that the map's vectors of a language are of. UserError where it is gone, or another lies there."""
        origin = self.found.origins[name]
        if origin.digest not in self._opened:
            if not Path(origin.folder).is_dir():
                raise UserError(
                    f"--map {self.map_folder}: its vectors of {name} are those of the model {origin.folder}, which is "
                    "not there: put it back, or learn the map again"
                )
            found = OpenedModel(model_folder(Path(origin.folder)), origin.folder, self.place)
            if folder_digest(found.folder) != origin.digest:
                raise UserError(
                    f"--map {self.map_folder}: its vectors of {name} are those of a model that was in {origin.folder}, "
                    "where there is another now: learn the map again"
                )
            self._opened[origin.digest] = found
        return self._opened[origin.digest]

    def own_vectors(self, texts: Sequence[str], reading: Reading) -> Vectors:
        """UserError where no language is told, as `in_language` does."""
        found = self.found
        if not self.language:
            raise UserError(f"--map {self.map_folder} needs the language of texts: say it, as --language fra_Latn")
        model = self._of_origin(self.language)
        if found.space == "embeddings":
            rows = token_means(model, texts)
        else:
            pooling: Pooling = "cls" if found.pooling == "cls" else "mean"
            own = Reading(pooling, found.layer, reading.max_tokens, reading.batch_tokens)
            rows = embed(model, texts, own)
            reading.truncated += own.truncated
        try:
            return found.apply(self.language, rows)
        except ValueError as error:
            raise UserError(f"--map {self.map_folder}: {error}: learn it again with train/align.py") from None

    def untrained(self, seed: int = 0) -> OpenedModel:
        """Without the map, which is not of it."""
        return self.plain.untrained(seed)

    def to_train(self, kind: str, seed: int, **settings: Any) -> NoReturn:
        raise UserError(f"{self.name}: a map changes vectors, not weights: fine-tune the model without --map")
