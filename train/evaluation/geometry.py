"""How vectors of sentences lie: evenly or in a cone, and apart by language or together."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from schemas.errors import UserError
from schemas.evaluation import ALL, Better, Rows, Table
from train.benchmarks.aligned import read_aligned, read_tatoeba
from train.benchmarks.examples import TextExample
from train.benchmarks.read import read_by_language
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Vectors
from train.evaluation.measures import Measure, table
from train.evaluation.sentences import Embedding
from train.evaluation.settings import Settings
from train.likelihood.held_out_texts import held_out_texts
from train.metrics.figures import number
from train.metrics.geometry import effective_rank, isoscore, mean_cosine, partition_ratio
from train.telemetry.probe import probe

PER_LANGUAGE = 200  # sentences: fitting the probe is what takes the time
TEXT_BYTES = 300  # of a held-out text: about a sentence or two
ENGLISH = "eng"
ISOTROPY: tuple[tuple[str, str, str, Better, Callable[[Vectors], float]], ...] = (
    ("mean_cosine", "mean cosine of two sentences", "cosine", "lower", mean_cosine),
    ("isoscore", "IsoScore", "0 to 1", "higher", isoscore),
    ("partition_ratio", "partition ratio", "0 to 1", "higher", partition_ratio),
    ("effective_rank", "effective rank", "dimensions", "higher", effective_rank),
)
PROBE = (
    ("accuracy", "right answers"),
    ("balanced_accuracy", "right answers, mean over languages"),
    ("centred_accuracy", "right answers where languages are centred"),
)


def geometry(settings: Settings) -> Measure | None:
    """Where --probe asks for it. UserError where no texts are named."""
    if not settings.probe:
        return None
    there = texts_at_hand(settings)
    if not there:
        raise UserError("--probe needs texts: name files too, as --aligned, --transfer, --tatoeba or --shards")
    wanted = settings.wanted(there)
    texts = {language: there[language][: min(PER_LANGUAGE, settings.sentences)] for language in wanted}
    return Measure("geometry", partial(_run, texts), frozenset(there))


def texts_at_hand(settings: Settings) -> dict[str, list[str]]:
    """By language, of the first that is named: aligned files and benchmarks, whose texts are the same in all languages,
    before others, so that it is not the topic that tells a language."""
    if settings.aligned is not None:
        return read_aligned(settings.aligned)
    if settings.transfer is not None:
        by_language = read_by_language([settings.transfer], settings.transfer_task, split="train", labelled=False)
        return {
            language: [one.text for one in examples if isinstance(one, TextExample)]
            for language, examples in by_language.items()
        }
    if settings.tatoeba is not None:
        pairs = read_tatoeba(settings.tatoeba)
        english = dict.fromkeys(line for _, lines in pairs.values() for line in lines)
        return {language: lines for language, (lines, _) in pairs.items()} | {ENGLISH: list(english)}
    shards = [settings.shards] if settings.shards is not None else []
    if not shards and not settings.texts:
        return {}
    found = held_out_texts([*shards, *settings.texts], language_bytes=PER_LANGUAGE * TEXT_BYTES, text_bytes=TEXT_BYTES)
    return {language: [one.text for one in texts] for language, texts in found.texts.items()}


def _run(texts: Mapping[str, Sequence[str]], model: OpenedModel, settings: Settings) -> list[Table]:
    with Embedding(model, settings, "geometry", sum(map(len, texts.values()))) as embedding:
        found = {language: embedding.one(texts[language], language) for language in embedding.known(texts)}
    told = embedding.told()
    everything = np.concatenate(list(found.values()))
    tables = []
    for name, title, unit, better, measured in ISOTROPY:
        rows: Rows = {
            language: number(measured(one), len(one))
            for language, one in {**found, ALL: everything}.items()
            if len(one) > 1
        }
        tables.append(table(name, f"isotropy: {title}", unit, better, figures={model.name: rows}, settings=told))
    return [*tables, *_probed(found, everything, model.name, told)]


def _probed(found: Mapping[str, Vectors], everything: Vectors, model: str, told: Mapping[str, object]) -> list[Table]:
    """Of the lines with even numbers it learns, of the others it tells the language. None where there are too few."""
    classes = np.concatenate([np.full(len(one), place) for place, one in enumerate(found.values())])
    lines = np.concatenate([np.arange(len(one), dtype=np.uint64) for one in found.values()])
    answer = probe(everything, classes.astype(np.int64), lines)
    if answer is None:
        return []
    asked = int((lines & np.uint64(1)).sum())
    return [
        table(
            f"language_probe_{name}",
            f"language probe: {title}",
            "share right",
            "neither",
            figures={model: {ALL: number(answer[name], asked)}},
            baselines={"majority class": {ALL: number(answer["majority"], asked)}} if name == "accuracy" else {},
            settings={**told, "languages": len(found)},
        )
        for name, title in PROBE
    ]
