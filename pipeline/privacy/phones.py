"""Telephone numbers in running text, precision first.

A number is one where the text says so (a plus and a country code, or a word for telephone before it), or where it is
written as only telephone numbers of a country are, in a text of a script that this country uses. What counts as a
number of a country (ITU-T E.164 and the national plans) is asked of Google's libphonenumber; everything before that
is two scans for runs of digits, so that a text without one costs microseconds. Digits of all scripts are digits.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

import phonenumbers

MASK = "<PHONE>"
MIN_DIGITS, MAX_DIGITS = 7, 15  # E.164 allows 15; below 7 it may be anything

DASHES = "\\-\u2010-\u2015\u2212\uff0d\u30fc"
SPACES = " \xa0\u2002-\u200a\u202f\u3000"
SEPARATORS = f"{SPACES}{DASHES}./()\uff0e\uff0f\uff08\uff09"


@cache
def _digits() -> str:
    """Decimal digits of all scripts in the Basic Multilingual Plane, as ranges for a set."""
    zeros = (c for c in range(0x10000) if unicodedata.decimal(chr(c), None) == 0)
    return "".join(f"{chr(zero)}-{chr(zero + 9)}" for zero in zeros)


@cache
def _plain() -> dict[int, str]:
    """Digits as ASCII, separators as one of space - . / ( )."""
    table = {
        c: str(unicodedata.decimal(chr(c)))
        for c in range(0x80, 0x10000)
        if unicodedata.decimal(chr(c), None) is not None
    }
    signs = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d\u30fc"
    spaces = "\xa0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000"
    pairs = [
        (signs, "-"),
        (spaces, " "),
        ("\uff0e", "."),
        ("\uff0f", "/"),
        ("\uff08", "("),
        ("\uff09", ")"),
        ("\uff0b", "+"),
    ]
    return table | {ord(c): plain for characters, plain in pairs for c in characters}


def plain(run: str) -> str:
    """The run with ASCII digits and separators, as long as it was."""
    return run if run.isascii() else run.translate(_plain())


# A run of digits and separators, seven characters at least.
RUN = re.compile(f"[{_digits()}][{_digits()}{SEPARATORS}]{{6,}}")

# Words for telephone in the languages of the web. Latin ones are whole words, or stems where a star stands.
_SPACED_CUES = """
tel tél tels telf telp telefon* telefoon* teléfono* telefono* telefone* telephone* téléphone* telefax* telemóvel*
telepon* tlf tfn fon phone* fax faks mobile mobil mobiel* mob móvil movil celular* cellulare cell cel komórka kom gsm
cep call hotline helpline toll tollfree freephone whatsapp viber handy* rufnummer* durchwahl* ruf portable appelez
appeler llama llame llamar ligue puhelin* puh simu sđt đt thoại ph
тел телефон* моб мобильн* мобілн* факс* звон* позвон* дзвон* подзвон* гсм телефакс* утас*
τηλ τηλέφων* τηλεφων* κιν κινητό* φαξ
"""
_SHORT_CUES = "t f p m т ф"  # as in T: or P., right before the number
_UNSPACED_CUES = """
電話 电话 手机 手機 热线 熱線 传真 傳真 致电 致電 拨打 撥打 联系方式 聯絡方式 咨询 諮詢 客服 座机 連絡先 携帯 ファックス
ファクス フリーダイヤル 問い合わせ 問合せ ｔｅｌ ｆａｘ 전화 휴대폰 핸드폰 휴대전화 팩스 연락처 문의 โทร มือถือ เบอร์ แฟกซ์
สายด่วน هاتف تلفن تليفون تلفون طلفون جوال موبايل موبایل فاكس فاکس تماس اتصل الاتصال واتساب واتس همراه محمول
טלפון טל׳ טל' טל. טל: נייד פקס חייגו התקשרו
फोन फ़ोन मोबाइल दूरभाष फैक्स फ़ैक्स हेल्पलाइन संपर्क தொலைபேசி போன் ஃபோன் கைபேசி அலைபேசி மொபைல் தொலைநகல்
ఫోన్ మొబైల్ ফোন মোবাইল ফ্যাক্স ਫ਼ੋਨ ਫੋਨ ફોન മൊബൈൽ ഫോൺ ಫೋನ್ ಮೊಬೈಲ್ දුරකථන
ስልክ ሞባይል ፋክስ ტელ მობ ფაქს հեռ բջջ ֆաքս ទូរស័ព្ទ ទូរសព្ទ ໂທ ဖုန်း
☎ ☏ ✆ ℡ \U0001f4de \U0001f4f1 \U0001f4f2
"""
# Numbers of other kinds, as they are announced; a word for telephone before these does not help.
_SPACED_OTHERS = """
isbn issn ean imei iban bic qq icq skype vat nip regon krs kvk btw hrb siret siren rcs cnpj cpf nif cif ico dic abn acn
zip plz postcode konto kontonummer sku oib pesel rfc ssn doi icp patent инн огрн огрнип кпп бик снилс окпо счет счёт с
"""
_UNSPACED_OTHERS = "邮编 备案号 备案 登録番号 〒 사업자등록번호 사업자번호 등록번호 계좌번호 계좌 订单号 账号 帐号 证号"
# These may be part of an announcement, as in "Tel. no."
_SPACED_NUMBERS = "no nr id order account индекс"
_UNSPACED_NUMBERS = "编号 編號 番号 号 號 № #"

_LETTER = r"A-Za-z\u00c0-\u024f\u0370-\u052f\u1e00-\u1fff"  # of a script that writes spaces
WORD = re.compile(f"[{_LETTER}]+")
NUMBER_OR_MASK = re.compile(r"[\d<>\n]")
_PUNCTUATION = " .:：,;()（）[]-–—=#\t\xa0\u3000\u200e\u200f\u202a\u202b\u2066\u2067"


class _Announcements:
    """Words that stand before numbers: whole ones, stems (with a star), and those of scripts without word ends."""

    def __init__(self, spaced: str, unspaced: str = "") -> None:
        spaced, unspaced = (unicodedata.normalize("NFC", words) for words in (spaced, unspaced))
        self.words = frozenset(word for word in spaced.split() if not word.endswith("*"))
        self.stems = tuple(word[:-1] for word in spaced.split() if word.endswith("*"))
        self.parts = tuple(unspaced.split())

    def has(self, word: str) -> bool:
        return word in self.words or (bool(self.stems) and word.startswith(self.stems))


CUES = _Announcements(_SPACED_CUES, _UNSPACED_CUES)
SHORT_CUES = _Announcements(_SHORT_CUES)
OTHERS = _Announcements(_SPACED_OTHERS, _UNSPACED_OTHERS)
NUMBERS = _Announcements(_SPACED_NUMBERS, _UNSPACED_NUMBERS)
MAX_GAP, MAX_UNSPACED_GAP = 28, 16  # characters between a word for telephone and the number; with the word

# Behind a masked number comes the next: a comma, "or", a word for fax.
CHAIN = re.compile(rf"{MASK}[^\w<>\n]{{1,4}}(?:[^\W\d]{{1,6}}[^\w<>\n]{{1,3}})?\Z")
ADDRESS = re.compile(r"(?:://|www\.)[^\s<>]*\Z", re.IGNORECASE)
# What makes the digits behind or before it part of something else.
TOUCHED = re.compile(rf"[{_LETTER}\d_=#&%$€£¥₹₽₩₺~^*@|\\+×]\Z|[{_LETTER}\d][-/.,:]\Z")
TOUCHED_PLUS = re.compile(rf"[{_LETTER}\d_=&?/%+]\Z")
AFTER = re.compile(
    rf"(?![x\u0445])[{_LETTER}_=%@°]|[,:]\d{{1,3}}(?!\d)"
    r"|\s?(?:[€$£¥₹₽₩₺%元円원]|บาท|руб|грн|eur\b|usd\b|km\b|kg\b|mm\b|cm\b)",
    re.IGNORECASE,
)

DATE = re.compile(
    r"(?<!\d)(?:[0-3]?\d([ ./-]{1,2})[0-3]?\d\1(?:1[89]|20)\d\d|(?:1[89]|20)\d\d([ ./-]{1,2})[01]?\d\2[0-3]?\d)(?!\d)"
    r"|(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"
)
# Years, times of day, groups of thousands, four bytes.
NOT_A_NUMBER = re.compile(
    r"\(?(?:1[5-9]|20)\d\d\)?(?: ?[-/.() ]{1,3} ?\(?(?:1[5-9]|20)\d\d\)?)*"
    r"|\d{1,2}\.[0-5]\d ?[-/] ?\d{1,2}\.[0-5]\d"
    r"|[1-9]\d?([ .])\d{3}\1\d{3}"
    r"|\d{1,3}(?:\.\d{1,3}){3}"
    r"|(?:19|20)\d\d[01]\d[0-3]\d(?:[0-2]\d(?:[0-5]\d){1,2})?"
)
YEAR = re.compile(r"(?:19|20)\d\d\Z")
GROUP = re.compile(r"\d+")
DIGIT = re.compile(r"\d")

# How numbers are written where no word announces them: (pattern, countries whose plan may hold them), by script.
_PAIRS = r"0[1-9](?:([ .-])\d\d)(?:\1\d\d){3}"
_NANP = r"(?:1[-. ])?(?:\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}-\d{3}-\d{4}|\d{3}\.\d{3}\.\d{4})"
_RUSSIAN = (
    r"(?:8[ -]?)?\(\d{3,5}\)[ -]?\d{1,3}[ -]\d\d[ -]?\d\d|8[ -]\d{3}[ -]\d{3}[ -]\d\d[ -]\d\d"
    r"|8[ -]800[ -]\d{3}[ -]?\d\d[ -]?\d\d"
)
_INDIC = (
    (r"0\d{2,4}[- ]\d{6,8}|\(0\d{2,4}\) ?\d{6,8}|0?[6-9]\d{4}[- ]\d{5}", "IN"),
    (r"0\d{1,3}-\d{6,8}|01\d{3}[- ]\d{6}", "BD NP"),
    (r"0\d\d[- ]\d{3}[- ]\d{4}", "LK"),
)
_ARABIC = (
    (r"01[0125][- ]?\d{4}[- ]?\d{4}|0\d{1,2}[- ]\d{7,8}", "EG"),
    (r"09\d\d[- ]?\d{3}[- ]?\d{4}|0\d\d[- ]\d{4} ?\d{4}", "IR"),
    (r"05\d[- ]?\d{3}[- ]?\d{4}|01\d[- ]\d{3}[- ]?\d{4}", "SA"),
    (r"07\d\d[- ]?\d{3}[- ]?\d{4}", "IQ"),
    (r"05\d[- ]?\d{3}[- ]?\d{4}|0\d[- ]\d{3}[- ]?\d{4}", "AE"),
    (r"07\d[- ]?\d{4}[- ]?\d{3}|07[789] \d{3} \d{4}", "JO"),
    (r"0[5-7](?:[ .-]?\d\d){4}", "MA DZ"),
    (r"03\d\d[- ]\d{7}|0\d\d[- ]\d{7,8}", "PK"),
)
SHAPES: dict[str, tuple[tuple[str, str], ...]] = {
    "Latin": (
        (_NANP, "US"),
        (_PAIRS, "FR"),
        (r"\(?0\d{2,4}\)? \d{3,4} \d{3,4}|\(?0\d{4}\)? \d{5,6}|07\d{3} ?\d{3} ?\d{3}", "GB"),
        (r"\(?0\d{1,2}\)? \d{3} \d{4}", "IE NZ ZA"),
        (r"\(0\d{1,5}\) ?\d{2,8}(?:[ -]\d{1,6}){0,4}|0[\d ]{1,5}\d ?/ ?\d{2,8}(?:[ -]\d{1,5}){0,4}", "DE AT"),
        (r"0\d{2,4}[- ]\d{6,8}(?:-\d{1,4})?|0\d{2,4}-\d{3,4} ?\d{2,4}(?: ?\d{2,3})?", "DE AT"),
        (r"0\d\d \d{3} \d\d \d\d", "CH"),
        (r"0\d{1,3}[/ ]\d{2,3}[. ]\d\d[. ]\d\d", "BE"),
        (r"0\d{1,3}-\d{6,8}|\(0\d{2,3}\)[ -]?\d{6,7}|06[ -]\d{8}|06(?: \d\d){4}", "NL"),
        (r"0\d{1,3}-\d{2,3} ?\d{2,3} ?\d{2}", "SE"),
        (r"0\d{1,3}[ /.-]\d{6,8}|3\d\d[/-]\d{6,7}", "IT"),
        (r"\(\d\d\) \d{3}[ -]\d\d[ -]\d\d", "PL"),
        (r"06[ /-]\d{1,2}[ /-]\d{3}[ -]\d{3,4}", "HU"),
        (r"0\d{3}[ .-]\d{3}[ .-]\d{3}|02\d[ .-]\d{3}[ .-]\d{4}", "RO"),
        (r"0[ -]?\(?[2-5]\d\d\)?[ -]\d{3}[ -]\d\d[ -]?\d\d|\(0[2-5]\d\d\) ?\d{3}[ -]\d\d[ -]?\d\d", "TR"),
        (r"\(\d\d\) ?9?\d{4}[- .]\d{4}", "BR"),
        (r"\(0\d{2,4}\) ?\d{2,4}-\d{4}", "AR"),
        (r"\(\d{2,3}\) ?\d{3,4}[- ]\d{4}", "MX"),
        (r"\(0\d\) \d{4} \d{4}|04\d\d \d{3} \d{3}|0[2378] \d{4} \d{4}", "AU"),
        (r"\(0\d{2,3}\) ?\d{3,4}[ -]?\d{3,4}|08\d\d-\d{3,4}-\d{3,5}|021-\d{3,4}-?\d{4}", "ID"),
        (r"\(?0\d{2,3}\)?[ .-]\d{3,4}[ .-]\d{3,4}", "VN"),
        (r"0[789]\d\d \d{3} \d{4}", "NG PH"),
        (r"07\d\d \d{3} \d{3}", "KE TZ UG"),
        (r"01\d-\d{3,4} ?\d{4}|0\d-\d{4} ?\d{4}", "MY"),
        (r"0\d\d?[ /-]\d{3,4}[ -]\d{3,4}", "HR RS SI BA"),
    ),
    "Cyrillic": (
        (_RUSSIAN, "RU"),
        (r"\(?0\d\d\)?[ -]?\d{3}[ -]\d\d[ -]\d\d|\(0\d{3,4}\) ?\d{1,2}[ -]\d\d[ -]\d\d", "UA"),
        (r"0\d{1,3}[ /]\d{3}[ /]\d{3,4}", "BG RS"),
        (r"8[ -]\(?0\d\d\)?[ -]\d{3}[ -]\d\d[ -]\d\d", "BY"),
    ),
    "Kana": ((r"0\d{1,4}-\d{1,4}-\d{3,4}|0\d{1,4}\(\d{1,4}\)\d{4}|\(0\d{1,4}\) ?\d{1,4}-\d{4}|0[789]0\d{8}", "JP"),),
    "Hangul": ((r"\(?0\d{1,2}\)?[-. ] ?\d{3,4}[-. ]\d{4}|\(0\d{1,2}\)\d{3,4}-\d{4}|010\d{8}", "KR"),),
    "Han": (
        (
            r"0\d{2,3}[- ]\d{7,8}|\(0\d{2,3}\) ?-?\d{7,8}|0\d{2,3}-\d{3,4}[- ]\d{4}"
            r"|[48]00-(?:\d{3}-\d{4}|\d{4}-\d{3}|\d{7})",
            "CN",
        ),
        (r"1[3-9]\d[- ]\d{4}[- ]\d{4}|1[3-9]\d\d-\d{3}-\d{4}", "CN"),
        (r"\(?0\d{1,2}\)?[- ]\d{3,4}[- ]\d{3,4}|\(0\d\)\d{7,8}|0\d-\d{7,8}|09\d\d-\d{3}-?\d{3}", "TW"),
    ),
    "Thai": (
        (r"0\d-\d{3}-\d{4}|0\d\d-\d{3}-\d{3,4}|0\d-\d{4}-\d{4}|0\d\d[- ]\d{7}|0\d\d \d{3} \d{4}|0[689]\d{8}", "TH"),
    ),
    "Hebrew": ((r"0\d{1,2}-\d{7}|0\d{1,2}-\d{3}-?\d{4}|1-[78]00-\d{3}-\d{3}|0\d{1,2}-\d{3}-\d\d-\d\d|05\d{8}", "IL"),),
    "Arabic": _ARABIC,
    **dict.fromkeys(
        ("Devanagari", "Bengali", "Tamil", "Telugu", "Kannada", "Malayalam", "Gujarati", "Gurmukhi", "Sinhala"), _INDIC
    ),
    "Greek": ((r"\(?2\d{2,3}\)?[- ]\d{6,7}|2\d{2}[- ]\d{3}[- ]\d{4}|69\d\d[- ]\d{3}[- ]\d{3}|69\d\d-\d{6}", "GR CY"),),
    "Georgian": (
        (r"\(?0? ?32\)?[ -]2[ -]\d\d[ -]\d\d[ -]\d\d|0?5\d\d[- ]\d\d[- ]\d\d[- ]\d\d|0?5\d\d[- ]\d{3}[- ]\d{3}", "GE"),
    ),
    "Armenian": ((r"\(0\d{2}\) ?\d\d[- ]\d\d[- ]\d\d|0\d\d[- ]\d\d[- ]\d\d[- ]\d\d|0\d\d[- ]\d{3}[- ]\d{3}", "AM"),),
    "Khmer": ((r"0\d\d[- ]\d{3}[- ]\d{3,4}|0\d\d[- ]\d\d[- ]\d\d[- ]\d{2,3}", "KH"),),
    "Lao": ((r"0?20[- ]\d{4}[- ]?\d{4}|0\d\d[- ]\d{6}", "LA"),),
    "Myanmar": ((r"09[- ]?\d{3}[- ]?\d{3}[- ]?\d{3}|0\d-\d{6,7}", "MM"),),
    "Ethiopic": ((r"0[1-9]\d{2}[- ]\d{2,3}[- ]\d{2,3}[- ]?\d{0,2}|09\d{8}|011[- ]\d{3}[- ]\d{4}", "ET"),),
}
_NAMES = {"HIRAGANA": "Kana", "KATAKANA": "Kana", "CJK": "Han"} | {name.upper(): name for name in SHAPES}

# Where a national number can begin: not inside another, nor one separator behind it.
START = re.compile(r"(?<!\d)(?<!\d[ ./-])(?:\((?=\d)|(?<!\()(?=\d))")
NEXT = re.compile(r"\((?=\d)|(?=\d)")  # behind a masked one
LEAD = re.compile(r"(?:[(（]?[+＋][(（ ]?|[(（])\Z")
# The number goes on behind its end; a mask stands for the number that was there.
GOES_ON = re.compile(rf"\d|\)?[-./](?:\d|{MASK})|{MASK}")
SPACED_GOES_ON = re.compile(rf"[ ./-]?(?:\d|{MASK})")
WINDOW = 48


@lru_cache(4096)
def _named_script(character: str) -> str:
    return _NAMES.get(unicodedata.name(character, "").split(" ")[0], "") if character.isalpha() else ""


def _script(character: str) -> str:
    """The script of a letter, or nothing. Capital Latin letters do not count, for masks are written in them."""
    if "A" <= character <= "Z":
        return ""
    if "\u4e00" <= character <= "\u9fff":
        return "Han"
    return "Hangul" if "\uac00" <= character <= "\ud7a3" else _named_script(character)


@cache
def _shapes(script: str) -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    return tuple((re.compile(f"(?:{shape})"), tuple(countries.split())) for shape, countries in SHAPES[script])


@lru_cache(8192)
def is_valid(number: str, country: str | None, strictly: bool = True) -> bool:
    """Whether the country's plan, or the one behind a plus, has such a number; else numbers of this length."""
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(parsed) if strictly else phonenumbers.is_possible_number(parsed)


