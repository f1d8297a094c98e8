import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from pipeline.page.blocks.markup import read_markup
from pipeline.page.main_text import block_model, engine, lines
from pipeline.page.main_text.block_features import GROUP, LEVEL, NAMES, NEIGHBOUR, features
from pipeline.page.main_text.block_measures import KINDS, OWN, measure
from pipeline.page.main_text.block_model import (
    SCORE_NAMES,
    STRUCTURE_NAMES,
    Trees,
    load,
    model,
    save,
    score,
    score_features,
    structure_features,
)
from pipeline.page.main_text.choice import MIN_SCORE, Scores, choose, expected_f1
from pipeline.page.main_text.plain_text import assemble
from pipeline.words.characters import characters

PROSE = {
    "zh": "网络上的每一种语言都有自己的文字，这篇文章用它写成，句子要足够长才像正文。",
    "ja": "ウェブ上のどの言語にも固有の文字があり、この記事はそれで書かれています。",
    "ko": "웹에 있는 모든 언어에는 고유한 문자가 있으며, 이 글은 그 문자로 쓰였습니다.",
    "th": "ทุกภาษาบนเว็บมีตัวอักษรของตนเอง และบทความนี้เขียนด้วยตัวอักษรนั้น",
    "km": "ភាសានីមួយៗនៅលើបណ្ដាញមានអក្សរផ្ទាល់ខ្លួន ហើយអត្ថបទនេះត្រូវបានសរសេរដោយអក្សរនោះ។",
    "ar": "لكل لغة على الشبكة كتابتها الخاصة، وهذه المقالة مكتوبة بها.",
    "he": "לכל שפה ברשת יש כתב משלה, והמאמר הזה כתוב בו.",
    "hi": "वेब पर हर भाषा की अपनी लिपि होती है, और यह लेख उसी में लिखा गया है।",
    "ta": "வலையில் ஒவ்வொரு மொழிக்கும் சொந்த எழுத்து உண்டு, இந்தக் கட்டுரை அதில் எழுதப்பட்டுள்ளது.",
    "am": "በድር ላይ እያንዳንዱ ቋንቋ የራሱ ፊደል አለው፣ ይህ ጽሑፍም በዚያ ፊደል የተጻፈ ነው።",
    "ka": "ვებში ყოველ ენას თავისი დამწერლობა აქვს და ეს სტატია სწორედ ამ დამწერლობით არის დაწერილი.",
    "ru": "У каждого языка в сети есть своё письмо, и эта статья написана им.",
    "tr": "Ağdaki her dilin kendi yazısı vardır ve bu makale onunla yazılmıştır.",
    "en": "Every language on the web has a script of its own, and this article is written in it.",
}


SPACES = "".join(chr(point) for point in range(0x110000) if chr(point).isspace())
WIDE = "".join(space for space in SPACES if ord(space) > 0xA0)
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u202b\U000e0020\u3164\ufe0f\u034f"


def site(body: str, menu: str = "Menu") -> bytes:
    links = "".join(f"<li><a href=/{n}>{menu} {n}</a></li>" for n in range(15))
    return (
        f"<html><head><title>A page</title></head><body><div class=header><ul>{links}</ul></div>"
        f"<div class=content>{body}</div><div class=footer><a href=/i>Imprint</a> © 2026</div></body></html>"
    ).encode()


@pytest.mark.parametrize("language", PROSE)
def test_article_in_every_script(language):
    prose = PROSE[language]
    html = site(f"<h1>{prose[:12]}</h1>" + "".join(f"<p>{prose} {n}</p>" for n in range(8)), prose[:6])
    lines = engine.main_text(html).splitlines()
    assert [f"{prose} {n}" for n in range(8)] == [line for line in lines if line.startswith(prose)]
    assert not any(line.endswith(("Imprint © 2026", f"{prose[:6]} 7")) for line in lines)


