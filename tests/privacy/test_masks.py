import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marked import counted, unmasked

from pipeline.privacy.masks import EMAIL_MASK, IP_MASK, KINDS, Masked, is_card, is_iban, mask


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to jane.doe+list@mail.corp.co.uk.", "write to <E>."),
        ("<a_b-c@x.org>, 'd%e@y.de'; mailto:f@z.io?subject=1", "<<E>>, '<E>'; mailto:<E>?subject=1"),
        ("请联系support@wanyu.cn谢谢", "请联系<E>谢谢"),
        ("メールはinfo＠kaisha.co.jpまで", "メールは<E>まで"),
        ("이메일은hong@naver.com으로", "이메일은<E>으로"),
        ("อีเมลsomchai@thai.co.thครับ", "อีเมล<E>ครับ"),
        ("អ៊ីមែលsok@khmer.com.khសូម", "អ៊ីមែល<E>សូម"),
        ("почта: иван@почта.рф, ivan@yandex.ru", "почта: <E>, <E>"),
        ("info@müller.de und info@xn--mller-kva.de", "<E> und <E>"),
        ("البريد:ali@mail.sa،", "البريد:<E>،"),
        ("דואל:dan@walla.co.il.", "דואל:<E>."),
        ("ईमेल:ram@mail.in।", "ईमेल:<E>।"),
        ("kime: ayse@posta.com.tr'ye", "kime: <E>'ye"),
        ("a@b.cd.e@f.gh, a@b.de1", "<E>.<E>, a@b.de1"),
        ("@handle me@here user@localhost x@y.1 a@.com @@ a@b..com", None),
        ("me@example.org you@mail.example them@host.test", None),
    ],
)
def test_emails(text: str, expected: str | None) -> None:
    expected = text if expected is None else expected.replace("<E>", EMAIL_MASK)
    assert mask(text) == Masked(expected, n_emails=expected.count(EMAIL_MASK))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from 8.8.8.8 and 93.184.216.34:80.", "from <4> and <4>:80."),
        ("服务器8.8.4.4上", "服务器<4>上"),
        ("เซิร์ฟเวอร์8.8.4.4นะ", "เซิร์ฟเวอร์<4>นะ"),
        ("http://8.8.8.8/x", "http://<4>/x"),
        ("2606:4700:4700::1111, [2a00:1450:4001:81b::200e]:443", "<4>, [<4>]:443"),
        ("mixed 2a00:1450::8.8.8.8, then IP:8.8.8.8", "mixed <4>, then IP:<4>"),
        ("route 2a00:1450::/32: yes", "route <4>/32: yes"),
        ("地址2001:4860:4860::8888。", "地址<4>。"),
        ("address 2a00:1450:4001:81b:0:0:0:200e: ok", "address <4>: ok"),
        ("10.0.0.1 192.168.1.1 172.16.3.4 127.0.0.1 169.254.1.1 0.0.0.0 255.255.255.255 224.0.0.251", None),
        ("fe80::1 ::1 fd12:3456::1 2001:db8::5 192.0.2.7 198.51.100.3", None),
        (
            "version 8.8.8.8, v8.8.8.8, Build: 8.8.1.2, 版本8.8.8.8, バージョン 8.8.8.8, 버전 8.8.8.8, версии 8.8.8.8",
            None,
        ),
        ("1.2.3 300.1.1.1 8.8.8.8.8 08.8.8.8 1234.5.6.7 8.8.8.8a", None),
        ("12:30:45 2024:01:02 dead::beef std::string 2abc:", None),
    ],
)
def test_addresses(text: str, expected: str | None) -> None:
    expected = text if expected is None else expected.replace("<4>", IP_MASK)
    assert mask(text) == Masked(expected, n_ips=expected.count(IP_MASK))


