"""Exact match and F1 of answers that are spans of a text, as the official scripts of SQuAD, XQuAD and MLQA score them.

Rules:
- `squad`: SQuAD's evaluate-v1.1.py, which XQuAD and TyDi QA in XTREME use for every language: lower case, the 32 ASCII
  punctuation marks out, the words a, an, the out, tokens by white space. English heuristics; other scripts' punctuation
  stays, and a Chinese, Japanese, Thai or Khmer answer without spaces is one token, so its F1 is its exact match.
- `squad2`: SQuAD's evaluate-v2.0.py: the same text, and another word on answers of which nothing is left: they do not
  count as answers, and nothing against nothing has F1 1 (0 in v1.1, beside an exact match of 1).
- `mlqa`: MLQA's mlqa_evaluation_v1.py, in XTREME evaluate_mlqa.py: Unicode's punctuation (category P) and ASCII's out,
  articles by language (en es de vi ar; hi and zh have none), tokens by white space, in zh each of U+4E00 to U+9FA5 a
  token of its own. The script knows these seven and refuses others. Here others have no articles, and are split at
  white space, but for those written without spaces (ja th km lo my bo dz), of which each character is a token, as the
  script of MKQA (Longpre et al. 2021) does with ja, th and km.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from train.benchmarks.examples import SpanExample

Rules = Literal["squad", "squad2", "mlqa"]

_ASCII_MARKS = str.maketrans("", "", string.punctuation)
_ENGLISH = re.compile(r"\b(?:a|an|the)\b")
_ARTICLES = {
    "en": _ENGLISH,
    "es": re.compile(r"\b(?:un|una|unos|unas|el|la|los|las)\b"),
    "de": re.compile(r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "vi": re.compile("\\b(?:của|là|cái|chiếc|những)\\b"),
    # The script means the article at the beginning of a word; what its pattern matches is these letters anywhere.
    "ar": re.compile("ال"),
}
_HAN = re.compile("([\u4e00-\u9fa5])")
_WITHOUT_SPACES = {"ja", "th", "km", "lo", "my", "bo", "dz"}
# By ISO 639-3, as in labels like zho_Hans.
_SHORT = {
    **{"eng": "en", "spa": "es", "deu": "de", "vie": "vi", "hin": "hi", "jpn": "ja", "tha": "th", "khm": "km"},
    **{"lao": "lo", "mya": "my", "bod": "bo", "dzo": "dz"},
    **dict.fromkeys(("ara", "arb", "arz", "apc", "ary", "acm", "ajp", "acq", "aeb", "ars"), "ar"),
    **dict.fromkeys(("zho", "cmn", "yue", "wuu", "lzh"), "zh"),
}


def normalise(text: str, language: str, rules: Rules) -> str:
    """A text as its rules compare it, its tokens with one space between. language: "zh", "zho", "zho_Hans", "zh-CN"."""
    if rules != "mlqa":
        return " ".join(_ENGLISH.sub(" ", text.lower().translate(_ASCII_MARKS)).split())
    short = _short(language)
    text = "".join(sign for sign in text.lower() if not _is_punctuation(sign))
    if short in _ARTICLES:
        text = _ARTICLES[short].sub(" ", text)
    if short == "zh":
        text = _HAN.sub(r" \1 ", text)
    elif short in _WITHOUT_SPACES:
        text = " ".join(text)
    return " ".join(text.split())


def score_span(prediction: str, answers: Sequence[str], language: str, rules: Rules = "squad") -> tuple[float, float]:
    """(exact match, F1), 0 to 1 each, of the answer that suits best; the two need not be of the same one.

    Without answers the question has none: 1 each where nothing is left of the prediction, else 0, by any rules.
    """
    given = normalise(prediction, language, rules)
    truths = [normalise(answer, language, rules) for answer in answers]
    if rules == "squad2":
        truths = [truth for truth in truths if truth]
    if not truths:
        return (0.0, 0.0) if given else (1.0, 1.0)
    return float(given in truths), max(_f1(given, truth) for truth in truths)


def score_each(
    predictions: Mapping[str, str], examples: Sequence[SpanExample], rules: Rules | None = None
) -> NDArray[np.float64]:
    """float64 [examples, 2]: exact match and F1, 0 to 1; 0 where an example has no prediction.

    rules: None takes SQuAD's, of v2.0 where any example is impossible, else of v1.1.
    """
    if rules is None:
        rules = "squad2" if any(example.impossible for example in examples) else "squad"
    found = np.zeros((len(examples), 2))
    for row, example in enumerate(examples):
        if example.id in predictions:
            answers = [text for text, _ in example.answers]
            found[row] = score_span(predictions[example.id], answers, example.language, rules)
    return found


def _f1(given: str, truth: str) -> float:
    tokens, right = given.split(), truth.split()
    shared = sum((Counter(tokens) & Counter(right)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(tokens), shared / len(right)
    return 2 * precision * recall / (precision + recall)


def _is_punctuation(sign: str) -> bool:
    return sign in string.punctuation or unicodedata.category(sign).startswith("P")


def _short(language: str) -> str:
    code = re.split("[_-]", language, maxsplit=1)[0].lower()
    return _SHORT.get(code, code)
