"""Which sequences of a batch each teacher reads, and what it reads of them: the part of teachers on the data side.

Names in labels, of a teacher NAME. Of its sequences as the student sees them: array `NAME.tokens`, their tokens' places
in the batch, and part `NAME`. Of the texts themselves: arrays `NAME.ids` and `NAME.positions`, in pairs of the
student's tokens `NAME.segments`, and part `NAME.text`.
The first objective of a batch that needs one of the two gives it, and the others find it there. None of it is padded
to one shape: teachers are not compiled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders

from train.corpus.vocabulary import CONTINUES, SPACES, Vocabulary, open_vocabulary
from train.data.batches import FEWEST_TOKENS, PLACES, Labels, Part, Sequences
from train.objectives.masking import NOTHING, most_guesses

Arrays = dict[str, NDArray[Any]]
PADDED_SHARE = 0.75  # of the longest sequence of a group, what the others have at least


@dataclass(frozen=True)
class Reader:
    """A teacher to the data. local_attention: its own window. longest: tokens that it can take. tokenizer: the folder
    of its own one, None where it reads the student's tokens."""

    name: str
    local_attention: int
    longest: int
    tokenizer: Path | None = None


@dataclass(frozen=True)
class Routes:
    """readers: the teachers. owner: int64 [languages], the number of the one that a language is routed to, -1: none.
    vocabulary: the student's."""

    readers: tuple[Reader, ...]
    owner: NDArray[np.int64]
    vocabulary: Vocabulary

    @property
    def languages(self) -> int:
        return len(self.owner)

    def mine(self, number: int, sequences: Sequences) -> NDArray[np.bool_]:
        """Whether each sequence goes to this reader."""
        return self.owner[sequences.language] == number

    def tokens(self, number: int, sequences: Sequences) -> NDArray[np.int64]:
        """Places of the tokens of this reader's sequences."""
        return np.flatnonzero(np.repeat(self.mine(number, sequences), sequences.lengths))

    def as_seen(self, sequences: Sequences, found: Mapping[str, Labels]) -> tuple[Arrays, dict[str, Part]]:
        """The sequences as the student sees them, unless an earlier objective has them."""
        arrays, parts = Arrays(), dict[str, Part]()
        for number, reader in enumerate(self.readers):
            if any(reader.name in labels.parts for labels in found.values()):
                continue
            lengths = sequences.lengths[self.mine(number, sequences)]
            arrays[f"{reader.name}.tokens"] = self.tokens(number, sequences)
            parts[reader.name] = Part(lengths, reader.local_attention)
        return arrays, parts

    def as_written(self, sequences: Sequences, found: Mapping[str, Labels]) -> tuple[Arrays, dict[str, Part]]:
        """The texts, with nothing hidden, in each teacher's own tokens, cut to what it can take."""
        arrays, parts = Arrays(), dict[str, Part]()
        for number, reader in enumerate(self.readers):
            name = f"{reader.name}.text"
            if any(name in labels.parts for labels in found.values()):
                continue
            ids = sequences.tokens[self.tokens(number, sequences)]
            lengths = sequences.lengths[self.mine(number, sequences)]
            if reader.tokenizer is None and sequences.pairs is not None:
                arrays[f"{reader.name}.segments"] = sequences.pairs.segments[self.tokens(number, sequences)]
            elif reader.tokenizer is not None:
                ids, lengths = retold(ids, lengths, self.vocabulary, reader.tokenizer, reader.longest)
            first = np.repeat(np.cumsum(lengths) - lengths, lengths)
            arrays[f"{reader.name}.ids"], arrays[f"{reader.name}.positions"] = ids, np.arange(len(ids)) - first
            parts[name] = Part(lengths, reader.local_attention)
        return arrays, parts


@dataclass(frozen=True)
class DistillationLabeller:
    """Of the guesses that masked language modelling asks for: `places` in the batch, by teacher, `language` of each,
    and of each teacher `NAME.places` among its own tokens. most: the largest share of the run that is to be guessed."""

    routes: Routes
    most: float

    def __call__(self, sequences: Sequences, step: int, found: Mapping[str, Labels]) -> Labels:
        arrays, parts = self.routes.as_seen(sequences, found)
        asked = found["mlm"].arrays
        there = asked["labels"] != NOTHING
        places, language = asked[PLACES][there], asked["language"][there]
        owner = self.routes.owner[language]
        for number, reader in enumerate(self.routes.readers):
            tokens = self.routes.tokens(number, sequences)
            arrays[f"{reader.name}.places"] = np.searchsorted(tokens, places[owner == number])
        order = np.argsort(owner, kind="stable")[np.count_nonzero(owner < 0) :]
        arrays |= {PLACES: places[order], "language": language[order]}
        units = np.bincount(language[order], minlength=self.routes.languages)
        return Labels(arrays, units, parts=parts)

    def pad(self, labels: Labels, tokens: int) -> Labels:
        """Places alone, since the student's last layer is compiled; those behind the languages' count for nothing."""
        return _with_places(labels, most_guesses(self.most, tokens))


