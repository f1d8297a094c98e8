"""Texts as sequences that a model takes whole: token ids with its marks around them, each piece with its word."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from schemas.errors import UserError
from train.encoders.batches import pad_rows
from train.encoders.opened import OpenedModel
from train.likelihood.word_pieces import word_numbers


@dataclass(frozen=True)
class TokenWindow:
    """text: its number. ids: int64 [T], what the model reads. first: the place of the first token of the text, behind
    the model's own mark. words: int64 [tokens of the text], see `word_numbers`. begin: of the first token in the text's
    tokens."""

    text: int
    ids: NDArray[np.int64]
    first: int
    words: NDArray[np.int64]
    begin: int

    @property
    def tokens(self) -> int:
        return len(self.words)


@dataclass(frozen=True)
class Tokenised:
    """windows: of all texts, in order; every token of each text is in one of them. characters: of each text, without
    blanks; lost: those of them that the tokens do not give back, int64 [texts]."""

    windows: list[TokenWindow]
    characters: NDArray[np.int64]
    lost: NDArray[np.int64]


def tokenised(model: OpenedModel, texts: Sequence[str]) -> Tokenised:
    """A text of more tokens than the model takes becomes windows of about one length, cut between words where there is
    such a place in their second half. UserError where the tokenizer does not tell the characters of its tokens.

    Words that look like special tokens are text where the tokenizer can say them otherwise. Lost are characters that
    became <unk>, that are left out or changed (case, accents, compatibility forms): of what a vocabulary cannot say a
    model need not guess it.
    """
    tokenizer = model.tokenizer
    if not tokenizer.is_fast:
        raise UserError(
            f"--model {model.given}: its tokenizer does not tell which characters its tokens are of: save it as a fast "
            "one, with a tokenizer.json"
        )
    windows: list[TokenWindow] = []
    characters, lost = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
    for number, text in enumerate(texts):
        found = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True, split_special_tokens=True)
        ids = np.array(found["input_ids"], np.int64)
        own = np.flatnonzero(np.array(found["special_tokens_mask"]) == 0)
        first, behind = (int(own[0]), int(own[-1]) + 1) if len(own) else (len(ids), len(ids))
        words = word_numbers(text, found["offset_mapping"][first:behind])
        before, content, after = ids[:first], ids[first:behind], ids[behind:]
        room = max(1, model.longest - len(before) - len(after))
        for begin, end in _cuts(words, room):
            whole = np.concatenate([before, content[begin:end], after])
            windows.append(TokenWindow(number, whole, first, words[begin:end], begin))
        known = content[content != tokenizer.unk_token_id] if tokenizer.unk_token_id is not None else content
        characters[number], lost[number] = _lost(text, tokenizer.decode(known.tolist()))
    return Tokenised(windows, characters, lost)


class ReadBytes:
    """Progress in bytes of UTF-8 of the texts, whose tokens are done in any order."""

    def __init__(self, progress: Callable[[int], None] | None, texts: Sequence[str], windows: Sequence[TokenWindow]):
        self.progress, self.told, self.done = progress, 0, 0
        self.bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        self.tokens = sum(window.tokens for window in windows)

    def add(self, tokens: int) -> None:
        self.done += tokens
        if self.progress and self.tokens:
            reached = self.bytes * self.done // self.tokens
            self.progress(reached - self.told)
            self.told = reached


def padded(sequences: Sequence[NDArray[np.int64]], tokenizer: Any) -> dict[str, torch.Tensor]:
    """Inputs of a model, int64 [B, longest] each: token ids, which of them are no padding, and where the model knows
    segments, the first one."""
    lists = {"input_ids": [one.tolist() for one in sequences], "attention_mask": [[1] * len(one) for one in sequences]}
    if "token_type_ids" in tokenizer.model_input_names:
        lists["token_type_ids"] = [[0] * len(one) for one in sequences]
    return pad_rows(lists, range(len(sequences)), tokenizer)


def _cuts(words: NDArray[np.int64], room: int) -> Iterator[tuple[int, int]]:
    """First and last places of windows of `room` tokens at most."""
    begin = 0
    while begin < len(words):
        left = len(words) - begin
        end = begin + -(-left // -(-left // room))
        if end < len(words):
            start = int(np.searchsorted(words, words[end]))  # of the word that would be cut
            end = start if start > (begin + end) // 2 else end
        yield begin, end
        begin = end


def _lost(text: str, back: str) -> tuple[int, int]:
    """(characters of the text, those that are not in what came back), in canonical form, blanks left out."""
    wanted, given = (Counter("".join(unicodedata.normalize("NFC", one).split())) for one in (text, back))
    return sum(wanted.values()), sum((wanted - given).values())
