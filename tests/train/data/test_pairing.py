"""Which pieces become pairs: half of them wrong, no text lost, no language told by its pairs."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.corpus.hashing import WINDOW, combine
from train.corpus.token_cache import TokenBlock
from train.data.pairing import Pairing, cost_of_pairs, cut_length, inner_ends
from train.data.pieces import PAIR_SPECIALS, Pieces, concatenate, cost, pieces_of

MAX = 32


def made(documents: int, seed: int, longest: int = 90, sentence: int = 6) -> TokenBlock:
    """Documents of 0 to `longest` tokens, each its own id, in sentences of 1 to `sentence` tokens."""
    draw = np.random.default_rng(seed)
    tokens = draw.integers(0, longest + 1, documents)
    begins = np.cumsum(tokens) - tokens
    ends = [
        begin + end
        for begin, count in zip(begins.tolist(), tokens.tolist(), strict=True)
        for end in np.cumsum(draw.integers(1, sentence + 1, count)).tolist()
        if end < count
    ]
    ids = np.arange(tokens.sum(), dtype=np.uint32)
    hashes = combine(seed, np.arange(documents)) if documents else np.empty(0, np.uint64)
    return TokenBlock(hashes, tokens, np.ones(documents), begins, ids, 1, np.array(ends, np.int64))


def window(
    blocks: list[TokenBlock], languages: list[int], objectives: tuple[str, ...], seed: int = 1, copies: int = 1
) -> Pieces:
    pairing, parts = Pairing(objectives, seed, MAX), []
    for number, (block, language) in enumerate(zip(blocks, languages, strict=True)):
        times = np.full(len(block.tokens), copies)
        pieces = pieces_of(block, times, 0, language, cut_length(MAX, True), 0)
        parts.append(pairing.cut(pieces, block).in_blocks(number))
    return pairing.mix(concatenate(parts).ordered(WINDOW, seed)[0])


def texts(pieces: Pieces, blocks: list[TokenBlock]) -> Iterator[tuple[list[tuple[int, int]], list[tuple[int, int]]]]:
    """Both texts of each piece, as (block, id); ids of `made` are places in their block."""
    for one in range(len(pieces)):
        found: list[list[tuple[int, int]]] = []
        for prefix in ("", "second_"):
            if prefix and pieces.pair[one] < 0:
                found.append([])
                continue
            block, row, start, stop = (getattr(pieces, prefix + n)[one] for n in ("block", "row", "start", "stop"))
            begin = blocks[block].begins[row]
            found.append([(int(block), int(token)) for token in blocks[block].ids[begin + start : begin + stop]])
        yield found[0], found[1]


def test_cuts_are_inner_ends_drawn_evenly() -> None:
    """One document of 24 tokens with ends behind 5, 6, 20 and its own: each is as likely over many documents."""
    count = 6000
    tokens = np.full(count, 24)
    begins = np.cumsum(tokens) - tokens
    ends = (begins[:, None] + [5, 6, 20]).reshape(-1)
    block = TokenBlock(
        combine(1, np.arange(count)), tokens, np.ones(count), begins, np.zeros(24 * count, np.uint8), 1, ends
    )
    pieces = window([block], [0], ("sop",))
    middle = np.where(pieces.label == 1, pieces.second_stop, pieces.stop)
    shares = {place: float((middle == place).mean()) for place in set(middle.tolist())}
    assert shares.keys() == {5, 6, 20} and all(abs(share - 1 / 3) < 0.02 for share in shares.values())
    assert abs(pieces.label.mean() - 0.5) < 0.02
    assert (pieces.pair == 0).all() and (pieces.length == 27).all()


def test_inner_ends_leave_a_token_on_either_side() -> None:
    block = made(40, 3)
    pieces = pieces_of(block, np.ones(40, np.int64), 0, 0, cut_length(MAX, True), 0)
    first, count = inner_ends(block, pieces.row, pieces.start, pieces.stop)
    assert block.sentence_ends is not None
    for one in range(len(pieces)):
        begin = block.begins[pieces.row[one]]
        low, high = begin + pieces.start[one], begin + pieces.stop[one]
        expected = [end for end in block.sentence_ends.tolist() if low < end < high]
        assert block.sentence_ends[first[one] : first[one] + count[one]].tolist() == expected


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=4),
    st.sampled_from([("nsp",), ("sop",), ("nsp", "sop")]),
    st.integers(0, 1000),
    st.integers(1, 2),
)
def test_no_text_is_lost_and_wrong_pairs_are_wrong(
    parts: list[tuple[int, int]], objectives: tuple[str, ...], seed: int, copies: int
) -> None:
    blocks = [made(count, seed + 7 * number) for number, (count, _) in enumerate(parts)]
    languages = [language for _, language in parts]
    pieces = window(blocks, languages, objectives, seed, copies)
    shown: Counter[tuple[int, int]] = Counter()
    lost = 0
    assert (pieces.length <= MAX).all() and set(pieces.pair.tolist()) <= {-1, *range(len(objectives))}
    for one, (first, second) in enumerate(texts(pieces, blocks)):
        shown.update(first + second)
        kind = objectives[pieces.pair[one]] if pieces.pair[one] >= 0 else None
        own = (int(pieces.block[one]), int(pieces.row[one]))
        other = (int(pieces.second_block[one]), int(pieces.second_row[one]))
        assert first and bool(second) == (kind is not None)
        assert pieces.length[one] == len(first) + len(second) + (PAIR_SPECIALS if kind else 2)
        if kind is None:
            assert not any(getattr(pieces, "second_" + name)[one] for name in ("block", "row", "start", "stop"))
            assert pieces.label[one] == 0
            continue
        assert languages[own[0]] == languages[other[0]] == pieces.language[one]
        follows = first[-1][1] + 1 == second[0][1] and own == other
        if pieces.label[one] == 0:
            assert follows
        elif kind == "sop":
            assert own == other and second[-1][1] + 1 == first[0][1]
        else:
            ids = [blocks[block].id_hash[row] for block, row in (own, other)]
            assert ids[0] != ids[1]
            assert blocks[own[0]].id_hash[own[1]] == pieces.id_hash[one]
    everything = {(n, token): copies for n, block in enumerate(blocks) for token in block.ids.tolist()}
    lost = sum(everything.values()) - sum(shown.values())
    assert all(shown[token] <= copies for token in shown)
    wrong = int(((pieces.label == 1) & (pieces.length == MAX)).sum())
    assert lost == 0 or (wrong and "nsp" in objectives), "only a second part that is too long is cut"


def test_little_is_cut_of_exchanged_parts() -> None:
    """Partners are of like length, so that hardly a token is lost."""
    blocks = [made(400, number, 300) for number in range(4)]
    pieces = window(blocks, [0, 0, 1, 1], ("nsp",))
    wrong = pieces.take(np.flatnonzero(pieces.label == 1))
    assert len(wrong) > 1500
    total = sum(int(block.tokens.sum()) for block in blocks)
    assert 0 <= total - int(pieces.text_length.sum()) < 0.002 * total


@pytest.mark.parametrize("kinds", [("nsp",), ("nsp", "sop")])
def test_half_of_the_pairs_of_each_language_are_wrong(kinds: tuple[str, ...]) -> None:
    blocks = [made(500, number) for number in range(3)]
    pieces = window(blocks, [0, 1, 2], kinds)
    for language in range(3):
        mine = pieces.take(np.flatnonzero((pieces.language == language) & (pieces.pair >= 0)))
        for number, _ in enumerate(kinds):
            own = mine.take(np.flatnonzero(mine.pair == number))
            assert abs(own.label.mean() - 0.5) < 0.06 and abs(len(own) / len(mine) - 1 / len(kinds)) < 0.06


@pytest.mark.parametrize("documents", [2, 3, 5])
def test_few_documents_are_as_often_wrong_as_many(documents: int) -> None:
    """Over many windows: a language of which a window holds hardly anything is not told by its labels."""
    right, wrong = 0, 0
    for seed in range(400):
        tokens = np.full(documents, 10)
        begins = np.cumsum(tokens) - tokens
        ids = combine(seed, np.arange(documents))
        block = TokenBlock(ids, tokens, np.ones(documents), begins, np.zeros(99, np.uint8), 1, begins + 4)
        pieces = window([block], [0], ("nsp",), seed)
        wrong += int((pieces.label == 1).sum())
        right += int(((pieces.label == 0) & (pieces.pair >= 0)).sum())
    assert right + wrong == 400 * documents
    assert abs(wrong / (right + wrong) - 0.5) < 0.06


def test_one_document_has_no_wrong_pair_and_is_single() -> None:
    block = made(1, 5, 400)
    assert len(pieces_of(block, np.ones(1, np.int64), 0, 0, MAX - 1, 0)) > 2
    pieces = window([block], [0], ("nsp",), copies=2)
    assert (pieces.pair == -1).all() and pieces.text_length.sum() == 2 * block.tokens.sum()
    assert (window([block], [0], ("sop",)).pair >= 0).any()


def test_order_and_masks_do_not_hang_on_pairs() -> None:
    blocks = [made(50, 1), made(50, 2)]
    paired, other = (window(blocks, [0, 1], kinds) for kinds in (("nsp", "sop"), ("sop",)))
    assert paired.key(3, 1).tolist() == other.key(3, 1).tolist()
    assert paired.piece.tolist() == other.piece.tolist() and paired.language.tolist() == other.language.tolist()


def test_what_an_epoch_costs_is_what_it_shows() -> None:
    block = made(200, 4)
    length = cut_length(MAX, True)
    pieces = window([block], [0], ("sop",))
    assert cost(block, length) + cost_of_pairs(block, length) == pieces.length.sum()
    assert cut_length(MAX, False) == MAX
