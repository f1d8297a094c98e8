"""Pairs of translations: which ones a step has, and how they are laid out."""

import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from translations import translations, write_translations

from schemas.errors import UserError
from train.corpus.vocabulary import Vocabulary
from train.data.batches import Collator, PackedBatch, TrainingStream
from train.data.parallel import ParallelLines, read_parallel, tokenise
from train.data.parallel_batches import ParallelBatches, held_out_lines, longest_side, room, shown_lines, told_of_lines
from train.data.retrieval import RETRIEVAL, retrieval
from train.objectives.contrastive import SentenceLabeller
from train.objectives.masking import NOTHING, Share
from train.objectives.tlm import SideLabeller
from train.optim.schedule import Schedule

LABELS = ("arb_Arab", "deu_Latn", "eng_Latn", "rus_Cyrl", "tha_Thai", "zho_Hans")
WITH = [name for name in LABELS if name != "deu_Latn"]
COUNT, PAIRS, MAX_SEQ_LEN = 300, 8, 32
MEAN = SentenceLabeller(len(LABELS), "mean")


@pytest.fixture(scope="session")
def lines(tmp_path_factory: pytest.TempPathFactory, vocabulary: Vocabulary) -> ParallelLines:
    """Some lines are empty in some languages, a few in all but one."""
    texts = {f"{name}.txt": lines for name, lines in translations(COUNT, WITH, 0.4).items()}
    folder = write_translations(tmp_path_factory.mktemp("parallel"), texts)
    return tokenise(read_parallel(folder, LABELS, lambda line: None), vocabulary)


@pytest.fixture(scope="session")
def tlm(vocabulary: Vocabulary) -> SideLabeller:
    return SideLabeller(vocabulary, len(LABELS), Share(Schedule.parse("0.3"), 50), 0.3)


def batches_of(
    lines: ParallelLines, vocabulary: Vocabulary, labellers: dict[str, Any], **other: Any
) -> ParallelBatches:
    settings = {"seed": 3, "pairs": PAIRS, "max_seq_len": MAX_SEQ_LEN} | other
    return ParallelBatches(lines, labellers, vocabulary, len(LABELS), **settings)


@pytest.fixture
def both(lines: ParallelLines, vocabulary: Vocabulary, tlm: SideLabeller) -> ParallelBatches:
    return batches_of(lines, vocabulary, {"tlm": tlm, "contrastive": MEAN})


def test_no_line_comes_twice_in_a_step_and_all_but_the_rest_once_an_epoch(both: ParallelBatches) -> None:
    orders = []
    for epoch in range(3):
        seen: list[int] = []
        for step in range(epoch * both.steps_an_epoch, (epoch + 1) * both.steps_an_epoch):
            pairs = both.pairs_of(step)
            assert len(set(pairs.line.tolist())) == PAIRS and pairs.epoch == epoch
            seen += pairs.line.tolist()
        assert len(set(seen)) == len(seen) == len(both.shown) // PAIRS * PAIRS
        orders.append(seen)
    assert orders[0] != orders[1] != orders[2]


def test_held_out_lines_are_never_shown(both: ParallelBatches) -> None:
    held = set(held_out_lines(both.lines).tolist())
    usable = int(((both.lines.counts > 0).sum(1) > 1).sum())
    assert len(held) == int(0.05 * usable) > 3
    for step in range(3 * both.steps_an_epoch):
        assert not held & set(both.pairs_of(step).line.tolist())


