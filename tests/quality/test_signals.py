import gzip
import time
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals_reference import STOP_WORDS, has_phrase, reference

from pipeline.kernels.arrow_text import from_strings
from pipeline.quality.phrases import PHRASES
from pipeline.quality.signals import SIGNALS, StopWords, signal_columns
from pipeline.quality.signals import signals as measured
from pipeline.words.words import words, words_of

SHARED = Path(__file__).resolve().parents[2] / "../shared"
SHARES = [name for name, _, _ in SIGNALS if name.endswith("_share") and not name.startswith("top_")]


def signals(text: str, language: str, script: str) -> dict[str, int | float | None]:
    return measured(text, language, script, {label: sorted(chosen) for label, chosen in STOP_WORDS.items()})


def test_english_by_hand() -> None:
    text = "To be, or not to be...\n- To be, or not to be...\n\n\n- 42 # that is\nTo be, or not to be..."
    found = signals(text, "eng", "Latn")
    # to be or not to be | to be or not to be | 42 that is | to be or not to be: 21 words, 55 letters and digits
    assert found["n_chars"] == found["n_bytes"] == 22 + 1 + 24 + 3 + 14 + 1 + 22 == 87
    assert (found["n_words"], found["n_lines"], found["n_paragraphs"]) == (21, 4, 2)
    assert found["mean_word_length"] == (3 * 13 + 8) / 21
    assert found["hash_to_word_ratio"] == 1 / 21
    assert found["ellipsis_to_word_ratio"] == 3 / 21
    assert found["bullet_line_share"] == 2 / 4
    assert found["ellipsis_line_share"] == 3 / 4
    assert found["alpha_word_share"] == 20 / (21 + 3)  # 42 has no letter; two dashes and a hash stand alone
    assert found["stop_word_hits"] == 3  # to, be, that
    assert found["dup_line_share"] == 1 / 4  # the second begins with a dash
    assert found["dup_line_char_share"] == 22 / 87
    assert found["char_dup_share"] == 22 / 82
    assert found["dup_paragraph_share"] == found["dup_paragraph_char_share"] == 0
    assert found["top_2gram_char_share"] == 6 * 5 / 87  # "to be" six times
    assert found["top_3gram_char_share"] == 3 * 8 / 87  # "to be or" three times, before "be or not"
    assert found["top_4gram_char_share"] == 3 * 12 / 87
    # to be or not to | and so on; the seventh and the sixteenth word begin "to be or not to" again
    assert found["dup_5gram_char_share"] == 2 * 11 / 87
    assert found["dup_6gram_char_share"] == 2 * 13 / 87
    assert found["dup_7gram_char_share"] == 0
    assert found["line_punct_share"] == 3 / 4
    assert found["short_line_share"] == 1
    assert found["newline_to_word_ratio"] == 5 / 21
    assert found["space_to_word_ratio"] == (5 + 6 + 4 + 5) / 21


SENTENCES = [
    # text, language, script, words, characters of words, lines that end a sentence of two
    ("Она сказала: «Да».\nИ ушла", "rus", "Cyrl", 5, 17, 1),
    ("قالت: نعم؟\nثم ذهبت", "arb", "Arab", 4, 13, 1),
    ("היא אמרה “כן.”\nוהלכה", "heb", "Hebr", 4, 14, 1),
    ("उसने हाँ कहा।\nफिर गई॥", "hin", "Deva", 5, 15, 2),
    ("அவள் ஆம் என்றாள்.\nபோனாள்", "tam", "Taml", 4, 20, 1),
    ("እሺ አለች።\nሄደች", "amh", "Ethi", 3, 8, 1),
    ("მან თქვა: დიახ!\nწავიდა", "kat", "Geor", 4, 17, 1),
    ("Evet dedi.)\nSonra gitti", "tur", "Latn", 4, 18, 1),
    ("그녀가 말했다. \n그리고 갔다", "kor", "Hang", 4, 11, 1),
]


