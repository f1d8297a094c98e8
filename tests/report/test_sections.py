"""The parts of the page say what the small files of the stages say, also of stages that have not run or wrote less."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from lxml.html import HtmlElement

from jobs import report
from pipeline.report.clusters import clusters
from pipeline.report.costs import costs, duration
from pipeline.report.mixing import mixed
from schemas.costs import Cost
from schemas.distributions import LargeCluster, Member
from schemas.records import STAGES

Page = Callable[..., str]
EVERY_SCRIPT = {
    "cmn_Hani", "jpn_Jpan", "kor_Hang", "tha_Thai", "khm_Khmr", "arb_Arab", "heb_Hebr", "hin_Deva", "tam_Taml",
    "amh_Ethi", "kat_Geor", "rus_Cyrl", "tur_Latn", "eng_Latn",
}  # fmt: skip


def tree(page: str) -> HtmlElement:
    return lxml.html.document_fromstring(page)


def text(element: HtmlElement) -> str:
    return " ".join(element.text_content().split())


def part(root: HtmlElement, anchor: str) -> str:
    """All text from a heading of the second level to the next."""
    (head,) = root.xpath(f"//h2[@id={anchor!r}]")
    found = []
    for one in head.itersiblings():
        if one.tag == "h2":
            break
        found.append(text(one))
    return " ".join(found)


def rows(root: HtmlElement, name: str) -> dict[str, list[str]]:
    found = root.xpath(f"//div[@aria-label={name!r}]/table/tbody/tr")
    return {text(next(iter(row.xpath("./th/code")), row[0])): [text(cell) for cell in row[1:]] for row in found}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def test_every_heading_of_the_contents_is_there_in_its_order(corpus: Path, run: Path, page: Page) -> None:
    root = tree(page(run=run))
    links = [one[1:] for one in root.xpath("//nav//a/@href")]
    assert links == [one.get("id") for one in root.xpath("//h2")]
    levels = [int(one.tag[1]) for one in root.xpath("//h1 | //h2 | //h3 | //h4")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_flow_has_a_table_of_all_that_it_draws(corpus: Path, page: Page) -> None:
    root = tree(page())
    for picture in root.xpath("//svg[contains(@class, 'flow')]"):
        assert picture.get("role") == "img" and "clean keeps" in picture.get("aria-label")
    shown = [[text(cell) for cell in row] for row in root.xpath("//div[@aria-label='From records to shards']//tr")]
    assert ["no_main_text", "17,922", "19.4 %"] in shown
    drawn = {text(one) for one in root.xpath("//svg[@class='flow across']/text[@class='reason']")}
    assert drawn <= {row[0] for row in shown}


def test_grid_is_the_ledgers(corpus: Path, page: Page) -> None:
    root = tree(page())
    (found,) = root.xpath("//div[@aria-label='Reasons by language']/table")
    heads = [text(one) for one in found.xpath("./thead/tr[last()]/th")]
    clean = read(corpus / "clean" / "_ledger.json")["by_language"]
    dedup = read(corpus / "dedup" / "_ledger.json")["by_language"]
    shown = {row[0].get("data-v"): dict(zip(heads, row, strict=True)) for row in found.xpath("./tbody/tr")}
    assert shown.keys() == clean.keys() and shown.keys() >= EVERY_SCRIPT
    for label, row in shown.items():
        few = clean[label]["dropped"].get("gopher_quality:too_few_words", 0)
        assert float(row["gopher_quality:too_few_words"].get("data-v")) == pytest.approx(
            few / clean[label]["rows_in"], abs=1e-6
        )
        exact = dedup.get(label, {"dropped": {}})["dropped"].get("exact", 0)
        assert float(row["exact"].get("data-v")) == pytest.approx(exact / clean[label]["rows_in"], abs=1e-6)
        lost = sum(float(cell.get("data-v")) for name, cell in row.items() if name not in ("Language", "found"))
        sample = read(corpus / "sample" / "_ledger.json")["by_language"].get(label, {"rows_out": 0})
        assert lost + sample["rows_out"] / clean[label]["rows_in"] == pytest.approx(1, abs=1e-4)


def test_sixty_languages_fold(corpus: Path, page: Page) -> None:
    ledger = read(corpus / "clean" / "_ledger.json")
    for number in range(60):
        ledger["by_language"][f"a{chr(97 + number // 26)}{chr(97 + number % 26)}_Latn"] = {
            "rows_in": 9, "rows_out": 4, "dropped": {"gopher_quality:too_few_words": 5},
        }  # fmt: skip
    write(corpus / "clean" / "_ledger.json", ledger)
    root = tree(page())
    for name in ("Reasons by language", "Languages"):
        assert len(rows(root, name)) == 30
        rest = root.xpath(f"//details[div/@aria-label='{name}, the rest']")
        assert len(rest) == 1 and text(rest[0][0]) == f"{name}: 48 more"
        assert len(rows(root, f"{name}, the rest")) == 48


def test_signals_have_their_thresholds_and_say_where_documents_lie(corpus: Path, page: Page) -> None:
    root = tree(page())
    english = root.xpath("//h2[@id='signals']/following-sibling::details[summary/code='eng_Latn']")[0]
    pictures = english.xpath(".//svg[@role='img']/@aria-label")
    assert [one.partition(":")[0] for one in pictures] == ["n_words", "mean_word_length"]
    assert "gopher_quality:short_words drops < 3" in text(english) and "middle one" in text(english)
    assert pictures[0].endswith(
        "gopher_quality:too_few_words drops < 50; gopher_quality:too_many_words drops > 100,000"
    )
    together = text(root.xpath("//h2[@id='signals']/following-sibling::div[1]")[0])
    assert "n_words" in together and "mean_word_length" in together and "digit_char_share" not in together
    free = root.xpath("//details[starts-with(summary, 'Signals that no rule bounds')]")[0]
    assert "digit_char_share" in text(free) and "n_words" not in text(free)


def test_samples_have_language_and_direction_in_every_script(corpus: Path, page: Page) -> None:
    shown = tree(page()).xpath("//h2[@id='samples']/following-sibling::details//div[@class='text']")
    assert all(one.get("dir") == "auto" for one in shown)
    tags = {one.get("lang") for one in shown}
    assert {"zh", "ja-Jpan", "ko", "th-Thai", "km-Khmr", "ar-Arab", "he-Hebr", "hi-Deva", "ta-Taml", "am-Ethi",
            "ka-Geor", "ru-Cyrl", "tr-Latn", "en-Latn"} <= tags  # fmt: skip


def test_clusters_mark_what_differs(corpus: Path, page: Page) -> None:
    root = tree(page())
    found = root.xpath("//h2[@id='copies']/following-sibling::details[.//article]")
    labels = [text(one.xpath("./summary//code")[0]) for one in found[: len(EVERY_SCRIPT) + 3]]
    assert labels[0] == "eng_Latn" and set(labels) >= EVERY_SCRIPT
    for one, label in zip(found, labels, strict=False):
        kept, longer, changed, equal = one.xpath("./article")
        assert text(kept).startswith("kept") and not kept.xpath(".//ins | .//del"), label
        assert "similarity 0.81" in text(longer) and longer.xpath(".//ins"), label
        assert "2031" in "".join(changed.xpath(".//ins//text()")) and changed.xpath(".//del"), label
        assert "no difference in what is shown" in text(equal) and not equal.xpath(".//ins | .//del"), label
        assert kept.xpath("./div/@lang") and kept.xpath("./div/@dir") == ["auto"]


def member(n: int, text: str, reason: str | None = None, like: int = 0) -> Member:
    return Member(id=str(n), url="", language="eng_Latn", similarity=None, reason=reason, kept_id=str(like), text=text)


@pytest.mark.parametrize(("like", "lacks"), [(1, ["nine "]), (99, ["nine "]), (0, ["one two three"])])
def test_a_copy_is_compared_with_the_kept_one_that_it_is_like(like: int, lacks: list[str]) -> None:
    """One that is not shown leaves the one that it shares most with."""
    kept = [member(0, "one two three"), member(1, "seven eight nine ten", like=1)]
    cluster = LargeCluster(cluster_id="0", size=9, members=[*kept, member(2, "seven eight ten", "minhash", like)])
    (one,) = clusters([cluster])
    assert one.left == 6 and [shown.kept for shown in one.members] == [True, True, False]
    gone = "".join(piece.text for piece in one.members[2].pieces if piece.kind == "del")
    assert gone.split() == " ".join(lacks).split()


def test_a_kept_copy_of_an_earlier_crawl_is_not_shown(corpus: Path, page: Page) -> None:
    members = [member(0, "one two", "exact", 7), member(1, "one two", "exact", 7)]
    write(corpus / "dedup" / "_clusters.json", [{"cluster_id": "7", "size": 3, "members": members}])
    root = tree(page())
    assert "it is one of an earlier crawl" in part(root, "copies") and "1 more are not shown" in part(root, "copies")


def test_clusters_by_size_and_addresses_masked() -> None:
    small, large = ({"cluster_id": str(n), "size": n, "members": [member(0, "to a.b@mail.org")]} for n in (2, 5))
    shown = clusters([small, large])  # type: ignore[list-item]
    assert [one.size for one in shown] == [5, 2]
    assert shown[0].members[0].pieces[0].text == "to <EMAIL>"


def test_costs_by_hand() -> None:
    one = Cost(stage="clean", began="", attempts=2, seconds=3600.0, cores=4, cpu_seconds=7200.0, peak_bytes=10**9,
               shuffle_bytes=None, bytes_read=2 * 10**9, bytes_written=10**6, requests=1234)  # fmt: skip
    other = {**one, "stage": "dedup", "seconds": 900.0, "cpu_seconds": None, "shuffle_bytes": 5}
    found = costs({"clean": one, "dedup": other, "sample": None})  # type: ignore[dict-item]
    assert found and [row.stage for row in found.rows] == ["clean", "dedup", "sample"]
    clean, dedup, sample = found.rows
    assert [value.replace("\xa0", " ") for value in clean.values] == [
        "1 h 0 min", "4", "4", "50.0 %", "1 GB", "not known", "2 GB", "1 MB", "1,234", "2"
    ]  # fmt: skip
    assert dedup.width == 25 and dedup.values[3] == "not known" and not sample.recorded
    assert [value.replace("\xa0", " ") for value in found.total] == [
        "1 h 15 min", "", "5", "", "1 GB", "", "4 GB", "2 MB", "2,468", ""
    ]  # fmt: skip
    assert costs({"clean": None}) is None


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.26, "0.3 s"), (41.4, "41 s"), (59.9, "60 s"), (725, "12 min 5 s"), (12_000, "3 h 20 min")],
)
def test_duration(seconds: float, written: str) -> None:
    assert duration(seconds).replace("\xa0", " ") == written


def test_mixture_before_and_after_by_hand() -> None:
    one = {"bytes": 900, "characters": 100, "epochs": 0.5, "weight": 0.4}
    other = {"bytes": 100, "characters": 300, "epochs": 2.0, "weight": 0.6}
    languages = {"tha_Thai": one, "eng_Latn": other}
    found = mixed({"method": "temperature", "temperature": 3.33, "unit": "characters", "languages": languages})
    assert found.told == "temperature, T = 3.33"
    english, thai = found.rows
    assert (english.label, english.before, english.after, english.times) == ("eng_Latn", 0.75, 0.6, pytest.approx(0.8))
    assert (thai.before_text, thai.after_text, thai.times_text.replace("\xa0", " ")) == (
        "25.0\xa0%",
        "40.0\xa0%",
        "× 1.60",
    )
    assert (english.before_width, english.after_width) == (100, 80)
    older = mixed({"method": "natural", "languages": languages})
    assert older.told == "natural" and older.rows[0].label == "tha_Thai"


@pytest.mark.parametrize(
    ("stage", "file", "anchor", "said"),
    [
        ("clean", "_distributions.json", "signals", "clean was run by a version that wrote no distributions"),
        ("dedup", "_clusters.json", "copies", "dedup was run by a version that listed no clusters"),
        ("sample", "_cost.json", "cost", "not recorded by the version that ran it"),
    ],
)
def test_what_an_older_version_did_not_write_is_said(
    corpus: Path, page: Page, stage: str, file: str, anchor: str, said: str
) -> None:
    assert said not in part(tree(page()), anchor)
    (corpus / stage / file).unlink()
    assert said in part(tree(page()), anchor)


def test_no_cost_at_all_and_no_cluster(corpus: Path, page: Page) -> None:
    for stage in STAGES:
        (corpus / stage / "_cost.json").unlink()
    write(corpus / "dedup" / "_clusters.json", [])
    root = tree(page())
    assert "a version that measured no cost" in part(root, "cost")
    assert "no two documents were copies" in part(root, "copies")


def test_a_half_finished_root_says_the_way_out(corpus: Path, page: Page) -> None:
    whole = tree(page())
    assert not whole.xpath("//p[@class='way']")
    for stage in ("sample", "vocab"):
        (corpus / stage / "_run.json").unlink()
    record = read(corpus / "clean" / "_run.json")
    write(corpus / "clean" / "_run.json", record | {"fingerprint": "f" * 16})
    root = tree(page())
    assert [text(one) for one in root.xpath("//p[@class='way']")] == [
        "Not run yet: sample, vocab. This goes on from where the corpus is: "
        "spark-submit jobs/corpus.py --input ARCHIVES --root ROOT",
        "dedup was made from an earlier clean: its figures are of those documents. This makes it anew: "
        "spark-submit jobs/dedup.py --root ROOT",
    ]
    assert "sample has not run" in part(root, "mixture") and "vocab has not run" in part(root, "vocabulary")


@pytest.mark.parametrize("stage", STAGES)
def test_each_part_without_its_stage(corpus: Path, page: Page, stage: str) -> None:
    (corpus / stage / "_run.json").unlink()
    root = tree(page())
    parts = {"extract": ["archives"], "clean": ["signals"], "dedup": ["copies"], "sample": ["mixture"],
             "vocab": ["vocabulary"]}[stage]  # fmt: skip
    for anchor in parts:
        assert f"{stage} has not run" in part(root, anchor)
    assert stage not in {text(row[0]) for row in root.xpath("//div[@aria-label='Cost of each stage']//tbody/tr")}


def test_a_damaged_file_is_one_line(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (corpus / "dedup" / "_clusters.json").write_text("[{")
    assert report.main(["--root", str(corpus)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "_clusters.json is damaged" in err


def test_many_languages_and_signals_stay_small(corpus: Path, page: Page) -> None:
    """As large as the stages write them: 300 languages, 40 with distributions of 45 signals of 40 bins each."""
    labels = [f"{a}{b}{c}_Latn" for a in "abcdefg" for b in "abcdefg" for c in "abcdefg"][:300]
    ledger = read(corpus / "clean" / "_ledger.json")
    account = ledger["by_language"]["eng_Latn"]
    write(corpus / "clean" / "_ledger.json", ledger | {"by_language": dict.fromkeys(labels, account)})
    edges = [float(n) for n in range(41)]
    found = [
        {"signal": f"signal{n}", "language": label, "thresholds": [{"rule": "r:r", "operator": "<", "value": 20.0}],
         "histogram": {"edges": edges, "kept": list(range(n, n + 40)), "dropped": [k * k % 97 for k in range(40)]}}
        for label in ("", *labels[:40])
        for n in range(45)
    ]  # fmt: skip
    write(corpus / "clean" / "_distributions.json", found)
    whole = page()
    assert len(whole.encode()) < 5_000_000
    drawn = tree(whole).xpath("//h2[@id='signals']/following-sibling::details[summary/code and .//svg]")
    assert len(drawn) == 30 and "The 30 languages with most documents." in whole
