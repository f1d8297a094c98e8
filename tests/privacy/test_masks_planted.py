"""Items of every kind planted in sentences of 15 languages, by a seed: how many are found, and how much else is."""

import itertools
import random
from collections.abc import Iterator

import pytest
from marked import counted, unmasked

from pipeline.privacy.masks import IBAN_LENGTHS, is_card, mask
from pipeline.privacy.phones import is_valid

# Sentences of our own, {} where the item stands: with a word for telephone, and without.
SENTENCES = {
    "zh": ("有问题请打电话{}，我们下午都在。", "王师傅的店就在河边，{}，随时可以来。"),
    "ja": ("ご予約は電話{}で受け付けています。", "川沿いの小さな店です。{}、火曜は休みです。"),
    "ko": ("궁금한 점은 전화 {}으로 물어보세요.", "강가의 작은 가게입니다. {}, 화요일은 쉽니다."),
    "th": ("สอบถามได้ที่โทร {} ทุกวัน", "ร้านเล็กริมแม่น้ำ {} ปิดวันอังคาร"),
    "ar": ("للاستفسار هاتف {} كل يوم.", "متجر صغير قرب النهر، {}، مغلق يوم الثلاثاء."),
    "he": ("לשאלות: טלפון {} בכל יום.", "חנות קטנה ליד הנהר, {}, סגורה ביום שלישי."),
    "hi": ("पूछताछ के लिए फ़ोन {} पर बात करें।", "नदी के पास छोटी दुकान, {}, मंगलवार को बंद।"),
    "ta": ("விவரங்களுக்கு தொலைபேசி {} அழைக்கவும்.", "ஆற்றங்கரையில் சிறிய கடை, {}, செவ்வாய் விடுமுறை."),
    "am": ("ለጥያቄ ስልክ {} ይደውሉ።", "በወንዙ አጠገብ ያለ ትንሽ ሱቅ፣ {}፣ ማክሰኞ ዝግ ነው።"),
    "ka": ("კითხვებისთვის ტელ. {} ყოველდღე.", "პატარა მაღაზია მდინარესთან, {}, სამშაბათს დაკეტილია."),
    "ru": ("По вопросам телефон {} каждый день.", "Маленькая лавка у реки, {}, по вторникам закрыта."),
    "tr": ("Sorularınız için telefon {} her gün.", "Nehir kıyısında küçük dükkân, {}, salı kapalı."),
    "en": ("For questions phone {} any day.", "A small shop by the river, {}, closed on Tuesday."),
    "de": ("Bei Fragen Telefon {} an jedem Tag.", "Ein kleiner Laden am Fluss, {}, dienstags zu."),
    "fr": ("Pour toute question, téléphone {} chaque jour.", "Petite boutique au bord de l'eau, {}, fermée le mardi."),
}
# How people write them there; # is any digit. The plan has to know the number.
WAYS = {
    "zh": ("CN", "010-6###-####|0571-8#######|138 #### ####|139-####-####|400-8##-####|+86 138 #### ####"),
    "ja": ("JP", "03-3###-####|090-2###-####|0120-4##-###|045-2##-####|(03) 5###-####|+81 3-5###-####"),
    "ko": ("KR", "02-7##-####|010-2###-####|031-2##-####|010-9###-####|+82 2-7##-####"),
    "th": ("TH", "02-2##-####|081-2##-####|089-###-####|02 2## ####|+66 2 2## ####"),
    "ar": ("SA", "05########|050 ### ####|055-###-####|٠٥٠ ### ####|+966 50 ### ####"),
    "he": ("IL", "03-6######|052-2######|052-###-####|02-62##-###|+972 3-6##-####"),
    "hi": ("IN", "011-2#######|98### #####|022-2#######|९८### #####|+91 98### #####"),
    "ta": ("IN", "044-2#######|98### #####|0422-2######|+91 98### #####"),
    "am": ("ET", "0911 ## ## ##|0911######|011-551-####|+251 91 1## ####"),
    "ka": ("GE", "599 ## ## ##|599 ### ###|032 2 9# ## ##|+995 599 ## ## ##"),
    "ru": ("RU", "8 (495) 1##-##-##|8 495 2## ## ##|8-916-###-##-##|(812) 3##-##-##|+7 916 ###-##-##"),
    "tr": ("TR", "0212 2## ## ##|0532 ### ## ##|0 (212) 2## ## ##|0 532 ### ## ##|+90 532 ### ## ##"),
    "en": ("US", "(212) 5##-####|415-8##-####|415.8##.####|1-800-3##-####|+1 415 8## ####"),
    "de": ("DE", "030/2#######|(089) 12## ####|0211 77900###|089-125####|0171 2######|+49 30 2#######"),
    "fr": ("FR", "01 42 ## ## ##|06.12.##.##.##|04-91-##-##-##|01 53 ## ## ##|+33 1 42 ## ## ##"),
}
OTHERS = (
    "####-##-##|12.05.20##|19##-20##|1 ### ###|3.1415########|ISBN 978-3-16-1484##-#|v2.#.##|§ 12.#.##|#,###,###"
    "|16########|4006381######|12:30-14:45|##.######, ##.######|A-########|№ ########|20## 20## 20##|id=138########"
    "|#/20##"
)


