"""The page says what the ledgers say, is safe to open, needs nothing from outside and is the same every time."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from lxml.html import HtmlElement

from jobs import report
from pipeline.report import words
from pipeline.report.gather import COMMONEST_LINES, WORST_ARCHIVES, archives
from pipeline.report.page import write_report
from pipeline.report.runs import read_run
from schemas.errors import UserError
from schemas.extract import REASONS as EXTRACT_REASONS
from schemas.records import STAGES

Page = Callable[..., str]


def tree(page: str) -> HtmlElement:
    return lxml.html.document_fromstring(page)


def text(element: HtmlElement) -> str:
    return " ".join(element.text_content().split())


def table(root: HtmlElement, name: str) -> HtmlElement:
    (found,) = root.xpath(f"//div[@aria-label={name!r}]/table")
    return found


def ledger(corpus: Path, stage: str) -> dict[str, Any]:
    return json.loads((corpus / stage / "_ledger.json").read_text(encoding="utf-8"))


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


@pytest.mark.parametrize("stage", STAGES)
def test_reasons_are_the_ledgers(corpus: Path, page: Page, stage: str) -> None:
    shown = table(tree(page()), f"Reasons of {stage}")
    rows = {text(row.xpath("./th/code")[0]): int(text(row[1]).replace(",", "")) for row in shown.xpath("./tbody/tr")}
    account = ledger(corpus, stage)
    assert rows == account["dropped"]
    assert list(rows.values()) == sorted(rows.values(), reverse=True)
    assert text(shown.xpath("./tfoot/tr/td")[0]) == f"{account['rows_out']:,}"


def test_key_figures(corpus: Path, run: Path, page: Page) -> None:
    figures = tree(page(run=run)).xpath("//dl[@class='figures']/div")
    shown = {text(one[0]): text(one[1]) for one in figures}
    mixture = json.loads((corpus / "sample" / "mixture.json").read_text())["languages"].values()
    written = sum(one["bytes"] + one["validation_bytes"] for one in mixture)
    assert shown == {
        "archives": "4",
        "records": f"{ledger(corpus, 'extract')['rows_in']:,}",
        "documents": f"{ledger(corpus, 'extract')['rows_out']:,}",
        "after clean": f"{ledger(corpus, 'clean')['rows_out']:,}",
        "after dedup": f"{ledger(corpus, 'dedup')['rows_out']:,}",
        "after sample": f"{ledger(corpus, 'sample')['rows_out']:,}",
        "languages": "17",
        "text": words.size(written).replace("\xa0", " "),
        "pieces": "64,000",
        "tokens trained": "786,432,000",
        "training loss": f"{read_run(str(run)).steps[-1]['loss']:.3f}",
    }


def test_languages_are_the_ledgers(corpus: Path, run: Path, page: Page) -> None:
    shown = table(tree(page(run=run)), "Languages")
    heads = [text(head) for head in shown.xpath("./thead/tr[last()]/th")]
    rows = {row[0].get("data-v"): dict(zip(heads, row, strict=True)) for row in shown.xpath("./tbody/tr")}
    accounts = {stage: ledger(corpus, stage)["by_language"] for stage in ("clean", "dedup", "sample")}
    assert set(rows) == set(accounts["clean"])
    for label, row in rows.items():
        assert row["found"].get("data-v") == str(accounts["clean"][label]["rows_in"])
        for stage, account in accounts.items():
            assert row[stage].get("data-v") == str(account[label]["rows_out"] if label in account else "")
    assert rows["und_Zyyy"]["share kept"].get("data-v") == "0.0"
    thai = accounts["sample"]["tha_Thai"]["rows_out"] / accounts["clean"]["tha_Thai"]["rows_in"]
    assert float(rows["tha_Thai"]["share kept"].get("data-v")) == pytest.approx(thai)
    assert text(rows["amh_Ethi"]["epochs"]) == "4.00"


def test_reasons_have_meaning_threshold_and_languages(corpus: Path, page: Page) -> None:
    shown = text(table(tree(page()), "Reasons of clean"))
    assert "mean word length below the threshold min_mean_word_length = 2.0 (eng: 3.0)" in shown
    counts = {k: one["dropped"].get("empty", 0) for k, one in ledger(corpus, "clean")["by_language"].items()}
    assert {k for k, n in counts.items() if n} == {"und_Zyyy"}
    (row,) = table(tree(page()), "Reasons of clean").xpath("./tbody/tr[th/code='empty']")
    assert [text(cell) for cell in row] == ["emptyno text left after repair", "74", "0.1 %", "und_Zyyy 100 %"]
    assert words.meaning("extract", "type:request") == EXTRACT_REASONS["type"]


def test_what_a_page_holds_cannot_run(corpus: Path, page: Page) -> None:
    evil = "</div></script><script>alert(1)</script><img src=x onerror=alert(2)>\x00\ud800"
    example = {"id": "1", "url": 'javascript:alert(3)"onclick="x', "language": evil, "reason": evil, "text": evil}
    (corpus / "clean" / "_examples.json").write_text(json.dumps([example]), encoding="utf-8")
    hit = ledger(corpus, "clean")
    name = evil[:-2]
    by_language = {name: hit["by_language"]["eng_Latn"]}
    edit(corpus / "clean" / "_ledger.json", dropped=hit["dropped"] | {name: 1}, by_language=by_language)
    edit(corpus / "clean" / "_run.json", code_revision=name)
    page_text = page()
    root = tree(page_text)
    assert len(root.xpath("//script")) == 1
    assert not root.xpath("//img | //@onerror | //@onclick | //@*[starts-with(., 'javascript:')]")
    assert page_text.count("&lt;script&gt;alert(1)") >= 4
    assert "\x00" not in page_text and page_text.count("onerror=alert(2)&gt;\ufffd\ufffd<") >= 3


def test_only_the_page_s_own_script_may_run(page: Page) -> None:
    root = tree(page())
    (policy,) = root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    digest = hashlib.sha256(root.xpath("//script")[0].text.encode()).digest()
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert "default-src 'none'" in policy


def test_nothing_from_outside(run: Path, page: Page) -> None:
    page_text = page(run=run)
    root = tree(page_text)
    assert all(address.startswith(("#", "data:")) for address in root.xpath("//@src | //@href | //@srcset | //@data"))
    assert not re.search(r"@import|url\(", root.xpath("//style")[0].text)
    assert len(page_text.encode()) < 1_000_000


def test_same_inputs_same_bytes(corpus: Path, run: Path, page: Page) -> None:
    assert page(run=run) == page(run=run)


def test_a_root_where_nothing_has_run(tmp_path: Path, page: Page) -> None:
    root = tree(page(root=tmp_path))
    state = [text(one) for one in root.xpath("//ul[@class='state']/li")]
    assert state == [*(f"{stage} not run yet" for stage in STAGES), "training no run named"]
    assert not root.xpath("//dl")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_has_not_run(corpus: Path, page: Page, stage: str) -> None:
    (corpus / stage / "_run.json").unlink()
    root = tree(page())
    assert [text(one) for one in root.xpath("//ul[@class='state']/li")][STAGES.index(stage)] == f"{stage} not run yet"
    assert not root.xpath(f"//div[@aria-label='Reasons of {stage}']")


def test_a_stage_made_from_an_earlier_one(corpus: Path, page: Page) -> None:
    edit(corpus / "clean" / "_run.json", fingerprint="f" * 16)
    state = [text(one) for one in tree(page()).xpath("//ul[@class='state']/li")]
    assert state[:4] == [
        "extract finished", "clean finished", "dedup made from an earlier clean: run it again", "sample finished",
    ]  # fmt: skip


def test_examples_know_language_and_direction(page: Page) -> None:
    root = tree(page())
    arabic = root.xpath("//div[@class='text' and @lang='ar-Arab']")
    assert arabic and all(one.get("dir") == "auto" for one in arabic)
    assert {"zh", "ja-Jpan", "ko", "am-Ethi"} <= set(root.xpath("//div[@class='text']/@lang"))
    assert max(len(one.text_content()) for one in root.xpath("//div[@class='text']")) <= words.TEXT_CHARACTERS + 2


def test_addresses_of_people_are_masked(corpus: Path, page: Page) -> None:
    example = {"id": "1", "url": "", "language": "", "reason": None, "text": "write to jane.doe@mail.org"}
    (corpus / "extract" / "_examples.json").write_text(json.dumps([example]), encoding="utf-8")
    page_text = page()
    assert "jane.doe" not in page_text and "write to &lt;EMAIL&gt;" in page_text


def test_archives_with_breaks(page: Page) -> None:
    shown = table(tree(page()), "Archives with breaks")
    rows = [[text(cell) for cell in row] for row in shown.xpath("./tbody/tr")]
    assert [row[1] for row in rows] == ["missing", "corrupt", "truncated"]  # gave nothing, three breaks, one break
    assert rows[1][2:] == ["1,048,576", "870,002,112", "3", "10", "4"]


def test_only_the_worst_archives(tmp_path: Path) -> None:
    from pyarrow import Table, parquet

    from schemas.extract import INPUTS

    rows = [
        {"file_path": f"{number:03}", "size": 100, "status": "corrupt", "broke_at": 50, "counts": [
            {"record_type": "archive", "reason": "corrupt", "count": number},
            {"record_type": "response", "reason": "status", "count": 1_000 - number},
        ]}
        for number in range(70)
    ]  # fmt: skip
    rows.append({"file_path": "fine", "size": None, "status": "ok"})
    (tmp_path / "inputs").mkdir()
    parquet.write_table(Table.from_pylist(rows, INPUTS), tmp_path / "inputs" / "a.parquet")
    found = archives([str(tmp_path / "inputs" / "a.parquet")])
    assert found and (found.count, found.broken, found.size) == (71, 70, 7_000)
    assert [row["breaks"] for row in found.worst] == list(range(69, 69 - WORST_ARCHIVES, -1))


def test_lines_that_hosts_repeat(corpus: Path, page: Page) -> None:
    from pyarrow import Table, parquet

    from schemas.repeats import LINES

    assert "Lines that hosts repeat" not in page()
    rows = [
        {"host": f"h{n % 3}.example", "line_hash": n, "pages": 10 + n, "lines": 11 + n, "host_pages": 900,
         "text": "<b>تابعنا</b>" if n == 79 else f"Menu {n}"}
        for n in range(80)
    ]  # fmt: skip
    (corpus / "dedup" / "lines").mkdir()
    for at in (0, 40):
        parquet.write_table(Table.from_pylist(rows[at : at + 40], LINES), corpus / "dedup" / "lines" / f"{at}.parquet")
    whole = page()
    shown = table(tree(whole), "Lines that hosts repeat")
    cells = [[text(cell) for cell in row] for row in shown.xpath("./tbody/tr")]
    assert cells[0] == ["<b>تابعنا</b>", "h1.example", "89", "900"]
    assert [row[2] for row in cells] == [str(10 + n) for n in range(79, 79 - COMMONEST_LINES, -1)]
    assert "80 lines of menus" in " ".join(whole.split())


def test_training_log(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"step": 1, "split": "train", "tokens": 10, "loss": 4.0, "languages": {
            "eng_Latn": {"loss": 3.0, "masked": 1, "tokens": 6, "documents": 1, "epochs": 0.1},
            "kor_Hang": {"tokens": 4, "documents": 1, "epochs": 0.2}}},
        {"step": 1, "split": "validation", "loss": 4.5, "languages": {"eng_Latn": {"loss": 4.5, "masked": 2}}},
        {"step": 2, "split": "train", "tokens": 20, "loss": 2.0, "languages": {
            "eng_Latn": {"loss": 1.0, "masked": 3, "tokens": 16, "documents": 2, "epochs": 0.3},
            "kor_Hang": {"tokens": 4, "documents": 1, "epochs": 0.2}}},
    ]  # fmt: skip
    log = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 3, "los'
    (tmp_path / "metrics.jsonl").write_text(log)
    found = read_run(str(tmp_path))
    assert [line["step"] for line in found.steps] == [1, 2]
    assert found.validation == [(1, 4.5)] and found.validation_languages == {"eng_Latn": 4.5}
    assert found.languages == {
        "eng_Latn": {
            "tokens": 16,
            "documents": 2,
            "epochs": 0.3,
            "share": 0.8,
            "loss": 1.5,
        },  # (3 x 1 + 1 x 3) / 4 guesses
        "kor_Hang": {"tokens": 4, "documents": 1, "epochs": 0.2, "share": 0.2, "loss": None},
    }


def test_a_run_without_a_step(tmp_path: Path, page: Page) -> None:
    assert "has logged no step yet" in page(run=tmp_path)


def test_missing_folders_are_named(tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"--root .*nowhere: no such folder"):
        write_report(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=rf"the folder of a stage; give the corpus that it lies in, {corpus}$"):
        write_report(str(corpus / "clean"))
    assert not (corpus / "clean/report.html").exists()
    assert report.main(["--root", str(corpus), "--run", str(tmp_path / "gone")]) == 2
    assert capsys.readouterr().err == f"error: --run {tmp_path / 'gone'}: no such folder\n"
    assert report.main(["--root", str(corpus), "--rum", "x"]) == 2
    assert "did you mean --run" in capsys.readouterr().err


def test_the_job_needs_no_spark(corpus: Path) -> None:
    program = (
        "import sys; from jobs import report; status = report.main(sys.argv[1:]);"
        "sys.exit(status or int('pyspark' in sys.modules) or int('torch' in sys.modules))"
    )
    command = [sys.executable, "-c", program, "--root", str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, f"report   {corpus / 'report.html'}\n"), done.stderr


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0 %"), (1, "100 %"), (1e-9, "< 0.1 %"), (0.99999, "> 99.9 %"), (0.12345, "12.3 %"), (None, "")],
)
def test_share(value: float | None, written: str) -> None:
    assert words.share(value).replace("\xa0", " ") == written


@pytest.mark.parametrize(
    ("value", "written"), [(0, "0 B"), (999, "999 B"), (1_000, "1 kB"), (999_600, "1 MB"), (5.23e16, "52.3 PB")]
)
def test_size(value: float, written: str) -> None:
    assert words.size(value).replace("\xa0", " ") == written


@pytest.mark.parametrize(
    ("label", "expected"),
    [("eng_Latn", "en-Latn"), ("cmn_Hani", "zh"), ("ceb_Latn", "ceb-Latn"), ("und_Zyyy", ""), ("", ""), ('x"><b', "")],
)
def test_tag(label: str, expected: str) -> None:
    assert words.tag(label) == expected
