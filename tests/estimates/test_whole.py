"""Figures of stages and of all, by hand."""

from typing import Any

import pytest

from pipeline.config import Config
from pipeline.costs.usage import Call, Usage
from pipeline.estimates import actual
from pipeline.estimates.counts import Counts, Language, Piece, Sample, counted, written_share
from pipeline.estimates.intervals import COUNTS, TOTAL, Figure, Whole, estimates
from pipeline.estimates.lines import Line
from pipeline.estimates.observed import SMALL, Engine, Table, observed
from pipeline.estimates.prices import Prices
from pipeline.estimates.whole import Machines, Model, Runs, figures, model, totals, written
from pipeline.estimates.words import comparison_lines, plan_lines
from schemas.costs import Cost
from schemas.errors import UserError
from schemas.records import STAGES

PRICES = Prices("here", "2026-11-01", "dollars", 0.05, 0.02, 0.02, 0.005, 0.0004, 0.0, 0.0)
WHOLE = Counts(
    archives=100, bytes=1e9, documents=20_000, skipped=500, kept=10_000, texts=4_000, copied=7_000, written=4_000,
    drawn=5e6,
)  # fmt: skip
NOTHING = Line(0.0, 0.0, 0.03)


def cost(seconds: float, cores: int = 2, **others: Any) -> Cost:
    return {
        "stage": "clean", "began": "", "attempts": 1, "seconds": seconds, "cores": cores, "cpu_seconds": 2 * seconds,
        "peak_bytes": 100, "shuffle_bytes": 0, "bytes_read": 0, "bytes_written": 0, "requests": 0, **others,
    }  # type: ignore[return-value, typeddict-item]  # fmt: skip


def one(**others: Any) -> Model:
    given: dict[str, Any] = {
        name: NOTHING for name in ("alone", "spread", "cpu", "read", "peak", "exchanged", "by_rows", "by_texts")
    }
    given |= {
        "items": 0.0,
        "most_items": 1000,
        "longest": 0.0,
        "tables": {SMALL: Table(0, 0, 0)},
        "row_deviation": 0.03,
    }
    return Model(**{**given, **others})


def test_seconds_of_a_run_that_many_share_and_that_none_does() -> None:
    """Two cores had 12 s of items in 7 s; one of them 3 s of clusters alone; the stage took 12 s."""
    calls = [Call("_keep", 6, 7.0, Usage(seconds=12.0), 3.0), Call("_cluster", 1, 3.0, Usage(seconds=3.0), 3.0)]
    found = observed(50.0, 0.0, cost(12.0), calls, Engine(0.0, {}), {})
    assert (found.spread, found.alone, found.items, found.longest) == (12.0, 6.0, 6, 3.0)
    engine = observed(50.0, 0.0, cost(12.0), calls, Engine(16.0, {"dedup pairs": 9}), {})
    assert (engine.spread, engine.alone) == (16.0, 4.0)  # its tasks held two cores for 8 s


def test_time_falls_with_cores_as_far_as_there_are_items() -> None:
    stage = one(alone=Line(10.0, 0.001, 0.03), spread=Line(0.0, 0.04, 0.03), items=0.01, longest=5.0)
    at = {cores: figures("clean", stage, WHOLE, Machines(cores, 1000), PRICES) for cores in (2, 100, 1000)}
    assert at[2]["seconds"] == 30 + 800 / 2
    assert at[100]["seconds"] == 30 + 800 / 100
    assert at[1000]["seconds"] == 30 + 5  # 200 items, of which the longest takes 5 s
    assert at[2]["core_hours"] == pytest.approx(830 / 3600)
    cluster = figures("clean", stage, WHOLE, Machines(1001, 1000), PRICES)
    assert cluster["core_hours"] == pytest.approx(1.3 * 830 / 3600)


def test_what_dedup_writes_goes_by_texts_and_by_documents() -> None:
    tables = {
        "documents": Table(100, 2, 1_000), "signatures": Table(120, 2, 2_400), "clusters": Table(40, 1, 400),
        "unlike": Table(3, 0, 0), SMALL: Table(0, 0, 77),
    }  # fmt: skip
    found = written("dedup", one(tables=tables), WHOLE)
    sizes = {name: table.bytes for name, table in found.items()}
    assert sizes == {"documents": 40_000, "signatures": 200_000, "clusters": 70_000, "unlike": 0, SMALL: 77}


def test_what_dedup_exchanges_goes_by_both() -> None:
    def run(x: float, texts: float) -> Any:
        shuffled = {"": int(40 * x), "dedup folded": int(90 * x), "dedup pairs": int(600 * texts)}
        return observed(x, texts, cost(10.0 + x / 100), [], Engine(4.0, shuffled), {SMALL: Table(0, 0, 0)})

    fitted = model("dedup", Runs(run(10, 10), run(10, 10), [run(500, 450), run(1000, 800)]))
    told = figures("dedup", fitted, WHOLE, Machines(2, 2), PRICES)
    assert told["shuffle_bytes"] == pytest.approx(130 * 10_000 + 600 * 4_000)


def test_memory_grows_where_one_task_holds_all() -> None:
    def run(x: float, peak: int) -> Any:
        return observed(x, 0.0, cost(1.0, peak_bytes=peak), [], Engine(0.0, {}), {SMALL: Table(0, 0, 0)})

    runs = Runs(run(10, 900_000), run(10, 900_000), [run(1000, 2_000_000), run(2000, 9_000_000)])
    assert model("dedup", runs).peak.at(11_000) == 2_000_000 + 1024 * 10_000
    assert model("clean", runs).peak.at(1e9) == 2_000_000