PLANTED = """
en-US Call us at [P:(212) 555-1234] or [P:212-555-1234].
en-US Toll-free [P:1-800-356-9377], open 9:00-17:00
en-US Reach the desk on [P:415.861.2345] before noon
en-US My cell is [P:646 861 2345], text me
en-GB Ring [P:020 7219 3000] and ask for Anna
en-GB Mobile: [P:07911 123456]
en-GB Phone number is [P:+44 (0)20 7219 3000].
en-GB The reporting line is [P:01622 798538], ask for Tom
en-AU ring [P:(02) 9374 4000] in Sydney
en-IN Mobile no. [P:98765 43210]
de Tel.: [P:030/22755550-12], Fax: [P:(030) 22 75 55 51]
de Erreichbar unter [P:089 / 12 58 29 00] und mobil [P:0171 1234567].
de Telefonnummer [P:+49 (0)40 49 07 11 06]
at Telefon [P:+43 1 515000], Durchwahl
ch Rufen Sie an: [P:044 668 18 00]
fr Appelez le [P:01 42 34 20 00] avant midi
fr Téléphone : [P:+33 1 42 34 20 00] ou [P:06.12.34.56.78]
es Teléfono: [P:912 345 678], móvil [P:+34 612 345 678]
it Tel. [P:06 69812345], cell. [P:333 1234567]
pt-BR Ligue para [P:(11) 91234-5678] ou [P:(11) 3123-4567]
pt-PT Telemóvel: [P:912 345 678]
pl tel. [P:81 446 28 00], kom. [P:601 123 456]
nl Bel [P:020-5554567] of [P:06-12345678]
sv Telefon: [P:08-123 456 78]
fi Puhelin [P:09 1234 5678]
hu Telefonszám: [P:06 1 234 5678]
ro Suna la [P:0722 123 456]
tr Bizi arayın: [P:0212 555 12 34] veya [P:0 (532) 123 45 67]
tr Cep telefonu: [P:0532 1234567]
vi Điện thoại: [P:024 3823 1234]
id Telepon [P:(021) 5201234], WA [P:0812-3456-7890]
sw Simu: [P:0712 345 678]
el Τηλ: [P:210 3234567], κινητό [P:6944123456]
ru Звоните [P:8 (495) 123-45-67] или [P:8-800-555-35-35]
ru тел.: [P:+7 (495) 609-44-44], [P:+7 (495) 609-44-33]
uk Телефонуйте: [P:(044) 234-56-78], моб. [P:050 123 45 67]
zh-CN 电话：[P:010-62675637]，手机[P:13800138000]。
zh-CN 请拨打[P:400-810-8888]或[P:138-0013-8000]咨询
zh-CN 联系方式:[P:0571-85109999]转8001
zh-TW 預約專線[P:(04)22289111]，或[P:0912-345-678]
zh-HK 查詢電話：[P:2829 5111]
ja お問い合わせは[P:03-3581-0101]まで
ja 携帯：[P:090-1234-5678]、フリーダイヤル[P:0120-444-444]
ja ＴＥＬ[P:０３－３５８１－０１０１]
ja 電話番号[P:06(6941)0351]です
ko 전화 [P:02-730-5800]으로 문의하세요
ko 휴대폰은 [P:010-1234-5678]입니다
ko ☎ [P:031-120-1234]
th โทร. [P:02-123-4567] หรือ [P:081-234-5678]
th เบอร์มือถือ[P:0812345678]ครับ
km ទូរស័ព្ទ៖ [P:012 345 678]
km ទូរស័ព្ទ [P:+855 23 724 156]
lo ໂທ: [P:020 5555 1234]
my ဖုန်း [P:09 421 123 456]
ar هاتف: [P:0501234567]
ar للتواصل جوال [P:٠٥٠ ١٢٣ ٤٥٦٧] أو [P:+966 11 401 4000]
ar اتصل على [P:٠١٠١٢٣٤٥٦٧٨] الآن
fa تلفن: [P:۰۲۱-۸۸۹۱۲۳۴۵] و همراه [P:۰۹۱۲۱۲۳۴۵۶۷]
he טלפון: [P:03-6234567] או נייד [P:052-123-4567]
hi फ़ोन: [P:011-23456789], मोबाइल [P:९८७६५ ४३२१०]
ta தொலைபேசி: [P:044-23456789]
te ఫోన్: [P:98765 43210]
bn মোবাইল: [P:০১৭১২-৩৪৫৬৭৮]
am ስልክ፦ [P:0911 23 45 67] ወይም [P:+251 11 551 7700]
ka ტელ: [P:032 2 99 11 22], მობ. [P:599 12 34 56]
hy հեռ. [P:010 52 34 56]
xx WhatsApp: [P:+234 803 123 4567] / [P:+254 712 345 678]
xx dial [P:0049 30 12345678] from abroad, [P:(+351) 21 123 4567] too
de Konto: [I:DE89 3704 0044 0532 0130 00], BIC COBADEFFXXX
de IBAN:[I:DE89370400440532013000].
fr Virement sur [I:FR14 2004 1010 0505 0001 3M02 606] avant le 5
gb Pay into [I:GB82 WEST 1234 5698 7654 32] please
ch Postkonto [I:CH93-0076-2011-6238-5295-7]
tr IBAN: [I:TR33 0006 1005 1978 6457 8413 26]
sa رقم الآيبان [I:SA03 8000 0000 6080 1016 7519] للتحويل
ge ანგარიში [I:GE29 NB00 0000 0101 9049 17]
zh 汇款到[I:NO9386011117947]账户
mt ikkuntattja [I:MT84 MALT 0110 0001 2345 MTLC AST0 01S]
en Card [C:4111 1111 1111 1111] exp 12/27
en paid with [C:5555-5555-5555-4444], thanks
en amex [C:3782 822463 10005]
zh 卡号[C:6250946000000016]已绑定
ja カード番号は[C:3530 1113 3330 0000]です
ru карта [C:2200 1529 4412 5676] Мир
th หมายเลขบัตร[C:4012888888881881]ครับ
ar بطاقة رقم [C:٤١١١ ١١١١ ١١١١ ١١١١]
hi कार्ड [C:४१११-११११-११११-११११] बंद करें
ko 카드번호 [C:5105105105105100]입니다
de Kreditkarte [C:3056 930902 5904] gesperrt
""".strip().splitlines()


