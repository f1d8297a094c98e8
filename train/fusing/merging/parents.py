"""The models that are to become one, opened and held against each other before anything is made of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import Tensor

from schemas.errors import UserError
from train.encoders.folders import EXPORT, checkpoints_of, folder_of, lineage_of, tokenizer_of
from train.encoders.named import named_folders
from train.fusing.parent_flag import called_parents
from train.model.languages import LANGUAGE_TABLE, folded_into
from train.model_folders.ancestry import Ancestor, of_model, weights_digest
from train.model_folders.config_json import PRETRAINING
from train.model_folders.stored_weights import StoredWeights
from train.model_folders.weight_files import PAIRS
from train.telemetry.progress import Progress

# Settings in which models may differ: of their tables, which are matched, and of what is drawn or dropped in training.
FREE = {
    "vocab_size",
    "languages",
    "initializer_range",
    "initializer_cutoff_factor",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
}


@dataclass
class Parent:
    """name: for tables. given: as the user named it. folder: where the weights lie. digest: "" until it is read."""

    name: str
    given: Path
    folder: Path
    stored: StoredWeights
    digest: str = ""

    @cached_property
    def lineage(self) -> dict[str, Any]:
        return lineage_of(self.folder)

    @cached_property
    def tokenizer(self) -> Path:
        return tokenizer_of(self.folder)

    @cached_property
    def tokens(self) -> dict[str, int]:
        """Token -> its row."""
        path = self.tokenizer / "tokenizer.json"
        if not path.is_file():
            raise UserError(f"--parent {self.given} has no tokenizer.json, by which rows are matched: put it there")
        try:
            return dict(Tokenizer.from_file(str(path)).get_vocab(with_added_tokens=True))
        except Exception as error:  # tokenizers raises bare Exception
            raise UserError(f"{path} is no tokenizer: {' '.join(str(error).split())}; write it again") from None

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that it has a row of the language embedding for."""
        return self.stored.config.languages

    @property
    def node(self) -> Ancestor:
        return of_model(str(self.given), self.digest or None, self.lineage)

    def tensor(self, name: str, fold: bool) -> Tensor:
        """fold: with the row of a language that is not told added where an export has it."""
        value = self.stored.tensor(name)
        if fold and self.languages and name == folded_into(self.stored.config):
            value += self.stored.tensor(LANGUAGE_TABLE)[0]
        return value


def open_parent(name: str, given: Path) -> Parent:
    """UserError where there is no masked language model that we know."""
    folder = _folder(given)
    if not folder.is_dir():
        raise UserError(f"--parent {given} is no folder: name a run, an export or a checkpoint")
    stored = StoredWeights(folder)
    if not stored.has_head:
        lacks = next(one for one in stored.missing if one.startswith(("head.", "decoder.")))
        raise UserError(
            f"--parent {given} has no head for masked words ({lacks} is missing): take the model that has one"
        )
    if stored.missing:
        raise UserError(f"--parent {given} lacks the tensor {stored.missing[0]}: copy it again")
    return Parent(name, given, folder, stored)


def open_parents(given: Sequence[str]) -> list[Parent]:
    """Of `NAME=DIR` or `DIR`. UserError for fewer than two, and for names that are the same."""
    if len(given) < 2:
        raise UserError("--parent: it takes two models or more to make one of: name another")
    with called_parents():
        return [open_parent(name, path) for name, path in named_folders(given)]


def _folder(given: Path) -> Path:
    """Exports have no rows of languages: of a run with such rows, its checkpoint of the same step, where that has the
    weights which were exported."""
    folder = folder_of(given)
    if folder != given / EXPORT:
        return folder
    lineage = lineage_of(folder)
    averaged = lineage.get("config", {}).get("optim", {}).get("ema_decay")
    for checkpoint in reversed(checkpoints_of(given)):
        if "language" in lineage and not averaged and lineage_of(checkpoint).get("step") == lineage.get("step"):
            return checkpoint
    return folder


