import gzip
import json
import pickle
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.arrow_text import from_strings
from pipeline.lists.contamination import Contamination, Source, items, source
from pipeline.privacy.masks import mask
from pipeline.privacy.repair import repair
from pipeline.words.words import IS_SINGLE, words, words_of
from schemas.errors import UserError

DATA = Path(__file__).resolve().parents[3] / "shared/data"
SCRIPTS = {  # a sentence each, of more than 13 words' weight
    "zh": "在十八世纪末的时候,许多城市的居民第一次能够在晚上看到街道上点亮的路灯。",
    "ja": "十八世紀の終わりごろ、多くの都市の住民は初めて夜の通りに街灯がともるのを見ることができた。",
    "ko": "십팔 세기 말에 많은 도시의 주민들은 처음으로 밤거리에 켜진 가로등을 볼 수 있게 되었고 모두 놀랐다.",
    "th": "ในปลายศตวรรษที่สิบแปด ชาวเมืองจำนวนมากได้เห็นโคมไฟส่องสว่างตามถนนในยามค่ำคืนเป็นครั้งแรกในชีวิต",
    "km": "នៅចុងសតវត្សទីដប់ប្រាំបី អ្នកក្រុងជាច្រើនបានឃើញចង្កៀងបំភ្លឺតាមដងផ្លូវនៅពេលយប់ជាលើកដំបូងក្នុងជីវិត",
    "ar": "في نهاية القرن الثامن عشر رأى سكان كثير من المدن لأول مرة مصابيح الشوارع مضاءة في الليل الطويل",
    "he": "בסוף המאה השמונה עשרה ראו תושבי ערים רבות בפעם הראשונה את פנסי הרחוב דולקים בשעות הלילה המאוחרות",
    "hi": "अठारहवीं सदी के अंत में बहुत से शहरों के निवासियों ने पहली बार रात में सड़कों पर जलती हुई बत्तियाँ देखीं",
    "ta": "பதினெட்டாம் நூற்றாண்டின் இறுதியில் பல நகரங்களின் மக்கள் முதன் முறையாக இரவில் தெருக்களில் "
    "எரியும் விளக்குகளைக் கண்டு மிகவும் வியந்து போனார்கள்",
    "am": "በአሥራ ስምንተኛው ክፍለ ዘመን መጨረሻ ላይ የብዙ ከተሞች ነዋሪዎች ለመጀመሪያ ጊዜ በሌሊት የሚበሩ የመንገድ መብራቶችን ለማየት ቻሉ",
    "ka": "მეთვრამეტე საუკუნის ბოლოს მრავალი ქალაქის მცხოვრებმა პირველად დაინახა ღამით ქუჩებში ანთებული "
    "ლამპიონები და ძალიან გაუკვირდა ეს ამბავი",
    "ru": "В конце восемнадцатого века жители многих городов впервые увидели, как ночью на улицах горят фонари.",
    "tr": "On sekizinci yüzyılın sonunda birçok kentin sakinleri geceleri sokaklarda yanan lambaları ilk kez "
    "görme fırsatı buldu.",
    "en": "At the end of the eighteenth century people in many towns saw lamps burning in their streets at night.",
}


def load(tmp_path, *texts, **options):
    """Sources a, b, ... of one item a line."""
    paths = []
    for name, text in zip("abcdef", texts, strict=False):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
        paths.append(str(tmp_path / f"{name}.txt"))
    return Contamination.load(paths, **options)


def flag(found, *texts):
    return found.flag(words_of(from_strings(texts)))


def numbered(n, start=0):
    return " ".join(f"word{number}" for number in range(start, start + n))


@pytest.mark.parametrize("language", SCRIPTS)
def test_an_item_inside_another_text(tmp_path, language):
    """In capitals, with other punctuation and spacing, between sentences that touch it."""
    item = SCRIPTS[language]
    found = load(tmp_path, item)
    others = [text for other, text in SCRIPTS.items() if other != language]
    capitals = item.upper() if words(item.upper()) == words(item) else item  # Turkish has capitals of its own
    apart = capitals.replace(" ", " - ").replace(",", "").replace("、", "\n")
    assert flag(found, *others) == [None] * len(others)
    for text in (item, f"{others[0]}{item}{others[1]}", f"word {apart} 字 word", f"{others[3]}\n«{apart}»!"):
        assert flag(found, text) == ["a"]


