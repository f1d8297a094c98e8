"""A model of one vocabulary becomes the same model of another: rows of tokens that it knows are its own, found by what
the tokens stand for, and the others are made."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import pad

from tokenizer.fast import Encode
from tokenizer.growing.forms import Form, Vocabulary
from train.fusion.new_rows import focus, of_pieces, sampled
from train.model.heads import MaskedLanguageModel
from train.model_folders.weight_files import NAMES

NewRows = Literal["focus", "pieces", "sampled"]
KINDS = ("focus", "pieces", "sampled")


@dataclass(frozen=True)
class Rows:
    """table: float32 [tokens, width + 1], the decoder's bias last. how: of each row "copied", or how it was made: by
    "focus", of its "pieces", "sampled", or the "mean" of all, where the model's tokenizer finds nothing in it."""

    table: NDArray[np.float32]
    how: list[str]

    @property
    def counts(self) -> dict[str, int]:
        return {name: self.how.count(name) for name in ("copied", *KINDS, "mean") if name in self.how}


def new_table(
    table: NDArray[np.float32],
    own: Vocabulary,
    forms: Sequence[Form | None],
    kind: NewRows,
    encode: Encode,
    vectors: NDArray[np.float32] | None = None,
    *,
    same_ids: bool = False,
    seed: int = 0,
) -> Rows:
    """table: float32 [own tokens, width + 1]. forms: by id of the new vocabulary. encode: the own tokenizer, by which
    pieces are found. vectors: of the new vocabulary's tokens, for focus; zeros where there is none, and such tokens are
    made of their pieces. same_ids: the new vocabulary begins with the own one. ValueError for focus without vectors."""
    ids = own.ids
    source = np.array([-1 if form is None else ids.get(form, -1) for form in forms], np.int64)
    if same_ids:
        source[: len(own.forms)] = np.arange(len(own.forms))
    source[source >= len(table)] = -1
    text = {number for number, form in enumerate(own.forms) if form and form.kind != "special" and number < len(table)}
    how = ["copied" if one >= 0 else "" for one in source]
    found = np.zeros((len(forms), table.shape[1]), np.float32)
    found[source >= 0] = table[source[source >= 0]]
    missing = np.flatnonzero(source < 0)
    ordinary = table[sorted(text)]
    if kind == "sampled":
        found[missing] = sampled(len(missing), ordinary, seed)
        how = [one or "sampled" for one in how]
        return Rows(found, how)
    if kind == "focus":
        if vectors is None:
            raise ValueError("focus needs vectors of the tokens")
        seen = np.abs(vectors).sum(1) > 0
        known = np.array([n for n in np.flatnonzero((source >= 0) & seen) if int(source[n]) in text], np.int64)
        made = missing[seen[missing]] if len(known) else missing[:0]
        if len(made):
            found[made] = focus(vectors[made], vectors[known], table[source[known]])[0]
        for number in made:
            how[number] = "focus"
    left = [int(number) for number in missing if not how[number]]
    strings = [_string(forms[number]) for number in left]
    cut = [[one for one in ids if one in text] for ids in encode([one or "" for one in strings])]
    with_pieces = [(number, pieces) for number, pieces in zip(left, cut, strict=True) if pieces]
    if with_pieces:
        found[[number for number, _ in with_pieces]] = of_pieces([pieces for _, pieces in with_pieces], table)
    for number, _ in with_pieces:
        how[number] = "pieces"
    rest = [number for number in left if not how[number]]
    found[rest] = ordinary.mean(0)
    return Rows(found, [one or "mean" for one in how])


def _string(form: Form | None) -> str | None:
    """The text that a token stands for; None of a special one, and of bytes that are none."""
    if form is None or form.kind == "special":
        return None
    try:
        return form.value.decode()
    except UnicodeDecodeError:
        return None


def table_of(model: MaskedLanguageModel) -> NDArray[np.float32]:
    """float32 [vocab_size, hidden_size + 1]: embeddings, and the decoder's bias."""
    weights, size = model.state_dict(), model.config.vocab_size
    embeddings = weights[f"model.{NAMES[model.config.layout].embeddings}"][:size]
    return np.asarray(torch.cat([embeddings, weights["decoder.bias"][:size, None]], 1).float().numpy())


def with_table(model: MaskedLanguageModel, table: NDArray[np.float32]) -> MaskedLanguageModel:
    """The same model, whose layers are shared with it, with other tokens."""
    config = replace(model.config, vocab_size=len(table))
    with torch.device("meta"):
        found = MaskedLanguageModel(config)
    rows = torch.from_numpy(table)
    weights = dict(model.state_dict())
    weights[f"model.{NAMES[config.layout].embeddings}"] = pad(
        rows[:, :-1], (0, 0, 0, config.padded_vocab_size - len(rows))
    ).contiguous()
    weights["decoder.bias"] = rows[:, -1].clone()
    found.load_state_dict(weights, assign=True)
    return found
