"""jobs/dedup.py --scope substring: passages planted on pages of many scripts, by files and by shuffles, cut or not."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from copies import Row
from dedups import Dedup, dedup_runs, rows_of
from stage_tables import files, table

from jobs import dedup, explain, remove
from pipeline.repeats import small_substrings
from pipeline.spark.session import LazySession
from pipeline.store import generations
from schemas.records import unbalanced

# By language: letters, and what stands between words. Drawn texts share no 50 bytes by chance.
ALPHABETS = {
    "zho": ("河石光风家园冬银晨信桥答医生村音乐纸的了山水火木金土天地人", ""),
    "jpn": ("あいうえおかきくけこさしすせそ日本語東京都", ""),
    "kor": ("가나다라마바사아자차카타파하한국어", " "),
    "tha": ("กขคงจชซญดตถทนบปผฝพฟะาิีุู", ""),
    "khm": ("កខគឃងចឆជឈញដឋឌឍណតថទធន", ""),
    "arb": ("ابتثجحخدذرزسشصضطظعغفقكلمنهوي", " "),
    "heb": ("אבגדהוזחטיכלמנסעפצקרשת", " "),
    "hin": ("कखगघचछजझटठडढणतथदधनपफबभमयरलव", " "),
    "tam": ("கஙசஞடணதநபமயரலவழளறன", " "),
    "amh": ("ሀለሐመሠረሰሸቀበተቸኀነኘአከኸወዐዘ", " "),
    "kat": ("აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ", " "),
    "rus": ("абвгдежзийклмнопрстуфхцчшщъыьэюя", " "),
    "tur": ("abcçdefgğhıijklmnoöprsştuüvyz", " "),
    "eng": ("abcdefghijklmnopqrstuvwxyz", " "),
}
SIZES = (200, 201, 255, 1000, 20_000)


@pytest.fixture
def run(spark: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dedup:
    return dedup_runs(tmp_path, monkeypatch)


def drawn(rng: np.random.Generator, language: str, n_bytes: int) -> str:
    """A text of at least so many bytes, whole characters, none of them a letter too many."""
    letters, space = ALPHABETS[language]
    parts: list[str] = []
    size = 0
    while size < n_bytes:
        one = space if space and parts and parts[-1] != space and rng.random() < 0.2 else str(rng.choice(list(letters)))
        parts.append(one)
        size += len(one.encode())
    return "".join(parts)


def planted(n_pages: int = 2) -> tuple[list[Row], dict[str, str]]:
    """Pages, and by id of the page the passage that is planted on it. What is around it differs from page to page at
    both of its ends."""
    rng = np.random.default_rng(3)
    rows: list[Row] = []
    passages = {}
    for language in ALPHABETS:
        for size in SIZES if language in ("zho", "arb", "eng") else SIZES[:4]:
            passage = drawn(rng, language, size)
            for page in range(n_pages):
                name = f"{language}-{size}-{page}"
                before, after = (drawn(rng, language, 2 * size + 100 * page) for _ in range(2))
                rows.append({"id": name, "text": f"{before}<{page}{passage}{page}>{after}", "language": language})
                passages[name] = passage
        short = "".join(_cut_to(drawn(rng, language, 199), 199))
        for page in range(2):
            around = [drawn(rng, language, 300 + 50 * page) for _ in range(2)]
            rows.append({"id": f"{language}-short-{page}", "text": f"{around[0]}<{page}{short}{page}>{around[1]}",
                         "language": language})  # fmt: skip
    return rows, passages


def _cut_to(text: str, n_bytes: int) -> str:
    return text.encode()[:n_bytes].decode(errors="ignore")


def test_planted_passages_are_cut_but_for_one_copy_and_nothing_else_is(run: Dedup) -> None:
    rows, passages = planted()
    texts = {row["id"]: row["text"] for row in rows}
    folder = run("planted", rows, "--scope", "substring", "--cut-substrings")
    documents = {row["id"]: row for row in rows_of(folder)}
    assert set(documents) == set(texts)
    spans = pq.read_table(folder / "spans").to_pylist()
    assert {span["id"] for span in spans} == set(passages)
    for span in spans:
        passage, text = passages[span["id"]], texts[span["id"]].encode()
        assert text[span["start"] : span["end"]].decode() == passage  # on borders of characters
        pair = span["id"][:-1]
        assert (span["pages"], span["other_id"]) == (2, pair + str(1 - int(span["id"][-1])))
        assert span["kept"] == (span["id"][-1] == "1")  # the longer page
    for name, row in documents.items():
        size = len(passages[name].encode()) if name in passages else 0
        goes = name in passages and name.endswith("0")
        assert (row["shared_bytes"], row["cut_bytes"]) == (size, size if goes else 0)
        expected = texts[name].replace(passages[name], "\n") if goes else texts[name]
        assert row["text"] == expected
    ledger = json.loads((folder / "_ledger.json").read_text())
    assert ledger["tables"]["spans"] == len(spans) == len(passages) and not ledger["dropped"]


def many_pages() -> list[Row]:
    """Passages on up to 100 pages, some twice on one; pages of nothing else, of one byte, without a text; copies."""
    rng = np.random.default_rng(8)
    passages = [drawn(rng, language, size) for language, size in (("eng", 700), ("tha", 300), ("hin", 2000))]
    rows: list[Row] = []
    for n in range(100):
        parts = [drawn(rng, "eng", int(rng.integers(200, 900)))]
        for number, passage in enumerate(passages):
            if n % (1 + 3 * number) == 0:
                parts += [passage, drawn(rng, "rus", 150)]
        if n % 25 == 0:
            parts += [passages[0]]
        rows.append(
            {"id": f"page{n:03}", "text": " ".join(parts), "quality": float(n % 7), "date": f"2024-01-{1 + n % 28:02}"}
        )
    rows += [{"id": f"only{n}", "text": " ".join(passages[n:]), "quality": None, "date": None} for n in range(3)]
    rows += [
        {"id": f"run{n}", "text": "=" * (3000 + n * 10) + drawn(rng, "eng", 400), "quality": 1.0} for n in range(3)
    ]
    rows += [{"id": "null", "text": None}, {"id": "short", "text": "short"}, {**rows[5], "id": "copy"}]
    return [{"quality": None, "date": None, "language": "eng" if n % 3 else None, **row} for n, row in enumerate(rows)]


WAYS: dict[str, tuple[list[str], bool, int]] = {
    "one file": ([], False, 1000),
    "three": ([], False, 37),
    "eight": ([], False, 14),
    "shuffles": (["--one-task-documents", "0"], True, 37),
}


def test_the_same_bytes_for_any_partitioning_and_way(
    run: Dedup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_substrings, "SPLITS_A_BUCKET", 2)
    rows, flags = many_pages(), ["--scope", "substring", "--cut-substrings", "--quality-column", "quality"]
    said = {}
    for number, (name, (more, engine, rows_a_file)) in enumerate(WAYS.items()):
        table = tmp_path / f"input{number}"
        table.mkdir()
        for part, at in enumerate(range(0, len(rows), rows_a_file)):
            schema = pa.Table.from_pylist(rows).schema
            pq.write_table(pa.Table.from_pylist(rows[at : at + rows_a_file], schema), table / f"{part}.parquet")
        folder = run(f"way{number}", rows[:1], "--input", table, *flags, *more, engine=engine)
        files = [json.loads((folder / file).read_text()) for file in ("_ledger.json", "_examples.json")]
        spans = sorted(pq.read_table(folder / "spans").to_pylist(), key=lambda row: (row["id"], row["start"]))
        said[name] = rows_of(folder), spans, files
    for name in WAYS:
        assert said[name] == said["one file"], name
    documents, spans, (ledger, examples) = said["one file"]
    assert ledger["dropped"] == {"exact": 1, "substring": 3}
    assert {one["id"] for one in examples if one["reason"] == "substring"} == {"only0", "only1", "only2"}
    assert max(span["pages"] for span in spans) == 103 - 2
    assert {row["id"] for row in documents}.isdisjoint({"only0", "only1", "only2"})


def test_annotation_leaves_texts_as_they_are(run: Dedup) -> None:
    rows = many_pages()
    folder = run("noted", rows, "--scope", "substring", "--substring-bytes", "250")
    texts = {row["id"]: row["text"] for row in rows}
    documents = rows_of(folder)
    assert all(row["text"] == texts[row["id"]] and "cut_bytes" not in row for row in documents)
    totals: dict[str, int] = {}
    for span in pq.read_table(folder / "spans").to_pylist():
        totals[span["id"]] = totals.get(span["id"], 0) + span["end"] - span["start"]
    assert {row["id"]: row["shared_bytes"] for row in documents if row["shared_bytes"]} == totals


@pytest.fixture(scope="module")
def shared_root(corpus_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample corpus with passages of 60 bytes cut."""
    root = tmp_path_factory.mktemp("shared") / "root"
    shutil.copytree(corpus_root, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LazySession, "local_cores", lambda _: 2)
        flags = ["--scope", "substring", "--substring-bytes", "60", "--cut-substrings"]
        assert dedup.main(["--root", str(root), *flags]) == 0
        assert dedup.main(["--root", str(root), *flags]) == 0  # left as it is
    return root