@pytest.mark.parametrize(("text", "language", "script", "n_words", "chars", "ends"), SENTENCES)
def test_spaced_scripts_by_hand(text: str, language: str, script: str, n_words: int, chars: int, ends: int) -> None:
    found = signals(text, language, script)
    assert found["n_words"] == n_words
    assert found["mean_word_length"] == chars / n_words
    assert found["line_punct_share"] == ends / 2
    assert found["alpha_word_share"] == 1
    assert found["stop_word_hits"] is None
    assert found["n_lines"] == 2


@pytest.mark.parametrize(
    ("text", "language", "script", "n_words", "ends"),
    [
        ("她说：“是的。”\n然后走了", "cmn", "Hani", 8, 1),
        ("「はい」と言った。\nそして、行った！？", "jpn", "Jpan", 12, 2),
        ("เธอพูดว่าใช่\nแล้วก็ไป", "tha", "Thai", 15, 0),
        ("នាងនិយាយ។\nហើយទៅ៕", "khm", "Khmr", 8, 2),
    ],
)
def test_unspaced_scripts_by_hand(text: str, language: str, script: str, n_words: int, ends: int) -> None:
    found = signals(text, language, script)
    assert found["n_words"] == n_words
    assert found["mean_word_length"] is None
    assert found["line_punct_share"] == ends / 2


def test_ngrams_without_spaces_by_hand() -> None:
    found = signals("天天向上天天向上。天天向上", "cmn", "Hani")
    assert found["n_words"] == 12
    assert found["top_2gram_char_share"] == 3 * 2 / 13
    assert found["top_4gram_char_share"] == 3 * 4 / 13
    # 天天向上天 天向上天天 向上天天向 上天天向上 | 天天向上天 again, then three are left
    assert found["dup_5gram_char_share"] == 5 / 13
    assert found["dup_8gram_char_share"] == 8 / 13
    assert found["dup_9gram_char_share"] == 0


def test_equally_common_ngrams_count_the_first() -> None:
    assert signals("a bb a bb ccc ccc", "deu", "Latn")["top_2gram_char_share"] == 2 * 4 / 17
    assert signals("once only here", "deu", "Latn")["top_2gram_char_share"] == 9 / 14


@pytest.mark.parametrize("text", ["", " ", "\n\n", "###", "...", "\u0301", "\ud800"])
def test_nothing_to_divide_by(text: str) -> None:
    found = signals(text, "eng", "Zyyy")
    assert found["n_words"] == (text == "\u0301")
    assert all(value is None or value >= 0 for value in found.values())


def test_types_and_names() -> None:
    found = signals("Some text, in English.", "eng", "Latn")
    assert list(found) == [name for name, _, _ in SIGNALS]
    for name, arrow, definition in SIGNALS:
        assert isinstance(found[name], int if pa.types.is_integer(arrow) else float), name
        assert definition


def without_size(found: dict[str, int | float | None]) -> dict[str, int | float | None]:
    """Compression is Zstandard's own, and tested apart."""
    return {name: value for name, value in found.items() if name != "compression_ratio"}


PIECES = [
    *"aA.#…-•\n 字の。กิ่ßİ1'\u0301\u2028\x1c\xa0\ud800{$٣！",
    "the ",
    "of the ",
    "word ",
    "\n\n",
    "...",
    "# ",
    "va ",
]
PIECES += ["! ", "cookie policy ", "javascript ", "lorem ipsum ", "隐私政策"]
TEXTS = st.lists(
    st.sampled_from(PIECES),
    max_size=80,
).map("".join) | st.text(st.characters(codec=None))


@settings(max_examples=300)
@given(TEXTS, st.sampled_from(["eng", "deu", "uzn"]), st.sampled_from(["Latn", "Hani"]))
def test_signals_are_those_of_the_reference(text: str, language: str, script: str) -> None:
    assert without_size(signals(text, language, script)) == reference(text, language, script)


@given(TEXTS)
def test_shares_lie_between_0_and_1(text: str) -> None:
    found = signals(text, "eng", "Latn")
    for name in SHARES:
        assert 0 <= (found[name] or 0) <= 1, name


