"""The rules that turn signals into a verdict, as data: named expressions over signals and thresholds, in presets.

Definitions of the signals: `pipeline.quality.signals`. `schemas.clean.REASONS` holds what a rule may answer and the
order in which rules are asked; the first that fires names the reason. A null signal never fires: see
`pipeline.quality.expressions`.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.quality.expressions import Expression, Kind, bound, nearest, parse
from pipeline.quality.profiles import keys
from pipeline.quality.signals import SIGNALS
from schemas.clean import ANNOTATIONS, REASONS
from schemas.distributions import Threshold
from schemas.errors import UserError
from schemas.records import FAILED, UNLABELLED
from schemas.scores import PREFIX, THRESHOLD

OFF = ("", "off")
NAME = re.compile(r"[a-z0-9_]+")

# Rae et al. 2021, arXiv 2112.11446, table A1 and section A.1.1: for English, and with this preset for every language
# unless the config says otherwise.
GOPHER_VALUES: dict[str, float] = {
    "min_words": 50,
    "max_words": 100_000,
    "min_mean_word_length": 3,
    "max_mean_word_length": 10,
    "max_hash_to_word_ratio": 0.1,
    "max_ellipsis_to_word_ratio": 0.1,
    "max_bullet_line_share": 0.9,
    "max_ellipsis_line_share": 0.3,
    "min_alpha_word_share": 0.8,
    "min_stop_words": 2,
    "max_dup_line_share": 0.3,
    "max_dup_line_char_share": 0.2,
    "max_dup_paragraph_share": 0.3,
    "max_dup_paragraph_char_share": 0.2,
    "max_top_2gram_char_share": 0.20,
    "max_top_3gram_char_share": 0.18,
    "max_top_4gram_char_share": 0.16,
    **{f"max_dup_{n}gram_char_share": round(0.20 - n / 100, 2) for n in range(5, 11)},
}

_GOPHER_QUALITY = {
    "gopher_quality:too_few_words": "n_words < min_words",
    "gopher_quality:too_many_words": "n_words > max_words",
    "gopher_quality:short_words": "mean_word_length < min_mean_word_length",
    "gopher_quality:long_words": "mean_word_length > max_mean_word_length",
    "gopher_quality:hash_signs": "hash_to_word_ratio > max_hash_to_word_ratio",
    "gopher_quality:ellipses": "ellipsis_to_word_ratio > max_ellipsis_to_word_ratio",
    "gopher_quality:bullet_lines": "bullet_line_share > max_bullet_line_share",
    "gopher_quality:ellipsis_lines": "ellipsis_line_share > max_ellipsis_line_share",
    "gopher_quality:few_alpha_words": "alpha_word_share < min_alpha_word_share",
    "gopher_quality:few_stop_words": "stop_word_hits < min_stop_words",
}
_NGRAM_REPETITION = {
    **{
        f"gopher_repetition:top_{n}gram": f"top_{n}gram_char_share > max_top_{n}gram_char_share"
        for n in (2, 3, 4)
    },
    **{
        f"gopher_repetition:dup_{n}gram": f"dup_{n}gram_char_share > max_dup_{n}gram_char_share"
        for n in range(5, 11)
    },
}  # fmt: skip

# In the order in which they are united. FineWeb-2 (arXiv 2506.20920) leaves out Gopher's paragraphs and characters of
# repeated lines and FineWeb's short lines. C4 (arXiv 1910.10683) cuts lines; here a document goes of which it would cut
# too much. `boilerplate` is ours: banners, symbols and lists of words, which the others let pass.
PRESETS: dict[str, dict[str, str]] = {
    "gopher": {
        **_GOPHER_QUALITY,
        "gopher_repetition:dup_paragraphs": "dup_paragraph_share > max_dup_paragraph_share",
        "gopher_repetition:dup_paragraph_chars": "dup_paragraph_char_share > max_dup_paragraph_char_share",
        "gopher_repetition:dup_lines": "dup_line_share > max_dup_line_share",
        "gopher_repetition:dup_line_chars": "dup_line_char_share > max_dup_line_char_share",
        **_NGRAM_REPETITION,
    },
    "fineweb2": {
        **_GOPHER_QUALITY,
        "gopher_repetition:dup_lines": "dup_line_share > max_dup_line_share",
        **_NGRAM_REPETITION,
        "fineweb:line_punct": "line_punct_share < min_line_punct_share",
        "fineweb:char_dup": "char_dup_share > max_char_dup_share",
        "fineweb:newlines": "newline_to_word_ratio > max_newline_to_word_ratio",
    },
    "c4": {
        "c4:lorem_ipsum": "c4_lorem_ipsum > 0",
        "c4:curly_bracket": "c4_curly_bracket > 0",
        "c4:policy_lines": "c4_policy_line_share > max_c4_policy_line_share",
        "c4:javascript_lines": "c4_javascript_line_share > max_c4_javascript_line_share",
        "c4:few_sentences": "c4_kept_sentences < min_c4_sentences",
    },
    "boilerplate": {
        # A notice at the foot of a short page is no banner.
        "boilerplate:policy_lines": "c4_policy_line_share > max_c4_policy_line_share"
        " and c4_policy_line_share * n_lines > 2.5",
        "symbols:symbols": "symbol_char_share > max_symbol_char_share",
        "keywords:few_stop_words": "stop_word_share < min_stop_word_share",
        "keywords:long_sentences": "n_words > max_words_a_sentence * n_sentences",
        "keywords:spaces": "space_to_word_ratio > max_space_to_word_ratio",
    },
    "none": {},
}
VALUES: dict[str, Mapping[str, float]] = {"gopher": GOPHER_VALUES}  # in place of the profiles of languages


def _always(languages: Collection[str], undetermined: str, opt_out: Collection[str]) -> dict[str, str]:
    """Rules of every preset. Texts in a language that no model names are still texts: `und` alone drops none."""
    rules = {
        "empty": "n_chars == 0",
        "blocked:host": "known(blocked_host)",
        "blocked:url": "known(blocked_url)",
        **{f"opt_out:{flag}": f'"{flag}" in opt_out' for flag in opt_out},
        "contaminated": "known(contaminated_by)",
        "language:und": 'language == "und"' + (' and language_script == "Zyyy"' if undetermined == "keep" else ""),
        "language:score": 'language != "und" and language_score < min_language_score',
        "language:mixed": 'language != "und" and language_share < min_language_share',
        "bad_words": "n_bad_words > max_bad_words",
    }
    if languages:
        rules["language:not_selected"] = f"language not in {tuple(sorted(languages))!r}"
    return rules


class Rule(NamedTuple):
    """Drops a document for `reason` where `expression` is true. `values`: a preset's own numbers, used in place of
    the profiles of languages."""

    reason: str
    expression: Expression
    values: Mapping[str, float]


Fields = Sequence[tuple[str, pa.DataType, str]]  # name, type, meaning of columns


def kinds(thresholds: Collection[str], learnt: Fields = ()) -> dict[str, Kind]:
    """What a rule may name: signals, annotations and learnt scores by their columns, and thresholds."""
    found: dict[str, Kind] = dict.fromkeys([*(name for name, _, _ in SIGNALS), *thresholds], "number")
    for name, kind, _ in (*ANNOTATIONS, *learnt):
        if name in ("text", "id"):
            continue
        numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        found[name] = "number" if numeric else "words" if name == "opt_out" else "label"
    return found


def chosen(
    presets: Sequence[str],
    own: Mapping[str, str],
    thresholds: Collection[str],
    *,
    languages: Collection[str] = (),
    undetermined: str = "keep",
    opt_out: Collection[str] = (),
    learnt: Fields = (),
) -> tuple[Rule, ...]:
    """The rules in the order in which they are asked: those that read what models have learnt last of all, so that
    a document that such a rule drops is one that all others keep.

    own: reason -> expression, "" or "off". A reason of REASONS: takes the place of that rule; any other name adds
    `rule:name`, behind all others. UserError names the rule and what is wrong.
    """
    scores = [name.removeprefix(PREFIX) for name, _, _ in learnt if name.startswith(PREFIX)]
    names = kinds([*thresholds, *(f"{THRESHOLD}{name}" for name in scores)], learnt)
    built_in: list[tuple[dict[str, str], Mapping[str, float]]] = [(_always(languages, undetermined, opt_out), {})]
    built_in += [(rules, VALUES.get(preset, {})) for preset, rules in PRESETS.items() if preset in presets]
    built_in.append(({f"score:{name}": f"{PREFIX}{name} < {THRESHOLD}{name}" for name in scores}, {}))
    found: list[Rule] = []
    for rules, values in built_in:
        found += [Rule(reason, parse(text, names, None), values) for reason, text in rules.items() if reason not in own]
    for reason, text in own.items():
        mine = reason not in REASONS and reason.removeprefix("score:") not in scores
        if mine and not NAME.fullmatch(reason):
            raise UserError(f"rules.{reason}: a rule of your own is named in a-z, 0-9 and _{nearest(reason, REASONS)}")
        if reason in ("empty", "rule", "score") or reason.startswith(f"{FAILED}:"):
            raise UserError(f"rules.{reason}: this rule stays as it is; name yours differently")
        if text.strip().lower() in OFF:
            if mine:
                raise UserError(f"rules.{reason}: there is no such rule to turn off{nearest(reason, REASONS)}")
            continue
        try:
            found.append(Rule(f"rule:{reason}" if mine else reason, parse(text, names), {}))
        except UserError as error:
            raise UserError(f"rules.{reason}: {error}") from None
    order = {reason: place for place, reason in enumerate(REASONS)}
    last = {name for name, _, _ in learnt}
    return tuple(
        sorted(found, key=lambda rule: (bool(rule.expression.names & last), order.get(rule.reason, len(order))))
    )


def expression_of(reason: str, own: Mapping[str, str]) -> str:
    """The text of the rule behind a reason, with the config's own rules; "" where nothing is known of it."""
    if reason.startswith("rule:"):
        return own.get(reason.removeprefix("rule:"), "")
    if own.get(reason, "") not in OFF:
        return own[reason]
    if reason.startswith("score:"):
        name = reason.removeprefix("score:")
        return f"{PREFIX}{name} < {THRESHOLD}{name}"
    return next((rules[reason] for rules in (_always((), "keep", ()), *PRESETS.values()) if reason in rules), "")


