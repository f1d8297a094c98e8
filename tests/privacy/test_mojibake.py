import itertools

import pytest

from pipeline.privacy.charsets import CHARSETS
from pipeline.privacy.mojibake import mend

SENTENCES = {
    "cmn": "昨天晚上，港口的老仓库又着火了。",
    "jpn": "昨夜、港の古い倉庫がまた燃えました。",
    "kor": "어젯밤 항구의 낡은 창고에 또 불이 났다.",
    "tha": "เมื่อคืนนี้โกดังเก่าที่ท่าเรือไฟไหม้อีกครั้ง",
    "khm": "យប់មិញ ឃ្លាំងចាស់នៅកំពង់ផែបានឆេះម្ដងទៀត។",
    "arb": "احترق المستودع القديم في الميناء مرة أخرى الليلة الماضية.",
    "heb": "אמש בער שוב המחסן הישן בנמל.",
    "hin": "कल रात बंदरगाह का पुराना गोदाम फिर जल गया।",
    "tam": "நேற்று இரவு துறைமுகத்தின் பழைய கிடங்கு மீண்டும் எரிந்தது.",
    "amh": "ትናንት ማታ የወደቡ አሮጌ መጋዘን እንደገና ተቃጠለ።",
    "kat": "წუხელ ნავსადგურის ძველი საწყობი ისევ დაიწვა.",
    "rus": "Вчера ночью старый склад в порту снова сгорел.",
    "tur": "Dün gece limandaki eski ambar yine yandı, işçiler şaşkın.",
    "eng": "Last night the harbour’s old café – “Zoë’s” – burnt down again…",
    "deu": "Gestern Nacht brannte die alte Lagerhalle schon wieder völlig aus.",
    "vie": "Đêm qua nhà kho cũ ở bến cảng lại bốc cháy một lần nữa.",
}


def misread(text: str, charset: str) -> str:
    """UTF-8 read as the charset; a byte that is nothing there is a control character, as browsers have it."""
    characters = (bytes([byte]).decode(charset, "replace") for byte in text.encode())
    return "".join(
        chr(byte) if character == "\ufffd" else character
        for byte, character in zip(text.encode(), characters, strict=True)
    )


@pytest.mark.parametrize("charset", [name for name in CHARSETS if not name.startswith("iso8859")] + ["latin-1"])
@pytest.mark.parametrize("language", SENTENCES)
def test_one_line_beside_good_ones(language: str, charset: str) -> None:
    good = SENTENCES[language]
    assert mend(f"{good}\n{misread(good, charset)}\n{good}") == f"{good}\n{good}\n{good}"


@pytest.mark.parametrize("language", SENTENCES)
def test_twice_and_three_times(language: str) -> None:
    once = misread(SENTENCES[language], "cp1252")
    twice = misread(once, "cp1252")
    assert mend(twice) == mend(misread(twice, "latin-1")) == SENTENCES[language]


@pytest.mark.parametrize("language", SENTENCES)
def test_no_break_spaces_that_became_spaces(language: str) -> None:
    assert mend(misread(SENTENCES[language], "cp1252").replace("\u00a0", " ")) == SENTENCES[language]


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("Nils/Bo – Fjordens vÃ¥r, vers 2 – SÃ¸ndag", "Nils/Bo – Fjordens vår, vers 2 – Søndag"),
        ("Flug nach Ä°zmir, zurÃ¼ck Ã¼ber RÄ«ga", "Flug nach İzmir, zurück über Rīga"),
        ("« déjà » : 7 â‚¬ – trÃ¨s bien", "« déjà » : 7 € – très bien"),
        ("NÃO ESTÁ À VENDA – “SÓ AMANHÃ” Ã© tarde", "NÃO ESTÁ À VENDA – “SÓ AMANHÃ” é tarde"),
        ("voilÃ  ce quâ€™il a dit", "voilà ce qu’il a dit"),
        ("â€œyesâ€ and â€œno\u00e2\u20ac\ufffd", "“yes” and “no”"),
        ("350\u00c2\u00b0F, \u00c2\u00a320", "350°F, £20"),
        ("ðŸ˜€ nice", "😀 nice"),
        ("Привет, РјРёСЂ", "Привет, мир"),
        ("\x93quotes\x94 and \x85", "“quotes” and …"),
        ("gone\x81", "gone"),
    ],
)
def test_a_run_beside_good_signs(broken: str, mended: str) -> None:
    assert mend(broken) == mended


@pytest.mark.parametrize(
    "text",
    [
        *SENTENCES.values(),
        *(sentence.upper() for sentence in SENTENCES.values()),
        "NÃO HÁ PÃO À MESA – “SÓ AMANHÃ”",
        "“Ã” — disse ele",
        "Sei Ã = A ± δ und â = √3·b auf ∂Ω.",
        "Å är en bokstav, 2.9 Å är en längd",
        "« Ça alors, c’est allé—” dit-il",
        "НІ, ДІТИ, ЄДНІСТЬ – «ІВАН»",
        "ΜΈΝΑ, «ΌΧΙ», Γ΄ ΤΆΞΗ",
        "20 °C, §\u00a05 Abs. 2, ½ Tasse, 3² = 9, Å², ®, ™",
        "nach\u00a0§ 72 Abs. 1, des\u00a0§ 97",
        "(◕‿◕) ಠ_ಠ ¯\\_(ツ)_/¯ ʕ•ᴥ•ʔ (´･ω･`)",
        "├── src\n│   └── main.c\n╔═╗ ░▒▓",
        "bittersüß“ war’s, „süß“",
        "Málaga–Ávila, Malmö–Århus, ìròyìn—àti",
        "Groß\u00advater, Maß\u00adnahme, ein\u00adschließ\u00adlich",
        "officiâš´le",  # what it stands for is no letter
    ],
)
def test_good_text_stays(text: str) -> None:
    assert mend(text) == text


@pytest.mark.parametrize(("first", "second"), [*itertools.combinations(("eng", "rus", "cmn", "arb", "tha"), 2)])
def test_lines_in_two_languages(first: str, second: str) -> None:
    whole = f"{SENTENCES[first]}\n{SENTENCES[second]}"
    assert mend(misread(whole, "cp1252")) == whole
