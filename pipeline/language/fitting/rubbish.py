"""Pieces of what is no language, made up: of each of KINDS as many as are wanted, the same for the same seed.

Menus, code, keys, tables, markup and filler text are what is left of pages without prose. No corpus of them can be
given away, and none is needed: their kinds are few, and what is in them is chance.
"""

import base64
from collections.abc import Callable

import numpy as np

Rng = np.random.Generator


def _words(text: str) -> list[str]:
    return text.split()


_MENU = _words(
    """
Home About Contact Login Register Search Menu Cart Account Help FAQ Blog News Shop Sitemap Privacy Terms
Cookies RSS Next Previous Share Print Facebook Twitter YouTube Instagram LinkedIn WhatsApp Email Download Upload
Settings Profile Logout OK Cancel Back Top More English Deutsch Français Español Italiano Português Русский 中文 日本語
한국어 العربية Türkçe
Polski Nederlands Svenska Ελληνικά हिन्दी ไทย Startseite Impressum Kontakt Datenschutz Accueil Inicio Contacto Главная
Контакты 首页 联系我们 ホーム お問い合わせ 로그인 الرئيسية Ana İletişim Services Products Gallery Events Archive Tags
"""
)
_NAMES = _words(
    """
value index item result data node count buffer config user list key name path size offset total parent child event
handler request response token error status table row column update render init load send get set parse read write tmp
foo bar baz ctx self args url src dst len max min id obj callback options params width height color margin padding
"""
)
_KEYWORDS = _words(
    "if for while return function def class var let const import public static void int new try catch null"
)
_LOREM = _words(
    """
lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua
enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat duis aute irure in
reprehenderit voluptate velit esse cillum eu fugiat nulla pariatur excepteur sint occaecat cupidatat non proident sunt
culpa qui officia deserunt mollit anim id est laborum vestibulum curabitur pellentesque vivamus nunc lacinia tincidunt
mauris donec ultricies viverra aenean phasellus suspendisse bibendum euismod vitae porta massa sapien lectus
"""
)
_TAGS = _words(
    "div span p a li ul td tr table img h1 h2 section nav button input form label script style meta link body"
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SIGNS = "★☆►◄■□▪▲▼◆○●♦♣♥→←↑↓✓✗❤☎$€£¥%^~|=+<>§¶†°±×÷#*_-"


def _pick(rng: Rng, words: list[str] | str) -> str:
    return words[int(rng.integers(len(words)))]


def _many(rng: Rng, words: list[str] | str, low: int, high: int, glue: str) -> str:
    return glue.join(_pick(rng, words) for _ in range(int(rng.integers(low, high))))


def _number(rng: Rng, most: int = 100_000) -> str:
    return str(int(rng.integers(most)))


def _menu(rng: Rng) -> str:
    return _many(rng, _MENU, 4, 25, _pick(rng, [" | ", "\n", " » ", " · ", " / ", " > ", "  "]))


def _name(rng: Rng) -> str:
    first, second = _pick(rng, _NAMES), _pick(rng, _NAMES)
    return _pick(rng, [first, f"{first}_{second}", first + second.capitalize(), f"{first}.{second}", f"${first}"])


def _code(rng: Rng) -> str:
    forms: list[Callable[[], str]] = [
        lambda: f"{_pick(rng, _KEYWORDS)} ({_name(rng)} == {_number(rng)}) {{ {_name(rng)}({_name(rng)}); }}",
        lambda: f"{_pick(rng, ['var', 'let', 'const', 'int'])} {_name(rng)} = {_name(rng)}[{_number(rng, 99)}];",
        lambda: f"def {_name(rng)}({_name(rng)}, {_name(rng)}=None):\n    return {_name(rng)}({_name(rng)})",
        lambda: f"for (int i = 0; i < {_name(rng)}.length; i++) {{ {_name(rng)} += {_name(rng)}; }}",
        lambda: f"import {_name(rng)}\nfrom {_name(rng)} import {_name(rng)}, {_name(rng)}",
        lambda: f"SELECT {_name(rng)}, {_name(rng)} FROM {_name(rng)} WHERE {_name(rng)} = '{_number(rng)}';",
        lambda: f"public static void {_name(rng)}(String[] {_name(rng)}) throws Exception {{",
        lambda: f"window.{_name(rng)} = function ({_name(rng)}) {{ return {_name(rng)} || {{}}; }};",
        lambda: f"#include <{_pick(rng, _NAMES)}.h>\nstruct {_name(rng)} *{_name(rng)} = malloc(sizeof({_name(rng)}));",
        lambda: f"  at com.{_pick(rng, _NAMES)}.{_name(rng)}({_name(rng)}.java:{_number(rng, 999)})",
        lambda: f"$ sudo apt-get install {_pick(rng, _NAMES)} && cd /{_pick(rng, _NAMES)}/{_pick(rng, _NAMES)}",
    ]
    return "\n".join(forms[int(rng.integers(len(forms)))]() for _ in range(int(rng.integers(1, 6))))


def _style(rng: Rng) -> str:
    properties = ["margin", "color", "width", "font-size", "display"]
    return "\n".join(
        f".{_pick(rng, _NAMES)}-{_pick(rng, _NAMES)} {{ {_pick(rng, properties)}: {_number(rng, 900)}px;"
        f" background: #{rng.bytes(3).hex()}; }}"
        for _ in range(int(rng.integers(1, 5)))
    )


def _data(rng: Rng) -> str:
    def field() -> str:
        value = _pick(rng, [_number(rng), "null", "true", "[]", f'"{rng.bytes(4).hex()}"'])
        return f'"{_name(rng)}": {value}'

    return "{" + ", ".join(field() for _ in range(int(rng.integers(2, 9)))) + "}"


def _key(rng: Rng) -> str:
    data = rng.bytes(int(rng.integers(8, 120)))
    parts = [
        data.hex(),
        base64.b64encode(data).decode(),
        data[:16].hex("-", 4),
        "ssh-rsa " + base64.b64encode(data).decode(),
    ]
    words = ["".join(_pick(rng, _LETTERS + _LETTERS.upper() + "0123456789") for _ in range(int(rng.integers(5, 24))))
             for _ in range(int(rng.integers(2, 9)))]  # fmt: skip
    return _pick(rng, [*parts, " ".join(words), " ".join(part.upper() for part in words)])


def _table(rng: Rng) -> str:
    glue = _pick(rng, [" | ", "\t", ", ", ";", "  "])

    def cell() -> str:
        date = f"{_number(rng, 29)}/{_number(rng, 12)}/20{_number(rng, 29):0>2}"
        amounts = [f"{rng.random() * 1000:.2f}", f"{rng.random() * 100:.1f}%", _number(rng)]
        return _pick(rng, [*amounts, date, "-", "n/a", "x", f"A{_number(rng, 99)}"])

    width = int(rng.integers(3, 9))
    rows = [glue.join(cell() for _ in range(width)) for _ in range(int(rng.integers(2, 9)))]
    return "\n".join([_many(rng, _NAMES, 0, 6, glue), *rows]).strip()


def _markup(rng: Rng) -> str:
    tags = [_pick(rng, _TAGS) for _ in range(int(rng.integers(1, 6)))]
    opened = "".join(f'<{tag} class="{_pick(rng, _NAMES)}-{_number(rng, 99)}" id="{_name(rng)}">' for tag in tags)
    template = f"{{{{{_pick(rng, _NAMES)}|{_name(rng)}={_number(rng)}}}}}"
    wiki = f"[[{_pick(rng, _NAMES)}|{_number(rng)}]] {template} == {_number(rng)} =="
    return _pick(
        rng,
        [opened + "".join(f"</{tag}>" for tag in tags[::-1]), wiki, f"&nbsp;&lt;{tags[0]}&gt;&amp;{_number(rng)};" * 3],
    )


def _lorem(rng: Rng) -> str:
    text = _many(rng, _LOREM, 6, 60, " ")
    return _pick(rng, ["Lorem ipsum dolor sit amet, consectetur adipiscing elit. ", ""]) + text.capitalize() + "."


def _addresses(rng: Rng) -> str:
    def one() -> str:
        name, other, number = _pick(rng, _NAMES), _pick(rng, _NAMES), _number(rng, 255)
        page = f"https://www.{name}{number}.com/{other}/{_number(rng)}.html?{other}={rng.bytes(3).hex()}"
        visit = f"10.{number}.{number}.7 - - [{_number(rng, 29)}/2019] GET /{name} 200 {_number(rng)}"
        file = f"C:\\{name}\\{other}.{_pick(rng, ['dll', 'exe', 'png'])}"
        return _pick(
            rng,
            [page, page, visit, file, f"{name}{number}@{other}.net", f"/usr/{name}/{other}.so", f"IMG_{number}.jpg"],
        )

    return _pick(rng, ["\n", " "]).join(one() for _ in range(int(rng.integers(1, 7))))


def _mashed(rng: Rng) -> str:
    """Keys struck by chance, and one thing over and over."""
    rows = ["asdfghjkl", "qwertyuiop", "zxcvbnm", _LETTERS]
    struck = _pick(rng, rows)
    mashed = " ".join(_many(rng, struck, 3, 14, "") for _ in range(int(rng.integers(3, 14))))
    over = _pick(rng, [_pick(rng, _LETTERS) * 3, _pick(rng, ["ha", "la", "xo", "blah ", "test ", "aaa", "www "])])
    return _pick(rng, [mashed, mashed.upper(), over * int(rng.integers(5, 50))])


def _signs(rng: Rng) -> str:
    soup = [_many(rng, _SIGNS, 1, 6, "") for _ in range(int(rng.integers(4, 30)))]
    return " ".join(_pick(rng, [one, one, _number(rng), _pick(rng, _LETTERS)]) for one in soup)


def _measures(rng: Rng) -> str:
    """Product codes, sizes and units."""
    units = ["mm", "cm", "kg", "GB", "MHz", "V", "px", "kB/s", "USD", "EUR", "W", "l", "XL", "pcs"]

    def one() -> str:
        unit, number = _pick(rng, units), _number(rng, 999)
        code = f"{_many(rng, _LETTERS, 2, 4, '').upper()}-{_number(rng)}"
        return _pick(
            rng, [f"{number} {unit}", code, f"{number}x{_number(rng, 99)} {unit}", f"v{_number(rng, 9)}.{number}"]
        )

    return _pick(rng, [" ", ", ", "\n"]).join(one() for _ in range(int(rng.integers(3, 20))))


KINDS: dict[str, Callable[[Rng], str]] = {
    "menu": _menu, "code": _code, "style": _style, "data": _data, "key": _key, "table": _table, "markup": _markup,
    "lorem ipsum": _lorem, "addresses": _addresses, "mashed keys": _mashed, "signs": _signs, "measures": _measures,
}  # fmt: skip


def pieces(each: int, seed: int = 0) -> list[tuple[str, str]]:
    """`each` pieces of every kind: pairs of kind and text."""
    return [
        (kind, make(np.random.default_rng((seed, number, place))))
        for number, (kind, make) in enumerate(KINDS.items())
        for place in range(each)
    ]