class Limit(NamedTuple):
    """A threshold for a document. source: `by_language.KEY`, `config` (for all languages), `preset`, `profile KEY` or
    `default`."""

    value: float
    source: str


class Thresholds(NamedTuple):
    """What holds for a document, the first that says something: the config's `by_language`; what the config says for
    all; a preset's own values; the profile; the default. by_language and profiles are looked up by `profiles.keys`.
    """

    by_language: Mapping[str, Mapping[str, float]]
    for_all: Mapping[str, float]
    profiles: Mapping[str, Mapping[str, float]]
    defaults: Mapping[str, float]

    def of(self, name: str, language: str, script: str, values: Mapping[str, float]) -> float:
        return self.told(name, language, script, values).value

    def told(self, name: str, language: str, script: str, values: Mapping[str, float]) -> Limit:
        """What holds, and who says so. values: of the preset whose rule asks."""
        places = keys(language, script)
        for key in places:
            if name in (section := self.by_language.get(key, {})):
                return Limit(section[name], f"by_language.{key}")
        for source, everywhere in (("config", self.for_all), ("preset", values)):
            if name in everywhere:
                return Limit(everywhere[name], source)
        for key in places:
            if name in (section := self.profiles.get(key, {})):
                return Limit(section[name], f"profile {key}")
        return Limit(self.defaults[name], "default")