def _announcement(left: str) -> tuple[bool, bool, bool]:
    """Whether the text left of a number announces a telephone, a number of another kind, any number.

    Up to two words may stand between, as in "phone number is", but no number and no mask.
    """
    left = NUMBER_OR_MASK.split(left)[-1].lower()
    stripped = left.rstrip(_PUNCTUATION)
    words = list(WORD.finditer(left))
    cued = any(CUES.has(word.group()) and len(left) - word.end() <= MAX_GAP for word in words[-3:])
    if not cued and not left.isascii():
        near = left[-MAX_UNSPACED_GAP:]
        cued = any(part in near for part in CUES.parts)
    last = words[-1].group() if words and words[-1].end() == len(stripped) else ""
    gap = left[len(stripped) :].strip(" ")
    cued = cued or (gap in (".", ":") and SHORT_CUES.has(last))
    return (
        cued,
        OTHERS.has(last) or stripped.endswith(OTHERS.parts),
        NUMBERS.has(last) or left.rstrip(" ").endswith(NUMBERS.parts) or stripped.endswith(NUMBERS.parts),
    )


def _ends(run: str, start: int, before_years: bool = True) -> list[int]:
    """Where the number that starts here can end, farthest first: behind groups of digits, 7 to 15 in all.

    A group that looks like a year ends what can be a number without it, unless a numbering plan is to judge.
    """
    ends: list[int] = []
    digits, end = 0, start
    for group in GROUP.finditer(run, start):
        between = run[end : group.start()]
        enough = digits >= MIN_DIGITS
        is_year = before_years and YEAR.match(group.group()) is not None
        if digits and (len(between) > 3 or (enough and (len(between) > 1 or is_year))):
            break
        digits += len(group.group())
        if digits > MAX_DIGITS:
            break
        end = group.end()
        if digits >= MIN_DIGITS:
            ends.append(end)
    return ends[::-1]


