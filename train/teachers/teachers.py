"""Models that a run learns from: each is opened once, reads the sequences of its languages, and is never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from schemas.errors import UserError
from train.config.tables import PretrainConfig
from train.corpus.vocabulary import Vocabulary
from train.data.plan import listed
from train.model.attention import AttentionLayout
from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.model.pooling import pooled
from train.model_folders.config_json import read_config
from train.model_folders.huggingface import config_file, load_encoder
from train.objectives.objective import Batch
from train.teachers.identity import same_tokens
from train.teachers.routing import Reader, Routes, vocabulary_of

EVERY = "*"
Held = TypeVar("Held", Tensor, AttentionLayout)


@dataclass(frozen=True)
class Teacher:
    """name: the first of the languages that the setting names it for, `others` for `*`. shape: of its encoder.
    own_tokens: its tokenizer is another than the student's, or not known."""

    name: str
    folder: Path
    shape: EncoderConfig | BertConfig
    own_tokens: bool


@dataclass(frozen=True)
class Answer:
    """Of one pass over a batch, without gradient. hidden: [M, width] at the places that distillation asks for.
    layer_inputs: of the layers that are kept, [T, width]. All of the sequences that are routed to the teacher."""

    model: MaskedLanguageModel
    hidden: Tensor
    layer_inputs: Mapping[int, Tensor]


class Teachers:
    """All of a run's, shared by its objectives; whole in each process, in the run's compute dtype, and no part of the
    model that is trained, sharded, saved and counted.

    What one objective had computed of a batch is kept for the others until the next batch comes.
    """

    def __init__(self, teachers: Sequence[Teacher], routes: Routes, languages: Sequence[str]) -> None:
        self.teachers, self.routes, self.languages = tuple(teachers), routes, tuple(languages)
        self._models: dict[str, tuple[MaskedLanguageModel, bool]] = {}
        self._layers: dict[str, set[int]] = {one.name: set() for one in teachers}
        self._batch: Batch | None = None
        self._answers: dict[str, Answer] = {}
        self._vectors: dict[str, dict[str, Tensor]] = {}

    @classmethod
    def named(cls, config: PretrainConfig, vocabulary: Vocabulary, languages: Sequence[str]) -> "Teachers":
        """Of the setting `teachers`, their weights not yet read. UserError where a language is not of the corpus, a
        teacher has no language, a folder holds no model, or a text may be longer than a teacher can take."""
        setting = config.model.teachers
        for name in setting:
            if name != EVERY and name not in languages:
                raise UserError(f"teachers names {name}, which the shards do not have: take it out")
        if EVERY in setting and all(name in setting for name in languages):
            raise UserError(
                f"teachers has {setting[EVERY]} for *, but names every language of the shards: take * out, or some "
                "language"
            )
        teachers: dict[Path, Teacher] = {}
        owner = np.full(len(languages), -1, np.int64)
        for language, folder in sorted(setting.items(), key=lambda item: (item[0] == EVERY, item[0])):
            if folder not in teachers:
                name = "others" if language == EVERY else language
                shape, _ = read_config(config_file(folder))
                own = not same_tokens(folder, shape, vocabulary)
                teachers[folder] = Teacher(name, folder, shape, own)
            rows = [n for n, one in enumerate(languages) if one == language or (language == EVERY and owner[n] < 0)]
            owner[rows] = list(teachers).index(folder)
        readers = tuple(reader_of(one, config.data.max_seq_len) for one in teachers.values())
        return cls(list(teachers.values()), Routes(readers, owner, vocabulary), languages)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.teachers)

    @property
    def parameters(self) -> int:
        """Of all. After `open`."""
        return sum(value.numel() for model, _ in self._models.values() for value in model.parameters())

    @cached_property
    def shapes(self) -> dict[str, EncoderConfig | BertConfig]:
        return {one.name: one.shape for one in self.teachers}

    def need_same_tokens(self, objective: str, tokenizer: Path) -> None:
        """UserError where a teacher does not read the student's tokens."""
        for one in self.teachers:
            if one.own_tokens:
                raise UserError(
                    f"the teacher {one.folder} has another vocabulary than --tokenizer {tokenizer}, and "
                    f"objectives.{objective} is between tokens: take that teacher out, or sentence_vectors in its place"
                )

    def check_shown(self, languages: Sequence[str]) -> None:
        """UserError where none of a teacher's languages is among these, all that a run shows and gives a weight."""
        for number, one in enumerate(self.teachers):
            own = [self.languages[row] for row in np.flatnonzero(self.routes.owner == number)]
            if not set(own) & set(languages):
                raise UserError(
                    f"the teacher {one.folder} is asked nothing, since of its languages ({listed(own)}) none is shown "
                    "with a weight: give one a share in mixture.json and a weight above 0, or take that teacher out"
                )

    def need_heads(self) -> None:
        """UserError where a teacher makes no guesses. After `open`."""
        for one in self.teachers:
            if not self._models[one.name][1]:
                raise UserError(
                    f"the teacher {one.folder} has no masked-language-model head: take the model that has one, or "
                    "take objectives.distillation out"
                )

    def keep(self, layer: int) -> dict[str, int]:
        """Has the layer's inputs kept, negative from the end; its number in each teacher. UserError where one has no
        such layer."""
        found = {}
        for one in self.teachers:
            count = one.shape.num_hidden_layers
            found[one.name] = layer_number(layer, count, f"teacher_layer = {layer}", f"the teacher {one.folder}")
            self._layers[one.name].add(found[one.name])
        return found

    def open(self, device: torch.device, dtype: torch.dtype) -> None:
        """Reads the weights, unless they are there. UserError where they do not belong to the config."""
        for one in self.teachers:
            if one.name in self._models:
                continue
            loaded = load_encoder(one.folder, dtype)
            model = loaded.language_model.eval().requires_grad_(False)
            for parameter in model.parameters():
                parameter.data = parameter.data.to(device, dtype)
            self._models[one.name] = model.to(device), loaded.has_head

    @torch.no_grad()
    def answers(self, batch: Batch) -> dict[str, Answer]:
        """By teacher. Each runs once over a batch, whoever asks first, over the tokens as the student sees them."""
        self._turn_to(batch)
        if not self._answers:
            self._answers = {name: self._answer(name, batch) for name in self.names}
        return self._answers

    @torch.no_grad()
    def sentence_vectors(self, batch: Batch, pooling: str) -> dict[str, Tensor]:
        """By teacher, float32 [its sequences, its width], in their order in the batch. Of texts with nothing hidden,
        which `Routes.as_written` has to have put among the labels of an objective. pooling: mean, over all tokens of a
        sequence, or cls, the vector of <s>."""
        self._turn_to(batch)
        if pooling not in self._vectors:
            self._vectors[pooling] = {name: self._sentence_vectors(name, batch, pooling) for name in self.names}
        return self._vectors[pooling]

    @staticmethod
    def tokens(batch: Batch, name: str) -> Tensor:
        """Places in the batch, int64 [T], of the tokens that are routed to a teacher."""
        found = _first(batch.arrays, f"{name}.tokens")
        assert found is not None
        return found

    def _turn_to(self, batch: Batch) -> None:
        if batch is not self._batch:
            self._batch, self._answers, self._vectors = batch, {}, {}

    def _answer(self, name: str, batch: Batch) -> Answer:
        model = self._models[name][0]
        tokens, layout = self.tokens(batch, name), _first(batch.parts, name)
        assert layout is not None
        places = _first(batch.arrays, f"{name}.places")
        if places is None:
            places = tokens[:0]  # nobody asks for the last layer's answers
        layer_inputs: dict[int, Tensor | None] = dict.fromkeys(self._layers[name])
        if not len(tokens):
            nothing = torch.zeros(0, model.config.hidden_size, dtype=model.model.compute_dtype, device=tokens.device)
            return Answer(model, nothing, dict.fromkeys(self._layers[name], nothing))
        hidden = model.model(
            batch.input_ids.index_select(0, tokens),
            batch.positions.index_select(0, tokens),
            layout,
            places,
            segments=None if batch.segments is None else batch.segments.index_select(0, tokens),
            layer_inputs=layer_inputs,
        )
        return Answer(model, hidden, {layer: value for layer, value in layer_inputs.items() if value is not None})

    def _sentence_vectors(self, name: str, batch: Batch, pooling: str) -> Tensor:
        model = self._models[name][0]
        ids, positions, segments = (_first(batch.arrays, f"{name}.{kind}") for kind in ("ids", "positions", "segments"))
        layout = _first(batch.parts, f"{name}.text")
        assert ids is not None and positions is not None and layout is not None
        if not len(ids):
            return torch.zeros(0, model.config.hidden_size, device=ids.device)
        bounds = layout.cu_seqlens.long()
        places = bounds[:-1] if pooling == "cls" else None
        hidden: Tensor = model.model(ids, positions, layout, places, segments=segments)
        return pooled(hidden, None if pooling == "cls" else bounds.diff())