class Learnt(NamedTuple):
    """A rule that reads columns which a model gave. score: the first of them that is a number, which examples lie by;
    empty without one."""

    rule: str
    columns: tuple[str, ...]
    score: str


class Decider:
    """Takes verdicts over the annotated columns of a batch. Holds no state that a verdict depends on."""

    def __init__(self, rules: Sequence[Rule], thresholds: Thresholds) -> None:
        self._rules, self._thresholds = tuple(rules), thresholds
        read = frozenset().union(*(rule.expression.names for rule in rules)) - thresholds.defaults.keys()
        self.columns = tuple(sorted({"language", "language_script", *read}))
        self._limits: dict[tuple[str, float | None, str, str], float] = {}  # met so far

    def __call__(self, batch: pa.RecordBatch) -> pa.Array:
        """drop_reason of each row, string; null: kept. Needs `columns`; one that is not there is null throughout."""
        fired = np.full(batch.num_rows, -1, np.int32)
        for place, fires in enumerate(self.fires(batch)):
            fired[(fired < 0) & fires] = place
        reasons = pa.array([rule.reason for rule in self._rules], pa.string())
        return reasons.take(pa.array(fired, mask=fired < 0))

    def fires(self, batch: pa.RecordBatch) -> Iterator[np.ndarray]:
        """Of each rule, in order: for which rows it fires, bool, a value a row or one for all. Needs `columns`."""
        rows = _Rows(batch, self._thresholds, self._limits)
        for rule in self._rules:
            rows.values = rule.values
            yield rule.expression.fires(rows)

    def learnt_rules(self, learnt: Fields) -> tuple[Learnt, ...]:
        """The rules that read one of these columns, in order."""
        found = []
        for rule in self._rules:
            names = tuple(name for name, _, _ in learnt if name in rule.expression.names)
            numbers = [name for name, kind, _ in learnt if name in names and pa.types.is_floating(kind)]
            if names:
                found.append(Learnt(rule.reason, names, numbers[0] if numbers else ""))
        return tuple(found)

    def bounds(self, label: str) -> dict[str, list[Threshold]]:
        """By column what the rules ask of it in a language, `eng_Latn`, as far as one asks nothing else there."""
        parts = dict(zip(UNLABELLED, ([part] for part in label.rsplit("_", 1)), strict=True))
        rows = _Rows(pa.RecordBatch.from_pydict(parts), self._thresholds, self._limits)
        known = {*UNLABELLED, *self._thresholds.defaults}
        found: dict[str, list[Threshold]] = {}
        for rule in self._rules:
            rows.values = rule.values
            if asked := bound(rule.expression, rows, known):
                threshold = Threshold(rule=rule.reason, operator=asked.operator, value=asked.value)
                found.setdefault(asked.name, []).append(threshold)
        return found