@dataclass(frozen=True)
class RelationsLabeller:
    """Of each teacher `NAME.language` of its tokens, and `NAME.group0` ..., its sequences of about the same length:
    int64 [sequences, longest], places among its tokens, and their number behind a sequence's end."""

    routes: Routes

    def __call__(self, sequences: Sequences, step: int, found: Mapping[str, Labels]) -> Labels:
        arrays, parts = self.routes.as_seen(sequences, found)
        units = np.zeros(self.routes.languages, np.int64)
        for number, reader in enumerate(self.routes.readers):
            mine = self.routes.mine(number, sequences)
            lengths, language = sequences.lengths[mine], sequences.language[mine]
            arrays[f"{reader.name}.language"] = np.repeat(language, lengths)
            for group, index in enumerate(groups(lengths)):
                arrays[f"{reader.name}.group{group}"] = index
            np.add.at(units, language, lengths)
        return Labels(arrays, units, parts=parts)

    def pad(self, labels: Labels, tokens: int) -> Labels:
        return labels


@dataclass(frozen=True)
class SentenceVectorsLabeller:
    """`language` of the sequences, by teacher. Of each teacher its sequences' `NAME.lengths`, and where the mean is
    asked for, `NAME.student`, places of their tokens; else `places` of their first ones."""

    routes: Routes
    pooling: str

    def __call__(self, sequences: Sequences, step: int, found: Mapping[str, Labels]) -> Labels:
        arrays, parts = self.routes.as_written(sequences, found)
        first = np.cumsum(sequences.lengths) - sequences.lengths
        languages, places = [], []
        for number, reader in enumerate(self.routes.readers):
            mine = self.routes.mine(number, sequences)
            arrays[f"{reader.name}.lengths"] = sequences.lengths[mine]
            if self.pooling == "mean":
                arrays[f"{reader.name}.student"] = self.routes.tokens(number, sequences)
            languages.append(sequences.language[mine])
            places.append(first[mine])
        arrays["language"] = np.concatenate(languages)
        if self.pooling == "cls":
            arrays[PLACES] = np.concatenate(places)
        return Labels(arrays, np.bincount(arrays["language"], minlength=self.routes.languages), parts=parts)

    def pad(self, labels: Labels, tokens: int) -> Labels:
        return _with_places(labels, tokens // FEWEST_TOKENS) if PLACES in labels.arrays else labels


def groups(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Sequences as rows of few matrices, int64 [sequences, longest] each: places of their tokens, and the number of all
    tokens behind the end of a sequence."""
    first, tokens = np.cumsum(lengths) - lengths, int(lengths.sum())
    order = np.argsort(-lengths, kind="stable")
    found = []
    while len(order):
        longest = int(lengths[order[0]])
        count = int(np.searchsorted(-lengths[order], -PADDED_SHARE * longest, side="right"))
        chosen, order = order[:count], order[count:]
        place = np.arange(longest)
        found.append(np.where(place < lengths[chosen, None], first[chosen, None] + place, tokens))
    return found


def retold(
    ids: NDArray[np.int64], lengths: NDArray[np.int64], vocabulary: Vocabulary, folder: Path, longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(ids, lengths) of sequences in the tokens of another tokenizer, each between its <s> and </s>."""
    whole = np.split(ids, np.cumsum(lengths)[:-1]) if len(lengths) else []
    texts = decoder_of(vocabulary.folder).decode_batch([one.tolist() for one in whole])
    other = vocabulary_of(folder)
    bos, eos = other.special_ids["bos"], other.special_ids["eos"]
    told = [[bos, *one[: longest - 2], eos] for one in other.encode(texts)]
    return np.array([token for one in told for token in one], np.int64), np.array([len(one) for one in told], np.int64)


@cache
def vocabulary_of(folder: Path) -> Vocabulary:
    return open_vocabulary(folder)


@cache
def decoder_of(folder: Path) -> Tokenizer:
    """The tokenizer of a folder, to make text of ids; by the sign that its tokens have for spaces where it does not say
    how."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if tokenizer.decoder is None:
        tokens = tokenizer.get_vocab()
        known = (decoders.Metaspace(), decoders.ByteLevel(), decoders.WordPiece())
        counts = [sum(token.startswith(sign) for token in tokens) for sign in (*SPACES, CONTINUES)]
        tokenizer.decoder = known[int(np.argmax(counts))]
    return tokenizer


def _with_places(labels: Labels, room: int) -> Labels:
    places = labels.arrays[PLACES]
    filled = np.concatenate((places, np.zeros(max(0, room - len(places)), np.int64)))
    return Labels({**labels.arrays, PLACES: filled}, labels.units, labels.input_ids, labels.parts)
