"""Texts become sentences: as a vocabulary learns from them, and as pairs of texts are cut."""

import re

# What ends a sentence: a line break; a mark with closing quotes or brackets, then blanks; a full-width mark likewise,
# which needs no blank, but no digit may follow, for a full-width stop is a decimal point too. Languages without such
# marks (Thai, Lao, Khmer in part) end at lines only.
_MARKS = (
    r"\n+"
    r"|[.!?\u061F\u06D4\u0964\u0965\u1362\u1367\u2026][\"'\u00BB\u2019\u201D)\]]{0,2}(?=[ \t])"
    r"|[\u3002\uFF01\uFF1F\uFF0E][\u300D\u300F\u201D\uFF09]{0,2}"
    r"(?![\u3002\uFF01\uFF1F\uFF0E\u300D\u300F\u201D\uFF09]|(?<=\uFF0E)[\uFF10-\uFF19])"
)
_END = re.compile(_MARKS)
# Thai, Lao, Tibetan, Myanmar, Khmer and the Tai scripts, which set no space between words; then signs of theirs that
# have a space before them and belong to the word there: repetition and abbreviation.
_UNSPACED = r"\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"
_LEANING = r"\u0e2f\u0e46\u0eaf\u0ec6\u17d7\uaa70\uaadd"
_END_OF_PAIRED = re.compile(
    _MARKS + r"|\u0589(?=[ \t])" + rf"|[{_UNSPACED}](?=[ \u200b]+(?![{_LEANING}])[{_UNSPACED}])"
)
_BLANKS = " \t\n\u00a0\u3000"
_NO_TEXT = re.compile(r"[\s\u200b\ufeff]*")


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, without the blanks around them; none of a text of blanks."""
    ends = [match.end() for match in _END.finditer(text)]
    parts = (text[begin:end].strip(_BLANKS) for begin, end in zip([0, *ends], [*ends, len(text)], strict=True))
    return [part for part in parts if part and not part.isspace()]


def sentence_ends(text: str) -> list[int]:
    """Where the sentences of a text end, in characters, the last one at the text's end; none of a text of blanks.

    Nothing is stripped: blanks behind a mark begin the next sentence, a line break ends one, and a sentence of blanks
    is part of its neighbour. Where a script writes neither marks nor spaces between words (Thai, Lao, Khmer, Myanmar,
    Tibetan), a space between two of its letters ends a phrase or a sentence, and counts as an end here, which is good
    enough for pairs of texts; `sentences_of`, from which vocabularies learn, goes by lines there.
    """
    ends: list[int] = []
    first = True
    for end in [*(match.end() for match in _END_OF_PAIRED.finditer(text)), len(text)]:
        begin = ends[-1] if ends else 0
        if end > begin and _NO_TEXT.fullmatch(text, begin, end):
            if not first:
                ends[-1] = end
            continue  # blanks before the first sentence are part of it
        if end > begin:
            ends.append(end)
            first = False
    return ends