def filled(way: str, chance: random.Random, zero: str = "0") -> str:
    native = next((c for c in way if c.isdigit() and not c.isascii()), None)
    first = ord(native) - int(native) if native else ord(zero)
    return "".join(chr(first + chance.randrange(10)) if c == "#" else c for c in way)


def an_iban(chance: random.Random) -> str:
    country = chance.choice(["DE", "FR", "TR", "SA", "GE", "PL", "IT"])
    digits = "".join(str(chance.randrange(10)) for _ in range(IBAN_LENGTHS[country] - 4))
    check = 98 - int("".join(str(int(c, 36)) for c in digits + country + "00")) % 97
    number = f"{country}{check:02}{digits}"
    return number if chance.random() < 0.5 else " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def a_card(chance: random.Random) -> str:
    body = chance.choice(["4", "51", "55", "2221", "6011", "3530", "62", "2200"])
    body += "".join(str(chance.randrange(10)) for _ in range(15 - len(body)))
    number = next(body + str(last) for last in range(10) if is_card(body + str(last)))
    sign = chance.choice(["", " ", "-"])
    return sign.join(number[i : i + 4] for i in range(0, 16, 4))


def an_item(kind: str, language: str, chance: random.Random) -> str:
    country, ways = WAYS[language]
    while kind == "P":
        number = filled(chance.choice(ways.split("|")), chance)
        if is_valid(number, country):
            return number
    if kind == "E":
        return filled(chance.choice(["info##@mail.net", "a.b#@post.de", "x_y-#@firma.co.jp"]), chance)
    if kind == "4":
        return f"8.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
    return an_iban(chance) if kind == "I" else a_card(chance)


def generated() -> Iterator[tuple[str, str]]:
    """Texts with marked items: one item, or one number that is none."""
    chance = random.Random(3)
    for language, sentences in SENTENCES.items():
        for kind, sentence, _ in itertools.product("PPPE4IC", sentences, range(6)):
            yield language, sentence.format(f"[{kind}:{an_item(kind, language, chance)}]")
        for way, _ in itertools.product(OTHERS.split("|"), range(3)):
            yield language, sentences[1].format(filled(way, chance))


def test_recall_and_precision_on_generated_texts(capsys: pytest.CaptureFixture[str]) -> None:
    planted = found = right = 0
    missed: dict[str, list[str]] = {}
    for language, text in generated():
        wanted, got = counted(text), mask(unmasked(text))
        n_wanted, n_got = sum(wanted[1:]), sum(got[1:])
        planted += n_wanted
        found += n_got
        if got == wanted:
            right += n_wanted
        else:
            missed.setdefault(language, []).append(f"{text} -> {got.text}")
    recall, precision = right / planted, right / found
    with capsys.disabled():
        print(f" planted {planted}: recall {recall:.4f}, precision {precision:.4f}")
    assert planted > 1000
    assert recall >= 0.95, missed
    assert precision >= 0.98, missed
    for language in SENTENCES:
        assert len(missed.get(language, [])) <= 12, missed[language]
