import pyarrow as pa
import pytest

from pipeline.kernels.arrow_text import from_strings
from pipeline.language.capitals import in_capitals, lower, lowered
from pipeline.language.identifier import Identifier

# In capitals those without case are what they were, and nothing may happen to them.
TEXTS = {
    "cmn": "昨天晚上港口的老仓库又着火了，消防队员花了三个小时才把火扑灭。",
    "jpn": "昨夜、港の古い倉庫がまた燃えて、消防隊が火を消すのに三時間かかりました。",
    "kor": "어젯밤 항구의 낡은 창고에 또 불이 나서 소방대가 끄는 데 세 시간이 걸렸다.",
    "tha": "เมื่อคืนนี้โกดังเก่าที่ท่าเรือไฟไหม้อีกครั้ง และใช้เวลาสามชั่วโมงจึงจะดับได้",
    "khm": "យប់មិញ ឃ្លាំងចាស់នៅកំពង់ផែបានឆេះម្ដងទៀត ហើយត្រូវការពេលបីម៉ោងទើបរលត់។",
    "arb": "احترق المستودع القديم في الميناء مرة أخرى الليلة الماضية واستغرق إخماده ثلاث ساعات.",
    "heb": "אמש בער שוב המחסן הישן בנמל ולקח לכבאים שלוש שעות לכבות אותו.",
    "hin": "कल रात बंदरगाह का पुराना गोदाम फिर जल गया और आग बुझाने में तीन घंटे लगे।",
    "tam": "நேற்று இரவு துறைமுகத்தின் பழைய கிடங்கு மீண்டும் எரிந்தது, அணைக்க மூன்று மணி நேரம் ஆனது.",
    "amh": "ትናንት ማታ የወደቡ አሮጌ መጋዘን እንደገና ተቃጠለ፤ እሳቱን ለማጥፋት ሦስት ሰዓት ፈጀ።",
    "kat": "წუხელ ნავსადგურის ძველი საწყობი ისევ დაიწვა და ჩაქრობას სამი საათი დასჭირდა.",
    "rus": "Вчера ночью старый склад в порту снова сгорел, и тушили его три часа.",
    "tur": "Dün gece limandaki eski ambar yine yandı ve itfaiyenin ateşi söndürmesi üç saat sürdü, İzmir halkı kızgın.",
    "eng": "Last night the old warehouse by the harbour burnt down again, and it took three hours to put the fire out.",
    "deu": "Gestern Nacht brannte die alte Halle am Hafen schon wieder, und das Löschen dauerte drei Stunden.",
    "ell": "Χθες το βράδυ η παλιά αποθήκη στο λιμάνι κάηκε ξανά και χρειάστηκαν τρεις ώρες για να σβήσει.",
    "hye": "Երեկ գիշերը նավահանգստի հին պահեստը կրկին այրվեց, և մարելու համար պահանջվեց երեք ժամ։",
    "swh": "Serikali ilisema kwamba watu wengi katika mji huo hawana maji, na kwa sababu hiyo wanakwenda mbali.",
    "fin": "Viime yönä sataman vanha varasto paloi taas, ja sammuttaminen kesti kolme tuntia.",
    "ind": "Tadi malam gudang tua di pelabuhan terbakar lagi, dan butuh tiga jam untuk memadamkan apinya.",
}


@pytest.mark.parametrize("code", TEXTS)
def test_a_text_in_capitals_is_in_its_language(code: str) -> None:
    text = TEXTS[code]
    heading = text.partition(" ")[0].upper() + "\n" + text
    found = Identifier().identify(from_strings([text, text.upper(), heading]))
    assert found.language.to_pylist() == [code] * 3
    assert len(set(found.language_script.to_pylist())) == 1


def test_others_of_a_batch_are_as_they_are_alone() -> None:
    texts = [text.upper() if n % 2 else text for n, text in enumerate(TEXTS.values())]
    identifier = Identifier()
    together = identifier.identify(from_strings(texts))
    for n, text in enumerate(texts):
        for column, alone in zip(together, identifier.identify(from_strings([text])), strict=True):
            assert column[n] == alone[0]


def test_in_capitals() -> None:
    texts = ["ALL OF IT", "Not all", "THE most OF IT", "中文里的 NASA", "", "12", "ᏣᎳᎩ", "ԿԱՐԳ"]
    assert in_capitals(from_strings(texts)).tolist() == [True, False, True, False, False, False, True, True]


@pytest.mark.parametrize(
    ("capitals", "small"),
    [
        ("IŞIK İLE ALTIN", "ışık ile altın"),
        ("INDIA", "india"),
        ("ΟΔΟΣ ΣΟΦΟΣ.", "οδος σοφος."),
        ("ᲥᲐᲠᲗᲣᲚᲘ", "ქართული"),
        ("STRASSE STRAẞE", "strasse straße"),
        ("ԵՐԵՎԱՆ", "երեվան"),
        ("НОХЧИЙН ГӀАЛА", "нохчийн гӀала"),
        ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ"),
        ("𐐔𐐇𐐝𐐀𐐡𐐇𐐓", "𐐼𐐯𐑅𐐨𐑉𐐯𐐻"),
    ],
)
def test_small_letters(capitals: str, small: str) -> None:
    assert lower(capitals) == small


def test_broken_text() -> None:
    raw = pa.Array.from_buffers(pa.string(), 1, pa.array([b"CAF\xe9 BAR"]).buffers())
    assert lowered(raw).to_pylist() == ["caf\ufffd bar"]
