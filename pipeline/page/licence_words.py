"""Words beside a licence link that say what is licensed, and words that reserve all rights, in many languages."""

import re
from html import unescape
from typing import NamedTuple

from pipeline.html.tags import text_runs

_BEFORE, _AFTER = 600, 300  # bytes of a link's sentence that are looked at
_LINE = 300  # bytes of a run of text that says little but who has the rights

# What a licence is of that is on a page and not the page. English, German, Dutch, the Romance languages, Polish, then
# by script.
_PICTURES = re.compile(
    r"\b(?:photos?|photographs?|pictures?|pics|images?|illustrations?|artworks?|drawings?|icons?|credits?|courtesy"
    r"|abbildung(?:en)?|grafik(?:en)?|afbeelding(?:en)?|crédits?|imágen(?:es)?|imagen(?:es)?|imagens?|imagem|ilustraci(?:ón|ones)|íconos?|ícones?"
    r"|icônes?|immagin[ei]|zdjęci[ea]|obraz(?:y|ki)?|fotograf\w*|fotoğraf\w*|görsel\w*|resim\w*|gambar|ảnh|hình"
    r"|фото\w*|изображени\w*|иллюстраци\w*|картинк\w*|иконк\w*|зображенн\w*|світлин\w*|φωτογραφ\w*|εικόν\w*)\b"
    r"|(?:fotos?|bild(?:er|ern|es|nachweise?|quellen?|rechte)?)\b"
    r"|图片|圖片|照片|图像|圖像|插图|插圖|图标|圖標|配图|写真|画像|イラスト|アイコン|사진|이미지|그림|아이콘|ภาพ|รูป|រូប"
    r"|صور|تصویر|تصاویر|عکس|תמונ|צילו|तस्वीर|चित्र|फोटो|छवि|படம|படங்கள|புகைப்பட|ፎቶ|ምስል|ფოტო|სურათ|გამოსახულებ"
)
_THINGS = re.compile(
    r"\b(?:templates?|layout|fonts?|logos?|musi[ck]|map data|шаблон\w*|şablon\w*)\b|(?:themes?|designs?)\b"
    r"|模板|主题|テンプレート|テーマ|템플릿|테마|قالب|תבנית"
)
# What says that it is the page's words, though pictures may be named too.
_WHOLE = re.compile(
    r"\b(?:texts?|contents?|articles?|work|story|posts?|contributions?|materials?|documentation|transcripts?"
    r"|werke?s?|tekst\w*|inhoud|textes?|contenus?|œuvres?"
    r"|textos?|contenidos?|artículos?|obras?|conteúdos?|artigos?|test[oi]|contenut[oi]|articol[oi]|oper[ae]|treś\w*"
    r"|artyku\w*|metin\w*|içeri\w*|yazı\w*|eser\w*|teks|konten|isi|nội dung|bài"
    r"|текст\w*|содержан\w*|содержим\w*|материал\w*|контент\w*|стать\w*|произведен\w*|вміст\w*|матеріал\w*|твір"
    r"|κείμεν\w*|περιεχόμεν\w*|άρθρ\w*)\b|(?:texte?n?|inhalte?n?|artikel[ns]?|beitr[aä]ge?n?s?)\b"
    r"|文字|文本|内容|內容|文章|作品|本文|テキスト|記事|コンテンツ|콘텐츠|내용|텍스트|저작물|ข้อความ|เนื้อหา|บทความ|អត្ថបទ|ខ្លឹមសារ|មាតិកា"
    r"|نص|محتو|مقال|متن|טקסט|תוכן|תכני|מאמר|पाठ|सामग्री|लेख|உரை|உள்ளடக்க|கட்டுரை|ጽሑፍ|ይዘት|ტექსტ|შინაარს|სტატი"
)
_NAMED = re.compile(r"\bcc[ -]?by((?:[ -](?:nc|nd|sa))*)\b")
_KIND = re.compile(r"/licenses/by((?:-(?:nc|nd|sa))*)/")

_RESERVED = """
all rights reserved|all rights are reserved|all right reserved|alle rechte vorbehalten|alle rechten voorbehouden
tous droits réservés|tous droits reserves|tous les droits sont réservés|著作権所有
todos los derechos están reservados|todos os direitos são reservados
todos los derechos reservados|tots els drets reservats|todos os direitos reservados|tutti i diritti riservati
tutti i diritti sono riservati|toate drepturile rezervate|alla rättigheter förbehållna|alle rettigheder forbeholdes
alle rettigheter forbeholdt|kaikki oikeudet pidätetään|minden jog fenntartva|všechna práva vyhrazena
všetky práva vyhradené|wszelkie prawa zastrzeżone|wszystkie prawa zastrzeżone|sva prava zadržana|sva prava pridržana
все права защищены|всі права захищені|усі права захищені|всички права запазени|сва права задржана
με επιφύλαξη παντός δικαιώματος|όλα τα δικαιώματα διατηρούνται|tüm hakları saklıdır|her hakkı saklıdır
bütün hüquqlar qorunur|барлық құқықтар қорғалған|ყველა უფლება დაცულია|բոլոր իրավունքները պաշտպանված
כל הזכויות שמורות|جميع الحقوق محفوظة|كل الحقوق محفوظة|كافة الحقوق محفوظة|حقوق محفوظ است|حقوق محفوظ ہیں
सर्वाधिकार सुरक्षित|सभी अधिकार सुरक्षित|সর্বস্বত্ব সংরক্ষিত|அனைத்து உரிமைகளும்|สงวนลิขสิทธิ์|สงวนสิทธิ์|រក្សាសិទ្ធិ
bảo lưu mọi quyền|mọi quyền được bảo lưu|hak cipta dilindungi|semua hak dilindungi
版权所有|版權所有|保留所有权利|保留所有權利|保留一切权利|保留一切權利|禁止转载|不得转载|禁止轉載|不得轉載|無断転載|無断複製
모든 권리 보유|무단 전재|무단전재|መብቱ በህግ|መብቱ በሕግ|መብቱ የተጠበቀ|መብቶች የተጠበቁ
"""