def test_thirteen_words_and_not_twelve(tmp_path):
    found = load(tmp_path, numbered(30))
    assert flag(found, f"x {numbered(13, 9)} y", f"x {numbered(12, 9)} y") == ["a", None]


HAN = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家"
THAI = "กขคฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ" * 2


@pytest.mark.parametrize(("text", "size"), [(HAN, 26), (THAI, 52)])
def test_characters_of_unspaced_scripts(tmp_path, text, size):
    found = load(tmp_path, text)
    assert flag(found, f"字{text[3 : 3 + size]}字", f"字{text[3 : 2 + size]}字") == ["a", None]


def test_mixed_scripts_weigh_what_their_words_do(tmp_path):
    """Six words and fourteen Han characters weigh thirteen words."""
    item = "alpha beta gamma 的一是了我不人在他有这个上们 delta epsilon zeta"
    found = load(tmp_path, item + " 来到时大地")
    assert flag(found, f"不 {item} 不", f"不 {item[6:]} 不") == ["a", None]


def test_short_items_are_matched_whole(tmp_path):
    found = load(tmp_path, f"{numbered(8)}\n{numbered(12, 20)}\n{numbered(7, 40)}\n, . !\n\n")
    texts = [numbered(8), numbered(7, 1), f"x {numbered(12, 20)} y", f"x {numbered(11, 20)} y", numbered(7, 40)]
    assert flag(found, *texts) == ["a", None, "a", None, None]
    assert (found.n_items, found.n_ignored) == ([4], [2])
    assert found.summary() == ["decontaminate: a: 2 items in n-grams of 13 words; 2 shorter than 8 words are ignored"]


def test_numbers_in_a_row_are_nobody_s(tmp_path):
    counting = " ".join(map(str, range(1, 30)))
    found = load(tmp_path, f"{counting}\n{numbered(13)}")
    assert flag(found, counting, numbered(13)) == [None, "a"]


def test_the_first_source_is_named(tmp_path):
    found = load(tmp_path, numbered(20, 100), numbered(20), f"{numbered(20)} more")
    texts = [f"{numbered(20)} more", f"{numbered(20)} and {numbered(20, 100)}", numbered(15, 105), ""]
    assert flag(found, *texts) == ["b", "a", "a", None]
    assert flag(found) == []


def test_items_are_repaired_as_documents_are(tmp_path):
    found = load(tmp_path, "re\u0301sume\u0301 \ufeff" + numbered(12) + "\nIt was cafÃ© " + numbered(12, 50))
    assert flag(found, f"résumé {numbered(12)}", f"was café {numbered(12, 50)}") == ["a", "a"]


PERSONAL = "Please call the museum office at +1 212 736 3100 before noon on any working day"


def test_items_are_masked_as_documents_are(tmp_path):
    kept = mask(repair(f"Notes.\n\n{PERSONAL}\n"), ("phone",)).text
    assert "<PHONE>" in kept
    assert flag(load(tmp_path, PERSONAL, mask=("phone",)), kept) == ["a"]
    assert flag(load(tmp_path, PERSONAL), kept, PERSONAL) == [None, "a"]
    mail = "Write to the museum office at jane.doe@museum.org before noon on any working day of the week"
    assert flag(load(tmp_path, mail, mask=("email", "phone")), mask(mail).text, mail) == ["a", None]


def test_it_travels_to_workers(tmp_path):
    found = pickle.loads(pickle.dumps(load(tmp_path, numbered(20))))
    assert flag(found, numbered(20)) == ["a"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a/mmlu.jsonl", Source("mmlu", "a/mmlu.jsonl", ())),
        ("x=a/mmlu.jsonl.gz#question,answer", Source("x", "a/mmlu.jsonl.gz", ("question", "answer"))),
        ("a/mmlu.parquet#question", Source("mmlu", "a/mmlu.parquet", ("question",))),
        ("a/b#c.txt", Source("b#c", "a/b#c.txt", ())),
        ("https://example.org/x.json", Source("x", "https://example.org/x.json", ())),
    ],
)
def test_sources(given, expected):
    assert source(given) == expected


