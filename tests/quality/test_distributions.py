"""How signals lie: against numpy.histogram, over divisions of a table, and thresholds worked out by hand."""

import itertools
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.config import CleanConfig
from pipeline.quality import distributions as d
from pipeline.quality import profiles
from pipeline.quality.rules import Decider
from schemas.distributions import LARGEST_LANGUAGES, Distribution

LANGUAGES = (
    "eng_Latn", "cmn_Hani", "jpn_Jpan", "kor_Hang", "tha_Thai", "khm_Khmr", "arb_Arab", "heb_Hebr", "hin_Deva",
    "tam_Taml", "amh_Ethi", "kat_Geor", "rus_Cyrl", "tur_Latn", "und_Zyyy",
)  # fmt: skip
# In the units of each kind, with what lies on an edge, below the first and above the last.
DRAWS = {
    "n_words": lambda draw: draw.choice([0, 1, 50, 100, draw.randint(0, 3000), 10**7]),
    "dup_line_share": lambda draw: draw.choice([0.0, 0.3, 1.0, 0.1, 0.98, draw.random()]),
    "newline_to_word_ratio": lambda draw: draw.choice([0.0, 0.3, 40.0, draw.expovariate(5), None]),
    "mean_word_length": lambda draw: draw.choice([None, 2.5, 10.0, draw.uniform(0, 40)]),
    "compression_ratio": lambda draw: draw.choice([-1.0, draw.gauss(2, 1), 300.0]),
    "language_score": lambda draw: draw.random(),
}


def table(n: int, labels: tuple[str, ...] = LANGUAGES) -> tuple[pa.RecordBatch, list[str], pa.Array]:
    """Signals, labels and verdicts."""
    draw = random.Random(5)
    columns = {name: [make(draw) for _ in range(n)] for name, make in DRAWS.items()}
    columns["hash_to_word_ratio"] = [None] * n
    reasons = [draw.choice([None, None, "empty"]) for _ in range(n)]
    batch = pa.RecordBatch.from_pydict({name: pa.array(values) for name, values in columns.items()})
    return batch, draw.choices(labels, k=n), pa.array(reasons, pa.string())


def tally(rows: pa.RecordBatch, labels: list[str], verdicts: pa.Array, cuts: list[int], path: str = "") -> d.Tally:
    """Counted in pieces, each cut a task's end, and added up as tasks' answers are."""
    total = d.Tally()
    for begin, end in itertools.pairwise([0, *cuts, len(rows)]):
        part = d.Tally()
        for at in range(begin, end, 7):
            here = slice(at, min(end, at + 7))
            part.add(rows.slice(at, here.stop - at), labels[here], verdicts.slice(at, here.stop - at))
        total.take(part.answer(path), {*labels, d.WHOLE})
    return total


def test_counts_are_those_of_numpy() -> None:
    """The outer bins take what lies beyond them."""
    rows, labels, verdicts = table(600)
    found = d.distributions(tally(rows, labels, verdicts, [250]), Counter(labels), lambda _: {})
    assert {one["language"] for one in found} == {"", *LANGUAGES}
    assert {one["signal"] for one in found} == DRAWS.keys()
    for one in found:
        edges = d.EDGES[one["signal"]]
        values = np.array(rows.column(one["signal"]).to_pylist(), np.float64)
        here = np.array([one["language"] in ("", label) for label in labels]) & ~np.isnan(values)
        stays = np.array(verdicts.is_null().to_pylist())
        last = np.nextafter(edges[-1], 0)
        for name, some in (("kept", here & stays), ("dropped", here & ~stays)):
            expected = np.histogram(np.clip(values[some], edges[0], last), edges)[0]
            counts = one["histogram"][name]  # type: ignore[literal-required]
            start = edges.tolist().index(one["histogram"]["edges"][0])
            assert counts == expected[start : start + len(counts)].tolist()
            assert sum(counts) == some.sum()
        assert one["histogram"]["edges"] == edges[start : start + len(counts) + 1].tolist()
        both = np.add(one["histogram"]["kept"], one["histogram"]["dropped"])
        assert both[0] and both[-1], "empty bins at the ends are left out"