def layer_number(layer: int, count: int, said: str, whose: str) -> int:
    """From 0. UserError where there is no such layer."""
    if not -count <= layer < count:
        raise UserError(f"{said}, but {whose} has {count} layers: take one of {-count} to {count - 1}")
    return layer % count


def reader_of(teacher: Teacher, max_seq_len: int) -> Reader:
    """UserError where sequences are longer than it can take; texts in tokens of its own are cut."""
    shape, longest = teacher.shape, teacher.shape.max_position_embeddings
    if not teacher.own_tokens:
        if longest < max_seq_len:
            raise UserError(
                f"max_seq_len = {max_seq_len} is more than the teacher {teacher.folder} can take, {longest}: make it "
                "smaller"
            )
    elif not (teacher.folder / "tokenizer.json").is_file():
        raise UserError(
            f"the teacher {teacher.folder} has no tokenizer.json, and nothing else says that its "
            f"{shape.vocab_size} tokens are the student's: put the one that it was trained with beside it"
        )
    else:
        vocabulary_of(teacher.folder)
    window = shape.local_attention if isinstance(shape, EncoderConfig) else max_seq_len  # BERT has no local layers
    return Reader(teacher.name, window, longest, teacher.folder if teacher.own_tokens else None)


def _first(by_objective: Mapping[str, Mapping[str, Held]], name: str) -> Held | None:
    """That of the first objective that has it."""
    return next((found[name] for found in by_objective.values() if name in found), None)
