import base64
import csv
import gzip
import json
import random
import re
import time
from pathlib import Path

import pytest
import webencodings
from hypothesis import given
from hypothesis import strategies as st

from pipeline.page.charset import decode, encoding_of_label, prescan

SHARED = Path(__file__).resolve().parents[2] / "../shared"
LABELLED = SHARED / "data/encodings.jsonl.gz"
SENTENCES = SHARED / "data/sib200"

PROSE = {  # a sentence or two of each, long enough for a detector
    "gb18030": "万维网上的每一种语言都有自己的文字。网页的编码常常没有写明，读者只能猜测它的字符集。",
    "big5": "萬維網上的每一種語言都有自己的文字。網頁的編碼常常沒有寫明，讀者只能猜測它的字元集。",
    "shift_jis": "ウェブ上のどの言語にも固有の文字があります。ページの文字コードは書かれていないことが多いのです。",
    "euc-jp": "ウェブ上のどの言語にも固有の文字があります。ページの文字コードは書かれていないことが多いのです。",
    "iso-2022-jp": "ウェブ上のどの言語にも固有の文字があります。",
    "euc-kr": "웹에 있는 모든 언어에는 고유한 문자가 있습니다. 페이지의 문자 집합은 적혀 있지 않은 경우가 많습니다.",
    "windows-1251": "У каждого языка в сети есть своё письмо. Кодировка страницы часто не указана, её угадывают.",
    "koi8-r": "У каждого языка в сети есть своё письмо. Кодировка страницы часто не указана, её угадывают.",
    "windows-874": "ทุกภาษาบนเว็บมีตัวอักษรของตนเอง หน้าเว็บมักไม่ได้ระบุรหัสอักขระ ผู้อ่านจึงต้องเดาเอาเอง",
    "windows-1255": "לכל שפה ברשת יש כתב משלה. קידוד הדף אינו מצוין לעיתים קרובות, והקורא צריך לנחש אותו.",
    "windows-1256": "لكل لغة على الشبكة كتابتها الخاصة. وكثيرا ما لا يذكر ترميز الصفحة فيضطر القارئ إلى تخمينه.",
    "windows-1254": "Ağdaki her dilin kendi yazısı vardır. Karakter kümesi çoğu zaman yazılmaz, şöyle tahmin edilir.",
    "iso-8859-7": "Κάθε γλώσσα στον ιστό έχει τη δική της γραφή. Η κωδικοποίηση της σελίδας συχνά δεν αναφέρεται.",
}
UNICODE_ONLY = {
    "km": "ភាសានីមួយៗនៅលើបណ្ដាញមានអក្សរផ្ទាល់ខ្លួន។",
    "hi": "वेब पर हर भाषा की अपनी लिपि होती है।",
    "ta": "வலையில் ஒவ்வொரு மொழிக்கும் சொந்த எழுத்து உண்டு.",
    "am": "በድር ላይ እያንዳንዱ ቋንቋ የራሱ ፊደል አለው።",
    "ka": "ვებში ყოველ ენას თავისი დამწერლობა აქვს.",
    "en": "Every language on the web has a script \u2014 “its own”.",
}


def encoded(text: str, name: str) -> bytes:
    return webencodings.encode(text, name)


@pytest.mark.parametrize("name", PROSE)
def test_http_and_meta_name_the_encoding(name):
    body = encoded(PROSE[name], name)
    assert decode(body, name.upper())[:3] == (PROSE[name], name, "http")
    page = encoded(f"<html><head><meta charset={name}></head><p>{PROSE[name]}", name)
    assert decode(page, None)[1:] == (name, "meta", 0)
    assert PROSE[name] in decode(page, None).text


@pytest.mark.parametrize("name", PROSE)
def test_undeclared_encodings_are_detected(name):
    page = encoded(f"<html><body><div class='a'><p>{PROSE[name]}</p></div></body></html>", name)
    decoded = decode(page, None)
    assert PROSE[name] in decoded.text
    assert decoded.source == "detector"


@pytest.mark.parametrize("text", [*PROSE.values(), *UNICODE_ONLY.values()])
def test_utf8_utf16_and_marks(text):
    assert decode(text.encode(), None)[:3] == (text, "utf-8", "detector")
    assert decode(b"\xef\xbb\xbf" + text.encode(), "big5")[:3] == (text, "utf-8", "bom")
    assert decode(b"\xff\xfe" + text.encode("utf-16-le"), "utf-8")[:3] == (text, "utf-16le", "bom")
    assert decode(b"\xfe\xff" + text.encode("utf-16-be"), None)[:3] == (text, "utf-16be", "bom")