def test_there_are_enough_planted_in_enough_locales() -> None:
    assert sum(line.count("[") for line in PLANTED) >= 60
    assert len({line.split()[0] for line in PLANTED}) >= 12


@pytest.mark.parametrize("line", PLANTED)
def test_planted(line: str) -> None:
    text = line.partition(" ")[2]
    assert mask(unmasked(text)) == counted(text)


HARMLESS = """
Open 2019-2020, again 2021-2022 and 1990–1995
On 12.05.2021 and 2021-05-12, 05/12/2021, 12-05-2021, 2021/05/12 12:30
It was 1 234 567 euros, 12 345 678 people, 1.299.000 TL, 1,234,567.89
ISBN 978-3-16-148410-0, ISBN 3-16-148410-X, ISBN 0-306-40615-2, ISSN 0317-8471
EAN 4006381333931, GTIN 05901234123457
Version 1.20.300.4000, kernel 5.15.0-91, build 20230115.1234
52.520008, 13.404954; 48.8566, 2.3522; -33.8688
see § 12.3.4.5 and 1.2.3.4.5.6, Art. 101-102, 42 U.S.C. 1983
pages 1234-1256, 100200-100250
http://x.org/2021/05/0301234567/212-555-1234.html
https://x.org/?id=13800138000&t=1612137600000
order #0123456789, SKU 0601-234567, No. 1234567890
1612137600 1612137600000 20210512123000
3.14159265358979, 2.71828182845904523536
0.1234567890123 and 12.3456789012345
4111 1111 1111 1112 is no card, nor is 4111111111111112
14111111111111111 is too long, 411111111111111 too short
ID 110101199003078515, 620102199001011238
IMEI 490154203237518
DE89 3704 0044 0532 0130 01 fails, DE8937040044053201300 is short, XX89 3704 0044 0532 0130 00
A4 B12 ISO 9001:2015, RFC 2606, GB 18030-2005
10.00-18.00, 9:00-17:30, 09.00 - 18.00 Uhr
Lotto: 02 05 11 23 34 46
UPC 0 12345 67890 5
100 200 300 400 500 600
1 2 3 4 5 6 7 8 9 10 11 12 13
Scores 21-19 21-17, 6-4 6-3 7-5
2019 2020 2021 2022 2023
width 1920x1080, 3840 x 2160, 300-400-500 mm
12/34/5678 and 123-45-678
patent US 6285999, EP 1234567
CAS 7732-18-5, EC 231-791-2
NGC 224, HD 209458, 2MASS J05352184
VIN 1HGCM82633A004352
ZIP 94129-0244, 10115 Berlin, PLZ 01067
$1,000,000-2,000,000 and €12 345 678
+5 degrees, +12.5 %, +1 234 points, 2+2=4
C++11, 5+49301234567
phone 3310, telefon 112, call 911 or 999
Tel. in 2019-2020; phones: 1 234 567 sold
Telefon: 12.05.2021, fax 2021-05-12
mobile 10.00-18.00, Tel. 9.00-17.30
Telefonkosten 12 345 678 €
电话机1999元，手机2019-01-01上市
公元前206年—公元220年，1949年10月1日
统一社会信用代码91110000600037341L，京ICP备12345678号
第20210512号，编号：0571-1234567890
邮编：310000，QQ：123456789
手机报，精彩随身，移动用户发送到RMRB到10658000
тел. только днём, ICQ: 435477375
価格は1,234,567円、2021年5月12日、12:30～13:45
〒100-0001 東京都、ISBN978-4-00-310101-8
登録番号 第1234567号、1603-1868年
사업자등록번호 123-45-67890, 1592-1598년 임진왜란
2021.05.12 12:30, 1,234,567원
ราคา 1,234,567 บาท วันที่ 12/05/2564 ปี 2562-2563
เลขที่ 1234/5678 หมู่ 9
តម្លៃ 1 234 567 រៀល ថ្ងៃ 12-05-2021
السعر 1,234,567 ريال في 12-05-2021 عام 1990-1995
سال ۱۳۹۹-۱۴۰۰ و تاریخ ۱۳۹۹/۰۵/۱۲
המחיר 1,234,567 ש"ח בתאריך 12.05.2021, 1948-1967
कीमत 12,34,567 रुपये, दिनांक 12-05-2021, धारा 302-304
विक्रम संवत २०७७-२०७८, १२३४५६७ लोग
விலை 12,34,567 ரூபாய், 12-05-2021
ዋጋ 1,234,567 ብር በ12-05-2013 ዓ.ም.
ფასი 1 234 567 ლარი, 12.05.2021, 1918-1921
цена 1 234 567 руб., 12.05.2021, 1941-1945 гг.
ИНН 7707083893, ОГРН 1027700132195, БИК 044525225
ГОСТ 12.0.004-2015, СНиП 2.01.07-85
р/с 40702810400000012345
fiyat 1.234.567 TL, 12.05.2021, TC 12345678901
KRS 0000123456, NIP 525-000-12-34, REGON 012345678
USt-IdNr. DE123456789, HRB 12345, Steuernummer 27/123/45678
SIRET 732 829 320 00074, article L. 121-1-1
precio 1.234.567 pesos, CIF B12345678, 1936-1939
CNPJ 12.345.678/0001-95, CPF 123.456.789-09
ABN 51 824 753 556, ORCID 0000-0002-1825-0097
doi:10.1000/182.2021.0301234567, arXiv:2101.01234
""".strip().splitlines()


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_numbers_stay(text: str) -> None:
    assert mask(text) == Masked(text)


