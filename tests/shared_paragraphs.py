"""Paragraphs as hosts share them, in 14 languages, and the dresses in which one and the same is seen; pages that have
them; and what is made of these."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import DedupConfig
from pipeline.repeats.small_paragraphs import TABLES, CutTable, cut_paragraphs
from pipeline.store.document_table import document_table

SHARED = {
    "eng": "This site uses cookies so that it can remember who you are; by going on you agree that they are kept.",
    "cmn": "本网站使用小型文件来记住您的选择，继续浏览即表示您同意我们按照隐私声明保存这些文件。",
    "tha": "เว็บไซต์นี้ใช้คุกกี้เพื่อจดจำการตั้งค่าของท่าน หากท่านใช้งานต่อ ถือว่าท่านยอมรับให้เราเก็บข้อมูลดังกล่าวไว้",
    "arb": "يستخدم هذا الموقع ملفات صغيرة لكي يتذكر اختياراتك، ومتابعة التصفح تعني أنك توافق على حفظها لدينا.",
    "hin": "यह साइट आपकी पसंद याद रखने के लिए छोटी फ़ाइलें रखती है; आगे बढ़ने का अर्थ है कि आप इसके लिए सहमत हैं।",
    "rus": "Этот текст можно свободно копировать, изменять и распространять, если указан автор и есть это условие.",
    "khm": "គេហទំព័រនេះប្រើឯកសារតូចៗដើម្បីចងចាំជម្រើសរបស់អ្នក ការបន្តអានមានន័យថាអ្នកយល់ព្រមឱ្យយើងរក្សាទុកវា។",
    "kor": "이 사이트는 이용자의 선택을 기억하기 위해 작은 파일을 저장하며, 계속 이용하시면 이에 동의한 것으로 봅니다.",
    "jpn": "このサイトは皆さまの設定を覚えておくために小さなファイルを使います。続けて読むと同意したことになります。",
    "heb": "אתר זה שומר קבצים קטנים כדי לזכור את הבחירות שלך, והמשך הגלישה פירושו שהסכמת לכך שנשמור אותם אצלנו.",
    "tam": "இந்தத் தளம் உங்கள் விருப்பங்களை நினைவில் கொள்ள சிறிய கோப்புகளை வைக்கிறது; தொடர்ந்தால் நீங்கள் அதை ஏற்கிறீர்கள்.",
    "amh": "ይህ ገጽ ምርጫዎን ለማስታወስ ትናንሽ ፋይሎችን ያስቀምጣል፤ ማንበብዎን ከቀጠሉ እነዚህን ፋይሎች እንድናስቀምጥ ተስማምተዋል ማለት ነው።",
    "kat": "ეს საიტი ინახავს პატარა ფაილებს თქვენი არჩევანის დასამახსოვრებლად, გაგრძელება კი ნიშნავს თქვენს თანხმობას.",
    "tur": "Bu metin serbestçe çoğaltılabilir ve dağıtılabilir; yeter ki yazarın adı anılsın ve bu koşul korunsun.",
}


def dressed(text: str, rng: random.Random) -> str:
    """The same words: other case, spacing or punctuation."""
    spaced = text.count(" ") > 5
    upper = text.upper()
    ways = [
        text,
        text.replace(",", ";").replace("，", "。").replace("،", ".").replace("፣", "።"),
        "“" + text.strip(".。।።") + "!”",
        "  " + (text.replace(" ", "   ") if spaced else text) + " ",
        text.replace(" ", "\u00a0") if spaced else text,
        upper if upper.casefold() == text.casefold() else text,
    ]
    return rng.choice(ways)


Row = dict[str, Any]


class Made(NamedTuple):
    tables: dict[str, list[Row]]
    documents: dict[str, Row]
    digests: dict[str, str]
    files: dict[str, tuple[str, ...]]


def here(function: Any, items: Any, step: Any = None) -> list[Any]:
    return list(map(function, items))


def make(
    folder: Path,
    rows: list[Row],
    *crawls: Made,
    files: int = 1,
    order: int = 0,
    cut: Callable[..., CutTable] = cut_paragraphs,
    **settings: Any,
) -> Made:
    folder.mkdir(parents=True)
    rows = random.Random(order).sample(rows, len(rows)) if order else rows
    schema = pa.schema([(name, pa.string()) for name in rows[0]])
    (folder / "table").mkdir()
    for number in range(files):
        part = pa.Table.from_pylist(rows[number::files], schema)
        pq.write_table(part, folder / "table" / f"part-{number}.parquet")
    table = document_table(str(folder / "table"), "id", "text")
    paths = {name: str(folder / name) for name in (*TABLES, "scratch")}
    earlier = [crawl.files["paragraph_counts"] for crawl in crawls]
    done = cut(table, DedupConfig(scope="paragraph", **settings), earlier, paths, here)
    tables = {name: [row for file in done.files[name] for row in pq.read_table(folder / name / file).to_pylist()]
              for name in TABLES}  # fmt: skip
    assert {name: len(found) for name, found in tables.items()} == done.written
    whole = {name: b"".join((folder / name / file).read_bytes() for file in done.files[name]) for name in TABLES}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in whole.items()}
    documents = [row for split in done.table.files.splits for row in pq.read_table(split.path).to_pylist()]
    paths_of = {name: tuple(str(folder / name / file) for file in done.files[name]) for name in TABLES}
    return Made(tables, {row["id"]: row for row in documents}, digests, paths_of)


def own(seed: int, n: int = 16) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choice("abcdefghij") for _ in range(8)) + " own words" * 12 + f" {seed} {i}" for i in range(n)]


def web(seed: int = 0, n: int = 120) -> list[Row]:
    """Pages of 30 hosts: text k of SHARED on each page whose number k + 2 divides, in whatever dress; copies, fetches,
    pages without an address, and pages of nothing but shared texts."""
    rng = random.Random(seed)
    rows: list[Row] = []
    for number in range(n):
        parts = own(1000 * seed + number)
        for k, text in enumerate(SHARED.values()):
            if number % (k + 2) == 0 and k < 12:
                parts.insert(rng.randrange(len(parts) + 1), dressed(text, rng))
        url = None if number % 11 == 10 else f"https://www.h{number % 30}.example/{number}"
        rows.append({"id": f"{seed}-{number}", "url": url, "text": rng.choice(["\n", "\n\n", "\r\n"]).join(parts)})
    rows += [{**row, "id": f"{row['id']}-copy", "url": f"{row['url']}?copy"} for row in rows[:20] if row["url"]]
    rows += [{**row, "id": f"{row['id']}-fetch", "text": row["text"] + "\nnew"} for row in rows[20:40] if row["url"]]
    rows += [{"id": f"{seed}-none", "url": "https://x.example/", "text": None}]
    both = ["\n".join([*SHARED.values()][k : k + 2]) for k in range(4)]
    rows += [{"id": f"{seed}-whole{k}", "url": f"https://w{k}.example/", "text": text} for k, text in enumerate(both)]
    return rows