def test_explain_tells_passages(shared_root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spans = table(shared_root, "dedup/spans")
    texts = {row["id"]: row for row in table(shared_root, "clean/documents")}
    cut = next(row for row in spans if not row["kept"] and row["other_id"] in texts)
    name, capture = cut["id"], capfd.readouterr
    mine = sorted((row for row in spans if row["id"] == name), key=lambda row: row["start"])
    capture()
    assert explain.main(["--root", str(shared_root), "--id", name, "--json"]) == 0
    (told,) = json.loads(capture().out)
    passages = told["stories"][0]["passages"]
    assert passages["n"] == len(mine) and not passages["emptied"]
    content = texts[name]["text"].encode()
    for one, row in zip(passages["passages"], mine, strict=True):
        assert one["text"].encode() == content[row["start"] : row["end"]]
        assert (one["fate"], one["pages"]) == ("kept" if row["kept"] else "cut", row["pages"])
        assert (one["other_id"], one["other_url"]) == (row["other_id"], texts[row["other_id"]]["url"])
    assert explain.main(["--root", str(shared_root), "--id", name, "--most", "1"]) == 0
    lines = capture().out.splitlines()
    assert any(f"passages that other pages share: {len(mine):,}" in line for line in lines)
    page = tmp_path / "page.html"
    assert explain.main(["--root", str(shared_root), "--id", name, "--html", str(page)]) == 0
    assert "Passages that other pages share" in page.read_text()


def test_a_takedown_reaches_the_spans(shared_root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "root"
    shutil.copytree(shared_root, root)
    spans = table(root, "dedup/spans")
    named = next(row["other_id"] for row in spans if not row["kept"])
    url = next(row["url"] for row in table(root, "clean/documents") if row["id"] == named)
    (tmp_path / "list").write_text(url + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LazySession, "local_cores", lambda _: 2)
        assert remove.main(["--root", str(root), "--urls", str(tmp_path / "list")]) == 0
    left = table(root, "dedup/spans")
    assert len(left) == sum(row["id"] != named for row in spans) < len(spans)
    assert all(named not in (row["id"], row["other_id"]) for row in left)
    assert sum(row["other_id"].startswith("removed:") for row in left) == sum(row["other_id"] == named for row in spans)
    ledger = generations.current(str(root / "dedup")).read_json("_ledger.json")
    assert ledger["tables"]["spans"] == len(left) and unbalanced(ledger) == 0
    assert named.encode() not in b"".join(file.read_bytes() for file in files(root, "dedup/spans").values())
    capfd.readouterr()
    reader = next(row["id"] for row in left if row["other_id"].startswith("removed:"))
    assert explain.main(["--root", str(root), "--id", reader]) == 0
    assert "(address not known here)" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (["--scope", "substring", "--substring-bytes", "49"], "substring_bytes"),
        (["--scope", "substring", "--substring-bytes", "10001"], "substring_bytes"),
        (["--cut-substrings"], "scope = substring"),
        (["--cut-substrings", "--scope", "line"], "scope = substring"),
    ],
)
def test_settings_that_cannot_be(run: Dedup, capfd: pytest.CaptureFixture[str], flags: list[str], name: str) -> None:
    run("wrong", [{"id": "a", "text": "b"}], *flags, status=2)
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and name in errors[0]
