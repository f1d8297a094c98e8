"""Removal below the job: what an address stands for, a file without rows, ledgers and archives' receipts."""

import itertools
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.lists import row_removal
from pipeline.lists.takedown import Takedown
from pipeline.lists.url_lists import UrlLists
from pipeline.stages import remove
from pipeline.web.addresses import page as address
from schemas.distributions import LargeCluster, Member
from schemas.records import unbalanced

# A page as a person writes it down, and as an archive may have it.
SAME = [
    ("https://example.org/a", "http://www.EXAMPLE.org:80/a/"),
    ("example.org/a?x=1", "https://example.org/a?X=1#part"),
    ("https://example.org/", "https://www.example.org"),
    ("https://example.org/新闻/第一", "https://example.org/%E6%96%B0%E9%97%BB/%E7%AC%AC%E4%B8%80"),
    ("https://例え.jp/記事", "https://xn--r8jz45g.jp/%E8%A8%98%E4%BA%8B"),
    ("https://example.kr/기사", "https://example.kr/%EA%B8%B0%EC%82%AC"),
    ("https://example.th/ข่าว", "https://example.th/%E0%B8%82%E0%B9%88%E0%B8%B2%E0%B8%A7"),
    ("https://example.kh/ព័ត៌មាន", "https://www.example.kh/ព័ត៌មាន/"),
    ("https://مثال.eg/أخبار", "http://xn--mgbh0fb.eg/أخبار"),
    ("https://example.il/חדשות", "https://example.il/%D7%97%D7%93%D7%A9%D7%95%D7%AA"),
    ("https://example.in/समाचार", "https://example.in/%E0%A4%B8%E0%A4%AE%E0%A4%BE%E0%A4%9A%E0%A4%BE%E0%A4%B0"),
    ("https://example.in/செய்தி", "http://example.in/செய்தி#x"),
    ("https://example.et/ዜና", "https://example.et/%E1%8B%9C%E1%8A%93"),
    ("https://example.ge/ახალი", "https://example.ge/%E1%83%90%E1%83%AE%E1%83%90%E1%83%9A%E1%83%98"),
    ("https://пример.рф/Новости", "https://xn--e1afmkfd.xn--p1ai/новости"),
    ("https://example.tr/haber/ığüşöç", "https://example.tr/haber/%C4%B1%C4%9F%C3%BC%C5%9F%C3%B6%C3%A7"),
]
# Of each pair, the first does not stand for the second.
OTHER = [
    ("https://example.org/a", "https://example.org/a/b"),
    ("https://example.org/a", "https://example.org/a?x=1"),
    ("https://example.org/a?x=1", "https://example.org/a?x=1&y=2"),
    ("https://example.org/a", "https://example.org/ab"),
    ("https://example.org/a", "https://news.example.org/a"),
    ("https://example.org", "https://example.org/a"),
    ("https://example.kh/ព័ត៌មាន", "https://example.kh/ព័ត៌មាន/១"),
]


def listed(folder: Path, urls: str = "", hosts: str = "") -> Takedown:
    given = {"urls": urls, "hosts": hosts}
    for name, text in given.items():
        (folder / f"{name}.txt").write_text(text)
    return Takedown(*([str(folder / f"{name}.txt")] if text else [] for name, text in given.items()))


@pytest.mark.parametrize(("entry", "url"), SAME)
def test_an_address_is_its_page(tmp_path: Path, entry: str, url: str) -> None:
    for one, other in itertools.permutations((entry, url)):
        assert listed(tmp_path, urls=one).match(pa.array([None, "", other])).tolist() == [False, False, True]


@pytest.mark.parametrize(("entry", "url"), OTHER)
def test_an_address_is_no_other_page(tmp_path: Path, entry: str, url: str) -> None:
    assert not listed(tmp_path, urls=entry).match(pa.array([url])).any()
    assert listed(tmp_path, urls=url).match(pa.array([url])).all()


@given(st.lists(st.sampled_from([one for pair in (*SAME, *OTHER) for one in pair]), min_size=2, max_size=2))
def test_addresses_are_compared_as_block_lists_do(tmp_path_factory: pytest.TempPathFactory, urls: list[str]) -> None:
    """Two URLs are one page just where each, as an entry of a block list, blocks the other. Not so two front pages:
    there an entry is a host, for which a leading www. counts."""
    assume(any(b"/" in address(url) or b"?" in address(url) for url in urls))
    folder = tmp_path_factory.mktemp("lists")
    blocks = []
    for number, url in enumerate(urls):
        (folder / f"{number}.txt").write_text(url)
        blocks.append(UrlLists([str(folder / f"{number}.txt")]))
    both = all(block.match(pa.array([other])) != [None] for block, other in zip(blocks, reversed(urls), strict=True))
    assert (address(urls[0]) == address(urls[1])) == both