P = "".join(f"<p>{PROSE['en']} {n}</p>" for n in range(6))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("<h2>Head</h2>" + P, "Head\n" + PROSE["en"]),
        (f"<ul><li>{PROSE['en']} x<li><p>{PROSE['en']} y</p><p>{PROSE['en']} z</ul>",
         f"- {PROSE['en']} x\n- {PROSE['en']} y\n{PROSE['en']} z"),
        ("<table><tr><th>Name of the city<th>People<tr><td>Zürich<td>443,037</table>",
         "Name of the city | People\nZürich | 443,037"),
        ("<pre>def f(x):\n    return x\n\nprint(f(2))</pre>", "def f(x):\n    return x\n\nprint(f(2))"),
        (f"<p>{PROSE['en']} v<br>{PROSE['en']} w</p>", f"{PROSE['en']} v\n{PROSE['en']} w"),
        (f"<table><tr><td><p>{PROSE['en']} p</p><p>{PROSE['en']} q</p></table>", f"{PROSE['en']} p\n{PROSE['en']} q"),
    ],
)  # fmt: skip
def test_lines_of_what_is_chosen(part, expected):
    markup = read_markup(site(P + part + P))
    everything = assemble(markup, np.ones(len(markup.start), bool), characters()).tobytes().decode()
    assert expected in everything
    assert PROSE["en"] in engine.main_text(site(P + part + P))


def assembled(html: str) -> str:
    """The text of all blocks."""
    markup = read_markup(html.encode())
    text: bytes = assemble(markup, np.ones(len(markup.start), bool), characters()).tobytes()
    return text.decode()


@pytest.mark.parametrize("language", PROSE)
def test_white_space_of_every_script_is_trimmed(language):
    prose = PROSE[language]
    plain = "".join(f"<p>{prose} {n}</p>" for n in range(8))
    padded = "".join(f"<p>\u3000 &#x2003;{WIDE}{prose} {n}{WIDE} &emsp;&#x2028;\x85</p><p>\u3000</p>" for n in range(8))
    lines = engine.main_text(site(padded)).splitlines()
    assert [f"{prose} {n}" for n in range(8)] == [line for line in lines if prose in line]
    assert all(line.strip() == line != "" for line in lines)
    assert assembled(padded) == assembled(plain)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>\u3000\u3000文 字\u3000句\u2003</p>", "文 字\u3000句"),
        ("<p>a\u2028b</p><p>c \u2029 \x85 d</p><p>\u2028e\u2028</p>", "a b\nc d\ne"),
        ("<pre>a\u2028  b\x85c\u2029\u2029d</pre>", "a\n  b\nc\n\nd"),
        ("<pre>  if x:\n    y\n\tz\n</pre>", "  if x:\n    y\n\tz"),
        ("<pre>\u3000\u3000春\n \u3000 眠\n  不\u3000覚\u3000\n\u3000</pre>", "春\n 眠\n  不\u3000覚"),
        ("<pre>\u3000\n \u2003\n  a</pre>", "  a"),
        ("<p>می\u200cخواهم</p><p>\u200dक्\u200d</p><p>\u200cن\u200c \u200d</p>",
         "می\u200cخواهم\n\u200dक्\u200d\n\u200cن\u200c \u200d"),
        ("<p>\u3000<p>\u200b\u200d<p>a<p>\u2003\ufeff\u2003<p>\u3164<p>b", "a\nb"),
        ("<p>\u200f.<p>\u200b\u0301<p>\ue000<p>\u0601", "\u200f.\n\u200b\u0301\n\ue000\n\u0601"),
        ("<ul><li>\u3000<p>a<p>b<li>\u200b<li>c<li>\u3000 d</ul>", "- a\nb\n- c\n- d"),
        ("<ul><li>\u3000<ul><li>\u2003<li>x</ul>y<li>z</ul>", "- x\ny\n- z"),
        ("<table><tr><td>\u3000<td>1<td>\u200b<td>\u30002\u3000<tr><td>3<td>\u3000</table>", "1 | 2\n3"),
        ("<table><tr><td>\u3000<tr><td>\u3000</table><p>\u200b", ""),
    ],
)  # fmt: skip
def test_white_space_and_what_is_not_seen(html, text):
    assert assembled(html) == text