ROW = {"question": "q \ud83d\ude00", "choices": ["c1", {"text": "c2"}], "n": 3, "more": {"question": ["deep", None]}}


def test_items_of_every_format(tmp_path):
    row = json.dumps(ROW)
    (tmp_path / "a.jsonl").write_text(f"{row}\n\n{row}\n")
    (tmp_path / "b.json").write_text(f"[{row}]")
    (tmp_path / "c.tsv").write_text("id\ttext\n1\tone\n")
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(row.encode()))
    table = {"question": ["q1", None], "n": [1, 2], "choices": [["c1", "c2"], []], "deep": [{"x": "d1"}, None]}
    pq.write_table(pa.table(table), tmp_path / "e.parquet")
    everything = ["q \U0001f600", "c1", "c2", "deep"]
    assert list(items(source(str(tmp_path / "a.jsonl")))) == everything * 2
    assert list(items(source(f"{tmp_path}/a.jsonl#question"))) == [everything[0], "deep"] * 2
    assert list(items(source(f"{tmp_path}/b.json#choices,text"))) == ["c1", "c2"]
    assert list(items(source(str(tmp_path / "c.tsv")))) == ["id", "text", "1", "one", ""]
    assert list(items(source(str(tmp_path / "d.jsonl.gz")))) == everything
    assert list(items(source(str(tmp_path / "e.parquet")))) == ["q1", "c1", "c2", "d1"]
    assert list(items(source(f"{tmp_path}/e.parquet#deep,question"))) == ["d1", "q1"]
    assert len(list(items(source(str(tmp_path))))) == 8 + 4 + 5 + 4 + 4


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ("a.json", b'[\n"a",\n"b" "c"]', "line 3 is not JSON"),
        ("a.json", b"[" * 200_000, "line 1 is nested too deeply"),
        ("a.parquet", b"PAR1 or not", "not readable as Parquet"),
        ("a.parquet#answer", None, "no column answer; it has question"),
        ("a.txt", b"too short\n", "none of 1 items has 8 words or more"),
        ("a.jsonl#answer", b'{"question": "x"}', "none of 0 items has 8 words or more; check the file and its fields"),
    ],
)
def test_wrong_sources_are_one_line(tmp_path, name, data, message):
    path = tmp_path / name.partition("#")[0]
    if data is None:
        pq.write_table(pa.table({"question": ["x"]}), path)
    else:
        path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        Contamination.load([f"{tmp_path}/{name}"])
    assert message in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_table_that_is_no_utf_8(tmp_path):
    path = tmp_path / "a.parquet"
    array = pa.Array.from_buffers(pa.string(), 2, pa.array([b"good", b"\xff\xfe"]).buffers())
    pq.write_table(pa.table({"id": [1, 2], "question": array}), path)
    with pytest.raises(UserError) as caught:
        Contamination.load([str(path)])
    assert type(caught.value) is UserError
    assert str(caught.value) == f"{path}: column question has text that is not UTF-8; write it again as UTF-8"


def test_a_wrong_size():
    for size in (0, 101):
        with pytest.raises(UserError, match=f"ngram_size is {size}"):
            Contamination.load([], size)


# The definition, over lists of words.


def weights(found, unit):
    return [1 if (word[0] >= "\u4e00" or "\u0e00" <= word[0] < "\u0f00") else unit for word in found]


def unit_of(found):
    thai = sum("\u0e00" <= word[0] < "\u0f00" for word in found)
    return 4 if 2 * thai > sum(word[0] >= "\u0e00" for word in found) else 2


def ngrams(found, unit, size):
    weight = weights(found, unit)
    for start in range(len(found)):
        for end in range(start + 1, len(found) + 1):
            if sum(weight[start:end]) >= size * unit:
                yield tuple(found[start:end])
                break


def looked_for(item, size, least):
    found = words(item)
    unit = unit_of(found)
    grams = list(ngrams(found, unit, size))
    if not grams and sum(weights(found, unit)) >= least * unit:
        grams = [tuple(found)]
    return {gram for gram in grams if 2 * sum(not word.isdigit() for word in gram) >= len(gram)}


def contains(text, gram):
    found = words(text)
    return any(tuple(found[at : at + len(gram)]) == gram for at in range(len(found)))


