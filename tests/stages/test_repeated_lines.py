import re
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import xxhash
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.kernels.arrow_text import from_strings
from pipeline.repeats.page_lines import lines_of
from pipeline.spark import tables
from pipeline.stages.repeats import repeated_lines
from pipeline.words.words import words
from schemas.repeats import LINES

COLUMNS = "id string, url string, text string"
# Menu, footer and the words of which articles are made.
LANGUAGES = {
    "cmn": ("首页 | 关于我们", "版权所有，保留一切权利。", "春天山上的雪慢慢化了河水很满"),
    "jpn": ("ホーム > お問い合わせ", "無断転載を禁じます。", "春になると山の雪がとけて川の水がふえる"),
    "kor": ("홈 · 회사 소개", "무단 전재를 금합니다.", "봄 산 눈 강물 마을 사람 다리 바람 꽃 나무"),
    "tha": ("หน้าแรก | ติดต่อเรา", "สงวนลิขสิทธิ์", "ฤดูใบไม้ผลิหิมะบนภูเขาละลายช้า"),
    "khm": ("ទំព័រដើម | អំពីយើង", "រក្សាសិទ្ធិគ្រប់យ៉ាង។", "រដូវផ្ការីកទឹកទន្លេឡើងខ្ពស់"),
    "arb": ("الرئيسية | من نحن", "جميع الحقوق محفوظة.", "ربيع جبل ثلج نهر قرية جسر ريح زهرة شجرة ماء"),
    "heb": ("דף הבית | צור קשר", "כל הזכויות שמורות.", "אביב הר שלג נהר כפר גשר רוח פרח עץ מים"),
    "hin": ("मुख्य पृष्ठ | हमारे बारे में", "सर्वाधिकार सुरक्षित।", "वसंत पहाड़ बर्फ नदी गाँव पुल हवा फूल पेड़ पानी"),
    "tam": ("முகப்பு | எங்களைப் பற்றி", "அனைத்து உரிமைகளும் உடையவை.", "வசந்தம் மலை பனி ஆறு ஊர் பாலம் காற்று பூ மரம் நீர்"),
    "amh": ("መነሻ ገጽ | ያግኙን", "መብቱ በሕግ የተጠበቀ ነው።", "ጸደይ ተራራ በረዶ ወንዝ መንደር ድልድይ ነፋስ አበባ ዛፍ ውሃ"),
    "kat": ("მთავარი | ჩვენ შესახებ", "ყველა უფლება დაცულია.", "გაზაფხული მთა თოვლი მდინარე ხიდი ქარი ყვავილი ხე"),
    "rus": ("Главная | О нас", "Все права защищены.", "весна гора снег река село мост ветер цветок дерево вода"),
    "tur": ("Ana Sayfa | Hakkımızda", "Tüm hakları saklıdır.", "bahar dağ kar ırmak köy köprü rüzgâr çiçek ağaç su"),
    "eng": ("Home | About us", "All rights reserved.", "spring hill snow river village bridge wind flower tree water"),
}  # fmt: skip


class Page(NamedTuple):
    id: str
    url: str | None
    text: str | None


def article(material: str, seed: int) -> str:
    """A line of its own for each seed."""
    parts = material.split() if " " in material else list(material)
    order = np.random.default_rng(seed).permutation(len(parts)).tolist()
    return (" " if " " in material else "").join(parts[i] for i in order) + f" {seed}."


def capitals(menu: str) -> str:
    """The same words in another dress; the Turkish dotless i has no capital of its own in Unicode's case folding."""
    upper = menu.upper()
    return (upper if upper.casefold() == menu.casefold() else menu).replace("|", "—")


