"""Where vectors come from, by language: an encoder asked for texts, or a file of word vectors."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from train.aligning.vec_files import MOST_WORDS, Say, WordVectors, read_vec
from train.benchmarks.languages import same_language
from train.checkpoints.files import digest
from train.encoders.opened import OpenedModel, open_model
from train.encoders.token_means import token_means
from train.encoders.vectors import Reading, Vectors, check_layer, embed_layers, vectors
from train.maps.map_folder import Origin, Space
from train.model_folders.digest import folder_digest

EVERY = None  # the layer that stands for all of them
Tick = Callable[[int], None]


class Source(Protocol):
    """name: for tables. origin: for the map. layers: numbers of those that vectors are of, one or all."""

    name: str
    origin: Origin
    width: int
    layers: tuple[int, ...]

    def known(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """[texts]: which of them have a vector."""
        ...

    def of(self, texts: Sequence[str], tick: Tick) -> Vectors:
        """float32 [layers, texts, width], of texts that are known. tick is told how many have been read."""
        ...

    def frequent(self) -> list[str]:
        """Words that it lists itself, the most frequent first."""
        ...


class ModelSource:
    """layer: of `hidden_states`, EVERY for each of them."""

    def __init__(self, model: OpenedModel, space: Space, layer: int | None, reading: Reading) -> None:
        """UserError where the model has no such layer."""
        if layer is not EVERY:
            check_layer(model, layer)
        self.model, self.space, self.reading = model, space, reading
        self.name, self.width = model.name, int(model.config.hidden_size)
        self.origin = Origin(str(model.given), folder_digest(model.folder))
        every = layer is EVERY and space != "embeddings"
        self.layers = tuple(range(model.config.num_hidden_layers + 1)) if every else (reading.layer,)

    def known(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        if self.space != "embeddings":
            return np.ones(len(texts), np.bool_)
        ids = self.model.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return np.array([len(one) > 0 for one in ids], np.bool_)

    def of(self, texts: Sequence[str], tick: Tick) -> Vectors:
        if self.space == "embeddings":
            tick(len(texts))
            return token_means(self.model, texts)[None]
        if len(self.layers) > 1:
            return embed_layers(self.model, texts, self.reading, tick)
        return np.concatenate(list(vectors(self.model, texts, self.reading, tick)))[None]

    def frequent(self) -> list[str]:
        return []


class FileSource:
    """Words in lower case are asked where the word as it is written is not there, as MUSE has all its words."""

    def __init__(self, path: Path, most: int, say: Say) -> None:
        found: WordVectors = read_vec(path, most, say)
        self.name, self.words, self.vectors = path.name, found.words, found.vectors
        self.width = found.vectors.shape[1]
        self.origin = Origin(str(path), digest(path))
        self.layers: tuple[int, ...] = (-1,)
        self._rows = {word: row for row, word in enumerate(found.words)}

    def known(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        return np.array([text in self._rows or text.lower() in self._rows for text in texts], np.bool_)

    def of(self, texts: Sequence[str], tick: Tick) -> Vectors:
        rows = [self._rows.get(text, self._rows.get(text.lower(), -1)) for text in texts]
        tick(len(texts))
        return self.vectors[rows][None]

    def frequent(self) -> list[str]:
        return self.words


class Sources:
    """Of each language its own; models are opened once, files are read when their language is first asked."""

    def __init__(
        self,
        models: Sequence[str],
        files: Sequence[str],
        space: Space,
        layer: int | None,
        reading: Reading,
        most: int = MOST_WORDS,
        say: Say = lambda line: None,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        """models: `DIR` for all languages, `LANGUAGE=DIR` for one. files: `LANGUAGE=FILE`. UserError where both are
        given or none, where a language or "all" is named twice, and for what cannot be opened."""
        if bool(models) == bool(files):
            raise UserError("name the vectors: --model DIR, or --vectors eng=FILE fra=FILE, one of the two")
        self._named = dict[str, str]()
        for given in (*models, *files):
            language, sign, path = given.partition("=")
            if not sign or (models and Path(given).exists()):
                language, path = "", given
            if files and not language:
                raise UserError(f"--vectors {given}: name its language, as --vectors eng={given}")
            if language in self._named:
                flag = f"--{'model' if models else 'vectors'}"
                raise UserError(
                    f"{flag}: {f'{language} has two' if language else 'all languages have two'}: leave one of them "
                    f"out, or name its language, as {flag} fra={path}"
                )
            self._named[language] = path
        self._opened = dict[str, Source]()
        self._model = bool(models)

        def opened(path: str) -> Source:
            if not self._model:
                return FileSource(Path(path), most, say)
            model = open_model(Path(path), device=device, precision=precision)
            return ModelSource(model, space, layer, reading)

        self._open = opened

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that are named; a model without a name is for all others too."""
        return tuple(sorted(name for name in self._named if name))

    @property
    def for_all(self) -> bool:
        return "" in self._named

    def of(self, language: str) -> Source:
        """UserError where nothing is named for it."""
        named = [name for name in self._named if name and same_language(name, language)]
        exact = [name for name in named if name == language]
        name = (exact or named or [""])[0]
        if name not in self._named:
            flag = "--model" if self._model else "--vectors"
            raise UserError(f"{flag} names none for {language}, only for {', '.join(self.languages)}: name one")
        path = self._named[name]
        if path not in self._opened:
            self._opened[path] = self._open(path)
        return self._opened[path]

    def layers(self, languages: Sequence[str]) -> tuple[int, ...]:
        """UserError where all layers are asked of models that have not equally many."""
        found = {self.of(language).layers: self.of(language).name for language in languages}
        if len(found) > 1:
            told = ", ".join(f"{name} has {len(layers) - 1}" for layers, name in found.items())
            raise UserError(f"--layer all needs models of equally many layers, and {told}: name a layer")
        return next(iter(found))

    def origins(self, languages: Sequence[str]) -> Mapping[str, Origin]:
        return {language: self.of(language).origin for language in languages}