@pytest.mark.parametrize("name", ["utf-16le", "utf-16be"])
def test_utf16_without_mark(name):
    text = "<html><head><title>x</title></head><body><p>some words and tags" + "</p><p>ไทย 中文" * 3
    assert decode(text.encode(name), None)[:3] == (text, name, "detector")
    text = "<?xml version='1.0'?>" + text
    assert decode(text.encode(name), None)[:2] == (text, name)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("gb2312", "gbk"), ("iso-8859-1", "windows-1252"), ("ASCII", "windows-1252"), (" latin1\n", "windows-1252"),
        ("x-sjis", "shift_jis"), ("ks_c_5601-1987", "euc-kr"), ("tis-620", "windows-874"), ("utf8", "utf-8"),
        ("iso-8859-8-i", "iso-8859-8-i"), ("iso-2022-kr", "replacement"), ("hz-gb-2312", "replacement"),
        ("utf-7", None), ("", None), (None, None), ("nonsense", None),
    ],
)  # fmt: skip
def test_labels_of_the_standard(label, name):
    assert encoding_of_label(label) == name


def test_labels_decode_as_browsers_do():
    assert decode(b"\x93quoted\x94 \x80", "iso-8859-1").text == "“quoted” €"
    assert decode("한글 똠방각하".encode("cp949"), "ks_c_5601-1987").text == "한글 똠방각하"
    assert decode("①㈱髙".encode("cp932"), "shift_jis").text == "①㈱髙"
    assert decode("𠀀龍㐀".encode("gb18030"), "gb2312").text == "𠀀龍㐀"
    assert decode(b"words", "iso-2022-kr") is None
    assert decode(b"<meta charset=hz-gb-2312>words", None) is None


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"<meta charset=big5>", "big5"),
        (b"<META CharSet = 'Shift_JIS' />", "shift_jis"),
        (b'<meta http-equiv="Content-Type" content="text/html; charset=euc-kr">', "euc-kr"),
        (b'<meta content="text/html; charset=euc-kr" http-equiv=content-type>', "euc-kr"),
        (b'<meta content="text/html; charset=euc-kr">', None),
        (b'<meta name="description" content="charset=big5">', None),
        (b"<!-- <meta charset=big5> --><meta charset=koi8-r>", "koi8-r"),
        (b'<p title="<meta charset=big5>"><meta charset=koi8-r>', "koi8-r"),
        (b"<p title='a > b'><meta charset=koi8-r>", "koi8-r"),
        (b"<!><meta charset=koi8-r>", "koi8-r"),
        (b"<!--><meta charset=koi8-r>", "koi8-r"),
        (b"<meta charset=nonsense><meta charset=koi8-r>", "koi8-r"),
        (b"<meta charset=utf-16>", "utf-8"),
        (b"<meta charset=x-user-defined>", "windows-1252"),
        (b"<meta charset=gb2312 charset=big5>", "gbk"),
        (b'<?xml version="1.0" encoding="euc-jp"?><html>', "euc-jp"),
        (b"<metal charset=big5>", None),
        (b"<meta/charset=big5/>", None),  # a bare value takes the slash
        (b"<meta/charset='big5'/>", "big5"),
        (b"<meta 'charset=big5 '>", None),  # the name is 'charset
        (b"<meta a='charset=koi8-r'charset=big5>", "big5"),
        (b"<meta charset charset=big5>", None),
        (b"<script>" + b"var a = 1;" * 200 + b"</script><meta charset=big5>", "big5"),
        (b" " * 5000 + b"<meta charset=big5>", None),
        (b"<meta charset='big5", None),
        (b"", None),
    ],
)
def test_prescan(head, name):
    assert prescan(head) == name


def test_http_outranks_meta():
    body = encoded("<meta charset=utf-8><p>" + PROSE["koi8-r"], "koi8-r")
    assert decode(body, "koi8-r")[1:3] == ("koi8-r", "http")


def test_unknown_http_label_leaves_it_to_meta():
    body = encoded("<meta charset=koi8-r><p>" + PROSE["koi8-r"], "koi8-r")
    assert decode(body, "x-made-up")[1:3] == ("koi8-r", "meta")


