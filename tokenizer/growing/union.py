"""One vocabulary of several: that of the first with all its ids, behind it what only the others have, by what tokens
stand for (`tokenizer.growing.forms`).

- unigram: a token keeps its log-probability, at a tenth of its probability, as in `tokenizer.growing.extend`: text
  that the first vocabulary covers stays with its pieces. Where the other vocabulary has none, Zipf's law by its order
  stands in.
- bpe, byte-level or not: merges go on where the first vocabulary's end; a token is reached by all ways to part it in
  two that are tokens. Where there is none, tokens are put in that lead to it (bridges).
- wordpiece: the longest match goes first.
"""

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import UserError
from tokenizer.export import sentencepiece_files
from tokenizer.fast import MODEL, TOKENIZER
from tokenizer.growing.forms import Form, Vocabulary, form_of, spelled
from tokenizer.model import NEW_SHARE, RESERVED, SCORE_STEP, kind_of, read_vocabulary, with_pieces

CONFIG, WORDS = "tokenizer_config.json", "vocab.txt"
_SPARE = re.compile(r"[<\[](?:spare_|unused_?)\d+[>\]]")
_KEPT = (CONFIG, "special_tokens_map.json")


@dataclass(frozen=True)
class Union:
    """files: of a folder, name -> content. forms: by id. first: tokens of the first. added: of the others; bridges of
    them are of none, but lead to others. left_out: of each other, tokens that the first's convention has no place
    for."""

    files: dict[str, bytes]
    forms: list[Form | None]
    first: int
    added: int
    bridges: int
    left_out: list[int]


def unite(files: Mapping[str, bytes], first: Vocabulary, others: Sequence[Vocabulary], name: str) -> Union:
    """files: of the first's folder. name: for messages. UserError where the first has ids without a token."""
    if None in first.tokens:
        raise UserError(f"{name}: id {first.tokens.index(None)} has no token, so none can be put behind the last: "
                        "name another parent first")  # fmt: skip
    known: dict[Form, int] = dict(first.ids)
    held = {token for token in first.tokens if token is not None}
    new: dict[str, float] = {}
    special: list[str] = []
    left_out, bridges = [], 0
    for other in others:
        missed = 0
        for rank, number in enumerate(other.order):
            form = other.forms[number]
            assert form is not None
            token = spelled(form, first.convention, first.has_bytes)
            if form in known or form.kind == "byte":
                continue
            if token is None or token in held or not _stays(token, first):
                missed += 1
                continue
            score = other.scores[number] if other.scores else -math.log((rank + 1) * (1 + math.log(len(other.order))))
            for piece in (*_bridges(token, held, first), token):
                bridges += piece != token
                new[piece] = score + math.log(NEW_SHARE)
                held.add(piece)
                known.setdefault(form_of(piece, first.convention), len(first.tokens) + len(new) - 1)
        left_out.append(missed)
        for form in other.forms:
            if form and form.kind == "special" and form not in known:
                token = form.value.decode()
                if token not in held and not _SPARE.fullmatch(token) and form.value not in _ROLES:
                    special.append(token)
                    held.add(token)
    forms = [*first.forms, *(form_of(piece, first.convention) for piece in new)]
    forms += [Form("special", one.encode()) for one in special]
    made = _ours(files, new, special) or _theirs(files, first, new, special)
    kept = {one: files[one] for one in _KEPT if one in files and one not in made}
    return Union(kept | made, forms, len(first.tokens), len(new) + len(special), bridges, left_out)


_ROLES = (b"pad", b"bos", b"eos", b"mask", b"unk")


def _stays(token: str, first: Vocabulary) -> bool:
    """Whether BERT's normaliser leaves a piece as it is: else no text has it."""
    settings = first.content.get("normalizer") or {}
    if first.convention != "wordpiece" or not settings.get("lowercase"):
        return True
    accents = settings.get("strip_accents") is not False and any(
        unicodedata.category(sign) == "Mn" for sign in unicodedata.normalize("NFD", token)
    )
    return token == token.lower() and not accents


def _bridges(token: str, held: set[str], first: Vocabulary) -> list[str]:
    """What must be there for a text to come to a token: of unigram its characters, of BPE the parts that it is merged
    of, shortest first."""
    if first.convention == "wordpiece" or len(token) < 2:
        return []
    characters = [one for one in dict.fromkeys(token) if one not in held] if first.convention != "bytes" else []
    if first.convention == "unigram":
        return characters
    there, found = held | set(characters), list(characters)

    def reach(piece: str) -> None:
        if piece in there:
            return
        if not any(piece[:place] in there and piece[place:] in there for place in range(1, len(piece))):
            longest = next(place for place in range(len(piece) - 1, 0, -1) if piece[:place] in there)
            reach(piece[longest:])
        there.add(piece)
        found.append(piece)

    reach(token)
    return found[:-1]


def _ours(files: Mapping[str, bytes], new: Mapping[str, float], special: Sequence[str]) -> dict[str, bytes] | None:
    """Where the first is a vocabulary of this project: as it writes them."""
    if MODEL not in files:
        return None
    try:
        old = read_vocabulary(files[MODEL])
    except UserError:
        return None
    if kind_of(files[MODEL]) == "bpe":
        lowest = min(score for _, score in old[RESERVED:])
        pieces = [(piece, lowest - 1 - place) for place, piece in enumerate(new)]
    else:
        pieces = [(piece, round(score / SCORE_STEP) * SCORE_STEP) for piece, score in new.items()]
    length = json.loads(files[CONFIG]).get("model_max_length", 8192) if CONFIG in files else 8192
    return sentencepiece_files(with_pieces(files[MODEL], pieces, special), model_max_length=int(length))


def _theirs(
    files: Mapping[str, bytes], first: Vocabulary, new: Mapping[str, float], special: Sequence[str]
) -> dict[str, bytes]:
    """Any other: its tokenizer.json, longer."""
    content: dict[str, Any] = json.loads(files[TOKENIZER])
    model = content["model"]
    size = len(first.tokens)
    if first.convention == "unigram":
        listed = model["vocab"]
        lowest = min(float(score) for _, score in listed) * 16 - 1  # so that a special token spelled out stays text
        listed += [[token, lowest] for token in first.tokens[len(listed) :]]
        listed += [[piece, score] for piece, score in new.items()]
        listed += [[token, lowest] for token in special]
    else:
        model["vocab"] |= {token: number for number, token in enumerate(first.tokens)}
        model["vocab"] |= {token: size + place for place, token in enumerate([*new, *special])}
    if first.convention in ("bpe", "bytes"):
        pairs = _merges(new, {token for token in first.tokens if token} | set(new))
        as_text = bool(model["merges"]) and isinstance(model["merges"][0], str)
        model["merges"] += [" ".join(pair) if as_text else list(pair) for pair in pairs]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    content["added_tokens"] = [*(content.get("added_tokens") or [])] + [
        {"id": size + len(new) + place, "content": token, **flags, "special": True}
        for place, token in enumerate(special)
    ]
    made = {TOKENIZER: (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()}
    if first.convention == "wordpiece" and WORDS in files:
        made[WORDS] = ("\n".join([*map(str, first.tokens), *new, *special]) + "\n").encode()
    return made


def _merges(new: Iterable[str], held: set[str]) -> list[tuple[str, str]]:
    """All ways to part each new piece in two tokens, the pieces in their order."""
    return [
        (piece[:place], piece[place:])
        for piece in new
        for place in range(1, len(piece))
        if piece[:place] in held and piece[place:] in held
    ]
