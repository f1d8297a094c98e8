"""Language identification: a fastText model, and around it what it cannot know.

A text in capitals is judged as if it were in small letters (see `capitals`). The model sees a bounded sample of the
text with its line ends as spaces. A label that is impossible in the text's own
script is refused. What the text's commonest words say (see `evidence`) is weighed with what the model says, by Bayes'
rule with the words' weight damped, since words are not independent. The languages that the model does not know but a
list does compete as well, each with the prior `UNKNOWN_PRIOR`: where one of them wins, and where words and model are
both unsure, the language is `und`. The pieces of the sample vote, so that a mixed page shows. Where the text as a
whole has no language, or another one than most of its pieces, those pieces are judged as a text of their own, and
their language is the text's.

Codes are ISO 639-3 as in `pipeline.language.labels`, scripts ISO 15924 as in `pipeline.words.scripts`.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.kernels.arrow_text import from_strings, utf8
from pipeline.kernels.compiling import kernel
from pipeline.kernels.elementary import exps, logs
from pipeline.language import fasttext_model
from pipeline.language.capitals import in_capitals, lowered
from pipeline.language.evidence import Evidence, shipped
from pipeline.language.labels import (
    COMMON,
    MARKS,
    NO_LANGUAGE,
    TIMES_RARER,
    family,
    iso_639_3,
    scripts_of_label,
)
from pipeline.language.model_files import local_model, verify
from pipeline.words.scripts import NAMES, UNDETERMINED, Scripts, span_scripts
from pipeline.words.words import Words, words_of

UNKNOWN = "und"
MAX_SCORES = 1 << 18  # texts times labels at once: some 30 MB
TOP_LANGS = 3
TOP_LANGS_THRESHOLD = 0.01  # FineWeb-2's

# A long text is judged by stretches spread evenly over it, so that time is bounded.
SAMPLE_BYTES, STRETCHES = 1024, 8
# Pieces of a text that is judged whole: lines, short ones together, long ones cut at a space.
MIN_PIECE_BYTES, MAX_PIECE_BYTES = 96, 512

# By leaving a third of the texts and 30 languages out of a fit: with WORD_WEIGHT at 2, 1 and 0.5 of texts in known
# languages 96.2, 96.4 and 96.1 % are right, of those left out 93, 92 and 90 % `und` or a relative.
UNKNOWN_PRIOR = 0.03
# How much likelier a text is in one of the languages that the web has most of: with 5 and 15 instead of 1 macro-F1 over
# all labels was 0.3 and 1.0 points lower, but a headline in Arabic is none of a dozen smaller relatives any more.
COMMON_TIMES = 4
# With 1, 4 and 10 of made-up rubbish 2.3, 1.7 and 1.4 % get a language; of documents as many are right with each.
NO_LANGUAGE_TIMES = 10
WORD_WEIGHT, WEIGHED_WORDS = 1.0, 400  # n words weigh WORD_WEIGHT * sqrt(min(n, WEIGHED_WORDS))
WEAK_EVIDENCE = 0.4  # of what is usual for the language: below, the model must be sure
CREDIBLE_EVIDENCE = 0.5  # of what is usual for a language of which only a list speaks: less is chance
MODEL_FLOOR = 1e-4  # what a label has of the model at least: it gives Cantonese 0.0001 and Mandarin 0.999
MIN_SCORE = 0.01  # of the model; with less, the words must be credible
MIN_SCORE_UNLISTED = 0.6  # of the model, for a language without a list
RIVAL_EVIDENCE = 0.7  # of what is usual for a rival: as much counts for a language without a list
PIECE_SCORE = 0.5  # of the model, for a piece to vote
WINNER_SHARE = 0.5  # of the sample, for the language of its pieces to be the text's


class Languages(NamedTuple):
    """By text. `language` ISO 639-3, `und` where none was found; `language_score` its probability, 0 to 1, by model and
    words; `language_script` ISO 15924, that of most letters, or of the language where it is in fewer (Japanese among
    code), `Zyyy` without a letter; `script_share` the share of the text's letters that are in it; `language_share` the
    share of the sampled letters that are not in pieces of another language, 0 for `und`; `top_langs` a JSON object of
    `language_Script` to the model's mean probability over the pieces, for up to three labels, the likeliest first: on a
    mixed page, the languages' shares."""

    language: pa.Array
    language_score: pa.Array
    language_script: pa.Array
    script_share: pa.Array
    language_share: pa.Array
    top_langs: pa.Array


