"""Personal data masked by typed placeholders: e-mail and public IP addresses, IBANs, payment cards, telephone numbers.

Nothing relies on spaces around an address, for Chinese or Thai text has none. Time is linear in the text's length, and
a text without a candidate costs a few scans.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

import regex

from pipeline.privacy import ip_addresses, phones

EMAIL_MASK, IP_MASK, PHONE_MASK = "<EMAIL>", ip_addresses.MASK, phones.MASK
IBAN_MASK, CARD_MASK = "<IBAN>", "<CARD>"
KINDS = ("email", "ip", "phone", "iban", "card")

# RFC 5321: 64 octets before the sign, labels of 63 behind it. Letters are those of scripts that write spaces and
# take no suffixes on foreign words, so that what follows in Chinese, Thai or Korean is no part of the address.
LETTER = r"\p{Latin}\p{Cyrillic}\p{Greek}"
LOCAL = regex.compile(rf"(?r)[{LETTER}0-9][{LETTER}0-9._%+\-]*")
LABEL = rf"[{LETTER}0-9][{LETTER}0-9\-]{{0,62}}"
TOP_LEVEL = rf"(?:(?:xn--[a-z0-9\-]{{2,59}}|[a-z]{{2,24}})(?![a-z0-9])|\p{{Cyrillic}}{{2,24}}(?![{LETTER}0-9]))"
DOMAIN = regex.compile(rf"(?:{LABEL}\.){{1,8}}{TOP_LEVEL}(?![@\uff20])", regex.IGNORECASE)
AT = regex.compile(rf"(?<=[{LETTER}0-9._%+\-])[@\uff20](?=[{LETTER}0-9])")
RESERVED = regex.compile(
    r"(?:^|\.)example\.(?:com|net|org)(?:\.|\Z)|\.(?:example|invalid|test|localhost)\Z", regex.IGNORECASE
)

# Length of an IBAN by country (ISO 13616, SWIFT's IBAN registry).
_IBAN_LENGTHS = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18
FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20
LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24
SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBAN_LENGTHS.split()}
IBAN = re.compile(r"[A-Z][A-Z][0-9][0-9](?=[ \xa0-]?[A-Z0-9])")
IBAN_BODY = re.compile(r"(?:[ \xa0-]?[A-Z0-9])*")
LONGEST_IBAN = 2 * max(IBAN_LENGTHS.values())
ALPHANUMERIC = re.compile(r"[A-Za-z0-9_]")

# Issuers' first digits and the lengths of their numbers (ISO/IEC 7812): Visa, Mastercard, American Express, Diners
# Club, Discover, JCB, UnionPay, Maestro, Mir, Troy.
CARD_ISSUER = re.compile(
    r"4\d{12}(?:\d{3}(?:\d{3})?)?"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720|220[0-4]|35(?:2[89]|[3-8]\d)|9792)\d{12}"
    r"|3[47]\d{13}"
    r"|3(?:0[0-5]|09|[689]\d)\d{11}"
    r"|6(?:011|4[4-9]\d|5\d\d|2\d\d|7(?:59|6[1-3])|304)\d{12}"
    r"|62\d{15,17}"
    r"|50(?:18|20|38)\d{12}|5893\d{12}"
)
# Groups as they are embossed, or no groups. A card that stands beside other digits is none, but for its expiry date.
CARD = re.compile(
    r"(?<!\d)(?<!\d[ ./-])(?:"
    r"(?P<groups>\d{4}([ -])\d{4}\2\d{4}\2\d{4}(?:\2\d{3})?|\d{4}([ -])\d{6}\3\d{4,5}|\d{4}([ -])\d{3}\4\d{3}\4\d{3})"
    r"|\d{13,19})(?!\d)(?![ ./-](?:\d(?!\d?/\d\d)|<))"
)
CARD_CUE = re.compile(
    r"(?:card|kart|carte|carta|tarjeta|cart\u00e3o|karta|\u043a\u0430\u0440\u0442|visa|master ?card|amex|maestro|\u5361"
    r"|\u30ab\u30fc\u30c9|\uce74\ub4dc|\u0e1a\u0e31\u0e15\u0e23|\u0628\u0637\u0627\u0642|\u06a9\u0627\u0631\u062a|\u05db\u05e8\u05d8\u05d9\u05e1"
    r"|\u0915\u093e\u0930\u094d\u0921|\u0b85\u0b9f\u0bcd\u0b9f\u0bc8|\u12ab\u122d\u12f5|\u10d1\u10d0\u10e0\u10d0\u10d7|\u0584\u0561\u0580\u057f|\u1780\u17b6\u178f)[^\d<>\n]{0,24}\Z",
    re.IGNORECASE,
)
# A number of another kind is announced, or the digits are part of an address, a decimal, a code. A masked telephone
# number counts as the digits it was.
NO_CARD = re.compile(
    r"(?:imei|isbn|ean|gtin|upc|serial|tracking|orcid|doi|ISSN)[^\d<>\n]{0,12}\Z|[A-Za-z\u00c0-\u024f\u0370-\u052f_=#&%$@/+-]\Z"
    rf"|\d[.,]\Z|{PHONE_MASK}[ .,/-]?\Z|(?:://|www\.)[^\s<>]*\Z",
    re.IGNORECASE,
)
NO_CARD_AFTER = re.compile(r"[A-Za-z\u00c0-\u024f\u0370-\u052f_=%@]|[.,](?:\d|<PHONE>)")
BIRTH_DATE = re.compile(r"\d{6}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}")


class Masked(NamedTuple):
    """The text with its personal data replaced, and how many of each kind there were."""

    text: str
    n_emails: int = 0
    n_ips: int = 0
    n_phones: int = 0
    n_ibans: int = 0
    n_cards: int = 0


def _mask_emails(text: str) -> tuple[str, int]:
    parts, done = [], 0
    for sign in AT.finditer(text):
        at = sign.start()
        if at < done:
            continue
        local = LOCAL.match(text, max(done, at - 64), at)
        domain = DOMAIN.match(text, at + 1) if local else None
        if local and domain and not RESERVED.search(domain.group()):
            parts += [text[done : local.start()], EMAIL_MASK]
            done = domain.end()
    return ("".join([*parts, text[done:]]) if parts else text), len(parts) // 2


def is_iban(number: str) -> bool:
    """Length by country and check digits (ISO 7064, MOD 97-10) of an IBAN without separators."""
    if len(number) != IBAN_LENGTHS.get(number[:2]):
        return False
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1


def _mask_ibans(text: str) -> tuple[str, int]:
    parts, done = [], 0
    for head in IBAN.finditer(text):
        start = head.start()
        length = IBAN_LENGTHS.get(head.group()[:2])
        if length is None or start < done or (start and ALPHANUMERIC.match(text, start - 1)):
            continue
        body = IBAN_BODY.match(text, head.end(), head.end() + LONGEST_IBAN)
        assert body is not None
        places = [m.start() for m in ALPHANUMERIC.finditer(text, start, body.end())]
        if len(places) < length:
            continue
        end = places[length - 1] + 1
        if not ALPHANUMERIC.match(text, end) and is_iban("".join(text[place] for place in places[:length])):
            parts += [text[done:start], IBAN_MASK]
            done = end
    return ("".join([*parts, text[done:]]) if parts else text), len(parts) // 2


def is_card(number: str) -> bool:
    """Whether digits without separators are of an issuer's form and end in their check digit (Luhn, ISO/IEC 7812-1)."""
    if not CARD_ISSUER.fullmatch(number):
        return False
    digits = [int(digit) for digit in number[::-1]]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


