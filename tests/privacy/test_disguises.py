import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.privacy.disguises import DISGUISED, undisguise
from pipeline.privacy.repair import repair


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ＡＢＣ ａｂｃ ０１２３", "ABC abc 0123"),
        ("第１２回：ＮＨＫ杯！（予選）", "第12回：NHK杯！（予選）"),
        ("ｶﾀｶﾅ ｶﾞｷﾞｸﾞ ﾊﾟﾋﾟ ｳﾞｧ ｺｰﾋｰ｡", "カタカナ ガギグ パピ ヴァ コーヒー｡"),
        ("カﾞ xﾞ ﾞ あﾟ", "ガ x゛ ゛ あ\u309a"),
        ("ﺍﻟﺴﻼﻡ ﻋﻠﻴﻜﻢ", "السلام عليكم"),
        ("ﭘﮋﻭﻫﺶ ﮔﻔﺖ", "پژوهش گفت"),
        ("ﷲ ﷴ", "الله محمد"),
        ("ﹶﹸ ﱠ", "َُ َّ"),
    ],
)
def test_letters_become_plain(text: str, plain: str) -> None:
    assert repair(text) == unicodedata.normalize("NFC", plain)


@pytest.mark.parametrize(
    "text",
    [
        "，。！？：；（）「」、・　～％＠＃",
        "ﷺ ﷻ ﷽ ﷼ ﴾ ﴿",
        "𝐁𝐨𝐥𝐝 𝕏 ① Ⅳ ㎏ ﬁ ² ½ ™ ｡｢｣､･ ﾡ",
        "中文 日本語 한국어 ไทย ខ្មែរ العربية עברית हिन्दी தமிழ் አማርኛ ქართული русский Türkçe",
    ],
)
def test_other_forms_stay(text: str) -> None:
    assert undisguise(text) is text
    assert repair(text) == unicodedata.normalize("NFC", text)


@given(st.text(st.characters(min_codepoint=0xFB50, max_codepoint=0xFFEF) | st.sampled_from("aか カ\u3099")))
def test_plain_letters_are_those_of_the_standard(text: str) -> None:
    """But for what stays, and the space or tatweel that it puts under a mark."""
    plain = undisguise(text)
    assert undisguise(plain) == plain

    def compatible(of: str) -> str:
        return unicodedata.normalize("NFKC", of).replace(" ", "").replace("\u0640", "")

    assert compatible(plain) == compatible(text)
    assert not DISGUISED.search(plain)