_REACH = 200  # bytes around a word that its phrase stands in
_MAX_HITS = 100  # of a word that are looked at, from the page's end: other text has such words too

_BLOCK = re.compile(
    rb"</?(?:p|div|li|[uod]l|t[dhr]|table|section|article|footer|aside|header|main|h[1-6]|figcaption|figure|d[dt]|br|hr"
    rb"|form|nav|address|center|script|style|body)\b[^>]*>", re.I
)  # fmt: skip
_TAG = re.compile(rb"<[^>]*>")
_OTHER_LINKS = re.compile(
    rb"<a\b[^>]*>.*?</a>(?=[\s!-/:;=?@|]*(?:<|$))", re.I | re.S
)  # of a menu: no part of a sentence
_CLAUSES = re.compile(r"(?<=\w\w)[.!?]\s|[•·♦;|。！？]|\s[-–—]\s")
_ASIDE = re.compile(r"\([^()]*\)|（[^（）]*）")
_COPYRIGHT = re.compile("©|&copy;|&#169;|\\(c\\)|copyright".encode(), re.I)


class Sentence(NamedTuple):
    """What stands in a link's clause, in small letters: before it, in it, behind it."""

    before: str
    link: str
    behind: str

    @property
    def is_wordless(self) -> bool:
        """Whether no words come before it or are in it: a button."""
        return not any(map(str.isalpha, self.before + self.link))

    @property
    def is_of_the_whole(self) -> bool:
        """Whether the page's words are named before the link."""
        return _WHOLE.search(self.before) is not None

    @property
    def is_of_a_part(self) -> bool:
        """Whether pictures, a design or the like are what is licensed."""
        if self.is_of_the_whole:
            return False
        named = _PICTURES.search(self.before + self.link) or _THINGS.search(self.before)
        return bool(named or _PICTURES.match(self.behind.lstrip(" )]:,")))

    def names_another(self, licence: str) -> bool:
        """Whether it names conditions, as in CC BY-NC, and not those of the licence that it leads to."""
        kinds = [frozenset(re.findall("[a-z]+", kind)) for kind in _NAMED.findall(f"{self.before}{self.link}")]
        own = _KIND.search(licence)
        return bool(kinds and own) and frozenset(re.findall("[a-z]+", own.group(1) if own else "")) not in kinds


def sentence(html: bytes, place: int, end: int) -> Sentence:
    """The clause around a link whose attributes stand at html[place:end]."""
    before = html[max(0, place - _BEFORE) : max(0, html.rfind(b"<", 0, place))]
    before = _OTHER_LINKS.sub(b" ", _BLOCK.split(before)[-1])
    behind = _BLOCK.split(html[end + 1 : end + _AFTER], maxsplit=1)[0]
    link, _, behind = behind.partition(b"</a")
    link, behind = _text(link), _text(behind.partition(b">")[2])
    return Sentence(_ASIDE.sub("", _CLAUSES.split(_text(before))[-1]), link, _CLAUSES.split(behind, maxsplit=1)[0])


def reservations(html: bytes) -> list[int]:
    """Where a page's text reserves all rights, rising: in a run of text that is short or has a sign of copyright."""
    lowered = html.lower()
    hits: set[int] = set()
    for word, pattern in _RESERVING:
        at = len(lowered)
        for _ in range(_MAX_HITS if word in lowered else 0):  # looking from the end is slow where there is nothing
            at = lowered.rfind(word, 0, at)
            if at < 0:
                break
            if found := pattern.search(lowered, max(0, at - _REACH), at + _REACH):
                hits.add(found.start())
    if not hits:
        return []
    runs = text_runs(html)
    ends = runs[:, 1]
    wanted = []
    for hit in sorted(hits):
        run = int(ends.searchsorted(hit, "right"))
        if run < len(runs) and (begin := int(runs[run, 0])) <= hit:
            line = html[begin : int(ends[run])]
            if len(line) <= _LINE or _COPYRIGHT.search(line[: 10 * _LINE]):
                wanted.append(hit)
    return wanted


def _text(source: bytes) -> str:
    """Words of a piece of a page, which may begin within a tag."""
    if b">" in source and not 0 <= source.find(b"<") < source.find(b">"):
        source = source.partition(b">")[2]
    text = unescape(_TAG.sub(b"", source).decode("utf-8", "ignore"))
    return " ".join(text.lower().split()) + " "


def _forms(character: str) -> bytes:
    """A pattern of a character in any case, in bytes that know ASCII's small letters only."""
    if character == " ":
        return rb"(?:\s|&nbsp;|\xc2\xa0){1,9}"
    forms = {form.encode().lower() for form in (character.lower(), character.upper()) if len(form) == 1}
    return b"(?:" + b"|".join(map(re.escape, sorted(forms))) + b")"


def _reserving(phrase: str) -> list[tuple[bytes, re.Pattern[bytes]]]:
    """The longest word, in each way that it is written, which most pages lack, and a pattern of the whole."""
    word = max(phrase.split(), key=len)
    pattern = re.compile(b"".join(map(_forms, phrase)))
    return [(form, pattern) for form in {one.encode().lower() for one in (word, word.upper(), word.capitalize())}]


_RESERVING = [
    pair for line in _RESERVED.split("\n") for phrase in line.split("|") if phrase for pair in _reserving(phrase)
]
