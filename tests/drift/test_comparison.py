"""What counts as a drift, on made-up corpora whose truth is known."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.drift import thresholds
from pipeline.drift.comparison import CHANCE, FEW, WITHIN, Comparison, compare
from pipeline.drift.correlation import Correlation, correlation, excesses
from pipeline.drift.figures import Figures, Key, Share
from schemas.distributions import Histogram
from schemas.errors import Drifted

ALIKE = Correlation(0.0, 1000, 1.0, 0)
EDGES = [-math.inf, 100, 1000, 10000, math.inf]


def corpus(kept: dict[str, tuple[int, int]], signals: dict[Key, Histogram] | None = None, root: str = "a") -> Figures:
    """kept: label -> (kept, documents)."""
    total = sum(of for _, of in kept.values())
    shares = {Key("kept", label): Share(*pair) for label, pair in kept.items()}
    shares |= {Key("language", label): Share(of, total) for label, (_, of) in kept.items()}
    shares[Key("kept")] = Share(sum(hits for hits, _ in kept.values()), total)
    return Figures(root, shares, signals or {}, {}, {}, [])


def compared(now: Figures, before: Figures, alike: Correlation = ALIKE, file: str = "") -> Comparison:
    known = {key: alike for one in (now, before) for key in (*one.shares, *one.signals)}
    return compare(now, before, [known, known], thresholds.load(file))


def state(found: Comparison, kind: str, label: str = "") -> str:
    (change,) = (one for one in found.changes if one.key[:2] == (kind, label))
    return change.state


def test_a_language_that_falls_is_named_first() -> None:
    now = corpus({"tha_Thai": (100, 400), "kat_Geor": (350, 400), "eng_Latn": (900, 1000)})
    before = corpus({"tha_Thai": (360, 400), "kat_Geor": (352, 400), "eng_Latn": (905, 1000)}, root="b")
    found = compared(now, before)
    assert [change.key for change in found.drifted] == [Key("kept", "tha_Thai"), Key("kept")]
    assert [row.drifted for row in found.languages if row.label == "tha_Thai"] == [["kept"]]
    with pytest.raises(Drifted) as raised:
        found.require_no_drift("a/report.html")
    head, first, second = str(raised.value).splitlines()
    assert "a/report.html" in head and second.startswith("drift: kept: ")
    assert first.startswith("drift: kept tha_Thai: 25.0 % of 400, before 90.0 % of 400 (")


def test_a_language_that_vanished_and_one_that_came() -> None:
    now = corpus({"amh_Ethi": (300, 300), "eng_Latn": (900, 1000)})
    before = corpus({"khm_Khmr": (300, 300), "eng_Latn": (900, 1000)})
    found = compared(now, before)
    assert {change.key for change in found.drifted} == {Key("language", "khm_Khmr"), Key("language", "amh_Ethi")}


def test_neither_what_is_small_nor_what_may_be_chance() -> None:
    now = corpus({"few_Latn": (0, 49), "unsure_Latn": (42, 60), "tiny_Latn": (9500, 10000)})
    before = corpus({"few_Latn": (49, 49), "unsure_Latn": (50, 60), "tiny_Latn": (9700, 10000)})
    found = compared(now, before)
    assert state(found, "kept", "few_Latn") == FEW
    assert state(found, "kept", "unsure_Latn") == CHANCE
    assert state(found, "kept", "tiny_Latn") == WITHIN  # beyond chance: 2 points of 10,000
    assert not found.drifted
    found.require_no_drift("page")


def test_pages_of_one_host_are_no_drift() -> None:
    """The same counts, of pages that are all alike within a few large hosts."""
    now, before = corpus({"deu_Latn": (500, 1000)}), corpus({"deu_Latn": (900, 1000)})
    assert compared(now, before).drifted
    assert state(compared(now, before, Correlation(0.2, 30, 1.0, 0)), "kept", "deu_Latn") == CHANCE
    assert state(compared(now, before, Correlation(0.0, 1000, 60.0, 20)), "kept", "deu_Latn") == CHANCE
    assert state(compared(now, before, Correlation(0.0, 0, 1.0, 0)), "kept", "deu_Latn") == FEW


def test_a_shifted_signal() -> None:
    def lies(kept: list[int]) -> dict[Key, Histogram]:
        return {Key("signal", "hin_Deva", "n_bytes"): Histogram(edges=EDGES, kept=kept, dropped=[0, 0, 0, 0])}

    before = corpus({"hin_Deva": (900, 1000)}, lies([100, 300, 500, 100]))
    (found,) = [one for one in compared(corpus({"hin_Deva": (900, 1000)}, lies([500, 300, 100, 100])), before).drifted]
    assert found.key == Key("signal", "hin_Deva", "n_bytes")
    assert found.stability == pytest.approx(2 * 0.4 * math.log(5), rel=0.01)
    assert (found.now, found.before) == (100.0, pytest.approx(1000 + 9000 / 5))
    same = compared(corpus({"hin_Deva": (900, 1000)}, lies([110, 310, 480, 100])), before)
    assert not same.drifted and state(same, "signal", "hin_Deva") == WITHIN
    others = lies([500, 300, 100, 100])
    others[Key("signal", "hin_Deva", "n_bytes")]["edges"] = [-math.inf, 150, 1000, 20000, math.inf]
    skipped = compared(corpus({"hin_Deva": (900, 1000)}, others), before)
    assert not skipped.drifted and any("signals" in note for note in skipped.notes)


def test_duplicates_compare_between_like_sizes_only() -> None:
    def copies(of: int, gone: int) -> Figures:
        one = corpus({"eng_Latn": (900, 1000)})
        return dataclasses.replace(one, shares={**one.shares, Key("duplicates"): Share(gone, of)})

    assert [change.key for change in compared(copies(1000, 400), copies(1000, 100)).drifted] == [Key("duplicates")]
    unlike = compared(copies(1000, 400), copies(3000, 300))
    assert not unlike.drifted and any("duplicates" in note for note in unlike.notes)


def test_a_language_s_own_threshold(tmp_path: Path) -> None:
    file = tmp_path / "drift.toml"
    file.write_text("[by_language.tha]\nkept = 0.9\n", encoding="utf-8")
    now, before = corpus({"tha_Thai": (100, 400)}), corpus({"tha_Thai": (360, 400)})
    assert state(compared(now, before, file=str(file)), "kept", "tha_Thai") == WITHIN
    assert [change.key for change in compared(now, before, file=str(file)).drifted] == [Key("kept")]


@pytest.mark.parametrize("seed", range(3))
def test_samples_of_one_web_of_unlike_hosts_raise_none(seed: int) -> None:
    """200 pairs of samples in which whole hosts are kept or dropped, by figures that differ by tens of thresholds where
    pages are counted as if they had nothing to do with each other."""
    rng = np.random.default_rng(seed)
    alarms = naive = 0
    for _ in range(200):
        sides, known = [], []
        for _ in range(2):
            sizes = rng.geometric(0.02, 60)
            host = np.repeat(np.arange(60), sizes)
            hit = np.repeat(rng.random(60) < 0.7, sizes).astype(np.int64)
            sides.append(corpus({"eng_Latn": (int(hit.sum()), len(hit))}))
            one = correlation(excesses(np.zeros_like(hit), host, hit)[0, 1], None)
            known.append({Key("kept"): one, Key("kept", "eng_Latn"): one})
        alarms += bool(compare(sides[0], sides[1], known, thresholds.load()).drifted)
        naive += bool(compared(sides[0], sides[1]).drifted)
    assert alarms <= 3 and naive > 60