def _international(run: str, start: int, cued: bool) -> int:
    """The end of a number with a country code behind a plus or 00, -1 if there is none."""
    digit = GROUP.search(run, start)
    if digit is None or not ("+" in run[start : digit.start()] or run.startswith("00", start)):
        return -1
    for end in _ends(run, digit.start(), before_years=False):
        number = re.sub(r"\(0\)|\D", "", run[digit.start() : end]).removeprefix("00")
        if is_valid("+" + number, None) or (cued and is_valid("+" + number, None, strictly=False)):
            return end
    return -1


def _announced(run: str, start: int) -> int:
    """The end of a number that a word announces, -1 if it can be none."""
    for end in _ends(run, start):
        number = run[start:end].lstrip("(")
        if not GOES_ON.match(run, end) and not DATE.search(number) and not NOT_A_NUMBER.fullmatch(number):
            return end
    return -1


def _national(run: str, start: int, scripts: Iterable[str]) -> int:
    """The end of a number written as a country of one of the scripts writes it, -1 if there is none."""
    best = -1
    for script in scripts:
        for shape, countries in _shapes(script):
            match = shape.match(run, start)
            if match is None or match.end() <= best:
                continue
            number = match.group()
            goes_on = SPACED_GOES_ON if " " in number else GOES_ON
            if (
                not goes_on.match(run, match.end())
                and not DATE.search(number)
                and not _is_a_draw(number)
                and any(is_valid(number, country) for country in countries)
            ):
                best = match.end()
    return best