def test_hosts_stand_for_all_below(tmp_path: Path) -> None:
    urls = ["http://a.example.org/x", "https://notexample.org/", "https://b.org/s/1", "https://b.org/t", None]
    found = listed(tmp_path, hosts="example.org  # all\nb.org/s\n")
    assert found.match(pa.array(urls)).tolist() == [True, False, True, False, False]
    assert found.match_hosts(pa.array(["www.example.org", "b.org", None])).tolist() == [True, False, False]


def groups(path: Path) -> list[int]:
    found = pq.ParquetFile(path).metadata
    return [found.row_group(place).num_rows for place in range(found.num_row_groups)]


def test_a_file_without_rows_is_as_if_they_had_never_been(tmp_path: Path) -> None:
    """The same bytes in one go or two, or written without them; codec, row groups, metadata and types stay."""
    texts = [f"{word} {n}" for n in range(5) for word in ("字", "หนึ่ง", "واحد", "ერთი")]
    rows = {
        "id": [f"id{n}" for n in range(20)],
        "url": [f"https://example.org/{n}" for n in range(20)],
        "text": texts,
        "bands": [[n, n + 1] for n in range(20)],
    }
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("url", pa.string()),
            ("text", pa.string()),
            ("bands", pa.list_(pa.field("element", pa.int64()))),
        ]
    ).with_metadata({"made": "by hand"})
    whole, left = pa.table(rows, schema), pa.array([n not in (3, 4, 9) for n in range(20)])
    paths = {name: tmp_path / f"{name}.parquet" for name in ("whole", "expected", "one", "two", "three")}
    for name in ("whole", "expected"):
        with pq.ParquetWriter(paths[name], schema, compression="zstd") as out:
            for start in range(0, len(whole), 4):
                group = whole.slice(start, 4).combine_chunks()
                out.write_table(group if name == "whole" else group.filter(left.slice(start, 4)))
    lists = listed(tmp_path, urls="https://example.org/3\nexample.org/9/")
    by_id = pa.array(["id4", "nobody"])
    receipt = row_removal.remove_rows(str(paths["whole"]), str(paths["one"]), lists, by_id, None)
    assert (receipt["rows"], receipt["removed"]) == (20, 3)
    assert receipt["bytes"] == sum(len(texts[n].encode()) for n in (3, 4, 9))
    assert receipt == row_removal.remove_rows(str(paths["whole"]), None, lists, by_id, None)
    assert paths["one"].read_bytes() == paths["expected"].read_bytes()
    row_removal.remove_rows(str(paths["whole"]), str(paths["two"]), lists, pa.array([], pa.string()), None)
    row_removal.remove_rows(str(paths["two"]), str(paths["three"]), listed(tmp_path, hosts="nobody.org"), by_id, None)
    assert paths["three"].read_bytes() == paths["expected"].read_bytes()
    assert groups(paths["one"]) == [3, 3, 3, 4, 4]
    third = listed(tmp_path, urls="\n".join(f"https://example.org/{n}" for n in range(8, 12)))
    row_removal.remove_rows(str(paths["whole"]), str(paths["two"]), third, by_id, None)
    assert groups(paths["two"]) == [4, 3, 0, 4, 4], "the groups behind keep their numbers"
    assert pq.read_schema(paths["one"]).metadata == {b"made": b"by hand"}
    everything = listed(tmp_path, hosts="example.org")
    row_removal.remove_rows(str(paths["whole"]), str(paths["two"]), everything, by_id, None)
    assert pq.read_table(paths["two"]).equals(schema.empty_table())


def test_other_writers_files(tmp_path: Path) -> None:
    """Numbers as ids, another codec, a host instead of an address, no key at all."""
    table = pa.table({"id": pa.array([1, 2, None], pa.int64()), "host": ["a.org", "b.org", None], "n": [1, 2, 3]})
    path = str(tmp_path / "a.parquet")
    pq.write_table(table, path, compression="snappy")
    lists = listed(tmp_path, hosts="b.org")
    assert row_removal.remove_rows(path, path, lists, pa.array(["1"]), None)["removed"] == 2
    assert pq.read_table(path).equals(table.slice(2))
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "SNAPPY"
    pq.write_table(pa.table({"n": [1]}), path)
    assert (
        not list(row_removal.key_columns(path))
        and row_removal.remove_rows(path, None, lists, pa.array(["1"]), None)["removed"] == 0
    )


