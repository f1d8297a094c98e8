"""Whose licence a link gives: the page's, or that of something on it."""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.page.licence_words import _RESERVED, reservations, sentence
from pipeline.page.metadata import read_metadata
from pipeline.page.surroundings import surroundings

CC = "https://creativecommons.org/licenses"
BY, SA = f"{CC}/by/4.0/", f"{CC}/by-sa/4.0/"
MARKED, PLAIN = f"<a rel=license href={BY}>CC</a>", f"<a href={BY}>CC</a>"


def licence(html: str) -> str | None:
    return read_metadata(html.encode()).licence


def data(value: object) -> str:
    return f"<script type='application/ld+json'>{json.dumps(value)}</script>"


# What is licensed is on the page. None of these is the page's, whether the link is marked as a licence's or not.
ON_THE_PAGE = {
    "figure": "<figure><img src=x>Foto {}</figure>",
    "figcaption in a footer": "<footer><figure><figcaption>{}</figcaption></figure></footer>",
    "table's caption": "<table><caption>{}</caption></table>",
    "embedded object": "<object data=f.svg>{}</object>",
    "quotation": "<blockquote><footer>{}</footer></blockquote>",
    "caption by class": "<div class='wp-caption alignleft'><p>{}</p></div>",
    "credit by class": "<span class=photoCredit>{}</span>",
    "thumbnail of a wiki": "<div class=thumbinner>{}</div>",
    "gallery": "<ul class='gallery mw-gallery-traditional'><li>{}</ul>",
    "licence of a picture": "<span class='image-license copyright'>{}</span>",
    "credit in a side bar": "<aside><div class=image-credits>{}</div></aside>",
    "comment": "<section id=comments><div class=license>{}</div></section>",
    "comment in a list": "<ol class=commentlist><li id=comment-7><footer>{}</footer></ol>",
    "a poster's signature": "<div class=post><div class=post-signature><footer>{}</footer></div></div>",
    "reader in a side bar": "<aside class=widget_recent_comments>{}</aside>",
    "other articles": "<footer><div class=related-posts>{}</div></footer>",
    "picture of schema.org": "<div itemscope itemtype=https://schema.org/ImageObject><footer>{}</footer></div>",
    "picture of RDFa": "<footer about=https://example.org/a.jpg>{}</footer>",
    "map": "<div class=leaflet-control-attribution>Map data {}</div>",
    "unclosed paragraph": "<div><p class=caption>{}<p>words</div>",
    "sentence on pictures": "<footer>Alle Fotos (außer Fremdinhalten) stehen unter {}</footer>",
    "Flaticon": "<footer>Icons made by F. from www.f.example is licensed by {}</footer>",
    "theme": "<footer>© 2020 A. · Theme by B. under {}</footer>",
    "photo behind": "<footer>{} photo by J.</footer>",
    "initial in a credit": "<footer>Bild: R. Lind, {}</footer>",
}


@pytest.mark.parametrize("html", ON_THE_PAGE.values(), ids=ON_THE_PAGE.keys())
@pytest.mark.parametrize("link", [MARKED, PLAIN], ids=["marked", "plain"])
def test_a_licence_of_something_on_the_page(html, link):
    assert licence(f"<main><p>words</main>{html.format(link)}") is None
    # and the page's own is found beside it
    assert licence(f"{html.format(link)}<footer>Text under <a rel=license href={SA}>CC BY-SA</a></footer>") == SA
    assert licence(f"{html.format(link)}<footer>Text under <a href={SA}>CC BY-SA</a></footer>") == SA


# Where a plain link is the page's.
OWN_PLACES = {
    "footer": "<footer><p>{}</footer>",
    "side bar": "<aside>{}</aside>",
    "role": "<div role=contentinfo>{}</div>",
    "blog's widget": "<div class='widget widget_text'><div class=textwidget>{}</div></div>",
    "widget with an image": "<aside id=media_image-3 class='widget widget_media_image'>{}</aside>",
    "wiki": "<div id=footer><ul><li id=footer-info-copyright>Text is available under {}</ul></div>",
    "box in the article": "<article><div class='license copyright'>LICENSED UNDER {}</div></article>",
    "class of the link": PLAIN.replace("<a ", "<a class=license "),
    "colophon": "<section id=colophon>{}</section>",
    "German": "<div id=seitenfuss>© 2020 · Design by B. • Lizenz: {}</div>",
    "article with an image": "<article class='post has-post-thumbnail category-photo'><footer>{}</footer></article>",
    "menu": "<footer><a href=/f>Fotos</a> <a href=/k>Kontakt</a> {}</footer>",
    "void and raw elements": "<img class=photo><br><script>'<figure>'</script><footer>{}</footer>",
    "closed figure": "<figure><figcaption>Foto</figure><footer>{}</footer>",
}