@pytest.mark.parametrize("blank", [*WIDE, *UNSEEN, WIDE + UNSEEN, UNSEEN + WIDE, "\u3000 \u200b&nbsp;&#x2028;"])
def test_a_page_of_nothing_that_is_seen_has_no_text(blank):
    html = f"<article><h1>{blank}</h1><p>{blank * 40}</p><ul><li>{blank}</ul><pre>{blank}</pre>".encode()
    assert engine.main_text(html) == ""


BLANK = regex.compile(r"[\s\p{Default_Ignorable_Code_Point}]*")
PIECES = (
    *SPACES, *UNSEEN, "字", "ا", "क", "a", "1", "<p>", "<br>", "<pre>", "</pre>", "<li>", "<td>", "<tr>", "\n", " "
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_lines_are_trimmed_and_nothing_else_is_lost(pieces):
    html = "".join(pieces)
    text, markup = assembled(html), read_markup(html.encode())
    data = markup.text.tobytes()
    ranges = zip(markup.start.tolist(), markup.end.tolist(), strict=True)
    seen = [block for start, end in ranges if not BLANK.fullmatch(block := data[start:end].decode())]
    assert regex.sub(r"[\s|-]", "", text) == regex.sub(r"\s", "", "".join(seen))
    if "<pre>" not in html:
        lines = [line.removeprefix("- ") for line in regex.split(r" \| |\n", text)] if text else []
        assert len(lines) == len(seen)
        assert all(line.strip() == line != "" for line in lines)
    assert not regex.search(r"(?m)[\x85\u2028\u2029]|^ *[\u2000-\u200a\u3000]", text)


def test_what_is_not_seen_is_what_unicode_says():
    ours = [point for first, last in lines.UNSEEN.tolist() for point in range(first, last + 1)]
    text = "".join(map(chr, range(0x110000)))
    assert ours == [found.start() for found in regex.finditer(r"\p{Default_Ignorable_Code_Point}", text)]


@given(st.binary(max_size=80).map(lambda data: data.replace(b"<", b"\xe3\x80\x80")), st.booleans())
def test_any_bytes_are_assembled(data, in_pre):
    page = (b"<pre>" if in_pre else b"<p>") + data
    markup = read_markup(page)
    out = assemble(markup, np.ones(len(markup.start), bool), characters())
    assert len(out) <= len(markup.text)


def forum() -> str:
    return "".join(
        f"<div class=post id=p{n}><div class=author>user{n}</div><div class=message>"
        f"I had the same problem with the {n}th version. You have to remove the old driver first, then it worked.</div>"
        "</div>"
        for n in range(9)
    )


PRODUCT = (
    "<h1>Walking boot Alpina</h1><div class=price>CHF 249.00</div><div class=description>This sturdy boot of full "
    "grain leather keeps your feet dry on every path. Its sole was made for rock and snow.</div><ul class=features>"
    "<li>Weight of a pair: 1,420 grams<li>Waterproof lining<li>Resoling possible</ul><button>Add to cart</button>"
)
HOME = "<h1>Welcome to the chess club</h1><p>We meet every Tuesday at eight in the old school. Beginners are welcome."


@pytest.mark.parametrize(
    ("body", "words"),
    [(forum(), "remove the old driver"), (PRODUCT, "full grain leather"), (HOME, "every Tuesday at eight")],
    ids=["forum", "product", "home page"],
)
def test_pages_that_are_no_article_are_not_empty(body, words):
    assert words in engine.main_text(site(body))


def test_features_by_hand():
    html = (
        b"<title>Red fox, a short life</title><nav><a href=1>Home</a></nav><h1>Red fox</h1>"
        b"<p>The fox ran 12 miles. It slept, then woke! <a href=2>More</a></p><p>The end</p>"
    )
    rows = features(html, read_markup(html))
    assert rows.shape == (4, len(NAMES))
    of = {name: place for place, name in enumerate(NAMES)}
    heading, prose, end = rows[1], rows[2], rows[3]
    assert rows[0, of["link_share"]] == 1 and heading[of["link_share"]] == 0
    assert heading[of["title_cover"]] == 1 and heading[of["title_share"]] == pytest.approx(2 / 5)
    assert prose[of["words"]] == pytest.approx(np.log1p(10))
    assert prose[of["link_share"]] == pytest.approx(4 / 47)
    assert prose[of["terminals"]] == 2 and prose[of["ends_terminal"]] == 0
    assert prose[of["pauses"]] == pytest.approx(1 / 10)
    assert prose[of["digit_share"]] == pytest.approx(2 / 38) and prose[of["starts_upper"]] == 1
    assert prose[of["upper_share"]] == pytest.approx(3 / 33)
    assert prose[of["place"]] == 0.5 and prose[of["place_by_words"]] == pytest.approx(3 / 15)
    assert prose[of["page_words"]] == pytest.approx(np.log1p(15))
    assert prose[of["words[+1]"]] == pytest.approx(np.log1p(2)) and end[of["words[+1]"]] == -1
    assert prose[of["heading"]] == 0 and rows[0, of["heading"]] == -1
    assert end[of["group_blocks"]] == pytest.approx(np.log1p(2)) and heading[of["group_blocks"]] == pytest.approx(
        np.log1p(1)
    )


@given(st.lists(st.sampled_from(["<p>", "<div class=nav>", "<a href=x>", "</a>", "words here.", "字。", "<li>",
                                 "</div>", "<td>", "<h1>", "12", "<title>words</title>"]), max_size=40))  # fmt: skip
def test_features_are_finite_and_sums_hold(pieces):
    html = "".join(pieces).encode()
    markup = read_markup(html)
    rows = features(html, markup)
    assert np.isfinite(rows).all()
    if len(rows):
        measures = measure(np.frombuffer(html, np.uint8), markup, characters(), KINDS)
        assert measures.sums[-1, 0] == pytest.approx(measures.words.sum())
        assert measures.groups[:, 0].sum() == len(rows)
        scores = block_model.score_blocks(markup, measures, *model())
        assert ((scores.text > 0) & (scores.text < 1)).all() and ((scores.choice >= 0) & (scores.choice <= 1)).all()
        seen = score_features(html, scores.text)
        assert seen.shape == (len(rows), len(SCORE_NAMES)) and np.isfinite(seen).all()
        seen = structure_features(html, scores.text)
        assert seen.shape == (len(rows), len(STRUCTURE_NAMES)) and np.isfinite(seen).all()


def test_names_are_those_of_the_parts():
    assert len(set(block_model.ALL_NAMES)) == len(NAMES) + len(SCORE_NAMES) + len(STRUCTURE_NAMES)
    for part in (OWN, NEIGHBOUR, LEVEL, GROUP):
        assert all(any(name.split("[")[0].split("^")[0].endswith(one) for name in NAMES) for one in part)


def brute(trees: Trees, row: np.ndarray) -> float:
    """Sum of the leaves, read recursively."""

    def leaf(place: int) -> float:
        threshold, feature, right = trees.nodes[place].tolist()
        if feature < 0:
            return threshold
        return leaf(place + 1 if row[feature] <= threshold else place + right)

    return sum(leaf(int(root)) for root in trees.roots)


def test_scores_of_the_shipped_model_read_recursively():
    generator = np.random.default_rng(5)
    ends = np.cumsum([len(NAMES), len(SCORE_NAMES), len(STRUCTURE_NAMES)])
    for trees, size in zip(model(), ends.tolist(), strict=True):
        assert trees.nodes["feature"].max() < size
        rows, scores = generator.normal(0, 3, (50, size)).astype(np.float32), np.zeros(50, np.float32)
        score(trees, rows, scores)
        assert scores == pytest.approx([1 / (1 + np.exp(-brute(trees, row))) for row in rows], rel=1e-5)


def test_hopeless_blocks_get_no_more_trees():
    links = "".join(f"<li><a href=/{n}>Section {n}</a></li>" for n in range(60))
    words = "".join(f"<p>{'A sentence of the article, with commas and more. ' * (1 + n % 5)}</p>" for n in range(20))
    html = f"<body><ul class=menu>{links}</ul><article>{words}</article><footer><ul>{links}</ul></footer>".encode()
    rows, trees = features(html, read_markup(html)), model().first
    scores = np.zeros(len(rows), np.float32)
    score(trees, rows, scores, block_model.LOOK)
    few = Trees(trees.roots[: block_model.LOOK], trees.nodes)
    lost = np.array([brute(few, row) < block_model.LOST for row in rows])
    assert 20 < lost.sum() < len(rows) - 20
    sums = [
        brute(few, row) - block_model.GIVEN_UP if gone else brute(trees, row)
        for gone, row in zip(lost, rows, strict=True)
    ]
    left = [1 / (1 + np.exp(-total)) for total in sums]
    assert scores == pytest.approx(left, rel=1e-5)
    assert max(scores[lost]) < block_model.HOPELESS


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0.1, 50)), min_size=1, max_size=8))
def test_no_other_choice_has_a_larger_expected_f1(pairs):
    """Over all subsets; the expectation as the ratio of expected words."""
    scores, weight = (np.array(column) for column in zip(*pairs, strict=True))
    scores = scores.astype(np.float32)
    total = float((scores * weight).sum())
    best = 0.0
    for mask in range(1, 1 << len(scores)):
        taken = np.array([bool(mask >> bit & 1) for bit in range(len(scores))])
        best = max(best, 2 * float((scores * weight)[taken].sum()) / (float(weight[taken].sum()) + total))
    assert expected_f1(scores, weight) == pytest.approx(best, abs=1e-5)
    chosen = choose(Scores(scores, scores), weight)
    assert (scores[chosen] >= MIN_SCORE).all()