def planted() -> list[Page]:
    """A host a language: eight pages with a menu, seven with a footer; and the pages that the tests below name."""
    pages = []
    for name, (menu, footer, material) in LANGUAGES.items():
        for i in range(8):
            shown = menu if i % 2 else capitals(menu)
            end = f"\n\n{footer}" if i else ""
            url = f"https://{'www.' * (i % 2)}{name}.example/{i}"
            pages.append(
                Page(f"{name}-{i}", url, f"{shown}\n\n{article(material, i)}\n{article(material, 50 + i)}{end}")
            )
    story = "\n".join(article(LANGUAGES["eng"][2], 100 + i) for i in range(5))
    pages += [Page(f"copy-{i}", f"https://copies.example/{i}", story) for i in range(10)]
    pages += [Page(f"styled-{i}", f"https://styled.example/{i}", story.upper() + "\n" * i) for i in range(10)]
    pages += [Page(f"fetch-{i}", "https://fetches.example/a", f"{story}\nRead {i} times") for i in range(10)]
    pages += [
        Page(f"fetch-{10 + i}", f"http{'s' * (i % 2)}://fetches.example:80/a#{i}", f"{story}\nRead {90 + i} times")
        for i in range(4)
    ]
    pages += [
        Page(f"nowhere-{i}", url, f"Menu\n{i}") for i, url in enumerate([None, "", "Menu", "urn:x:y", "file:///a"] * 4)
    ]
    pages += [Page(f"crlf-{i}", f"http://crlf.example/{i}", f"Menu\r\n\r\nPage {i}\r\n\r\n***\r\n") for i in range(8)]
    # Half of the pages, and below it.
    pages += [Page(f"half-{i}", f"http://half.example/{i}", f"{['Even', 'Odd'][i % 2]}\nPage {i}") for i in range(16)]
    pages += [Page("half-16", "http://half.example/16", "Odd\nOdd\nodd!\nPage 16")]
    pages += [Page("null", "http://half.example/17", None), Page("empty", "http://half.example/18", " \n")]
    pages += [Page(f"menu-{i}", f"http://menus.example/{i}", "Menu\nFooter\n" + "Menu\n" * i) for i in range(6)]
    return pages


GIVEN = planted()
LEAST, SHARE = 5, 0.5


def host_of(url: str | None) -> str | None:
    """For the addresses of these tests."""
    if url is None or "://" not in url:
        return None
    authority = url.split("://")[1].split("/")[0].split("@")[-1].split(":")[0].lower()
    return authority.removeprefix("www.") or None


def address_of(url: str) -> int:
    rest = url.split("://")[1].split("#")[0].partition("/")[2]
    return xxhash.xxh64_intdigest(f"/{rest}".encode(), xxhash.xxh64_intdigest((host_of(url) or "").encode(), 42))


def contents(text: str) -> list[tuple[str, ...]]:
    """What each line says, blank lines left out."""
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return [tuple(words(line)) or (line.strip(), "sign") for line in lines if line.strip()]


def n_pages(pages: set[tuple[Any, int]]) -> int:
    """Each content at its smallest address, each address once."""
    least: dict[Any, int] = {}
    for content, address in pages:
        least[content] = min(address, least.get(content, address))
    return len(set(least.values()))


def oracle(pages: list[Page], least: int, share: float) -> dict[tuple[str, tuple[str, ...]], tuple[int, int]]:
    """Host and line -> pages, pages of the host."""
    by_host: dict[str, set[tuple[Any, int]]] = defaultdict(set)
    by_line: dict[Any, set[tuple[Any, int]]] = defaultdict(set)
    for page in pages:
        name = host_of(page.url)
        if name is None or page.text is None or not (lines := contents(page.text)):
            continue
        seen = (tuple(lines), address_of(page.url or "") & 0xFFFFFFFF)
        by_host[name].add(seen)
        for line in lines:
            by_line[name, line].add(seen)
    found = {(name, line): (n_pages(seen), n_pages(by_host[name])) for (name, line), seen in by_line.items()}
    return {key: (n, of) for key, (n, of) in found.items() if n >= least and n / of >= share}


def frame(spark: SparkSession, pages: list[Page], partitions: int) -> DataFrame:
    order = np.random.default_rng(partitions).permutation(len(pages))
    return spark.createDataFrame([pages[i] for i in order], COLUMNS).repartition(partitions)


class Result(NamedTuple):
    lines: list[dict[str, Any]]
    documents: dict[str, dict[str, Any]]


def run(given: DataFrame, folder: Path, least: int = LEAST, share: float = SHARE, n_lines: int | None = None) -> Result:
    found = repeated_lines.repeated(given, least, share, str(folder / "scratch"))
    assert found.columns == LINES.names
    path = str(folder / "lines")
    tables.write(found, path)
    found = tables.written(given.sparkSession, path)
    documents = repeated_lines.cut(given, found, n_lines)
    assert documents.columns == [*given.columns, "cut_lines"]
    rows = documents.collect()
    assert len({row["id"] for row in rows}) == len(rows) == given.count()
    lines = sorted((row.asDict() for row in found.collect()), key=lambda row: (row["host"], row["line_hash"]))
    return Result(lines, {row["id"]: row.asDict() for row in rows})