def test_declarations_that_the_bytes_deny():
    page = "<html><head><meta charset=%s></head><p>" + PROSE["windows-1251"] * 3
    denied = encoded(page % "utf-8", "windows-1251")
    assert decode(denied, None)[1:] == ("windows-1251", "detector", 0)
    assert PROSE["windows-1251"] in decode(denied, "utf-8").text
    saved = (page % "gb2312").encode()
    assert decode(saved, None)[1:] == ("utf-8", "detector", 0)
    assert decode("<meta charset=iso-8859-1><p>caf\u00e9".encode(), None).encoding == "windows-1252"  # too little proof


def test_replacements_are_counted_but_not_the_pages_own():
    body = ("ქართული ენა " * 50 + "\ufffd").encode() + b"\xff words \xfe"
    decoded = decode(body, "utf-8")
    assert decoded.n_replacement == 2
    assert decoded.text.count("\ufffd") == 3


@pytest.mark.parametrize(
    ("name", "bad"), [("gb18030", b"\xff"), ("utf-16le", b"\x00\xdc"), ("utf-8", b"\xe4\xb8"), ("euc-kr", b"\xff")]
)
def test_replacements_are_counted_in_every_encoding(name, bad):
    own = "" if name == "euc-kr" else "\ufffd"  # which euc-kr cannot say
    prose = PROSE["euc-kr"] * 9
    body = (prose + own).encode(name) + bad + "words".encode(name)
    assert decode(body, name) == (prose + own + "\ufffdwords", name, "http", 1)


@pytest.mark.parametrize("label", [None, "utf-8"])
def test_utf8_with_some_other_bytes_stays_utf8(label):
    """A template in Latin-1 around texts in UTF-8: no other encoding reads more of it."""
    body = ("<p>" + "schöne Äpfel für die Küche " * 9 + "</p>").encode() + "<img alt='Küche für alle'>".encode(
        "latin-1"
    )
    assert decode(body, label)[1:] == ("utf-8", "http" if label else "detector", 2)


def test_cyrillic_outside_the_standard_is_read():
    page = ("<?xml version='1.0' encoding='IBM855'?><p>" + PROSE["koi8-r"] * 3).encode("cp855")
    decoded = decode(page, None)
    assert PROSE["koi8-r"] in decoded.text
    assert decoded[1:] == ("ibm855", "detector", 0)


def test_letters_that_only_koi8_u_has():
    prose = "Кожна мова в мережі має своє письмо, і її кодування часто не вказане, тож читач мусить здогадуватися."
    assert decode(encoded(prose, "koi8-u"), None)[:2] == (prose, "koi8-u")
    assert decode(encoded(PROSE["koi8-r"], "koi8-r"), None)[:2] == (PROSE["koi8-r"], "koi8-r")


@pytest.mark.parametrize(
    "name", ["big5", "euc-jp", "euc-kr", "windows-1251", "windows-874", "windows-1256", "iso-8859-7"]
)
def test_much_english_around_does_not_drown_a_text(name):
    english = "<p>Another day of words that say nothing about the encoding of this page.</p>\n" * 500
    page = english + f"<p>{PROSE[name]}</p>" + english
    assert decode(encoded(page, name), None).text == page
    assert decode(encoded(f"<script>x = '{PROSE[name]}'</script>", name), None).text.count(PROSE[name]) == 1


def test_refused_encodings_are_not_taken_for_others():
    assert decode(b"\x1b$)C\x0e" + "한글".encode("iso2022_kr"), None) is None


def test_last_character_may_be_cut_off():
    body = PROSE["gb18030"].encode()[:-1]
    assert decode(body, None)[1:] == ("utf-8", "detector", 1)


@pytest.mark.parametrize("label", [None, "utf-8", "windows-1252"])
def test_bytes_that_are_no_text(label):
    assert decode(random.Random(1).randbytes(20_000), label) is None
    assert decode(b"\x89PNG\r\n\x1a\n" + bytes(3000), label) is None


@given(st.binary(max_size=300), st.sampled_from([None, "utf-8", "big5", "utf-16", "iso-2022-jp", "x-user-defined"]))
def test_any_bytes_give_text_or_nothing(body, label):
    decoded = decode(body, label)
    assert decoded is None or decoded.n_replacement <= decoded.text.count("\ufffd")