class Heard(NamedTuple):
    """What is weighed for one text. codes: ISO 639-3 by column of `whole` and `pieces`. whole: what the model makes of
    the sample, float32 (n_codes,). words: evidence of lists by language, over what is usual for it; n_words: on how
    many it rests. starts, ends: the sample's pieces in the text's UTF-8; pieces: what the model makes of each that its
    script allows, (n_pieces, n_codes); letters: int64 (n_pieces,)."""

    codes: list[str]
    whole: np.ndarray
    words: dict[str, float]
    n_words: int
    starts: np.ndarray
    ends: np.ndarray
    pieces: np.ndarray
    letters: np.ndarray


class Judged(NamedTuple):
    """By text: the best label, its probability, and whether it is good enough."""

    label: np.ndarray
    score: np.ndarray
    sure: np.ndarray


@cache
def _load(path: str) -> fasttext_model.FastText:
    return fasttext_model.load(path)


class Identifier:
    """A fastText model (path, URL, `hf://OWNER/REPO/FILE` or `lid.176`; none: the shipped one) and lists of
    words, loaded once.

    UserError where `model` is no model, or its SHA-256 is not `checksum` (hex; none: not looked at).
    """

    def __init__(
        self, model: str | Path | None = None, evidence: Evidence | None = None, checksum: str | None = None
    ) -> None:
        self.path = local_model(str(model or ""))
        if checksum:
            verify(self.path, checksum)
        self._model = _load(str(self.path))
        self._evidence = evidence or shipped()
        # Labels that are one language in one script, such as zho_Hans and zho_Hant, are one here.
        merged: dict[tuple[str, frozenset[str]], int] = {}
        self._column = np.array(
            [
                merged.setdefault((iso_639_3(label), scripts_of_label(label)), len(merged))
                for label in self._model.labels
            ]
        )
        self._codes = [code for code, _ in merged]
        self._families = np.unique([family(code) for code in self._codes], return_inverse=True)[1]
        scripts = [of for _, of in merged]
        # (script of the text, label): whether the label is possible; the last row is for texts without a letter.
        self._possible = np.array([[not of or name in of for of in scripts] for name in (*NAMES, UNDETERMINED)])
        # jobs/fit_language.py gives each language as many lines; the web does not.
        common = np.array([code in COMMON for code in self._codes])
        rarer = np.array([TIMES_RARER.get(code, 0.0) for code in self._codes])
        prior = np.where(rarer > 0, COMMON_TIMES / np.maximum(rarer, 1), np.where(common, COMMON_TIMES, 1))
        prior = np.where(np.array(self._codes) == NO_LANGUAGE, NO_LANGUAGE_TIMES, prior)
        self._prior = np.where(NO_LANGUAGE in self._codes, prior, 1).astype(np.float32)
        # Labels that a text needs marks for, and what it is without.
        index_of = {code: place for place, code in enumerate(self._codes)}
        self._marked = {
            index_of[code]: (marks, index_of[family(code)])
            for code, marks in MARKS.items()
            if code in index_of and family(code) in index_of
        }
        self._named = np.array([code != NO_LANGUAGE for code in self._codes])
        index = {code: place for place, code in enumerate(self._evidence.languages)}
        self._listed = np.array([index.get(code, -1) for code in self._codes])
        self._unsupported = np.array(sorted(set(index.values()) - set(self._listed.tolist())), np.int64)

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-3 of all that a text can be found to be, but `und`."""
        return frozenset(self._codes) - {NO_LANGUAGE}

    def identify(self, texts: pa.Array, words: Words | None = None) -> Languages:
        """The languages of a string array of texts; `words` are found unless they are given. Any bytes will do."""
        named = self._identify_as_written(texts, words)
        capitals = in_capitals(texts)
        if not capitals.any():
            return named
        mask = pa.array(capitals)
        again = self._identify_as_written(lowered(texts.filter(mask)), None)
        return Languages(*(pc.replace_with_mask(old, mask, new) for old, new in zip(named, again, strict=True)))

    def hear(self, text: str) -> Heard:
        """What is weighed when one text is identified, for people who ask why. A text in capitals has to be given as
        `capitals.lowered` has it."""
        texts = from_strings([text])
        data, offsets = utf8(texts)
        scripts = span_scripts(data, offsets[:-1], offsets[1:])
        evidence, n_words = self._evidence.of(words_of(texts), scripts.main)
        owners, starts, ends, sums, counts = self._sampled(data, offsets)
        totals, numbers = np.zeros((1, self._model.dim), np.float32), np.zeros(1, np.int64)
        _gather(owners, sums, counts, totals, numbers)
        whole = self._scores(totals, numbers)[0] * self._possible[scripts.main[0]]
        pieces = span_scripts(data, starts, ends)
        scores = self._piece_scores(sums, counts, pieces)
        words = dict(zip(self._evidence.languages, (evidence[0] / self._evidence.usual).tolist(), strict=True))
        return Heard(self._codes, whole, words, int(n_words[0]), starts, ends, scores, pieces.letters)

    def _sampled(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, ...]:
        """Pieces of texts (owners, starts, ends), and what the model sums up over each (sums, counts)."""
        owners, starts, ends = _pieces(data, offsets, SAMPLE_BYTES, STRETCHES, MIN_PIECE_BYTES, MAX_PIECE_BYTES)
        return owners, starts, ends, *self._model.sums(data, starts, ends)

    def _piece_scores(self, sums: np.ndarray, counts: np.ndarray, pieces: Scripts) -> np.ndarray:
        scores: np.ndarray = self._scores(sums, counts) * (self._possible[pieces.main] & self._named)
        return scores

    def _identify_as_written(self, texts: pa.Array, words: Words | None) -> Languages:
        data, offsets = utf8(texts)
        scripts = span_scripts(data, offsets[:-1], offsets[1:])
        evidence, n_words = self._evidence.of(words or words_of(texts), scripts.main)
        step = max(1, MAX_SCORES // len(self._codes))
        parts = []
        for at in range(0, max(1, len(offsets) - 1), step):
            batch = slice(at, at + step)
            batch_scripts = Scripts(*(column[batch] for column in scripts))
            parts.append(
                self._identify(data, offsets[at : at + step + 1], batch_scripts, evidence[batch], n_words[batch])
            )
        return Languages(*(pa.concat_arrays(column) for column in zip(*parts, strict=True)))

    def _scores(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The model's with `_prior`, of shape (n, n_codes): those of labels that are one are added up."""
        scores = self._model.scores(sums, counts)
        if len(self._codes) == scores.shape[1]:
            return _weighed(scores, self._prior)
        merged = np.zeros((len(scores), len(self._codes)), np.float32)
        for label, column in enumerate(self._column):
            merged[:, column] += scores[:, label]
        return np.minimum(merged, 1.0)  # one against all: labels do not add up to 1

    def _identify(
        self, data: np.ndarray, offsets: np.ndarray, scripts: Scripts, evidence: np.ndarray, n_words: np.ndarray
    ) -> Languages:
        n_texts = len(offsets) - 1
        owners, starts, ends, sums, counts = self._sampled(data, offsets)
        totals, numbers = np.zeros((n_texts, self._model.dim), np.float32), np.zeros(n_texts, np.int64)
        _gather(owners, sums, counts, totals, numbers)
        judged = self._judge(self._scores(totals, numbers), scripts, evidence, n_words)

        pieces = span_scripts(data, starts, ends)
        piece_scores = self._piece_scores(sums, counts, pieces)
        ballots, mean = np.zeros((n_texts, len(self._codes) + 1)), np.zeros((n_texts, len(self._codes)))
        votes = _vote(owners, pieces.letters, piece_scores, self._families, PIECE_SCORE, ballots, mean)
        judged, scripts = self._by_pieces(data, starts, ends, owners, votes, ballots, pieces, judged, scripts)
        label, score, sure = judged
        self._demand_marks(data, offsets, label)
        against = ballots[:, :-1].sum(axis=1) - ballots[np.arange(n_texts), self._families[label]]
        share = 1 - against / np.maximum(ballots.sum(axis=1), 1)
        names = np.array([*self._codes, UNKNOWN], object)
        return Languages(
            pa.array(names[np.where(sure, label, len(self._codes))], pa.string()),
            pa.array(np.where(sure, score, 0.0), pa.float64()),
            scripts.labels(),
            pa.array(scripts.share, pa.float64()),
            pa.array(np.where(sure, share, 0.0), pa.float64()),
            self._top(mean, scripts, owners, pieces),
        )

    def _demand_marks(self, data: np.ndarray, offsets: np.ndarray, label: np.ndarray) -> None:
        """In place: a text without the characters of its language is in the standard one."""
        for marked, (marks, standard) in self._marked.items():
            for text in np.flatnonzero(label == marked).tolist():
                if marks.isdisjoint(data[offsets[text] : offsets[text + 1]].tobytes().decode("utf-8", "replace")):
                    label[text] = standard

    def _by_pieces(
        self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray, owners: np.ndarray, votes: np.ndarray,
        ballots: np.ndarray, pieces: Scripts, judged: Judged, scripts: Scripts,
    ) -> tuple[Judged, Scripts]:  # fmt: skip
        """`judged` and `scripts`, but for texts whose pieces know better: those of one language, if they are
        WINNER_SHARE of the text, judged as a text. A text without a language is measured in bytes: by letters a
        Japanese page is soon less than the code in it."""
        label, _, sure = judged
        lost = ballots[np.arange(len(ballots)), self._families[label]] < ballots[:, :-1].max(axis=1)
        texts = np.flatnonzero((scripts.letters > 0) & (lost | ~sure))
        place = np.full(len(ballots), -1)
        place[texts] = np.arange(len(texts))
        place = place[owners]
        candidates = np.flatnonzero(place >= 0)
        size = np.where(sure[owners], pieces.letters, (ends - starts) * (pieces.letters > 0))
        weighed = np.zeros((len(texts), ballots.shape[1]))
        np.add.at(weighed, (place[candidates], votes[candidates]), size[candidates])
        winner = weighed[:, :-1].argmax(axis=1)
        most, whole = weighed[np.arange(len(texts)), winner], weighed.sum(axis=1)
        wins = (most >= WINNER_SHARE * whole) & (most < whole)  # all of a text was judged already
        candidates = candidates[wins[place[candidates]] & (votes[candidates] == winner[place[candidates]])]
        texts, winner = texts[wins], winner[wins]
        if not len(texts):
            return judged, scripts

        parts: list[list[bytes]] = [[] for _ in texts]
        for piece, text in zip(candidates.tolist(), np.searchsorted(texts, owners[candidates]).tolist(), strict=True):
            parts[text].append(data[starts[piece] : ends[piece]].tobytes())
        joined = from_strings(b"\n".join(part).decode("utf-8", "replace") for part in parts)
        again, offsets = utf8(joined)
        joined_scripts = span_scripts(again, offsets[:-1], offsets[1:])
        known = self._scores(*self._model.sums(again, offsets[:-1], offsets[1:]))
        named = self._judge(known, joined_scripts, *self._evidence.of(words_of(joined), joined_scripts.main))
        good = named.sure & (self._families[named.label] == winner)
        texts = texts[good]
        for column, better in zip(judged, named, strict=True):
            column[texts] = better[good]

        # Where the language is not written in the script of most letters, the share is that of the sample.
        mismatched = np.flatnonzero(~self._possible[scripts.main, label] & sure)
        for text in mismatched.tolist():
            its = slice(*np.searchsorted(owners, [text, text + 1]))
            script = joined_scripts.main[good][np.searchsorted(texts, text)]
            inside = (pieces.letters * pieces.share)[its][pieces.main[its] == script].sum()
            scripts.main[text], scripts.share[text] = script, inside / pieces.letters[its].sum()
        return judged, scripts

    def _judge(self, known: np.ndarray, scripts: Scripts, evidence: np.ndarray, n_words: np.ndarray) -> Judged:
        possible = self._possible[scripts.main]
        listed = self._listed >= 0
        usual, least = self._evidence.usual, self._evidence.min_score
        weight = WORD_WEIGHT * np.sqrt(np.minimum(n_words, WEIGHED_WORDS))[:, None]
        support = np.empty(known.shape)
        support[:, listed] = evidence[:, self._listed[listed]]
        # A language without a list has as much as its best rival, up to what would speak for the rival itself.
        support[:, ~listed] = np.minimum(evidence, RIVAL_EVIDENCE * usual).max(axis=1, initial=0.0)[:, None]
        joint = logs(np.where(possible, np.maximum(known, MODEL_FLOOR), 0.0)) + weight * support
        unsupported = evidence[:, self._unsupported]
        credible = unsupported >= CREDIBLE_EVIDENCE * usual[self._unsupported]
        elsewhere = np.where(credible, unsupported, 0.0).max(axis=1, initial=0.0)
        unknown = logs(np.array(UNKNOWN_PRIOR)) + weight[:, 0] * elsewhere

        rows = np.arange(len(known))
        label = joint.argmax(axis=1)
        best = joint[rows, label]
        top = np.maximum(best, unknown)
        whole = exps(joint - top[:, None]).sum(axis=1) + exps(unknown - top)
        place = self._listed[label]
        model_score = known[rows, label].astype(np.float64)
        enough = np.where(model_score < MIN_SCORE, CREDIBLE_EVIDENCE, WEAK_EVIDENCE)
        weak = support[rows, label] < enough * np.append(usual, np.inf)[place]
        least = np.where(weak, np.append(least, MIN_SCORE_UNLISTED)[place], 0.0)
        score = np.minimum(exps(best - top) / whole, np.where(weak, model_score, 1.0))
        sure = (best > unknown) & (model_score >= least) & (scripts.letters > 0) & self._named[label]
        return Judged(label, score, sure)

    def _top(self, mean: np.ndarray, scripts: Scripts, owners: np.ndarray, pieces: Scripts) -> pa.Array:
        """`top_langs`. A label's script is the text's own where it can be, else that of one of its pieces."""
        order = _largest(mean, min(TOP_LANGS, mean.shape[1]))
        values = np.round(np.take_along_axis(mean, order, axis=1), 4)
        firsts = np.searchsorted(owners, np.arange(len(mean) + 1))
        encoded = []
        for text, (labels, shares) in enumerate(zip(order.tolist(), values.tolist(), strict=True)):
            top: dict[str, float] = {}
            for label, share in zip(labels, shares, strict=True):
                if share < TOP_LANGS_THRESHOLD:
                    break
                script = scripts.main[text]
                if not self._possible[script, label]:
                    piece_scripts = pieces.main[firsts[text] : firsts[text + 1]]
                    script = next(script for script in piece_scripts if self._possible[script, label])
                top.setdefault(f"{self._codes[label]}_{NAMES[script]}", share)
            encoded.append(json.dumps(top))
        return pa.array(encoded, pa.string())