def test_a_pair_is_two_languages_that_have_the_line_and_each_is_as_likely(both: ParallelBatches) -> None:
    counted: Counter[tuple[int, int]] = Counter()
    steps = 30 * both.steps_an_epoch
    for step in range(steps):
        pairs = both.pairs_of(step)
        assert (both.lines.counts[pairs.line, pairs.first] > 0).all()
        assert (both.lines.counts[pairs.line, pairs.second] > 0).all()
        assert (pairs.first != pairs.second).all()
        counted.update(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    there = both.lines.counts[both.shown] > 0
    chance = 1 / (there.sum(1) * (there.sum(1) - 1))
    for one in range(5):
        for other in range(5):
            if one != other:
                expected = (chance * (there[:, one] & there[:, other])).sum() / len(there) * steps * PAIRS
                assert abs(counted[one, other] - expected) < 5 * expected**0.5


def test_a_step_is_a_function_of_its_number(both: ParallelBatches, lines, vocabulary, tlm) -> None:
    """Asked in whatever order, of an object that was given to another process."""
    again = pickle.loads(pickle.dumps(both))
    steps = [40, 3, 0, 17, 3]
    assert [contents(again(step, 0, 1)) for step in steps[::-1]] == [contents(both(s, 0, 1)) for s in steps][::-1]
    other = batches_of(lines, vocabulary, {"tlm": tlm}, seed=4)
    assert contents(other(0, 0, 1)) != contents(both(0, 0, 1))[:1]


def contents(batches: list[PackedBatch]) -> list[Any]:
    return [(batch.input_ids.tolist(), batch.lengths.tolist()) for batch in batches]


def sequences(batch: PackedBatch) -> list[list[int]]:
    return [part.tolist() for part in np.split(batch.input_ids, np.cumsum(batch.lengths)[:-1])]


@pytest.mark.parametrize("world", [2, 4, 8])
def test_processes_share_a_step(both: ParallelBatches, world: int) -> None:
    """The sequences, their masks and the units of one process that has all of them."""
    for step in (0, 9):
        whole = both(step, 0, 1)
        parts = [both(step, rank, world) for rank in range(world)]
        for place, (name, batch) in enumerate(zip(("tlm", "contrastive"), whole, strict=True)):
            found = [part[place] for part in parts]
            assert sorted(one for part in found for one in sequences(part)) == sorted(sequences(batch))
            assert sum(part.labels[name].units for part in found).tolist() == batch.labels[name].units.tolist()
            assert {len(part.lengths) for part in found} == {len(batch.lengths) // world}


def test_a_joined_pair(both: ParallelBatches, vocabulary: Vocabulary) -> None:
    """<s> A </s> B </s>; masks, positions, segments and languages of each side."""
    bos, eos = vocabulary.special_ids["bos"], vocabulary.special_ids["eos"]
    batch, pairs = both(5, 0, 1)[0], both.pairs_of(5)
    arrays = batch.labels["tlm"].arrays
    original = batch.input_ids.copy()
    original[arrays["places"]] = arrays["labels"]
    assert (original != batch.input_ids).any() and (batch.input_ids == vocabulary.special_ids["mask"]).any()
    ends = np.cumsum(batch.lengths)
    language = np.full(len(original), -1)
    for number, end in enumerate(ends.tolist()):
        line, columns = int(pairs.line[number]), (int(pairs.first[number]), int(pairs.second[number]))
        one, other = (both.lines.tokens(line, column, longest_side(MAX_SEQ_LEN, True)).tolist() for column in columns)
        begin, middle = end - int(batch.lengths[number]), end - len(other) - 1
        assert original[begin:end].tolist() == [bos, *one, eos, *other, eos]
        assert batch.positions[begin:end].tolist() == [*range(len(one) + 2), *range(len(other) + 1)]
        assert batch.segments is not None
        assert batch.segments[begin:end].tolist() == [0] * (len(one) + 2) + [1] * (len(other) + 1)
        language[begin:middle], language[middle:end] = both.lines.languages[list(columns)]
    assert arrays["language"].tolist() == language[arrays["places"]].tolist()
    units = batch.labels["tlm"].units
    assert units.tolist() == np.bincount(arrays["language"], minlength=len(LABELS)).tolist()
    assert not batch.counts.any() and batch.counts.shape == (len(LABELS), 3)


def test_two_sequences_a_pair(both: ParallelBatches, vocabulary: Vocabulary) -> None:
    bos, eos = vocabulary.special_ids["bos"], vocabulary.special_ids["eos"]
    batch, pairs = both(5, 1, 2)[1], both.pairs_of(5)
    mine = slice(1, None, 2)
    line, column = np.tile(pairs.line[mine], 2), np.concatenate((pairs.first[mine], pairs.second[mine]))
    sides = [[bos, *both.lines.tokens(int(one), int(of), 30), eos] for one, of in zip(line, column, strict=True)]
    assert sequences(batch) == sides and batch.segments is None
    labels = batch.labels["contrastive"]
    assert labels.arrays["language"].tolist() == both.lines.languages[column].tolist()
    assert labels.arrays["lengths"].tolist() == [len(side) for side in sides]
    assert labels.units.sum() == PAIRS and not batch.counts.any()
    first = SentenceLabeller(len(LABELS), "cls")
    cls = batches_of(both.lines, vocabulary, {"contrastive": first})(5, 1, 2)[0]
    assert cls.input_ids[cls.labels["contrastive"].arrays["places"]].tolist() == [bos] * PAIRS


def test_long_sides_are_cut_and_that_is_said(lines: ParallelLines, vocabulary: Vocabulary, tlm: SideLabeller) -> None:
    cut = batches_of(lines, vocabulary, {"tlm": tlm, "contrastive": MEAN}, max_seq_len=16)
    for step in range(cut.steps_an_epoch):
        joined, apart = cut(step, 0, 1)
        assert joined.lengths.max() <= 15 and apart.lengths.max() <= 16
    long, longer = (int((lines.counts > most).sum()) for most in (6, 14))
    sentences = int((lines.counts > 0).sum())
    said = told_of_lines(lines, cut.labellers, 16)
    assert f" lines, {sentences} sentences of 5 languages, {lines.counts.sum():,} tokens; " in said[0]
    assert said[1:] == [
        f"{long} of {sentences} sentences are cut to their first 6 tokens for tlm",
        f"{longer} of {sentences} sentences are cut to their first 14 tokens for contrastive",
    ]


@pytest.mark.parametrize(("tokens", "sides", "size"), [(512, 3, 512), (513, 3, 768), (769, 3, 1024), (9, 33, 1536)])
def test_sizes_of_padded_batches(tokens: int, sides: int, size: int) -> None:
    assert room(tokens, sides) == size


def test_static_batches_are_of_one_shape_and_show_the_same(both: ParallelBatches, vocabulary: Vocabulary) -> None:
    shapes = set()
    for step in range(both.steps_an_epoch):
        plain, static = both(step, 1, 2), both(step, 1, 2, True)
        for one, padded in zip(plain, static, strict=True):
            count, (name,) = len(one.input_ids), one.labels
            assert padded.input_ids[:count].tolist() == one.input_ids.tolist()
            assert (padded.input_ids[count:] == vocabulary.special_ids["pad"]).all()
            assert padded.lengths.tolist() == one.lengths.tolist()
            assert len(padded.lengths) * 32 <= len(padded.input_ids)
            arrays, before = padded.labels[name].arrays, one.labels[name].arrays
            for key, values in before.items():
                assert arrays[key][: len(values)].tolist() == values.tolist()
            shapes.add((name, padded.input_ids.shape, *(value.shape for value in arrays.values())))
            if name == "tlm":
                assert (arrays["labels"][len(before["labels"]) :] == NOTHING).all()
            else:
                assert arrays["lengths"][PAIRS:].tolist() == [len(padded.input_ids) - count]
    assert len(shapes) == 2


def test_tokens_may_be_told_their_language(lines: ParallelLines, vocabulary: Vocabulary, tlm: SideLabeller) -> None:
    def tell(language: np.ndarray, keys: np.ndarray) -> np.ndarray:
        assert len(keys) == len(language)
        return language + 1

    told = batches_of(lines, vocabulary, {"tlm": tlm, "contrastive": MEAN}, tell=tell)
    for batch in told(2, 0, 1, True):
        assert batch.languages is not None and len(batch.languages) == len(batch.input_ids)
        for labels in batch.labels.values():
            if "places" in labels.arrays:
                count = labels.units.sum()
                places, language = (labels.arrays[key][:count] for key in ("places", "language"))
                assert batch.languages[places].tolist() == (language + 1).tolist()
            else:
                of_tokens = np.repeat(labels.arrays["language"], batch.lengths) + 1
                assert batch.languages[: len(of_tokens)].tolist() == of_tokens.tolist()
        assert not batch.languages[batch.lengths.sum() :].any()


def test_more_pairs_than_lines(lines: ParallelLines, vocabulary: Vocabulary, tlm: SideLabeller) -> None:
    most = len(batches_of(lines, vocabulary, {}).shown)
    assert batches_of(lines, vocabulary, {}, pairs=most).steps_an_epoch == 1
    with pytest.raises(
        UserError, match=f"parallel_pairs = {most + 1} is more than the {most} lines that parallel_text"
    ):
        batches_of(lines, vocabulary, {}, pairs=most + 1)


def test_translations_come_before_the_batches_of_a_step(both: ParallelBatches, vocabulary: Vocabulary) -> None:
    class NoWindows:
        pass

    stream = TrainingStream(
        Collator({}, vocabulary, len(LABELS), 0), NoWindows(), global_batch_tokens=64, streams=2, micro_batch_tokens=32,
        others=both,
    )  # fmt: skip
    from train.data.pieces import concatenate
    from train.data.windows import Position

    nothing = concatenate([])
    stream.step = lambda position: ([nothing, nothing], [], position)  # type: ignore[method-assign]
    step = stream.share(Position(7), 1, 2)
    assert [list(batch.labels) for batch in step.batches] == [["tlm"], ["contrastive"], []]
    assert contents(step.batches[:2]) == contents(both(7, 1, 2))


def test_retrieval_asks_for_what_is_held_out(lines: ParallelLines, vocabulary: Vocabulary) -> None:
    """Each held-out sentence is in one batch, and English is the partner of all."""
    found = retrieval(lines, LABELS, MEAN, vocabulary, max_seq_len=MAX_SEQ_LEN, batch_tokens=96)
    assert found is not None
    held = held_out_lines(lines)
    everything = {(int(line), column) for line in held for column in range(5) if lines.counts[line, column]}
    assert set(zip(found.line.tolist(), found.column.tolist(), strict=True)) == everything
    assert [one.start for one in found.batches] == [0, *(one.stop for one in found.batches[:-1])]
    assert found.batches[-1].stop == len(everything) == len(found.line)
    assert all(name.endswith("-eng_Latn") for name in found.pairs)
    for name, (ones, others) in found.pairs.items():
        assert (found.line[ones] == found.line[others]).all() and (found.column[others] == WITH.index("eng_Latn")).all()
        assert (found.column[ones] == WITH.index(name.removesuffix("-eng_Latn"))).all() and len(ones) > 1
    for number in range(len(found)):
        batch, padded = found(number), found(number, True)
        assert len(padded.input_ids) == 96 and len(batch.input_ids) <= 96 and len(batch.lengths) <= 3
        assert batch.labels[RETRIEVAL].arrays["lengths"].tolist() == batch.lengths.tolist()


def test_no_retrieval_where_too_little_is_held_out(lines: ParallelLines, vocabulary: Vocabulary) -> None:
    few = ParallelLines(lines.languages, lines.counts[:20], lines.begins[:20], lines.ids, lines.texts[:20])
    assert retrieval(few, LABELS, MEAN, vocabulary, max_seq_len=MAX_SEQ_LEN, batch_tokens=96) is None


def test_only_a_folder_is_needed(tmp_path: Path, vocabulary: Vocabulary) -> None:
    """Files without a line: no pairs, and that is said."""
    folder = write_translations(tmp_path, {"eng.txt": [], "tha.txt": []})
    empty = tokenise(read_parallel(folder, LABELS, lambda line: None), vocabulary)
    with pytest.raises(UserError, match="parallel_pairs = 8 is more than the 0 lines"):
        batches_of(empty, vocabulary, {})


def test_a_text_that_is_held_out_is_shown_in_no_other_line(vocabulary: Vocabulary, tmp_path: Path) -> None:
    """Forty lines four times over, and one of their texts with another translation."""
    texts = translations(40, ["eng_Latn", "tha_Thai"], empty=0)
    many = {f"{name}.txt": lines * 4 + [lines[7]] for name, lines in texts.items()}
    many["tha_Thai.txt"][-1] = "แสง"
    lines = tokenise(read_parallel(write_translations(tmp_path, many), LABELS, lambda line: None), vocabulary)
    held, shown = held_out_lines(lines), shown_lines(lines)
    assert len(held) == 8 and len(shown)
    for name in ("eng_Latn", "tha_Thai"):
        known = {many[f"{name}.txt"][number] for number in held.tolist()}
        assert not known & {many[f"{name}.txt"][number] for number in shown.tolist()}
