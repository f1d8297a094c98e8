"""Texts become sentences, as a vocabulary learns from them."""

import re

# What ends a sentence: a line break; a mark with closing quotes or brackets, then blanks; a full-width mark likewise,
# which needs no blank, but no digit may follow, for a full-width stop is a decimal point too. Languages without such
# marks (Thai, Lao, Khmer in part) end at lines only.
_END = re.compile(
    r"\n+"
    r"|[.!?\u061F\u06D4\u0964\u0965\u1362\u1367\u2026][\"'\u00BB\u2019\u201D)\]]{0,2}(?=[ \t])"
    r"|[\u3002\uFF01\uFF1F\uFF0E][\u300D\u300F\u201D\uFF09]{0,2}"
    r"(?![\u3002\uFF01\uFF1F\uFF0E\u300D\u300F\u201D\uFF09]|(?<=\uFF0E)[\uFF10-\uFF19])"
)
_BLANKS = " \t\n\u00a0\u3000"


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, without the blanks around them; none of a text of blanks."""
    ends = [match.end() for match in _END.finditer(text)]
    parts = (text[begin:end].strip(_BLANKS) for begin, end in zip([0, *ends], [*ends, len(text)], strict=True))
    return [part for part in parts if part and not part.isspace()]