@kernel
def _weighed(scores, prior) -> np.ndarray:
    """`scores` (n, n_labels) by Bayes' rule with `prior` (n_labels,), in place; rows of zeros stay."""
    for row in range(len(scores)):
        whole, before = np.float32(0), np.float32(0)
        for label in range(len(prior)):
            before += scores[row, label]
            scores[row, label] *= prior[label]
            whole += scores[row, label]
        if whole > before:
            for label in range(len(prior)):
                scores[row, label] *= before / whole
    return scores


@kernel
def _largest(values, k) -> np.ndarray:
    """Places of the `k` largest of each row, the largest first, of equal ones the first: (n, k)."""
    out = np.empty((len(values), k), np.int64)
    for row in range(len(values)):
        for place in range(k):
            best = -1
            for label in range(values.shape[1]):
                larger = best < 0 or values[row, label] > values[row, best]
                if larger and not np.any(out[row, :place] == label):
                    best = label
            out[row, place] = best
    return out


@kernel
def _is_space(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13


@kernel
def _cut(data, at, end) -> int:
    """The next place from `at`, within 48 bytes, where a word ends, else where a character does."""
    for place in range(at, min(end, at + 48)):
        if _is_space(data[place]):
            return place
    while at < end and data[at] & 0xC0 == 0x80:
        at += 1
    return at


@kernel
def _pieces(data, offsets, sample, stretches, shortest, longest) -> tuple:
    """Pieces of each text's sample: owners, starts, ends. Each text has one at least, in order."""
    n_texts = len(offsets) - 1
    room = 0
    for text in range(n_texts):
        size = offsets[text + 1] - offsets[text]
        room += stretches if size > sample else 1 + size // shortest
    owners, starts, ends = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    n = 0
    for text in range(n_texts):
        begin, end = offsets[text], offsets[text + 1]
        if end - begin > sample:
            size = sample // stretches
            for stretch in range(stretches):
                at = begin + (end - begin - size) * stretch // (stretches - 1)
                owners[n] = text
                starts[n] = _cut(data, at, end) if stretch else at
                ends[n] = _cut(data, at + size, end)
                n += 1
            continue
        at = begin
        while True:
            stop = min(end, at + shortest)
            while stop < end and data[stop] != 10 and stop - at < longest:
                stop += 1
            if stop < end and data[stop] != 10:
                stop = _cut(data, stop, end)
            if end - stop < shortest:
                stop = end
            owners[n], starts[n], ends[n] = text, at, stop
            n += 1
            at = stop
            if at >= end:
                break
    return owners[:n], starts[:n], ends[:n]


@kernel
def _gather(owners, sums, counts, totals, numbers) -> None:
    for piece in range(len(owners)):
        numbers[owners[piece]] += counts[piece]
        for i in range(totals.shape[1]):
            totals[owners[piece], i] += sums[piece, i]


@kernel
def _vote(owners, letters, scores, families, least, ballots, mean) -> np.ndarray:
    """The family that each piece votes for, the last of `ballots` where the model is not sure; the letters with each
    vote into `ballots`, and the mean of what the model says by letters into `mean`, by text."""
    n_texts, n_labels = mean.shape
    whole = np.zeros(n_texts, np.int64)
    votes = np.full(len(owners), n_labels)
    for piece in range(len(owners)):
        text, size = owners[piece], letters[piece]
        whole[text] += size
        best = 0
        for label in range(n_labels):
            mean[text, label] += size * scores[piece, label]
            if scores[piece, label] > scores[piece, best]:
                best = label
        if scores[piece, best] >= least:
            votes[piece] = families[best]
        ballots[text, votes[piece]] += size
    for text in range(n_texts):
        if whole[text]:
            for label in range(n_labels):
                mean[text, label] /= whole[text]
    return votes