def _mask_cards(text: str) -> tuple[str, int]:
    parts: list[str] = []
    done = 0
    for run in phones.RUN.finditer(text):
        if len(run.group()) < 13:
            continue
        plain = phones.plain(run.group())
        if text.startswith(PHONE_MASK, run.end()):  # where there was a number
            plain += PHONE_MASK
        for card in CARD.finditer(plain):
            start, end = run.start() + card.start(), run.start() + card.end()
            number = card.group().replace(" ", "").replace("-", "")
            left = phones.plain(text[max(0, start - 48) : start])
            if (
                not is_card(number)
                or NO_CARD.search(left)
                or NO_CARD_AFTER.match(text, end)
                or BIRTH_DATE.fullmatch(number)
                # Article numbers and times have 13 or 14 digits as well.
                or (len(number) < 15 and not card["groups"] and not CARD_CUE.search(left))
                or number.endswith("000000000")
            ):
                continue
            parts += [text[done:start], CARD_MASK]
            done = end
    return ("".join([*parts, text[done:]]) if parts else text), len(parts) // 2


def mask(text: str, kinds: Collection[str] = KINDS) -> Masked:
    """Masks e-mail addresses, public IP addresses, IBANs, card numbers and telephone numbers of the given kinds.

    Masking twice changes nothing. Reserved domains (RFC 2606) and private, reserved and multicast addresses stay; so
    do the numbers of versions and of sections (`pipeline.privacy.ip_addresses`). An address that a page spells out
    (name at host) is not found, nor is an IBAN in small letters.
    """
    n_emails = n_ips = n_phones = n_ibans = n_cards = 0
    if "email" in kinds and ("@" in text or "\uff20" in text):
        text, n_emails = _mask_emails(text)
    if "ip" in kinds:
        text, n_ips = ip_addresses.mask_ips(text)
    if phones.RUN.search(text):  # a number of any of these kinds has seven digits and separators in a row
        if "iban" in kinds:
            text, n_ibans = _mask_ibans(text)
        if "card" in kinds:
            text, n_cards = _mask_cards(text)
        if "phone" in kinds:
            text, n_phones = phones.mask_phones(text)
    return Masked(text, n_emails, n_ips, n_phones, n_ibans, n_cards)
