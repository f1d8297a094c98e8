"""Sentences of texts in many scripts, as a vocabulary learns from them and as pairs are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.sentences import sentence_ends, sentences_of

# Text -> its sentences.
GOLDEN = {
    "cmn": ("今天天气很好。我们去公园吧！你说：“好的。”然后呢？\n　　第二段",
            ["今天天气很好。", "我们去公园吧！", "你说：“好的。”", "然后呢？", "第二段"]),
    "jpn": ("「行く。」と言った。本当！？３．１４です。はい",
            ["「行く。」", "と言った。", "本当！？", "３．１４です。", "はい"]),
    "tha": ("ภาษาไทยไม่มีจุด เว้นวรรคไม่ใช่ประโยค\n\nบรรทัดใหม่", ["ภาษาไทยไม่มีจุด เว้นวรรคไม่ใช่ประโยค", "บรรทัดใหม่"]),
    "hin": ("यह पहला वाक्य है। यह दूसरा है॥ तीसरा? अंत", ["यह पहला वाक्य है।", "यह दूसरा है॥", "तीसरा?", "अंत"]),
    "arb": ("هذه جملة. هل هذا سؤال؟ نعم! النهاية", ["هذه جملة.", "هل هذا سؤال؟", "نعم!", "النهاية"]),
    "heb": ("זה משפט. \"למה?\" שאל", ["זה משפט.", "\"למה?\"", "שאל"]),
    "tam": ("இது ஒரு வாக்கியம். ஏன்? முடிவு", ["இது ஒரு வாக்கியம்.", "ஏன்?", "முடிவு"]),
    "kat": ("ეს წინადადებაა. რატომ? დასასრული", ["ეს წინადადებაა.", "რატომ?", "დასასრული"]),
    "rus": ("Это предложение. «Почему?» Конец…  Да", ["Это предложение.", "«Почему?»", "Конец…", "Да"]),
    "tur": ("Bu bir cümle. Neden? İşte", ["Bu bir cümle.", "Neden?", "İşte"]),
    "urd": ("یہ پہلا جملہ ہے۔ دوسرا۔", ["یہ پہلا جملہ ہے۔", "دوسرا۔"]),
    "amh": ("ይህ ዓረፍተ ነገር ነው። ሁለተኛው ነው፧ ሦስተኛ", ["ይህ ዓረፍተ ነገር ነው።", "ሁለተኛው ነው፧", "ሦስተኛ"]),
    "khm": ("នេះជាប្រយោគ។ ថ្មី\nបន្ទាត់", ["នេះជាប្រយោគ។ ថ្មី", "បន្ទាត់"]),
    "kor": ("안녕하세요. 반갑습니다! 끝", ["안녕하세요.", "반갑습니다!", "끝"]),
    "ell": ("Καλημέρα. Πώς είσαι; Καλά.", ["Καλημέρα.", "Πώς είσαι; Καλά."]),
    "eng": ('He paid $3.50 at example.com. "Why?" she asked... (Because.) \t Done',
            ["He paid $3.50 at example.com.", '"Why?"', "she asked...", "(Because.)", "Done"]),
    "und": (" \n\t\n \u00a0 \u3000\n", []),
}  # fmt: skip
# Where a space ends a phrase, pairs go by it; a space beside a number or a foreign word, or before a sign that leans on
# the word in front, ends none.
PAIRED = {
    "tha": ("ภาษาไทยไม่มีจุด เว้นวรรคใช่ประโยค\n\nบรรทัดใหม่", ["ภาษาไทยไม่มีจุด", " เว้นวรรคใช่ประโยค\n\n", "บรรทัดใหม่"]),
    "tha, signs": ("มาก ๆ เลย มี 5 คน ใช้ Linux อยู่", ["มาก ๆ", " เลย", " มี 5 คน", " ใช้ Linux อยู่"]),
    "lao": ("ສະບາຍດີ ຂອບໃຈ ຫຼາຍ ໆ", ["ສະບາຍດີ", " ຂອບໃຈ", " ຫຼາຍ ໆ"]),
    "khm": ("នេះជាប្រយោគ។ ថ្មី\nបន្ទាត់", ["នេះជាប្រយោគ។", " ថ្មី\n", "បន្ទាត់"]),
    "mya": ("မင်္ဂလာပါ။ နေကောင်းလား။", ["မင်္ဂလာပါ။", " နေကောင်းလား။"]),
    "bod": ("བཀྲ་ཤིས། བདེ་ལེགས།", ["བཀྲ་ཤིས།", " བདེ་ལེགས།"]),
    "hye": ("Սա նախադասություն է։ Ինչու։", ["Սա նախադասություն է։", " Ինչու։"]),
    "eng": ('About 3.14. "Why?" she asked.  (Because.)\n\n \nDone',
            ["About 3.14.", ' "Why?"', " she asked.", "  (Because.)\n\n \n", "Done"]),
    "zho": ("\n  今天３．１４。“好的。”然后呢？", ["\n  今天３．１４。", "“好的。”", "然后呢？"]),
    "mixed": ("คำ. ใหม่ The end. Yes", ["คำ.", " ใหม่ The end.", " Yes"]),
}  # fmt: skip
SPACED = sorted(set(GOLDEN) - {"tha", "khm"})


@pytest.mark.parametrize("language", GOLDEN)
def test_sentences(language: str) -> None:
    text, expected = GOLDEN[language]
    assert sentences_of(text) == expected


def parts_of(text: str) -> list[str]:
    ends = sentence_ends(text)
    return [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("language", PAIRED)
def test_sentences_of_pairs(language: str) -> None:
    text, expected = PAIRED[language]
    assert parts_of(text) == expected


@pytest.mark.parametrize("language", SPACED)
def test_where_marks_are_written_pairs_have_the_sentences_of_the_vocabulary(language: str) -> None:
    text, expected = GOLDEN[language]
    assert [part.strip() for part in parts_of(text)] == expected


@given(st.text(alphabet='aб。.!? \n\t"”１．กไๆក។ ሀ።\u200b\u3000'))
def test_parts_are_the_whole_text_and_none_is_blank(text: str) -> None:
    parts = parts_of(text)
    if text.replace("\u200b", " ").isspace() or not text:
        assert not parts
    else:
        assert "".join(parts) == text
        assert all(part.replace("\u200b", "").strip() for part in parts)