def test_a_cluster_keeps_together_without_the_name_of_its_removed_document(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    table = {"id": ["a", "b", "c", "d"], "cluster_id": ["a", "a", "a", "d"], "kept_id": ["a", "b", "a", "d"]}
    pq.write_table(pa.table(table), path)
    row_removal.remove_rows(path, path, listed(tmp_path, hosts="x.org"), pa.array(["a"]), None)
    found = pq.read_table(path)
    assert found["id"].to_pylist() == ["b", "c", "d"]
    assert found["cluster_id"].to_pylist() == [row_removal.concealed("a")] * 2 + ["d"]
    assert found["kept_id"].to_pylist() == ["b", row_removal.concealed("a"), "d"]
    assert (
        row_removal.concealed("a") != row_removal.concealed("b")
        and row_removal.concealed("a").removeprefix("removed:") != "a"
    )


def test_large_clusters_without_removed_pages(tmp_path: Path) -> None:
    """By id or by address, in any script; the cluster is then named as its table names it."""

    def member(name: str, kept: str, url: str = "") -> Member:
        return Member(
            id=name, url=url, language="tha_Thai", similarity=None, reason=None, kept_id=kept, text=f"{name} ข่าว"
        )

    first = LargeCluster(
        cluster_id="a", size=4, members=[member("a", "a"), member("b", "a"), member("c", "c", "https://example.th/ข่าว")]
    )
    second = LargeCluster(cluster_id="d", size=2, members=[member("d", "d"), member("e", "d")])
    ids, lists = pa.array(["a", "d", "e"]), listed(tmp_path, urls="example.th/%E0%B8%82%E0%B9%88%E0%B8%B2%E0%B8%A7")
    name = row_removal.concealed("a")
    expected = LargeCluster(cluster_id=name, size=4, members=[member("b", name)])
    assert remove.large_clusters([first, second], lists, ids) == [expected]
    other = LargeCluster(cluster_id="x", size=2, members=[member("x", "x"), member("y", "x")])
    assert remove.large_clusters([other], lists, ids) == [other]


def receipt(path: str, *lost: tuple[str | None, str | None, str | None, int]) -> dict[str, Any]:
    names = ("language", "language_script", "reason", "rows")
    found = [dict(zip(names, one, strict=True)) for one in lost]
    return {"path": path, "rows": 9, "removed": sum(one[-1] for one in lost), "bytes": 0, "lost": found}


def test_a_ledger_after_a_removal_adds_up() -> None:
    old: Any = {
        "stage": "clean",
        "rows_in": 10,
        "rows_out": 6,
        "dropped": {"empty": 1, "removed": 1, "symbols:symbols": 2},
        "by_language": {
            "kat_Geor": {"rows_in": 7, "rows_out": 5, "dropped": {"symbols:symbols": 2}},
            "und_Zyyy": {"rows_in": 3, "rows_out": 1, "dropped": {"empty": 1, "removed": 1}},
        },
        "tables": {"documents": 10},
    }
    lost = [("kat", "Geor", None, 2), ("kat", "Geor", "symbols:symbols", 2), (None, None, "empty", 1)]
    receipts = [receipt("clean/documents/a.parquet", *lost)]
    new = remove.ledger(old, remove.moves("clean", receipts), {"documents": 5})
    assert new["rows_in"] == 10 and new["rows_out"] == 4 and new["dropped"] == {"removed": 6}
    assert new["by_language"]["kat_Geor"] == {"rows_in": 7, "rows_out": 3, "dropped": {"removed": 4}}
    assert new["by_language"]["und_Zyyy"] == {"rows_in": 3, "rows_out": 1, "dropped": {"removed": 2}}
    assert new["tables"] == {"documents": 5}
    assert not any(unbalanced(one) for one in (new, *new["by_language"].values()))


def test_a_document_of_dedup_is_counted_once() -> None:
    """A kept one is in three tables, a dropped one in two."""
    receipts = [
        receipt("dedup/documents/a.parquet", ("tha", "Thai", None, 1)),
        receipt("dedup/signatures/a.parquet", ("tha", "Thai", None, 2)),
        receipt("dedup/clusters/a.parquet", ("tha", "Thai", None, 1), ("tha", "Thai", "exact", 1)),
    ]
    assert remove.moves("dedup", receipts) == {("tha_Thai", None): 1, ("tha_Thai", "exact"): 1}
    assert remove.rows_by_table(receipts) == {"dedup/clusters": 2, "dedup/documents": 1, "dedup/signatures": 2}


def test_an_archive_keeps_all_its_records() -> None:
    counts = [
        {"record_type": "resource", "reason": None, "count": 1},
        {"record_type": "response", "reason": None, "count": 2},
        {"record_type": "response", "reason": "status", "count": 3},
    ]
    assert remove.recounted(counts, {None: 3, "status": 1}) == [
        {"record_type": "resource", "reason": "removed", "count": 1},
        {"record_type": "response", "reason": "removed", "count": 3},
        {"record_type": "response", "reason": "status", "count": 2},
    ]