def test_a_model_of_other_features_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    save(path, model())
    assert all(np.array_equal(a, b) for a, b in zip(load(path).second, model().second, strict=True))
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["names"] = arrays["names"][:-1]
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"model.npz was trained with other features: run tests/bench/train_blocks.py"):
        load(path)


def test_the_model_is_small():
    assert block_model.MODEL.stat().st_size < 500_000


@pytest.mark.parametrize("language", PROSE)
def test_structure_in_every_script(language):
    """Headings, items, links that a sentence announces, terms and cells stay with the text around them."""
    prose = PROSE[language]
    words = [prose[at : at + 7].strip(" ,.、，。।") for at in range(0, 36, 4)]
    paragraph = "".join(f"<p>{prose} {n}</p>" for n in range(2))
    body = (
        f"<h1>{words[0]}</h1>{paragraph}<h2>{words[1]}</h2>{paragraph}"
        f"<ul><li>{words[2]} 2<li>{words[3]} 3<li>{words[4]} 4</ul>{paragraph}"
        f"<p>{prose[:20]}:</p><ul><li><a href=a>{words[5]} 5</a><li><a href=b>{words[6]} 6</a></ul>{paragraph}"
        f"<dl><dt>{words[7]} 7<dd>{prose}<dt>{words[8]} 8<dd>{prose}</dl><h3>{words[2]} 9</h3>{paragraph}"
        f"<table><tr><th>{words[3]}<th>{words[4]}<tr><td>{words[5]}<td>443</table>{paragraph}"
    )
    lines = engine.main_text(site(body, prose[:6])).splitlines()
    for line in (words[1], f"- {words[3]} 3", f"- {words[6]} 6", f"{words[7]} 7", f"{words[8]} 8", f"{words[2]} 9"):
        assert line in lines
    assert f"{words[5]} | 443" in lines
    assert not any(line.startswith(f"- {prose[:6].strip()} 1") for line in lines)
