"""Words in class and id attributes that tell what an element is for, in groups.

Authors all over the world name classes in English. An Aho-Corasick automaton (Aho and Corasick 1975) finds the words;
a bar stands for a border: the value's ends, anything but letters and digits, or the hump of a camelCase name.
"""

from collections import deque
from functools import cache

import numpy as np

from pipeline.page.blocks import listings, passage_names

SEPARATOR, SYMBOLS = 27, 29  # a to z, a digit, a border, any other byte

GROUPS = {
    "comment": "comment disqus respond| |reply replies |cmt",
    "footer": "footer |foot| |ft| bottom colophon",
    "header": "header masthead |hd| |top| topbar",
    "nav": "|nav navbar navig menu crumb pagination |pager| |paging |toolbar",
    "side": "sidebar |side| aside |rail| |right |left leftcol rightcol secondary",
    "share": "share sharing social facebook twitter addthis whatsapp |like| |likes| follow",
    "related": "related recommend similar |more| readmore morefrom popular trending mostread latest outbrain taboola "
    "|next| |prev promo teaser",
    "ads": "|ad| |ads| advert sponsor |banner adslot |adv| commercial |dfp doubleclick adsense |gpt|",
    "meta": "meta| |meta byline author |date |time timestamp publish dateline credit |source |info| posted",
    "tags": "|tag| |tags| categor |topic keyword |label",
    "article": "article story |news| newsbody",
    "body": "|body| |body bodytext |text| |text content entry prose |copy| |copy paragraph richtext wysiwyg",
    "post": "|post| |post postbody hentry",
    "main": "|main |primary|",
    "title": "title headline |heading |hdl",
    "lead": "|lead| |lead intro| |intro summary abstract excerpt standfirst |deck| subtitle |dek| "
    "|desc chapeau subhead",
    "media": "caption figure |image |img |photo gallery video player |media carousel slide slick swiper",
    "widget": "widget module |box| |box |block |card panel",
    "form": "subscri newsletter signup |login signin regist |form search paywall |cta donat |input |btn button",
    "notice": "modal popup cookie consent gdpr overlay |toast |alert privacy disclaimer copyright legal |notice",
    "hidden": "hidden |sr|only screen|reader visually offscreen noprint |print invisible |hide |d|none| display|none",
    "person": "|bio| |about profile avatar |user member vcard contrib",
    "product": "product price |buy| |cart |shop |sku review rating |spec",
    "forum": "forum thread message |msg |bbs discussion quote signature",
    "wiki": "wiki |mw| |toc referenc footnote |cite infobox editsection catlinks hatnote",
    "code": "|code highlight |pre| syntax hljs prettyprint",
    "list": "|list |item |grid |row| |index| archive",
}
GROUP = {name: bit for bit, name in enumerate(GROUPS)}
# Bits behind those of GROUPS: the class or id has a word of `passage_names`, of `listings`.
OF_PASSAGE, OF_LANGUAGE = (np.uint64(1 << (len(GROUPS) + bit)) for bit in range(2))
ALL_GROUPS = np.uint64((1 << len(GROUPS)) - 1)


def _symbol(character: str) -> int:
    return SEPARATOR if character == "|" else ord(character) - ord("a")


@cache
def automaton() -> tuple[np.ndarray, np.ndarray]:
    """`goto` int16 (states, SYMBOLS), complete; `output` uint64 (states,), bits of GROUP, OF_PASSAGE, OF_LANGUAGE."""
    children: list[dict[int, int]] = [{}]
    masks = [0]
    for bit, words in enumerate((*GROUPS.values(), passage_names.WORDS, listings.WORDS)):
        for word in words.split():
            state = 0
            for symbol in map(_symbol, word):
                if symbol not in children[state]:
                    children[state][symbol] = len(children)
                    children.append({})
                    masks.append(0)
                state = children[state][symbol]
            masks[state] |= 1 << bit
    goto = np.zeros((len(children), SYMBOLS), np.int16)
    fail = [0] * len(children)
    waiting = deque([0])
    while waiting:
        state = waiting.popleft()
        masks[state] |= masks[fail[state]]
        for symbol in range(SYMBOLS):
            back = goto[fail[state], symbol] if state else 0
            child = children[state].get(symbol)
            goto[state, symbol] = back if child is None else child
            if child is not None:
                fail[child] = int(back)
                waiting.append(child)
    return goto, np.array(masks, np.uint64)