TEXT = st.lists(st.sampled_from(["a", "b", "B", "7", "的", "是", "กี", "ข", "-"]), max_size=12).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(item=TEXT, texts=st.lists(TEXT, min_size=1, max_size=4), size=st.integers(1, 3), filler=TEXT)
def test_against_the_definition(item, texts, size, filler, tmp_path_factory):
    texts = [*texts, f"{filler} {item} {filler}"]
    grams = looked_for(item, size, size)
    path = tmp_path_factory.mktemp("items") / "a.txt"
    path.write_text(item, encoding="utf-8")
    if not grams:
        with pytest.raises(UserError, match="none of"):
            Contamination.load([str(path)], size)
        return
    found = flag(Contamination.load([str(path)], size), *texts)
    assert found == ["a" if any(contains(text, gram) for gram in grams) else None for text in texts]


def test_hostile_texts(tmp_path):
    found = load(tmp_path, numbered(20))
    texts = [
        "",
        "\0" * 1000,
        "\ud800" * 1000,
        "a" * 5_000_000,
        "a " * 1_000_000,
        "e" + "\u0301" * 10_000,
        "字" * 1_000_000,
    ]
    assert flag(found, *texts, numbered(20)) == [None] * len(texts) + ["a"]


# Real evaluation sets.

shared = pytest.mark.skipif(not (DATA / "sib200").exists(), reason="no ../shared/data/sib200")


@pytest.fixture(scope="module")
def real():
    return Contamination.load([f"sib200={DATA / 'sib200'}", f"tatoeba={DATA / 'tatoeba'}"])


@pytest.fixture(scope="module")
def clean():
    """Main texts of web pages."""
    with gzip.open(DATA / "web/gold.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row["gold_text"] for row in rows if row.get("gold_text")]


@shared
def test_clean_texts_are_not_flagged(real, clean):
    """The one that is quotes a proverb of nine words, an item as it stands."""
    found = [(name, text) for name, text in zip(flag(real, *clean), clean, strict=True) if name]
    assert len(clean) > 1_000 and len(found) <= 0.001 * len(clean)
    assert all("where there's a will" in text.lower() for _, text in found)


def dressed(item, chance):
    """An item as somebody else prints it: other case, punctuation and line breaks, the same words."""
    recased = chance.choice([str.upper, str.title, str])(item)
    out = recased if words(recased) == words(item) else item  # not where capitals lose an accent or a letter
    out = out.replace(", ", chance.choice([" – ", ",\n", " "])).replace(".", chance.choice(["!", " ", " ..."]))
    return f"{chance.choice(['«', '“', '(', ''])}{out}{chance.choice(['»', '”', ')', ''])}"


def long_enough(text):
    """Whether it weighs eight words."""
    single = int((words_of(from_strings([text])).flags & IS_SINGLE != 0).sum())
    unit = 4 if regex.search(r"[\p{Thai}\p{Laoo}\p{Khmr}\p{Mymr}]", text) else 2
    return single + unit * (len(words(text)) - single) >= 8 * unit


@shared
@pytest.mark.parametrize(("folder", "pattern", "n"), [("sib200", "*/dev.tsv", 40), ("tatoeba", "tatoeba.*", 80)])
def test_planted_items_are_found(real, clean, folder, pattern, n):
    chance = random.Random(1)
    hosts = [text for text, name in zip(clean, flag(real, *clean), strict=True) if name is None]
    languages, texts, documents = 0, [], []
    for path in sorted((DATA / folder).glob(pattern)):
        lines = [line.split("\t")[-1] for line in path.read_text(encoding="utf-8").split("\n")[1:]]
        usable = [line for line in chance.sample(lines, min(len(lines), n)) if long_enough(line)]
        languages += len(usable) >= 10
        texts += usable
    for text in texts:
        host = chance.choice(hosts)
        documents.append(repair(f"{host[:300]}\n{dressed(text, chance)} {host[300:600]}"))
    found = flag(real, *documents)
    missed = [text for text, name in zip(texts, found, strict=True) if name not in ("sib200", folder)]
    assert languages >= 30 and len(texts) > 1_000
    assert len(missed) <= 0.01 * len(texts), missed[:5]