@pytest.fixture(scope="module")
def results(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Result]:
    folder = tmp_path_factory.mktemp("lines")
    return {n: run(frame(spark, GIVEN, n), folder / str(n)) for n in (1, 3)}


def shown(result: Result, name: str) -> dict[str, tuple[int, int, int]]:
    """Of a host the lines in small letters: pages, lines, pages of the host."""
    rows = [row for row in result.lines if row["host"] == name]
    return {row["text"].lower(): (row["pages"], row["lines"], row["host_pages"]) for row in rows}


@pytest.mark.parametrize("language", LANGUAGES)
def test_menus_and_footers_by_hand(results: dict[int, Result], language: str) -> None:
    menu, footer, material = LANGUAGES[language]
    rows = {tuple(words(row["text"])): row for row in results[1].lines if row["host"] == f"{language}.example"}
    assert set(rows) == {tuple(words(menu)), tuple(words(footer))}
    counts = {key: (row["pages"], row["lines"], row["host_pages"]) for key, row in rows.items()}
    assert counts == {tuple(words(menu)): (8, 8, 8), tuple(words(footer)): (7, 7, 8)}
    for row in rows.values():
        assert row["text"] in (menu, capitals(menu), footer)
        assert row["line_hash"] == lines_of(from_strings([row["text"]])).keys[0]
    for i in range(8):
        document = results[1].documents[f"{language}-{i}"]
        assert document["text"] == f"{article(material, i)}\n{article(material, 50 + i)}"
        assert document["cut_lines"] == (2 if i else 1)


def test_partitions_and_order_change_nothing(results: dict[int, Result]) -> None:
    assert results[1] == results[3]
    assert len(results[1].lines) > 30


def test_lines_are_those_of_the_oracle(results: dict[int, Result]) -> None:
    found = {(row["host"], contents(row["text"])[0]): (row["pages"], row["host_pages"]) for row in results[3].lines}
    assert found == oracle(GIVEN, LEAST, SHARE)
    assert len(found) == len(results[3].lines)
    by_id = {page.id: page for page in GIVEN}
    for name, row in results[3].documents.items():
        before, where = by_id[name].text, host_of(by_id[name].url) or ""
        assert row["url"] == by_id[name].url
        if before is None:
            assert row["text"] is None and row["cut_lines"] == 0
            continue
        stays = [line for line in contents(before) if (where, line) not in found]
        assert contents(row["text"]) == stays
        assert row["cut_lines"] == len(contents(before)) - len(stays)
        assert row["cut_lines"] or row["text"] == before


@pytest.mark.parametrize("kind", ["copy", "styled", "fetch"])
def test_one_article_stored_many_times_is_not_emptied(results: dict[int, Result], kind: str) -> None:
    """Word for word under ten addresses, in another dress, or with a changing line under one address."""
    for page in GIVEN:
        if page.id.startswith(kind):
            assert results[1].documents[page.id] == {**page._asdict(), "cut_lines": 0}


def test_pages_of_no_host_are_never_cut(results: dict[int, Result]) -> None:
    for page in GIVEN:
        if page.id.startswith("nowhere"):
            assert results[1].documents[page.id] == {**page._asdict(), "cut_lines": 0}


def test_windows_line_ends_and_signs(results: dict[int, Result]) -> None:
    assert shown(results[1], "crlf.example") == {"menu": (8, 8, 8), "***": (8, 8, 8)}
    assert [results[1].documents[f"crlf-{i}"]["text"] for i in range(8)] == [f"Page {i}\r\n" for i in range(8)]


def test_a_line_on_just_the_share_repeats_and_below_it_not(results: dict[int, Result]) -> None:
    """17 pages, 8 even and 9 odd; the null and the blank page are none."""
    assert shown(results[1], "half.example") == {"odd": (9, 11, 17)}
    assert results[1].documents["half-16"]["text"] == "Page 16"
    assert results[1].documents["half-0"]["text"] == "Even\nPage 0"
    assert results[1].documents["empty"]["text"] == " \n"