class _Rows:
    """A batch as expressions see it. `values`: of the rule that is evaluated."""

    def __init__(
        self, batch: pa.RecordBatch, thresholds: Thresholds, known: dict[tuple[str, float | None, str, str], float]
    ) -> None:
        self._batch, self._thresholds, self._known = batch, thresholds, known
        self.values: Mapping[str, float] = {}
        self._numbers: dict[str, np.ndarray] = {}
        self._words: dict[str, tuple[np.ndarray, list[frozenset[str]]]] = {}
        self._limits: dict[tuple[str, float | None], np.ndarray] = {}
        self._codes, self._pairs = self._languages()

    def number(self, name: str) -> np.ndarray:
        if name in self._thresholds.defaults:
            return self._limit(name)
        if name not in self._numbers:
            self._numbers[name] = self._read(name)
        return self._numbers[name]

    def words(self, name: str) -> tuple[np.ndarray, list[frozenset[str]]]:
        if name not in self._words:
            codes, values = self._encoded(name)
            self._words[name] = codes, [frozenset(value.split(",")) for value in values]
        return self._words[name]

    def _read(self, name: str) -> np.ndarray:
        if name not in self._batch.schema.names:
            return np.full(self._batch.num_rows, np.nan)
        column = pc.cast(self._batch.column(name), pa.float64())
        return column.to_numpy(zero_copy_only=False)

    def _encoded(self, name: str) -> tuple[np.ndarray, list[str]]:
        """A code a row, -1 for null, and the values; what is no UTF-8 in a foreign table's is U+FFFD."""
        if name not in self._batch.schema.names:
            return np.full(self._batch.num_rows, -1), []
        column = pc.dictionary_encode(self._batch.column(name))
        raw = column.dictionary.cast(pa.large_binary()).to_pylist()
        values = [(value or b"").decode("utf-8", "replace") for value in raw]
        return pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False), values

    def _languages(self) -> tuple[np.ndarray, list[tuple[str, str]]]:
        """A code a row for its language and script, and what the codes stand for."""
        languages, known = self._encoded("language")
        scripts, written = self._encoded("language_script")
        both = (languages.astype(np.int64) + 1) * (len(written) + 1) + scripts + 1
        distinct, codes = np.unique(both, return_inverse=True)
        places = [divmod(int(pair), len(written) + 1) for pair in distinct]
        return codes, [(["und", *known][a], ["Zyyy", *written][b]) for a, b in places]

    def _limit(self, name: str) -> np.ndarray:
        key = name, self.values.get(name)
        if key not in self._limits:
            for pair in self._pairs:
                if (*key, *pair) not in self._known:
                    self._known[(*key, *pair)] = self._thresholds.of(name, *pair, self.values)
            found = np.array([self._known[(*key, *pair)] for pair in self._pairs], np.float64)
            self._limits[key] = found[self._codes]
        return self._limits[key]