@pytest.mark.parametrize("most", [1 << 30, 0])
def test_any_division_gives_the_same(most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether tasks answer with counts or with files of them."""
    rows, labels, verdicts = table(300)
    expected = d.as_json(d.distributions(tally(rows, labels, verdicts, []), Counter(labels), lambda _: {}))
    monkeypatch.setattr(d, "ANSWER_BYTES", most)
    total, draw = d.Tally(), random.Random(3)
    cuts = sorted(draw.sample(range(301), 9))
    for begin, end in itertools.pairwise([0, *cuts, 300]):
        part = d.Tally()
        part.add(rows.slice(begin, end - begin), labels[begin:end], verdicts.slice(begin, end - begin))
        answer = part.answer(str(tmp_path / f"{begin}"))
        assert isinstance(answer, bytes) == bool(most)
        total.take(answer, {*labels, d.WHOLE})
    assert d.as_json(d.distributions(total, Counter(labels), lambda _: {})) == expected


def test_edges_rise_and_are_short() -> None:
    for name, edges in d.EDGES.items():
        assert (np.diff(edges) > 0).all() and edges[0] == 0, name
        assert len(edges) <= 42 and all(len(f"{edge:g}") <= 6 for edge in edges), name
    assert {"text", "language", "id"}.isdisjoint(d.EDGES) and "n_emails" in d.EDGES
    # what Gopher compares with divides bins
    assert {0.1, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.18, 0.2, 0.3, 0.8, 0.9} <= set(d.EDGES["dup_line_share"])
    assert {50, 100_000} <= set(d.EDGES["n_words"]) and {3, 10} <= set(d.EDGES["mean_word_length"])


def bounds(**config: Any) -> Any:
    settings = CleanConfig.model_validate(config)
    return Decider(settings.chosen_rules(), settings.limits(profiles.shipped())).bounds


def asked(label: str, signal: str, **config: Any) -> list[tuple[str, str, float]]:
    found = bounds(**config)(label).get(signal, [])
    return [(one["rule"], one["operator"], one["value"]) for one in found]


def test_thresholds_of_languages_by_hand() -> None:
    """What profiles.toml has for them; the default where it says nothing; Gopher's own where its preset is asked."""
    words = {"eng_Latn": 50.0, "cmn_Hani": 80.0, "arb_Arab": 48.0}
    for label, least in words.items():
        few, many = asked(label, "n_words")
        assert few == ("gopher_quality:too_few_words", "<", least)
        assert many == ("gopher_quality:too_many_words", ">", 100_000.0)
    assert asked("tha_Thai", "n_words")[0] == ("gopher_quality:too_few_words", "<", 210.0), "its script's"
    assert asked("tha_Thai", "space_to_word_ratio") == [("keywords:spaces", ">", 0.2)]
    assert asked("tha_Thai", "dup_5gram_char_share") == [("gopher_repetition:dup_5gram", ">", 0.9)]
    assert asked("tha_Thai", "dup_line_share") == [("gopher_repetition:dup_lines", ">", 0.3)], "the default"
    assert asked("cmn_Hani", "newline_to_word_ratio") == [("fineweb:newlines", ">", 0.188)]
    assert asked("eng_Latn", "line_punct_share") == [("fineweb:line_punct", "<", 0.12)]
    assert asked("arb_Arab", "mean_word_length") == [
        ("gopher_quality:short_words", "<", 2.61),
        ("gopher_quality:long_words", ">", 10.443),
    ]
    dup_8gram = [("gopher_repetition:dup_8gram", ">", 0.12)]
    assert asked("arb_Arab", "dup_8gram_char_share", presets=["gopher"]) == dup_8gram
    assert asked("tha_Thai", "n_words", by_language={"Thai": {"min_words": 7}})[0][2] == 7.0
    assert asked("tha_Thai", "n_words", min_words=9)[0][2] == 9.0


@pytest.mark.parametrize(
    ("rule", "label", "expected"),
    [
        ("60 >= n_words", "eng_Latn", ("<=", 60.0)),
        ("n_words < 2 * min_words", "cmn_Hani", ("<", 160.0)),
        ("n_words < -1", "eng_Latn", ("<", -1.0)),
        ('language == "tha" and n_words < 30', "tha_Thai", ("<", 30.0)),
        ('language == "tha" and n_words < 30', "eng_Latn", None),
        ('language_script in ("Arab", "Hebr") and n_words < 30', "heb_Hebr", ("<", 30.0)),
        ('language == "tha" or n_words < 30', "eng_Latn", None),
        ("n_words < 30 and n_lines > 3", "eng_Latn", None),
        ("n_words < n_lines", "eng_Latn", None),
        ("n_words / 2 < 30", "eng_Latn", None),
        ("n_words == 30", "eng_Latn", None),
        ("not n_words > 30", "eng_Latn", None),
        ("10 < n_words < 30", "eng_Latn", None),
        ("known(n_words)", "eng_Latn", None),
        ("n_words < 1 / 0", "eng_Latn", None),
    ],
)
def test_what_a_rule_comes_down_to(rule: str, label: str, expected: tuple[str, float] | None) -> None:
    found = [one[1:] for one in asked(label, "n_words", presets=["none"], rules={"mine": rule})]
    assert found == ([expected] if expected else [])


def test_on_all_documents_lie_thresholds_of_all_languages() -> None:
    rows, labels, verdicts = table(200, ("eng_Latn", "cmn_Hani", "und_Zyyy"))
    whole = {
        one["signal"]: [(bound["rule"], bound["value"]) for bound in one["thresholds"]]
        for one in d.distributions(tally(rows, labels, verdicts, []), Counter(labels), bounds())
        if one["language"] == d.WHOLE
    }
    assert whole["n_words"] == [("gopher_quality:too_many_words", 100_000.0)]
    assert whole["language_score"] == [("language:score", 0.3)], "which asks nothing of what has no language"


def test_the_file_is_small(tmp_path: Path) -> None:
    """Of more languages than it has, with as many documents as crawls have, spread over all bins."""
    n_words = np.repeat(d.EDGES["n_words"], 50)
    draw = np.random.default_rng(0)
    columns = {name: pa.array(draw.permutation(np.resize(edges, len(n_words)))) for name, edges in d.EDGES.items()}
    rows, labels = pa.RecordBatch.from_pydict(columns), [f"l{at % 60:02}_Latn" for at in range(len(n_words))]
    total = tally(
        rows, labels, pa.array([None, "empty"] * (len(labels) // 2), pa.string()), [], str(tmp_path / "tally")
    )
    for counts in total._counts.values():
        counts *= 99_999_999
    documents = {label: 1000 - at for at, label in enumerate(sorted(set(labels)))}
    found = d.distributions(total, documents, bounds())
    data = d.as_json(found)
    assert 800_000 < len(data) < 1_000_000
    assert json.loads(data) == found
    whole = [one["signal"] for one in found if one["language"] == d.WHOLE]
    assert whole == list(d.EDGES)
    smallest = sorted(documents)[LARGEST_LANGUAGES - 1]
    assert {one["language"] for one in found} == {d.WHOLE, *sorted(documents)[:LARGEST_LANGUAGES]}
    assert "n_words" in {one["signal"] for one in found if one["language"] == smallest}


def test_no_documents() -> None:
    none: list[Distribution] = d.distributions(
        tally(pa.RecordBatch.from_pydict({}), [], pa.array([], pa.string()), []), {}, bounds()
    )
    assert none == [] and json.loads(d.as_json(none)) == []