def test_the_share_itself_is_enough(spark: SparkSession, tmp_path: Path) -> None:
    """7 of 100, where 0.07 * 100 is more than 7."""
    pages = [Page(str(i), f"http://a.example/{i}", ("Menu\n" if i < 7 else "") + f"Page {i}") for i in range(100)]
    result = run(frame(spark, pages, 2), tmp_path, 7, 0.07)
    assert shown(result, "a.example") == {"menu": (7, 7, 100)}


def test_pages_of_menus_only_become_empty(results: dict[int, Result]) -> None:
    assert shown(results[1], "menus.example") == {"menu": (6, 21, 6), "footer": (6, 6, 6)}
    rows = [results[1].documents[f"menu-{i}"] for i in range(6)]
    assert [(row["text"], row["cut_lines"]) for row in rows] == [("", i + 2) for i in range(6)]


def test_more_lines_than_are_sent_to_all(
    spark: SparkSession, tmp_path: Path, results: dict[int, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated_lines, "BROADCAST_LINES", 3)
    before = spark.conf.get("spark.sql.autoBroadcastJoinThreshold")
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")
    try:
        assert run(frame(spark, GIVEN, 3), tmp_path) == results[1]
    finally:
        spark.conf.set("spark.sql.autoBroadcastJoinThreshold", before)


def exchanges(table: DataFrame) -> list[str]:
    """Shuffles of the plan, with what they are keyed by; those to all executors are none."""
    made = table._jdf.queryExecution().executedPlan().toString()
    return re.findall(r"Exchange hashpartitioning\(([^)]*)\)", re.sub(r"#\d+L?", "", made))


def test_what_is_shuffled(spark: SparkSession) -> None:
    """The lines once, to count; texts only where the list is too long for all."""
    given = frame(spark, GIVEN, 2)
    pages = given.select(F.xxhash64("url").alias("site"), F.lit(1).alias("address"), "text")
    assert [keys.split(", ")[:2] for keys in exchanges(repeated_lines._counts(pages))] == [["site", "line"]]
    lines = spark.createDataFrame([("a.example", 1)], "host string, line_hash long")
    few = exchanges(repeated_lines.cut(given, lines, repeated_lines.BROADCAST_LINES))
    assert few == exchanges(repeated_lines.cut(given, lines)) == [few[0]]
    assert few[0].startswith("host")  # the list, to one row a host
    many = exchanges(repeated_lines.cut(given, lines, repeated_lines.BROADCAST_LINES + 1))
    assert len(many) == 2


def test_a_hot_host(spark: SparkSession, tmp_path: Path) -> None:
    pages = [Page(str(i), f"http://hot.example/?id={i}", f"Menu\n\nNumber {i} of many\nFooter") for i in range(5000)]
    pages += [Page(f"x{i}", f"http://x.example/{i}", f"Menu\nNumber {i} of many") for i in range(3)]
    result = run(frame(spark, pages, 4), tmp_path, 10, 0.1)
    assert shown(result, "hot.example") == {"menu": (5000, 5000, 5000), "footer": (5000, 5000, 5000)}
    assert {row["host"] for row in result.lines} == {"hot.example"}
    assert all(row["text"] == f"Number {name} of many" for name, row in result.documents.items() if name[0] != "x")
    assert result.documents["x0"]["cut_lines"] == 0


def test_other_columns_and_bytes_stay(spark: SparkSession, tmp_path: Path) -> None:
    """Any types, text that is no UTF-8, a column that an earlier run made; an example is cut."""
    long = "é漢" * 200
    given = spark.range(8).select(
        F.col("id").cast("string").alias("id"),
        F.lit("HTTP://User@WWW.A.Example.:8080/x?").alias("start"),
        F.expr("timestamp '2026-01-01 10:00:00' + make_interval(0, 0, 0, cast(id as int))").alias("time"),
        F.expr("map('a', array(id, null))").alias("nested"),
        F.expr("cast(id / 3 as decimal(20, 3))").alias("number"),
        F.expr("named_struct('x', unhex('ff00'), 'y', cast(null as string))").alias("both"),
        F.lit(5).alias("cut_lines"),
        F.concat(
            F.unhex(F.lit("ff410a")),
            F.encode(F.lit(f"{long} menu\n"), "UTF-8"),
            F.unhex(F.lit("eda080e2")),
            F.encode(F.col("id").cast("string"), "UTF-8"),
        )
        .cast("string")
        .alias("text"),
    )
    given = given.withColumn("url", F.concat("start", "id")).drop("start")
    found = repeated_lines.repeated(given, 5, 0.5, str(tmp_path / "scratch"))
    lines = {row["hex"]: row for row in found.withColumn("hex", F.hex("text")).drop("text").collect()}
    menu = long[:300].encode().hex().upper()
    assert set(lines) == {"FF41", menu} and {row["host"] for row in lines.values()} == {"a.example"}
    result = repeated_lines.cut(given, found)
    others = ["id", "time", "nested", "number", "both", "url"]
    assert result.columns == [*(name for name in given.columns if name != "cut_lines"), "cut_lines"]
    after = {row["id"]: row for row in result.withColumn("text", F.hex("text")).collect()}
    for row in given.drop("text").collect():
        assert [after[row["id"]][name] for name in others] == [row[name] for name in others]
        assert after[row["id"]]["cut_lines"] == 2
        assert after[row["id"]]["text"].startswith("EDA080E2")


def test_nothing_to_do(spark: SparkSession, tmp_path: Path) -> None:
    assert run(frame(spark, GIVEN, 1).limit(0), tmp_path) == Result([], {})


HOSTS = [
    ("https://www.Example.com/a?b#c", "example.com"),
    ("http://user:pass@word@example.com:8080", "example.com"),
    ("//example.com./", "example.com"),
    (" HTTP://EXAMPLE.COM", "example.com"),
    ("https://www.com/", "www.com"),
    ("https://www.www.example.com/", "www.example.com"),
    ("https://[2001:DB8::1]:443/x", "[2001:db8::1]"),
    ("https://example.com\\@evil.test/", "example.com"),
    ("https://example.com?u=//other.test/", "example.com"),
    ("https://bücher.ДЕ/", "bücher.де"),
    ("https://例え.テスト/", "例え.テスト"),
    ("https://under_score.example.com/a b|c", "under_score.example.com"),
    ("example.com/a", None),
    ("mailto:a@example.com", None),
    ("https:///path", None),
    ("https://.", None),
    ("", None),
    (None, None),
]


@pytest.fixture(scope="module")
def hosts(spark: SparkSession) -> dict[str | None, str | None]:
    """By address, of all in HOSTS."""
    rows = spark.createDataFrame([(url,) for url, _ in HOSTS], "url string")
    return {row["url"]: row["host"] for row in rows.withColumn("host", repeated_lines.host(F.col("url"))).collect()}


@pytest.mark.parametrize(("url", "expected"), HOSTS)
def test_hosts(hosts: dict[str | None, str | None], url: str | None, expected: str | None) -> None:
    assert hosts[url] == expected


def random_pages(seed: int) -> list[Page]:
    """60 hosts of up to 12 fetches each: few addresses, few lines, so that all kinds of copies come up."""
    rng = np.random.default_rng(seed)
    lines = ["Menu", "menu!", "漢字", "漢 字", "ไทย", "¶", "a b", "c", "", "\u3000", "الصفحة", "मेनू", "ገጽ", "გვერდი"]
    starts = ["http://{}/", "https://www.{}/", "http://{}:80/", "https://User@{}/"]
    pages = []
    for number in range(60):
        for _ in range(rng.integers(1, 13)):
            url = rng.choice(starts).format(f"h{number}.example") + str(rng.integers(0, 2 + number % 8))
            end = "\r\n" if rng.random() < 0.3 else "\n"
            text = end.join(rng.choice(lines, rng.integers(0, 3 + number % 5)).tolist())
            pages.append(Page(str(len(pages)), url, None if rng.random() < 0.05 else text))
    return pages


@pytest.mark.parametrize(("least", "share"), [(1, 0.0), (2, 0.4), (3, 0.75)])
def test_random_pages_and_the_oracle(spark: SparkSession, tmp_path: Path, least: int, share: float) -> None:
    pages = random_pages(least)
    result = run(frame(spark, pages, 3), tmp_path, least, share)
    found = {(row["host"], contents(row["text"])[0]): (row["pages"], row["host_pages"]) for row in result.lines}
    assert found == oracle(pages, least, share) and len(found) == len(result.lines)
    assert len(found) > 10
    for page in pages:
        before = contents(page.text or "")
        stays = [line for line in before if (host_of(page.url), line) not in found]
        after = result.documents[page.id]
        assert contents(after["text"] or "") == stays and after["cut_lines"] == len(before) - len(stays)
        assert (after["text"] is None) == (page.text is None)