def test_tables_without_files_have_no_bytes_a_row() -> None:
    def run(x: float) -> Any:
        return observed(x, 0.0, cost(1.0), [], Engine(0.0, {}), {"pieces": Table(9, 0, 0), SMALL: Table(0, 0, 500)})

    fitted = model("vocab", Runs(None, None, [run(10), run(20)]))
    assert figures("vocab", fitted, WHOLE, Machines(2, 2), PRICES)["bytes_written"] == 500


def test_money_and_storage_by_hand() -> None:
    tables = {"documents": Table(1, 1, 10**5), SMALL: Table(0, 0, 0)}
    stage = one(spread=Line(0.0, 0.18, 0.03), tables=tables, exchanged=Line(3e9, 0.0, 0.03))
    told = figures("clean", stage, WHOLE, Machines(2, 2), PRICES)
    assert told["core_hours"] == 1.0 and told["bytes_written"] == 2e9
    requests = told["gets"] / 1e3 * 0.0004 + told["puts"] / 1e3 * 0.005
    assert told["dollars"] == pytest.approx(0.05 + requests)
    nothing = dict.fromkeys(told, 0.0)
    all_ = totals({stage: told if stage == "clean" else nothing for stage in STAGES}, PRICES)
    assert (all_["storage_bytes"], all_["peak_storage_bytes"], all_["dollars_a_month"]) == (2e9, 5e9, 0.04)
    assert all_["spot_dollars"] == pytest.approx(0.02 + requests)


SAMPLE = Sample(
    [Piece(1000, 20, 2, 15), Piece(1000, 22, 1, 15)],
    [frozenset({0})] * 13 + [frozenset({1})] * 13 + [frozenset({0, 1})] * 2,
    {"eng_Latn": Language(60_000, 60_000, 18), "tha_Thai": Language(20_000, 60_000, 10)},
)


def test_counts_of_the_whole_by_hand() -> None:
    told = counted(SAMPLE.pieces, 100.0, 20, 20_000.0, SAMPLE, Config())
    assert (told.documents, told.skipped, told.kept, told.texts, told.written) == (420, 30, 300, 100, 100)
    assert told.copied == pytest.approx(300 - 100 * 0.1353, rel=1e-3)
    assert counted(SAMPLE.pieces, 1e9, 20, 20_000.0, SAMPLE, Config()).texts == 300  # no more than documents
    capped = Config.model_validate({"vocab": {"sample_characters": 5_000, "vocab_size": 300}})
    small, large = (counted(SAMPLE.pieces, texts, 20, 2e5, SAMPLE, capped).drawn for texts in (280.0, 2800.0))
    assert large == pytest.approx(small, rel=0.2)  # a drawn sample is as large for ten times the texts


def test_a_budget_cuts_what_is_written() -> None:
    """English has 60,000 bytes ten times, Thai too: natural shares of a budget of 300,000 are a quarter of each."""
    config = Config.model_validate({"sample": {"budget": 300_000, "method": "natural"}})
    assert written_share(SAMPLE, 10.0, config) == pytest.approx(0.25)
    assert written_share(SAMPLE, 10.0, Config()) == 1.0
    few = Config.model_validate({"sample": {"min_documents": 101}})
    assert written_share(SAMPLE, 10.0, few) == pytest.approx(18 / 28)


def everything() -> Any:
    models = {
        stage: one(
            spread=Line(1.0, 1e-3, 0.05), tables={SMALL: Table(0, 0, 10)},
        )
        for stage in STAGES
    }  # fmt: skip
    return estimates(models, SAMPLE, Whole(20, 20_000.0, 0.01), Machines(2, 2), PRICES, Config())


def test_intervals_hold_their_estimates_and_are_the_same_again() -> None:
    found = everything()
    assert found == everything()
    assert set(found) == {*STAGES, TOTAL, COUNTS}
    for told in found.values():
        assert all(figure.low <= figure.estimate <= figure.high for figure in told.values())
    seconds = found["extract"]["seconds"]
    assert seconds.low < seconds.estimate < seconds.high
    text = "\n".join(plan_lines(found, PRICES, 2))
    assert all(word in text for word in (*STAGES, "core-hours", "dollars", "here, 2026-11-01"))


def test_estimate_beside_measured() -> None:
    figure = {name: Figure(10.0, 8.0, 12.0) for name in actual.MEASURED}
    plan = {"stages": dict.fromkeys((*STAGES, TOTAL), figure)}
    costs = {stage: cost(11.0, peak_bytes=13, cpu_seconds=None) for stage in STAGES}
    told = actual.compared(plan, costs, on_store=False)
    assert told["clean"]["seconds"] == (Figure(10.0, 8.0, 12.0), 11.0) and "requests" not in told["clean"]
    assert told[TOTAL]["seconds"][1] == 55.0 and told[TOTAL]["peak_bytes"][1] == 13
    assert told[TOTAL]["cpu_seconds"][1] is None
    lines = comparison_lines(told)
    assert [line.split()[-2:] for line in lines if line.startswith("clean") and "time" in line] == [["1.10", "inside"]]
    assert [line.split()[-1] for line in lines if line.startswith("clean") and "memory" in line] == ["above"]
    assert [line.split()[-1] for line in lines if line.startswith("clean") and "CPU" in line] == ["unknown"]


def test_a_file_that_is_no_plan(tmp_path: Any) -> None:
    with pytest.raises(UserError, match="no such file"):
        actual.read_plan(str(tmp_path / "plan.json"))
    (tmp_path / "plan.json").write_text('{"version": 0}')
    with pytest.raises(UserError, match="no plan of this version"):
        actual.read_plan(str(tmp_path / "plan.json"))
