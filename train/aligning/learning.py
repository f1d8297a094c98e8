"""Maps by every method that is asked for, what they find of what they have not seen, and the best of them as a copy."""

import hashlib
import json
import shutil
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import UserError
from schemas.evaluation import VERSION, Evaluation, Model, Table
from train.aligning.judging import by_layer, figures, score, scored_by, together
from train.aligning.material import Material, materials
from train.aligning.methods import METHODS, SETTINGS, Asked, Learnt
from train.aligning.request import Request, requested
from train.checkpoints.files import check_folder, publish, write_text
from train.evaluation.results import as_json, by_language, summary
from train.maps.map_folder import LINES, MEAN_OF, WORDS, LanguageMap, VectorMap, is_map, read_map, write_map

JSON, TEXT, BEST = "alignment.json", "alignment.txt", "map"
CHEAP = ("nothing", "centre", "procrustes")  # of all layers
Say = Callable[[str], None]


def learn(given: Namespace, say: Say) -> None:
    """Writes OUTPUT/METHOD, OUTPUT/map, alignment.json and alignment.txt. A method that an earlier run of the same
    settings, files and models has finished is not learnt again. UserError for whatever the user can mend."""
    output: Path = given.output
    check_folder(output)
    request = requested(given, say)
    asked = Asked(given.setting, given.seeds, given.device)
    every = materials(
        request.sources, request.pivot, request.languages, request.lines, request.vocabularies, request.dictionaries
    )
    _check_dictionaries(every[0], given, say)
    material, of_layers = _layer(every, request, asked, given, say)
    if material.split is None and request.space != "vectors":
        say("means are of words: sentences lie elsewhere, so for maps of sentences name --parallel beside")
    maps, tables, scores = dict[str, VectorMap](), list[Table](), dict[str, float]()
    try:
        for name in (*request.baselines, *request.methods):
            done = _method(name, request, material, asked, given, output, say)
            if done is None:
                continue
            maps[name] = done[0]
            tables += done[1]
            known = maps[name].lineage["score"]
            if known is not None and not maps[name].lineage["failed"]:
                scores[name] = known
        best = max(scores, key=lambda name: (scores[name], -list(METHODS).index(name)))  # of equal ones the simplest
        publish(output / BEST, lambda part: _copy(output / best, part))
        evaluation = _evaluation(maps, together([*tables, *of_layers]), request, output, scores, material)
        lines = [*summary(evaluation), *by_language(evaluation), "", *_chosen(best, scores, material, output)]
        lines += [*_failed(maps, output), *_stale(maps, output)]
        write_text(output / TEXT, "\n".join(lines) + "\n")
        write_text(output / JSON, as_json(evaluation))
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(f"--output {output} cannot be written ({why}): name another place, or mend that") from None
    say("\n".join(lines))


def _layer(
    every: list[Material], request: Request, asked: Asked, given: Namespace, say: Say
) -> tuple[Material, list[Table]]:
    """That of the highest score of Procrustes, and figures of all, where all are asked for."""
    if len(every) == 1:
        return every[0], []
    each = []
    for material in every:
        maps = {}
        for name in CHEAP:
            learnt = METHODS[name].learn(material, asked, lambda line: None)
            maps[name] = as_map(name, learnt, request, material, given.pooling)
        each.append((material, maps))
    best = max(each, key=lambda one: score(one[0], one[1]["procrustes"]) or 0.0)[0]
    say(f"layer {best.layer}: the best of {len(every)} by {scored_by(best)} after procrustes")
    return best, by_layer(each, CHEAP[:2])


def _method(
    name: str, request: Request, material: Material, asked: Asked, given: Namespace, output: Path, say: Say
) -> tuple[VectorMap, list[Table]] | None:
    """The map and its figures; None of a baseline that can map no language."""
    settings = _settings(name, request, material, asked, given)
    fingerprint = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    folder = output / name
    if is_map(folder):
        try:
            there = read_map(folder)
            if there.lineage.get("fingerprint") == fingerprint:
                say(f"{name}: as {folder} has it")
                return there, list(there.lineage["tables"])
        except UserError:
            pass  # damaged: it is learnt again
    learnt = METHODS[name].learn(material, asked, say)
    if len(learnt.matrices) < 2:
        if name in given.method:
            raise UserError(f"--method {name} has no language to map: take another, or give more to learn from")
        return None
    found = as_map(name, learnt, request, material, given.pooling)
    tables = figures(material, {name: found}, request.baselines)
    lineage = settings | {"fingerprint": fingerprint, "learnt": learnt.told, "failed": learnt.failed, "tables": tables}
    lineage |= {"score": score(material, found), "scored by": scored_by(material)}
    found = as_map(name, learnt, request, material, given.pooling, lineage)
    for table_of_others in (TEXT, JSON):  # that of an earlier command would speak of another map
        (output / table_of_others).unlink(missing_ok=True)
    write_map(found, folder)
    return found, tables


