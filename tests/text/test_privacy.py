import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.privacy import EMAIL_MASK, IPV4_MASK, IPV6_MASK, mask


@pytest.mark.parametrize(
    ("text", "masked"),
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
def test_emails(text: str, masked: str | None) -> None:
    expected = text if masked is None else masked.replace("<E>", EMAIL_MASK)
    assert mask(text) == (expected, expected.count(EMAIL_MASK), 0)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("from 8.8.8.8 and 93.184.216.34:80.", "from <4> and <4>:80."),
        ("服务器8.8.4.4上", "服务器<4>上"),
        ("เซิร์ฟเวอร์8.8.4.4นะ", "เซิร์ฟเวอร์<4>นะ"),
        ("http://8.8.8.8/x", "http://<4>/x"),
        ("2606:4700:4700::1111, [2a00:1450:4001:81b::200e]:443", "<6>, [<6>]:443"),
        ("mixed 2a00:1450::8.8.8.8, then IP:8.8.8.8", "mixed <6>, then IP:<4>"),
        ("route 2a00:1450::/32: yes", "route <6>/32: yes"),
        ("地址2001:4860:4860::8888。", "地址<6>。"),
        ("address 2a00:1450:4001:81b:0:0:0:200e: ok", "address <6>: ok"),
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
def test_addresses(text: str, masked: str | None) -> None:
    expected = text if masked is None else masked.replace("<4>", IPV4_MASK).replace("<6>", IPV6_MASK)
    n_ips = 0 if masked is None else masked.count("<4>") + masked.count("<6>")
    assert mask(text) == (expected, 0, n_ips)


PIECES = st.sampled_from([*"ab.@＠:-_%1 8\n字ก", "a@b.de", "8.8.8.8", "2a00:1450::1", "::", "v", "xn--", "example.com"])


@settings(max_examples=1000)
@given(st.lists(PIECES).map("".join) | st.text(st.characters(codec=None)))
def test_masking_twice_changes_nothing(text: str) -> None:
    masked = mask(text)
    assert mask(masked.text) == (masked.text, 0, 0)
    assert (masked.n_emails + masked.n_ips == 0) == (masked.text == text)


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
    ],
)
def test_time_is_linear(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        start = time.process_time()
        mask(text)
        return time.process_time() - start

    assert seconds(500_000) < 40 * seconds(50_000) + 0.5


def test_a_line_of_five_megabytes() -> None:
    text = "a" * 2_500_000 + "@" + "b." * 1_250_000
    start = time.process_time()
    assert mask(text).n_emails == 0
    assert time.process_time() - start < 10