def test_there_are_enough_harmless_ones() -> None:
    assert len(HARMLESS) >= 60


def test_kinds_are_chosen() -> None:
    text = "a@b.de, 8.8.8.8, DE89370400440532013000, 4111111111111111, +49 30 12345678"
    assert mask(text) == Masked("<EMAIL>, <IP>, <IBAN>, <CARD>, <PHONE>", 1, 1, 1, 1, 1)
    for index, kind in enumerate(KINDS):
        one = mask(text, (kind,))
        assert list(one[1:]) == [int(i == index) for i in range(5)]
        assert one.text != text
    assert mask(text, ()) == Masked(text)


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("GB82WEST12345698765432", True),
        ("GB82WEST12345698765433", False),
        ("GB82WEST1234569876543", False),
        ("MT84MALT011000012345MTLCAST001S", True),
        ("KW81CBKU0000000000001234560101", True),
        ("BR1800360305000010009795493C1", True),
        ("ZZ82WEST12345698765432", False),
    ],
)
def test_iban_check_digits(number: str, valid: bool) -> None:
    assert is_iban(number) is valid


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("4111111111111111", True),
        ("4222222222222", True),
        ("378282246310005", True),
        ("30569309025904", True),
        ("6011111111111117", True),
        ("3530111333300000", True),
        ("2223003122003222", True),
        ("5555555555554444", True),
        ("5555555555554445", False),
        ("411111111111111", False),
        ("1234567812345670", False),  # the check digit is right, the issuer is none
        ("2220000000000009", False),
    ],
)
def test_card_numbers(number: str, valid: bool) -> None:
    assert is_card(number) is valid


