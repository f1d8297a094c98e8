"""The order of the data in two levels, both by hash: blocks of each language, then a window of pieces of all languages.

A window is so many tokens of the plan's languages, taken from their streams, in the order of a hash. No process holds
or sorts more than that, whatever the size of the corpus. What a language is owed in a window and does not get, because
its next piece is longer, it is owed in the next one: over the run its tokens miss the plan's by a piece.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from schemas.errors import UserError
from train.corpus.blocks import Block
from train.corpus.hashing import U64, WINDOW
from train.corpus.token_cache import TokenBlock
from train.corpus.tokenising import Tokens
from train.data.language_stream import LanguageStream, Place, Taken
from train.data.pairing import Pairing
from train.data.pieces import Pieces, concatenate
from train.data.plan import Plan


@dataclass(frozen=True)
class Span:
    """A window as a checkpoint holds it: from where to where of each language, and what each is owed behind it."""

    start: tuple[Place, ...]
    stop: tuple[Place, ...]
    owed: tuple[float, ...]


@dataclass(frozen=True)
class Position:
    """Everything that a restart has to know, with the plan. step: the next one's number. spans: the windows in use, in
    their order; none at the start. after: the key of the last piece of the first of them that has been shown, 0 for
    none."""

    step: int = 0
    spans: tuple[Span, ...] = ()
    after: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "Position":
        def places(listed: list[list[int]]) -> tuple[Place, ...]:
            return tuple(Place(*place) for place in listed)

        spans = [Span(places(one["start"]), places(one["stop"]), tuple(one["owed"])) for one in saved["spans"]]
        return cls(saved["step"], tuple(spans), saved["after"])


@dataclass(frozen=True)
class Window:
    """pieces in their order; keys: of each, ascending. Their `block` is an index into `blocks`."""

    span: Span
    pieces: Pieces
    keys: U64
    blocks: list[TokenBlock]

    def behind(self, after: int) -> int:
        """How many of the pieces have been shown when that of key `after` was the last one."""
        return int(np.searchsorted(self.keys, np.uint64(after), side="right")) if after else 0


class Windows:
    """Windows of one run: a pure function of the streams, the plan and what came before. pairing: what makes pairs of
    a window's pieces, None where there are none."""

    def __init__(
        self,
        streams: Sequence[LanguageStream],
        plan: Plan,
        tokens: Tokens,
        *,
        window_tokens: int,
        step_tokens: int,
        pairing: Pairing | None = None,
    ) -> None:
        self.streams, self.plan, self.tokens, self.pairing = streams, plan, tokens, pairing
        self.window_tokens, self.step_tokens = window_tokens, step_tokens
        rows = np.array([max(1, int(stream.blocks.rows.sum())) for stream in streams])
        self._row_tokens = np.maximum(plan.sizes / rows, 1.0)
        self._longest = max(stream.max_seq_len for stream in streams)

    def first(self, step: int = 0) -> Window:
        """UserError where no language of the plan has text."""
        none = len(self.streams)
        return self.after(Span((Place(),) * none, (Place(),) * none, (0.0,) * none), step)

    def after(self, span: Span, step: int) -> Window:
        """The window behind another, begun at this step. It has no piece where all languages are used up."""
        phase = self.plan.phase_at(step)
        room = self.window_tokens
        if phase.end is not None and phase.end > step:
            room = min(room, (phase.end - step) * self.step_tokens)
        places = list(span.stop)
        live = np.array([
            bool(rate) and not stream.ended(place)
            for rate, stream, place in zip(phase.rates, self.streams, places, strict=True)
        ])  # fmt: skip
        rates = np.where(live, phase.rates, 0.0)
        rates /= max(rates.sum(), 1e-300)
        owed, taken = np.where(live, np.array(span.owed), 0.0), list[Taken]()
        # Where many languages share a small window, none may be owed a whole piece yet: it grows until one is.
        while live.any() and not taken:
            owed = owed + room * rates * live
            self.tokens.ahead(self._needed(places, owed))
            for number in np.flatnonzero(live).tolist():
                given = 0
                for part in self.streams[number].take(places[number], float(owed[number])):
                    taken.append(part)
                    given += int(part.pieces.length.sum())
                    places[number] = part.following
                owed[number] -= given
                if not given and owed[number] > self._longest:  # there is nothing left of what it may be shown
                    live[number], owed[number] = False, 0.0
        self.tokens.ahead(self._needed(places, room * rates))
        pieces, keys, blocks = self._window(taken)
        if self.pairing is not None:
            # A pair has a token more than its piece had when it was taken, and one that was cut some fewer.
            owed -= np.bincount(pieces.language, pieces.length, len(owed))
            owed += sum(np.bincount(part.pieces.language, part.pieces.length, len(owed)) for part in taken)
        return Window(Span(span.stop, tuple(places), tuple(owed.tolist())), pieces, keys, blocks)

    def again(self, span: Span) -> Window:
        """A window that a checkpoint names."""
        taken = [
            part
            for stream, start, stop in zip(self.streams, span.start, span.stop, strict=True)
            for part in stream.between(start, stop)
        ]
        return Window(span, *self._window(taken))

    def _window(self, taken: Sequence[Taken]) -> tuple[Pieces, U64, list[TokenBlock]]:
        pairing = self.pairing
        cut = [part.pieces if pairing is None else pairing.cut(part.pieces, part.block) for part in taken]
        parts = [pieces.in_blocks(number) for number, pieces in enumerate(cut)]
        pieces, keys = concatenate(parts).ordered(WINDOW, self.streams[0].seed)
        return pieces if pairing is None else pairing.mix(pieces), keys, [part.block for part in taken]

    def _needed(self, places: Sequence[Place], tokens: np.ndarray) -> list[Block]:
        """Blocks that hold so many tokens of each language behind its place, the languages in turn."""
        lists = [
            stream.upcoming(place, float(wanted / size)) if wanted > 0 else []
            for stream, place, wanted, size in zip(self.streams, places, tokens, self._row_tokens, strict=True)
        ]
        longest = max((len(blocks) for blocks in lists), default=0)
        return [blocks[number] for number in range(longest) for blocks in lists if number < len(blocks)]


def used_up(step: int) -> UserError:
    return UserError(
        f"every language has been shown max_epochs times at step {step}: give --steps {step}, or a larger max_epochs "
        "to jobs/sample.py"
    )