def _is_a_draw(number: str) -> bool:
    """Five or more rising numbers under 50 are a lottery's."""
    groups = GROUP.findall(number)
    return len(groups) > 4 and all(a < b for a, b in itertools.pairwise(groups)) and groups[-1] < "50"


def _scripts(text: str) -> list[str]:
    scripts = {name for name in map(_script, set(text)) if name}
    return sorted(scripts - {"Han"} if "Kana" in scripts else scripts)


def mask_phones(text: str) -> tuple[str, int]:
    """The text with telephone numbers masked, and how many there were. Masking twice changes nothing.

    What lies left of a number is judged as it stands after masking, and a mask to its right counts as a digit does:
    so each number meets the same neighbours the second time. Not found: numbers of less than 7 digits, numbers spelt
    in words or letters, bare strings of digits that nothing announces (but for mobile numbers of a few countries).
    """
    parts: list[str] = []
    tail = ""  # the end of what is written
    done = n_phones = 0
    scripts: list[str] | None = None
    for candidate in RUN.finditer(text):
        if len(DIGIT.findall(candidate.group())) < MIN_DIGITS:
            continue
        begin = candidate.start()
        lead = LEAD.search(text, max(done, begin - 3), begin)
        begin -= len(lead.group()) if lead else 0
        run = plain(text[begin : candidate.end()])
        if text.startswith(MASK, candidate.end()):
            run += MASK
        at = 0
        while at >= 0:
            left = (tail + text[max(done, begin + at - WINDOW) : begin + at])[-WINDOW:]
            cued, of_another_kind, some_number = _announcement(left)
            cued = cued or CHAIN.search(left) is not None
            end = -1
            if not of_another_kind:
                if not TOUCHED_PLUS.search(left):
                    end = _international(run, at, cued)
                    if end < 0 and cued:
                        end = _announced(run, at)
                if end < 0 and not (some_number or TOUCHED.search(left) or ADDRESS.search(left)):
                    scripts = _scripts(text) if scripts is None else scripts
                    end = _national(run, at, scripts)
            if end >= 0 and not AFTER.match(text, begin + end):
                if run[at] == "(" and ")" not in run[at:end]:
                    at += 1
                parts += [text[done : begin + at], MASK]
                tail = (tail + text[max(done, begin + at - WINDOW) : begin + at] + MASK)[-WINDOW:]
                done = begin + end
                n_phones += 1
                at = end
                following = NEXT.search(run, at)
            else:
                following = START.search(run, at + 1)
            at = following.start() if following else -1
    return ("".join([*parts, text[done:]]) if parts else text), n_phones