PIECES = st.sampled_from(
    [
        *"ab.@＠:-_%1 80\n字ก+(/)<>,",
        "a@b.de",
        "8.8.8.8",
        "2a00:1450::1",
        "::",
        "v",
        "xn--",
        "example.com",
        "tel ",
        "电话",
        "Tel. ",
        "030",
        "1234567",
        " / ",
        "+49 30 12345678",
        "03-3581-0101",
        "212-555-1234",
        "(030) ",
        "2019",
        "4111 1111 1111 1111",
        "4111111111111111",
        "DE89 3704 0044 0532 0130 00",
        "<PHONE>",
        "<CARD>",
        "０３－",
        "12.05.2021",
        " oder ",
        "  ",
    ]
)


@settings(max_examples=2000, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join) | st.text(st.characters(codec=None)))
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask(text)
    assert mask(once.text) == Masked(once.text)
    assert (sum(once[1:]) == 0) == (once.text == text)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "@",
        "a@",
        "a.",
        "a@b.",
        "a@b-",
        "1.",
        "1",
        "2a00:",
        "2",
        "a@b.cd ",
        "字@",
        "8.8.8.8 ",
        ":",
        "2abc:1::",
        "8.8.8.8v",
        "DE89 ",
        "4111 ",
        "030 1234567  ",
        "tel ",
        "Tel. 030 1234567, ",
        "(",
        "+49 30 12345678 ",
        "٠",
    ],
)
def test_time_is_linear(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        start = time.process_time()
        mask(text)
        return time.process_time() - start

    assert seconds(200_000) < 40 * seconds(20_000) + 0.5


def test_a_line_of_five_megabytes() -> None:
    text = "a" * 2_500_000 + "@" + "b." * 1_250_000
    start = time.process_time()
    assert mask(text) == Masked(text)
    assert time.process_time() - start < 10


@pytest.mark.parametrize("text", ["", "\0", "\ud800 tel \udfff 030", "0" * 100_000, "a\u0301" * 10_000])
def test_odd_texts(text: str) -> None:
    assert mask(text) == Masked(text)