@pytest.mark.parametrize("html", OWN_PLACES.values(), ids=OWN_PLACES.keys())
def test_a_plain_link_in_a_place_of_the_page_s_own(html):
    assert licence(f"<main><p>words</main>{html.format(PLAIN)}") == BY


@pytest.mark.parametrize(
    "html",
    [
        "<p>{}</p>",
        "<article><aside>{}</aside></article>",
        "<div class='content-sidebar-wrap has-sidebar with-footer'>{}</div>",
        "<div class=elementor-widget-container>{}</div>",
        "<body class='footer-fixed license'>{}</body>",
        "<footer></footer>{}",
        "<template><footer>{}</footer></template>",
    ],
)
def test_a_plain_link_elsewhere(html):
    assert licence(html.format(PLAIN)) is None


SENTENCES = {  # of the page's words, and of its pictures
    "zh": ("本站文章采用 {} 许可", "本站图片采用 {} 许可"),
    "ja": ("記事は {} の下に提供されています", "写真は {} の下に提供されています"),
    "ko": ("이 글의 내용은 {} 에 따릅니다", "사진은 {} 에 따릅니다"),
    "th": ("เนื้อหาอยู่ภายใต้ {}", "รูปถ่ายอยู่ภายใต้ {}"),
    "km": ("អត្ថបទនេះ {}", "រូបថត {}"),
    "ar": ("النصوص متاحة بموجب {}", "الصور متاحة بموجب {}"),
    "he": ("הטקסט מוגש בכפוף ל {}", "התמונות מוגשות בכפוף ל {}"),
    "hi": ("यह सामग्री {} के अंतर्गत", "तस्वीरें {} के अंतर्गत"),
    "ta": ("கட்டுரைகள் {}", "புகைப்படங்கள் {}"),
    "am": ("ጽሑፉ በ {}", "ፎቶዎች በ {}"),
    "ka": ("ტექსტი {}", "ფოტოები {}"),
    "ru": ("Тексты доступны по лицензии {}", "Фотографии доступны по лицензии {}"),
    "tr": ("Metin {} altındadır", "Fotoğraflar {} altındadır"),
    "en": ("Text and images are under {}", "All images on this site are under {}"),
    "de": ("Alle Beiträge stehen unter {}", "Beitragsbilder stehen unter {}"),
    "fr": ("Les textes et images sont sous {}", "Les images sont sous {}"),
    "es": ("Los contenidos están bajo {}", "Las imágenes están bajo {}"),
}


@pytest.mark.parametrize("language", SENTENCES)
def test_what_a_sentence_licenses(language):
    whole, pictures = SENTENCES[language]
    for link in (PLAIN, MARKED):
        assert licence(f"<footer>{whole.format(link)}</footer>") == BY
        assert licence(f"<footer>{pictures.format(link)}</footer>") is None


PHRASES = [phrase for line in _RESERVED.split("\n") for phrase in line.split("|") if phrase]


@pytest.mark.parametrize("phrase", PHRASES)
def test_reserved_rights_contradict_a_plain_link_only(phrase):
    for said in (phrase, phrase.upper(), phrase.title(), phrase.replace(" ", "&nbsp;"), phrase.replace(" ", "\n ")):
        page = f"<p>words</p><div>© 2026 {said}.</div><footer>{{}}</footer>"
        assert licence(page.format(PLAIN)) is None, said
        assert licence(page.format(MARKED)) == BY


@pytest.mark.parametrize(
    "html",
    [
        "<figure>© J., all rights reserved</figure>",
        "<div class=comment>All rights reserved!</div>",
        "<script>'All rights reserved'</script><!-- All rights reserved --><p title='All rights reserved'>",
        f"<p>{'On laws and on notices, of which there are many. ' * 9}It says that all rights reserved are void.",
        "<p>Some rights reserved. Einige Rechte vorbehalten. All seats are reserved.",
    ],
)
def test_what_does_not_reserve_the_page_s_rights(html):
    assert licence(f"{html}<footer>{PLAIN}</footer>") == BY


def test_another_licence_that_is_named_contradicts_a_plain_link():
    assert licence(f"<footer><a href={BY}>CC BY-NC</a></footer>") is None
    assert licence(f"<footer><a href={CC}/by-nc-sa/4.0/>CC BY NC-SA 4.0</a></footer>") == f"{CC}/by-nc-sa/4.0/"
    assert licence(f"<footer>{PLAIN}</footer><p>This text is under <a href={SA}>CC</a>") is None
    assert licence(f"<footer>{PLAIN}</footer><p>Photo: J. / <a href={SA}>CC</a>") == BY


SNIPPET = (
    f"<a rel='license' href='{BY}'><img alt='Creative Commons License' src='i.png'></a><br />"
    "<span xmlns:dct='http://purl.org/dc/terms/' property='dct:title'>{}</span> by <a href='/'>A. Author</a> is "
    f"licensed under a <a rel='license' href='{BY}'>Creative Commons Attribution 4.0 International License</a>."
)