def check_shapes(parents: Sequence[Parent]) -> None:
    """UserError that names the first setting or tensor in which one is not as the first."""
    first = parents[0]
    for other in parents[1:]:
        pair = f"--parent {first.given} and {other.given}"
        if first.stored.config.layout != other.stored.config.layout:
            kinds = f"{first.stored.config.layout} and {other.stored.config.layout}"
            raise UserError(f"{pair} are of different architectures, {kinds}: distil one into the other instead")
        for one in fields(first.stored.config):
            values = [getattr(model.stored.config, one.name) for model in (first, other)]
            if one.name not in FREE and values[0] != values[1]:
                raise UserError(
                    f"{pair} differ in {one.name}, {values[0]} and {values[1]}: only models of one shape merge; "
                    "distil one into the other instead"
                )


def takes_pairs(parents: Sequence[Parent], without: bool) -> bool:
    """Whether the result has a head for pairs. UserError where it should, and they do not all have the same."""
    if without or parents[0].stored.config.layout not in PRETRAINING:
        return False
    having = [one for one in parents if any(name.startswith(PAIRS) for name in one.stored.shapes)]
    if not having:
        return False
    lacking = [one for one in parents if one not in having]
    if lacking:
        raise UserError(
            f"--parent {having[0].given} has a head for pairs, and {lacking[0].given} has none: --without-pair-head "
            "leaves it out"
        )
    learnt = {one.lineage.get("pair_objective") for one in parents}
    if len(learnt) > 1:
        raise UserError(
            f"--parent: the heads for pairs were learnt by {' and '.join(sorted(map(str, learnt)))}, whose classes "
            "mean different things: --without-pair-head leaves them out"
        )
    return True


def check_tokens(parents: Sequence[Parent]) -> None:
    """UserError where they have not the same tokens, in whatever rows."""
    first = parents[0]
    for other in parents[1:]:
        pair = f"--parent {first.given} and {other.given}"
        shared = len(first.tokens.keys() & other.tokens.keys())
        if not shared:
            raise UserError(f"{pair} have no token in common: nothing of one vocabulary means anything in the other")
        if first.tokens.keys() != other.tokens.keys():
            raise UserError(
                f"{pair} have other vocabularies, {len(first.tokens):,} and {len(other.tokens):,} tokens, "
                f"of which {shared:,} are in both: bring them into one first (train/fuse.py vocabulary)"
            )
    for one in parents:
        highest = max(one.tokens.values())
        if highest >= one.stored.config.vocab_size:
            raise UserError(
                f"--parent {one.given} has a token {highest} and {one.stored.config.vocab_size:,} rows of tokens: put "
                "the tokenizer there that it was trained with"
            )


def read_digests(models: Sequence[Parent]) -> None:
    """Reads all weights once. UserError for numbers that are not finite, and where two hold the same."""
    total = sum(one.stored.bytes for one in models) >> 20
    with Progress("check", "MB", total) as progress:
        for one in models:
            left = 0

            def look(name: str, value: Tensor, finite: bool, one: Parent = one) -> None:
                nonlocal left
                if not finite:
                    raise UserError(
                        f"--parent {one.given} holds numbers that are not finite in {name}: take an earlier checkpoint"
                    )
                left += 4 * value.numel()
                progress.add(left >> 20)
                left &= (1 << 20) - 1

            one.digest = weights_digest(one.stored.config, one.stored.shapes, one.stored.tensor, look)


def check_different(parents: Sequence[Parent]) -> None:
    """UserError where two hold the same weights."""
    for number, one in enumerate(parents):
        for other in parents[:number]:
            if one.digest == other.digest:
                raise UserError(f"--parent {other.given} and {one.given} hold the same weights: name each model once")


def find(name: str, parents: Sequence[Parent], flag: str) -> Parent:
    """By its name, or by the folder as it was given."""
    for one in parents:
        if name in (one.name, str(one.given)):
            return one
    raise UserError(f"{flag} {name} is none of the parents: take one of {', '.join(one.name for one in parents)}")


def close(models: Iterable[Parent]) -> None:
    for one in models:
        one.stored.__exit__()


def as_lineage(one: Parent) -> dict[str, Any]:
    """What a result says of it."""
    return {"name": one.name, "folder": str(one.given), "weights": one.digest, "lineage": one.lineage or None}