def as_map(
    name: str,
    learnt: Learnt,
    request: Request,
    material: Material,
    pooling: str,
    lineage: dict[str, Any] | None = None,
) -> VectorMap:
    languages = {}
    for language, matrix in sorted(learnt.matrices.items()):
        mean = material.sides[language].mean
        kept = mean if learnt.centred else np.zeros_like(mean)
        languages[language] = LanguageMap(kept, np.asarray(matrix, np.float32))
    layer = 0 if request.space == "embeddings" else material.layer
    origins = request.sources.origins(list(languages))
    return VectorMap(request.space, name, material.pivot, languages, origins, layer, pooling, lineage or {})


def _settings(name: str, request: Request, material: Material, asked: Asked, given: Namespace) -> dict[str, Any]:
    """All that a map hangs on."""
    split = material.split
    counts = {} if split is None else {
        "learnt": len(split.learnt), "development": len(split.development), "held out": len(split.held_out)
    }  # fmt: skip
    muse = {"seeds": asked.seeds, "setting": asked.setting} | asdict(SETTINGS[asked.setting]) if name == "muse" else {}
    every = (request.pivot, *request.languages)
    return {
        "method": name,
        "space": request.space,
        "layer": material.layer,
        "pooling": given.pooling,
        "pivot": request.pivot,
        "languages": list(request.languages),
        "models": {one: origin.digest for one, origin in request.sources.origins(every).items()},
        "data": request.data,
        "lines": counts,
        MEAN_OF: LINES if split is not None else WORDS,
        "words": {one: len(material.sides[one].words) for one in every},
        "muse": muse,
    }


def _check_dictionaries(material: Material, given: Namespace, say: Say) -> None:
    """UserError where nothing of one is known. What has no vectors is said."""
    for language, one in material.dictionaries.items():
        if one.unknown:
            say(f"{language}: {one.unknown:,} of {one.pairs:,} pairs of the dictionary have no vectors: left out")
        if given.dictionary and not len(one.learnt):
            raise UserError(
                f"--dictionary: no pair of {language} and {material.pivot} that is learnt from has two words with "
                "vectors: take the dictionary of these languages, or more words"
            )
        if given.test_dictionary and not any(len(asked.words) for asked in one.tests.values()):
            raise UserError(f"--test-dictionary: no word of {language} and {material.pivot} has vectors: take another")


def _copy(folder: Path, part: Path) -> None:
    shutil.copytree(folder, part)


def _evaluation(
    maps: dict[str, VectorMap],
    tables: list[Table],
    request: Request,
    output: Path,
    scores: dict[str, float],
    material: Material,
) -> Evaluation:
    models = [
        Model(
            name=name,
            folder=str(output / name),
            kind="map",
            parameters=sum(one.matrix.size + one.mean.size for one in maps[name].languages.values()),
        )
        for name in request.methods
        if name in maps
    ]
    failed = {name: dict(one.lineage["failed"]) for name, one in maps.items() if one.lineage["failed"]}
    for one in tables:
        one["settings"] |= {"pivot": request.pivot, "space": request.space, "score": scores, "failed": failed}
    return Evaluation(version=VERSION, models=models, tables=tables)


def _chosen(best: str, scores: dict[str, float], material: Material, output: Path) -> list[str]:
    told = ", ".join(f"{name} {value:.3f}" for name, value in sorted(scores.items(), key=lambda one: -one[1]))
    return [f"{scored_by(material)}: {told}", f"{output / BEST} is a copy of {best}: {METHODS[best].title}"]


def _failed(maps: dict[str, VectorMap], output: Path) -> list[str]:
    """Beside the table, in which their figures stand all the same."""
    return [
        f"{name} failed on {language}: {why}; {output / name} is of no use for it, and not chosen"
        for name, one in maps.items()
        for language, why in one.lineage["failed"].items()
    ]


def _stale(maps: dict[str, VectorMap], output: Path) -> list[str]:
    """Maps that lie beside and are not this command's: an earlier one's, of whatever it was given."""
    return [
        f"{output / name} is an earlier command's and no part of this table"
        for name in METHODS
        if name not in maps and is_map(output / name)
    ]
