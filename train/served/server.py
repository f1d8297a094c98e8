"""What is served, and how each kind of question is put to a model."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import PurePath
from typing import Any

from schemas.errors import UserError
from train.answers.answer import answer
from train.answers.classify import classify
from train.answers.embed import embed
from train.answers.fill_mask import fill_mask
from train.answers.nearest import Neighbours, candidates_of, nearest
from train.answers.tag import tag
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Reading
from train.served import shapes
from train.served.guard import BODY_BYTES
from train.served.heads import Kind, Served
from train.served.turns import Turns
from train.served.vectors import ServedVectors

Call = Callable[[OpenedModel], Sequence[Any]]


class Server:
    """models: at least one. vectors: those that are looked in where /nearest is asked with no candidates."""

    def __init__(self, models: Sequence[Served], vectors: ServedVectors | None, turns: Turns) -> None:
        self.models, self.vectors, self.turns = list(models), vectors, turns

    def about(self) -> shapes.About:
        models = [
            shapes.ServedModel(
                name=one.name,
                architecture=one.opened.config.model_type,
                kinds=list(one.kinds),
                longest=one.opened.longest,
                labels=one.labels,
                searches=self.vectors is not None and self.vectors.model is one,
            )
            for one in self.models
        ]
        limits = shapes.Limits(texts=shapes.MOST_TEXTS, characters=shapes.MOST_CHARACTERS, bytes=BODY_BYTES)
        stored = shapes.Vectors(file=self.vectors.name, languages=self.vectors.languages) if self.vectors else None
        return shapes.About(models=models, vectors=stored, limits=limits)

    async def fill_mask(self, asked: shapes.MaskQuestion) -> Any:
        return await self._ask(asked, "fill-mask", partial(fill_mask, texts=asked.texts, top_k=asked.top_k))

    async def classify(self, asked: shapes.ClassifyQuestion) -> Any:
        texts, seconds = asked.texts or [], None
        if asked.pairs is not None:
            texts, seconds = [one.text for one in asked.pairs], [one.second for one in asked.pairs]
        return await self._ask(asked, "classify", partial(classify, texts=texts, seconds=seconds))

    async def tag(self, asked: shapes.TagQuestion) -> Any:
        return await self._ask(asked, "tag", partial(tag, texts=asked.texts))

    async def answer(self, asked: shapes.AnswerQuestion) -> Any:
        questions, contexts = [one.question for one in asked.questions], [one.context for one in asked.questions]
        return await self._ask(asked, "answer", partial(answer, questions=questions, contexts=contexts))

    async def embed(self, asked: shapes.EmbedQuestion) -> Any:
        def call(model: OpenedModel) -> list[dict[str, Any]]:
            return [{"text": one.text, "vector": one.vector.tolist()} for one in embed(model, asked.texts)]

        return await self._ask(asked, "embed", call)

    async def nearest(self, asked: shapes.NearestQuestion) -> Any:
        vectors = self.vectors
        if asked.candidates is not None:
            texts, languages = [one.text for one in asked.candidates], [one.language for one in asked.candidates]

            def call(model: OpenedModel) -> Sequence[Any]:
                return nearest(model, asked.texts, candidates_of(model, texts, languages), asked.k, asked.to_language)

            return await self._ask(asked, "embed", call)
        if vectors is None:
            raise UserError("there is no file of vectors here to look in: give candidates, or serve with --vectors")
        if asked.model not in (None, vectors.model.name):
            raise UserError(f"the vectors are of model {vectors.model.name}: ask that, or give candidates")
        own = asked.model_copy(update={"model": vectors.model.name})
        reading = Reading(vectors.reading.pooling, vectors.reading.layer)
        found = partial(
            nearest, texts=asked.texts, candidates=vectors.stored, k=asked.k, to_language=asked.to_language,
            reading=reading,
        )  # fmt: skip
        return await self._ask(own, "embed", lambda model: [_without_folders(one) for one in found(model)])

    async def _ask(self, asked: shapes.Question, kind: Kind, call: Call) -> dict[str, Any]:
        served = self._model(asked.model, kind)
        found = await self.turns.run(partial(call, served.opened))
        return {"model": served.name, "answers": [one if isinstance(one, dict) else asdict(one) for one in found]}

    def _model(self, name: str | None, kind: Kind) -> Served:
        """UserError for one that is not served, or cannot be asked this."""
        able = [one for one in self.models if kind in one.kinds]
        if name is None:
            if not able:
                raise UserError(f"no model here can be asked to {kind}: serve one that was trained for it")
            return able[0]
        for one in self.models:
            if one.name == name:
                if one not in able:
                    raise UserError(f"model {name} cannot be asked to {kind}, but to {', '.join(one.kinds)}")
                return one
        raise UserError(f"there is no model {name!r} here: take one of {', '.join(one.name for one in self.models)}")


def _without_folders(answer: Neighbours) -> Neighbours:
    """Whoever asks need not know where files lie on this machine."""
    found = []
    for one in answer.neighbours:
        candidate = replace(one.candidate, file=PurePath(one.candidate.file).name)
        found.append(replace(one, candidate=candidate))
    return replace(answer, neighbours=tuple(found))