def test_creative_commons_own_snippet():
    """The button belongs to the sentence behind it."""
    assert licence(f"<div class=entry-content><p>words<p>{SNIPPET.format('A blog')}</div>") == BY
    assert licence(f"<aside>{SNIPPET.format('Die Bilder in diesem Blog')}</aside>") is None


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (data({"@type": "NewsArticle", "license": BY}), BY),
        (data({"@graph": [{"@type": "WebPage", "license": {"@id": BY}}, {"@type": "ImageObject", "license": SA}]}), BY),
        (data([{"@type": ["Article"], "license": [{"url": BY}]}]), BY),
        (data({"@type": "ImageObject", "license": BY}), None),
        (data({"@type": "Dataset", "license": BY}), None),
        (data({"@type": "Article", "image": {"@type": "ImageObject", "license": BY}}), None),
        (data({"@type": "Article", "license": BY}) + data({"@type": "WebPage", "license": SA}), None),
        (data({"@type": "Article", "license": 7}) + data({"@type": 1, "license": BY}) + data([1, None, "x"]), None),
        (f"<meta itemprop=license content={BY}>", BY),
        (f"<div itemscope itemtype=http://schema.org/BlogPosting><link itemprop=license href={BY}>", BY),
        (f"<div itemscope itemtype=http://schema.org/ImageObject><link itemprop=license href={BY}>", None),
        (f"<figure><link rel=license href={BY}></figure>", None),
        (f"<link rel=copyright href={BY}>", BY),
        (f"<a rel='cc:license' href={BY}>CC", BY),
        (f"<meta name=citation_license content={BY}><footer><a rel=license href={SA}>", BY),
        (f"<ul><li><a href=/w/1>A work</a> {MARKED}<li><a href=/w/2>Another</a> {MARKED}</ul>", None),
        (f"<ul><li>Author: <a href=/a>A.</a><li>License: {MARKED}</ul>", BY),
        (f"<footer><ul><li><a href=/i>Imprint</a> {MARKED}</ul></footer>", BY),
    ],
)
def test_statements_and_lists(html, expected):
    assert licence(html) == expected


def above(html: str, place: int) -> list[str]:
    elements, (index,) = surroundings(html.encode(), [place])
    names = []
    while index >= 0:
        names.append(elements[index].tag)
        index = elements[index].above
    return names


PIECES = ["<div>", "</div>", "<span>", "</span>", "<figure>", "</figure>", "<footer>", "</footer>", "x", "<p>", "</p>"]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_what_lies_above_a_place_is_what_a_browser_says(html):
    """But for inline elements, which a browser opens again in the next block."""
    from resiliparse.parse.html import HTMLTree

    page = f"<!DOCTYPE html><body>{html}<b>?</b>"
    node = HTMLTree.parse(page).document.query_selector("b")
    expected = []
    while (node := node.parent) is not None and node.tag != "body":
        expected.append(node.tag)
    found = above(page, page.index("<b>") + 2)
    assert [name for name in found if name != "span"] == [name for name in expected if name != "span"]


def test_deep_elements_end_where_they_should():
    html = "<footer>" + "<div>" * 2000 + "</div>" * 2000 + "<b>"
    assert above(html, html.index("<b>") + 2) == ["footer"]
    assert licence("<figure>" + "<div>" * 2000 + "</div>" * 2000 + f"</figure><footer>{PLAIN}") == BY


HOSTILE = {
    "links": f"<footer>{PLAIN}" * 40_000,
    "long words": ("f" * 590 + PLAIN) * 3000,
    "words of rights": f"<footer>{PLAIN}</footer>" + "reserved " * 400_000,
    "spaces of rights": f"<footer>{PLAIN}</footer>" + ("all" + " " * 200) * 20_000 + "reserved",
    "open elements": f"<footer class=a>{PLAIN}"
    + "<div class=photo><span>" * 100_000
    + "</b></em></p>" * 100_000
    + PLAIN,
    "one list item": "<ul><li>" + "<a x" * 500_000 + MARKED * 300,
    "classes": f"<div class='{'photo-a ' * 400_000}'>{PLAIN}",
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_is_linear(html):
    licence(f"<footer>{PLAIN}")  # compile
    began = time.process_time()
    licence(html)
    assert time.process_time() - began < 2


@given(st.text(alphabet="<>/a pfotresvdl=\"'&;", max_size=80), st.integers(0, 80), st.integers(0, 80))
def test_any_words(text, begin, length):
    html = text.encode()
    sentence(html, min(begin, len(html)), min(begin + length, len(html)))
    assert all(re.match(rb"all\s+rights", html[at:], re.I) for at in reservations(html))