@pytest.mark.parametrize(
    ("language", "script"),
    [("eng", "Latn"), ("rus", "Cyrl"), ("zho-CN", "Hani"), ("jpn", "Jpan"), ("tha", "Thai"), ("kor", "Hang")],
)
def test_real_text_against_the_reference(language: str, script: str) -> None:
    file = SHARED / f"data/parallel/{language}.txt.gz"
    if not file.exists():
        pytest.skip(f"no ../shared/data/parallel/{file.name}")
    text = gzip.decompress(file.read_bytes()).decode()[:6000]
    text += text[1000:2500] + text[:700]
    assert without_size(signals(text, language, script)) == reference(text, language, script)


@pytest.mark.parametrize(
    "piece", ["a ", "a\n", "ab", "字", "the of and ", "# ", "\n", "กิ", "one two three four five six "]
)
def test_time_is_near_linear(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        start = time.process_time()
        signals(text, "eng", "Hani" if piece == "字" else "Latn")
        return time.process_time() - start

    seconds(10)
    assert seconds(500_000) < 40 * seconds(50_000) + 0.5


MARKUP = [
    # text, language, script: sentences; visible characters, of which digits, punctuation, symbols; letters, upper case
    ("Она ушла в 7:30. Да! Потом", "rus", "Cyrl", 3, (21, 3, 3, 0), (15, 3)),
    ("قالت: نعم؟ ثم ٢٥٪ ذهبت", "arb", "Arab", 2, (18, 2, 3, 0), (12, 0)),
    ("היא: “כן.” והלכה ₪5", "heb", "Hebr", 2, (16, 1, 4, 1), (10, 0)),
    ("उसने हाँ कहा। फिर २ गई॥", "hin", "Deva", 2, (18, 1, 2, 0), (9, 0)),
    ("அவள் ஆம் என்றாள்.", "tam", "Taml", 1, (15, 0, 1, 0), (9, 0)),
    ("እሺ አለች። ሄደች፤ 3+4", "amh", "Ethi", 2, (13, 2, 2, 1), (8, 0)),
    ("მან თქვა: დიახ! ₾9", "kat", "Geor", 2, (15, 1, 2, 1), (11, 0)),
    ("Evet DEDİ.) Sonra v1.5 gitti", "tur", "Latn", 2, (24, 2, 3, 0), (19, 6)),
    ("그녀가 말했다. 8시에", "kor", "Hang", 2, (10, 1, 1, 0), (8, 0)),
    ("她说是的。然后走了！9", "cmn", "Hani", 3, (11, 1, 2, 0), (8, 0)),
    ("はい。そう！？行く", "jpn", "Jpan", 3, (9, 0, 3, 0), (6, 0)),
    ("เธอพูดว่าใช่ ๑๒ ฿", "tha", "Thai", 1, (15, 2, 0, 1), (9, 0)),
    ("នាងនិយាយ។ ហើយទៅ៕", "khm", "Khmr", 2, (15, 0, 2, 0), (9, 0)),
    ("Pi is 3.14... or so. Yes", "eng", "Latn", 3, (19, 3, 5, 0), (11, 2)),
]


@pytest.mark.parametrize(("text", "language", "script", "n_sentences", "visible", "letters"), MARKUP)
def test_sentences_and_characters_by_hand(
    text: str, language: str, script: str, n_sentences: int, visible: tuple[int, ...], letters: tuple[int, int]
) -> None:
    found = signals(text, language, script)
    whole, digits, punctuation, symbols = visible
    assert len("".join(text.split())) == whole
    assert found["n_sentences"] == n_sentences
    assert found["digit_char_share"] == digits / whole
    assert found["punct_char_share"] == punctuation / whole
    assert found["symbol_char_share"] == symbols / whole
    assert found["upper_char_share"] == letters[1] / letters[0]


REPEATED = [
    ("один два один три", "rus", "Cyrl", 3 / 4, 4),
    ("بيت كبير بيت", "arb", "Arab", 2 / 3, 4),
    ("घर बड़ा घर घर", "hin", "Deva", 2 / 4, 4),
    ("天天向上", "cmn", "Hani", 3 / 4, 1),
    ("ここにここ", "jpn", "Jpan", 2 / 5, 1),
    ("กากา", "tha", "Thai", 2 / 4, 1),
    ("집 나무 집", "kor", "Hang", 2 / 3, 2),
    ("სახლი და სახლი", "kat", "Geor", 2 / 3, 5),
    ("ev EV Ev okul", "tur", "Latn", 2 / 4, 4),
]


@pytest.mark.parametrize(("text", "language", "script", "unique", "longest"), REPEATED)
def test_different_and_long_words_by_hand(text: str, language: str, script: str, unique: float, longest: int) -> None:
    found = signals(text, language, script)
    assert found["unique_word_share"] == unique
    assert found["max_word_length"] == longest


def test_c4_by_hand() -> None:
    lines = [
        "This line stays as it is. It has two sentences.",
        "Two words.",  # fewer than three
        "No end of a sentence here",
        "We wait for more...",
        "This site uses cookies to be nice.",
        "Please switch JavaScript on now.",
        "Lorem ipsum dolor sit amet.",
        "if (x) { return 1; }",
        "他说他明天来。他也会来。",
        "请阅读我们的隐私政策和条款。",
    ]
    found = signals("\n".join(lines), "eng", "Latn")
    assert found["c4_kept_line_share"] == 3 / 10  # the first, lorem ipsum, and the Chinese one
    assert found["c4_kept_sentences"] == 2 + 1 + 2
    assert found["c4_policy_line_share"] == 2 / 10
    assert found["c4_javascript_line_share"] == 1 / 10
    assert (found["c4_lorem_ipsum"], found["c4_curly_bracket"]) == (1, 1)
    assert signals("x" * 1001 + " is too long.", "eng", "Latn")["c4_kept_line_share"] == 0
    assert signals("Cookies of chocolate are no policy.", "eng", "Latn")["c4_policy_line_share"] == 0


def test_stop_words_by_language_and_script() -> None:
    assert measured("va bir va uy", "uzn", "Latn", STOP_WORDS)["stop_word_hits"] == 2
    assert measured("va bir va uy", "uzn", "Latn", STOP_WORDS)["stop_word_share"] == 3 / 4
    assert measured("va bir va uy", "uzn", "Arab", STOP_WORDS)["stop_word_hits"] is None
    assert measured("的是的", "cmn", "Hani", {"Hani": ["的"]})["stop_word_share"] == 2 / 3
    assert measured("l'eau d'or", "fra", "Latn", {"fra": ["l'eau"]})["stop_word_hits"] == 2  # its words


def test_compression() -> None:
    assert measured("", "eng", "Latn")["compression_ratio"] == 0
    assert measured("spam " * 1000, "eng", "Latn")["compression_ratio"] > 50
    assert 0.5 < measured("Every word here is another one, for once.", "eng", "Latn")["compression_ratio"] < 1.5


def test_a_batch_is_its_texts() -> None:
    texts = ["One line.\nOne line.", "", "天天向上天天向上", "- a\n\n- a", "привет " * 20, "\ud800"]
    labels = [("eng", "Latn"), ("und", "Zyyy"), ("cmn", "Hani"), ("eng", "Latn"), ("rus", "Cyrl"), ("und", "Zyyy")]
    lists = {label: sorted(chosen) for label, chosen in STOP_WORDS.items()}
    array = from_strings(["to be sliced off", *texts])[1:]
    found = signal_columns(array, words_of(array), *zip(*labels, strict=True), StopWords(lists))
    for i, (text, label) in enumerate(zip(texts, labels, strict=True)):
        assert {name: column[i].as_py() for name, column in found.items()} == signals(text, *label)


def test_phrases_are_words_and_belong_to_one_kind() -> None:
    for kind, phrases in PHRASES.items():
        assert len(set(phrases)) == len(phrases), kind
        for phrase in phrases:
            assert has_phrase(kind, words(f"({phrase})"))
            assert kind == "policy" or len(words(phrase)) <= 2


@pytest.mark.parametrize(
    "text",
    [
        "The Kuki people live in the hills.\nKuki leaders met in Imphal.\nThe Kuki students' union agreed.",
        "कुकी समुदाय के लोग पहाड़ों में रहते हैं।\nकुकी नेताओं ने बैठक की।\nकुकी संगठन सहमत हुआ।",
        "クッキーの材料は小麦粉とバターです。\nクッキーを焼きます。\nクッキーは冷ましてから食べます。",
        "Бисквитките се пекат десет минути.\nБисквитки с мед.\nОставете бисквитките да изстинат.",
        "Recette des cookies aux noix.\nSortez les cookies du four.\nLaissez refroidir les cookies.",
        "These cookies are baked for ten minutes.\nEat all cookies at once.\nA box of cookies is left.",
        "Para las galletas: mezcla la harina.\nHornea las cookies.\nReceta de cookies de avena.",
        "Kolačiće pecite deset minuta.\nČerez i kolačići na stolu.\nPiškotke postrezite hladne.",
        "쿠키를 구워요.\n쿠키 반죽을 만듭니다.\n쿠키가 식으면 먹어요.",
        "คุกกี้เนยอบสิบนาที\nคุกกี้อร่อยมาก\nทำคุกกี้ที่บ้าน",
        "העוגיות נאפות עשר דקות.\nעוגיות שוקולד.\nהגישו את העוגיות קרות.",
    ],
)
def test_biscuits_and_peoples_are_no_cookie_notice(text: str) -> None:
    assert measured(text, "und", "Latn")["c4_policy_line_share"] == 0


def test_lines_in_another_kind_of_script_do_not_dilute() -> None:
    english = measured("the river and the stone", "eng", "Latn", STOP_WORDS)
    mixed = measured("the river and the stone 河与石头都在这里", "eng", "Latn", STOP_WORDS)
    assert mixed["mean_word_length"] == english["mean_word_length"] == 19 / 5
    assert mixed["stop_word_share"] == english["stop_word_share"] == 3 / 5
    assert measured("的 river 是", "cmn", "Hani", {"Hani": ["的"]})["stop_word_share"] == 1 / 2


BLANK_LINES = {
    "none": "\n",
    "one": "\n\n",
    "three": "\n\n\n\n",
    "with spaces and tabs": "\n \n\t\n",
    "with no-break and ideographic spaces": "\n\u00a0\n\u3000\n",
    "of Windows": "\r\n\r\n\r\n",
}


@pytest.mark.parametrize("between", BLANK_LINES.values(), ids=BLANK_LINES)
@pytest.mark.parametrize(("text", "language", "script", "n_words", "chars", "ends"), SENTENCES)
def test_blank_lines_repeat_nothing(
    between: str, text: str, language: str, script: str, n_words: int, chars: int, ends: int
) -> None:
    one, other = text.split("\n")
    found = signals(between.join((one, other, other)), language, script)
    assert found["n_lines"] == 3
    assert found["n_words"] == n_words + len(words(other))
    assert found["line_punct_share"] == pytest.approx((ends + (ends == 2)) / 3)
    assert found["n_paragraphs"] == (1 if between == "\n" else 3)
    assert found["dup_paragraph_share"] == (0 if between == "\n" else 1 / 3)  # the third, not the empty ones
    assert found["short_line_share"] == 1
    alone = signals(between.join((one, other)), language, script)
    for name in ("dup_line_share", "dup_paragraph_share", "dup_paragraph_char_share", "char_dup_share"):
        assert alone[name] == 0


def test_paragraphs_by_hand() -> None:
    text = "\n\n one\ntwo \n\t\n\u00a0\n\n one\ntwo\n\nthree\n \n \nthree \n\n"
    found = signals(text, "eng", "Latn")
    assert found["n_chars"] == 2 + 9 + 6 + 8 + 2 + 5 + 5 + 8 == 45
    assert found["n_paragraphs"] == 4
    assert found["dup_paragraph_share"] == 2 / 4
    assert found["dup_paragraph_char_share"] == (len("one\ntwo") + len("three")) / 45
