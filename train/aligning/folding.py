"""From a map, its model and texts to the folder of a model whose token rows are in one space."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from schemas.errors import UserError
from train.benchmarks.aligned import read_aligned
from train.checkpoints.files import check_folder, publish
from train.corpus.vocabulary import Vocabulary, open_vocabulary
from train.encoders.folders import model_folder
from train.likelihood.held_out_texts import held_out_texts
from train.maps.folding import folded, of_rows, posteriors
from train.maps.map_folder import LINES, VectorMap, named, read_map
from train.model_folders.digest import folder_digest
from train.model_folders.huggingface import LoadedEncoder, load_encoder, save_pretrained
from train.telemetry.progress import Progress

LANGUAGE_BYTES = 1 << 23  # of held-out texts, to count tokens in
TEXT_BYTES = 1 << 16
AT_ONCE = 256  # texts
Say = Callable[[str], None]
Counts = dict[str, NDArray[np.int64]]


def fold(given: Namespace, say: Say) -> None:
    """Writes --output. UserError where the map is of another model or of other vectors, for texts that cannot be read
    or are in none of its languages, and where --output is there or cannot be written."""
    found = read_map(given.map)
    check_map(found, given.map)
    check_folder(given.output)
    if given.output.exists():
        raise UserError(f"--output {given.output} is there already: name another folder, or take it away")
    texts = texts_of(given, found, say)
    folder = model_folder(given.model)
    check_origins(found, given.map, given.model, folder_digest(folder.path))
    vocabulary, loaded = open_vocabulary(folder.path), load_encoder(folder.path)
    if not loaded.has_head:
        say(f"--model {given.model} has no head for masked words: the fold has a new one, as pretrain.py --init makes")
    if found.mean_of == LINES:
        say(f"--map {given.map} has means of sentences: those of the languages' token rows are taken instead")
    counts = counted(texts, vocabulary, loaded.config.vocab_size)
    rows, moved = fold_into(loaded, found, counts, vocabulary, given.map)
    users = np.sum([of > 0 for of in counts.values()], 0)
    told = {
        "rows": int(vocabulary.size),
        "brought": int(moved.sum()),
        "of several languages": int(((users > 1) & moved).sum()),
        "seen nowhere": int((users == 0).sum()),
    }
    lineage = {
        "parent": {"folder": str(given.model), "lineage": loaded.lineage},
        "tokenizer": vocabulary.digest,
        "fold": {
            "map": found.told | {"folder": str(given.map), "digest": found.digest, "lineage": dict(found.lineage)},
            "mean of": "rows" if found.mean_of == LINES else found.mean_of,
            "tokens": {language: int(of.sum()) for language, of in counts.items()},
            **told,
        },
    }
    _write(given.output, loaded, vocabulary, rows, lineage)
    say(
        f"{given.output}: {told['brought']:,} of {told['rows']:,} token rows are in the space of {found.pivot}, "
        f"{told['of several languages']:,} of them of several languages; {told['seen nowhere']:,} were seen in no text "
        "and stay. The decoder reads the same rows, so train on before words are guessed"
    )


def check_map(found: VectorMap, folder: Path) -> None:
    """UserError where it is not of what a token's row is."""
    of_rows = found.space == "embeddings" or (found.space == "words" and found.layer == 0)
    if not of_rows:
        raise UserError(
            f"--map {folder} is of {found.space}" + (f" at layer {found.layer}" if found.space != "vectors" else "")
            + ", and rows are folded by one of embeddings: learn it with align.py learn --space embeddings"
        )  # fmt: skip


def check_origins(found: VectorMap, folder: Path, model: Path, digest: str) -> None:
    """UserError where a language's vectors are not those of the model."""
    others = {name: origin.folder for name, origin in found.origins.items() if origin.digest != digest}
    if len(others) == len(found.origins):
        raise UserError(f"--map {folder} is a map of another model ({others[found.pivot]}) than --model {model}")
    if others:
        name = sorted(others)[0]
        raise UserError(
            f"--map {folder} has its vectors of {name} from another model, {others[name]}, and a table is folded "
            "within one model: learn a map of one"
        )


def texts_of(given: Namespace, found: VectorMap, say: Say) -> dict[str, list[str]]:
    """By the map's names of languages. UserError where none is named, or none is in a language of the map."""
    there: dict[str, list[str]] = {}
    paths = [*([given.shards] if given.shards else []), *given.texts]
    if not paths and given.parallel is None:
        raise UserError("no texts say which tokens are of which language: name --parallel, --shards or --texts")
    if paths:
        read = held_out_texts(paths, language_bytes=LANGUAGE_BYTES, text_bytes=TEXT_BYTES)
        there = {language: [one.text for one in of] for language, of in read.texts.items()}
    if given.parallel is not None:
        for language, lines in read_aligned(given.parallel).items():
            there.setdefault(language, []).extend(lines)
    texts: dict[str, list[str]] = {}
    unknown = []
    for language, of in there.items():
        name = named(found, language)
        if name is None:
            unknown.append(language)
        else:
            texts.setdefault(name, []).extend(of)
    if not texts:
        raise UserError(
            f"--map {given.map} has none of the languages of the texts ({', '.join(sorted(there))}): it has "
            f"{', '.join(sorted(found.languages))}"
        )
    if unknown:
        say(f"left out: texts in {', '.join(sorted(unknown))}, which the map lacks")
    silent = sorted(set(found.languages) - set(texts))
    if silent:
        say(f"no texts in {', '.join(silent)}: rows of tokens that stand in these languages alone stay")
    return texts


def counted(texts: Mapping[str, list[str]], vocabulary: Vocabulary, rows: int) -> Counts:
    """int64 [rows] by language: how often each token stands in its texts."""
    counts: Counts = {}
    with Progress("counting tokens", "texts", sum(map(len, texts.values()))) as progress:
        for language, of in texts.items():
            counts[language] = np.zeros(rows, np.int64)
            for begin in range(0, len(of), AT_ONCE):
                part = of[begin : begin + AT_ONCE]
                for ids in vocabulary.encode(part):
                    counts[language] += np.bincount(ids, minlength=rows) if len(ids) else 0
                progress.add(len(part))
    return counts


def fold_into(
    loaded: LoadedEncoder, found: VectorMap, counts: Counts, vocabulary: Vocabulary, folder: Path
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """See `folded`; of the rows of the vocabulary, without those that pad the table. A map whose means are of sentences
    takes those of rows."""
    table = loaded.encoder.token_embeddings.detach()[: loaded.config.vocab_size].float().numpy()
    stays = np.ones(len(table), np.bool_)
    stays[: vocabulary.size] = vocabulary.special
    shares = posteriors(counts)
    try:
        if found.mean_of == LINES:
            found = of_rows(found, table, {language: of * ~stays for language, of in shares.items()})
        return folded(table, found, shares, stays)
    except ValueError as error:
        raise UserError(f"--map {folder}: {error}: a table takes a map into a space as wide as itself") from None


def _write(
    output: Path, loaded: LoadedEncoder, vocabulary: Vocabulary, rows: NDArray[np.float32], lineage: dict[str, Any]
) -> None:
    with torch.no_grad():
        loaded.encoder.token_embeddings[: len(rows)] = torch.from_numpy(rows)
    save = partial(
        save_pretrained, loaded.language_model, vocabulary.special_ids, vocabulary.folder,
        lineage=lineage, pair_head=loaded.pair_head,
    )  # fmt: skip
    try:
        publish(output, save)
    except OSError as error:
        raise UserError(f"--output {output} cannot be written ({error.strerror}): name another place") from None