@pytest.mark.parametrize(
    "piece", [b"<!--", b"<script>", b"<meta ", b'<a "', b"<", b"<?xml ", b"word ", b"\xe9", b"\x1b$"]
)
@pytest.mark.parametrize("label", [None, "utf-8"])
def test_time_is_linear_in_hostile_pages(piece, label):
    begin = time.process_time()
    decode(piece * (4_000_000 // len(piece)) + b"\xff\xfe\xfd", label)
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("label", [None, "utf-8", "nonsense"])
def test_odd_pages(label):
    assert decode(b"", label).text == ""
    line = "<p>" + "한국어 ქართული አማርኛ தமிழ் " * 60_000
    assert decode(line.encode(), label)[3] == 0
    script = b"<script>var words = 1;</script>"
    assert decode(script, label)[:2] == (script.decode(), "utf-8")


@pytest.mark.skipif(not LABELLED.exists(), reason="no ../shared/data/encodings.jsonl.gz")
def test_labelled_pages():
    """Chardet's collection, but for the page that is 2,000 NULs with a title: no label of it can be decided."""
    aliases = {"CP932": "shift_jis", "CP949": "euc-kr", "MacCyrillic": "x-mac-cyrillic"}
    declaration = re.compile(rb"(encoding|charset)\s*=\s*[\"']?[\w-]+", re.I)
    wrong = {"as is": [], "undeclared": []}
    total = 0
    with gzip.open(LABELLED, "rt") as file:
        for line in file:
            row = json.loads(line)
            label = re.sub(r"-(russian|bulgarian|hungarian|greek|hebrew)$", "", row["encoding_label"])
            name = encoding_of_label(aliases.get(label, label))
            body = base64.b64decode(row["html_base64"])
            if "NOT UTF-16" in body.decode("latin-1"):
                continue
            total += 1
            codec = (
                "cp855" if name is None else {"gbk": "gb18030"}.get(name) or webencodings.lookup(name).codec_info.name
            )
            for kind, data in (("as is", body), ("undeclared", declaration.sub(b"x", body))):
                decoded = decode(data, None)
                truth = data.decode(codec, "replace").removeprefix("\ufeff")
                if decoded is None or decoded.text != truth:
                    wrong[kind].append(row["path"])
    assert total == 166
    assert wrong == {"as is": [], "undeclared": []}


SENTENCES_IN = {
    "rus_Cyrl": "windows-1251 koi8-r iso-8859-5 ibm866 x-mac-cyrillic", "bul_Cyrl": "windows-1251 iso-8859-5",
    "ukr_Cyrl": "windows-1251 koi8-u iso-8859-5", "pol_Latn": "windows-1250 iso-8859-2",
    "ell_Grek": "windows-1253 iso-8859-7",
    "ces_Latn": "windows-1250 iso-8859-2", "hun_Latn": "windows-1250 iso-8859-2", "tur_Latn": "windows-1254",
    "heb_Hebr": "windows-1255", "arb_Arab": "windows-1256", "pes_Arab": "windows-1256", "tha_Thai": "windows-874",
    "zho_Hans": "gb18030", "zho_Hant": "big5", "jpn_Jpan": "shift_jis euc-jp iso-2022-jp", "kor_Hang": "euc-kr",
    "deu_Latn": "windows-1252", "fra_Latn": "windows-1252", "spa_Latn": "windows-1252", "por_Latn": "windows-1252",
}  # fmt: skip


@pytest.mark.skipif(not SENTENCES.exists(), reason="no ../shared/data/sib200")
def test_undeclared_sentences():
    """Four sentences a page, of another source than the labelled pages."""
    right = total = 0
    for language, names in SENTENCES_IN.items():
        with open(SENTENCES / language / "dev.tsv", encoding="utf-8") as file:
            texts = [row["text"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
        for name in names.split():
            codec = {"gbk": "gb18030"}.get(name) or webencodings.lookup(name).codec_info.name
            for first in range(0, len(texts) - 4, 8):
                body = (
                    b"<html><body><p>"
                    + " ".join(texts[first : first + 4]).encode(codec, "ignore")
                    + b"</p></body></html>"
                )
                decoded = decode(body, None)
                total += 1
                right += decoded is not None and decoded.text == body.decode(codec)
    assert total > 300
    assert right / total >= 0.98
