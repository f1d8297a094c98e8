"""Steps of pairs: the same for every number of processes and after every restart, with all that a model is to see."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import UserError
from train.corpus.blocks import blocks_of
from train.corpus.shards import Shards, open_shards
from train.corpus.token_cache import TokenCache
from train.corpus.tokenising import Tokens
from train.corpus.vocabulary import Vocabulary, open_vocabulary
from train.data.batches import Collator, PackedBatch, Step, TrainingStream
from train.data.language_stream import Place
from train.data.plan import plan_run
from train.data.sources import StreamSettings, epoch_tokens, of_two_sentences, open_stream, training_blocks
from train.data.validation import validation_of_pairs
from train.data.windows import Position, Span
from train.objectives.masking import MaskLabeller, Share
from train.objectives.pair_labels import PairLabeller
from train.optim.schedule import Schedule

STREAMS, BUDGET, MAX = 12, 768, 32
KINDS = ("nsp", "sop")
SETTINGS = StreamSettings(3, MAX, 2000, BUDGET, STREAMS, 128, static=False, pairs=KINDS)


@pytest.fixture(scope="module")
def vocabulary(corpus_of_sentences) -> Vocabulary:
    return open_vocabulary(corpus_of_sentences.tokenizer)


@pytest.fixture(scope="module")
def shards(corpus_of_sentences) -> Shards:
    return open_shards(corpus_of_sentences.shards)


@pytest.fixture(scope="module")
def tokens(corpus_of_sentences, vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    cache = TokenCache(tmp_path_factory.mktemp("tokens"), vocabulary)
    return Tokens(cache, corpus_of_sentences.tokenizer, 0, sentences=True)


@pytest.fixture
def make_stream(
    corpus_of_sentences, shards: Shards, tokens: Tokens, vocabulary: Vocabulary
) -> Callable[..., TrainingStream]:
    sizes = epoch_tokens(shards, training_blocks(shards), tokens, 3, MAX)
    plan = plan_run(shards.mixture, sizes, 50, BUDGET)
    mask = MaskLabeller(vocabulary, 3, Share(Schedule.parse("0.3"), 50), 0.3)

    def make(there: Shards = shards, **settings: object) -> TrainingStream:
        changed = StreamSettings(**(SETTINGS.__dict__ | settings))
        pairs = {name: PairLabeller(number, 3) for number, name in enumerate(changed.pairs)}
        folder = tokens.cache.folder
        return open_stream(there, corpus_of_sentences.tokenizer, folder, 0, plan, {"mlm": mask, **pairs}, changed)

    return make


def walk(stream: TrainingStream, steps: int, rank: int, world: int, position: Position | None = None) -> list[Step]:
    found, position = [], position or Position()
    for _ in range(steps):
        found.append(stream.share(position, rank, world))
        position = found[-1].following
    return found


def sequences(batches: list[PackedBatch]) -> list[tuple[object, ...]]:
    """Each sequence: hidden ids, segments, (objective, label, language) of its pair, sorted."""
    found = []
    for batch in batches:
        assert batch.segments is not None
        asked = {}
        for name in KINDS:
            arrays = batch.labels[name].arrays if name in batch.labels else {}
            columns = [arrays[key].tolist() for key in ("places", "labels", "language") if arrays]
            asked |= {
                place: (name, label, language) for place, label, language in zip(*columns, strict=True) if label >= 0
            }
        ends = np.cumsum(batch.lengths)
        for start, end in zip((ends - batch.lengths).tolist(), ends.tolist(), strict=True):
            assert batch.positions[start:end].tolist() == list(range(end - start))
            pair = asked.pop(start, ())
            assert bool(pair) == bool(batch.segments[start:end].any())
            found.append((tuple(batch.input_ids[start:end]), tuple(batch.segments[start:end]), pair))
        assert not asked
    return sorted(found)


@pytest.mark.parametrize("world", [2, 3, 12])
def test_any_number_of_processes_sees_the_same_pairs(make_stream: Callable[..., TrainingStream], world: int) -> None:
    alone = walk(make_stream(), 6, 0, 1)
    ranks = [walk(make_stream(), 6, rank, world) for rank in range(world)]
    for number, step in enumerate(alone):
        parts = [rank[number] for rank in ranks]
        assert sequences([batch for part in parts for batch in part.batches]) == sequences(step.batches)
        assert {part.following for part in parts} == {step.following}
    pairs = [pair for step in alone for _, _, pair in sequences(step.batches)]
    assert {pair[:2] for pair in pairs} == {(), ("nsp", 0), ("nsp", 1), ("sop", 0), ("sop", 1)}


def test_a_position_is_all_that_a_restart_needs(make_stream: Callable[..., TrainingStream]) -> None:
    whole = walk(make_stream(), 20, 0, 1)
    assert len({step.following.spans[0] for step in whole}) > 4
    for number in range(0, 19, 3):
        position = Position.from_json(json.loads(json.dumps(whole[number].following.as_json())))
        again = walk(make_stream(), min(4, 19 - number), 0, 1, position)
        for expected, step in zip(whole[number + 1 :], again, strict=False):
            assert sequences(step.batches) == sequences(expected.batches)
            assert step.following == expected.following


def test_a_pair_is_two_texts_between_special_tokens(
    make_stream: Callable[..., TrainingStream], vocabulary: Vocabulary, tokens: Tokens
) -> None:
    """Against the cached ids: what follows where the label says so, and what does not where it does not."""
    stream = make_stream()
    bos, eos = vocabulary.special_ids["bos"], vocabulary.special_ids["eos"]
    position, seen = Position(), 0
    for _ in range(5):
        bins, blocks, following = stream.step(position)
        for pieces in bins:
            batch = stream.collate(pieces, blocks, 0)
            ids = stream.collate._tokens(pieces, blocks)
            assert batch.segments is not None
            assert batch.counts[:, 1].sum() == pieces.text_length.sum() == (~np.isin(ids, [bos, eos])).sum()
            ends = np.cumsum(pieces.length)
            for one, (start, end) in enumerate(zip((ends - pieces.length).tolist(), ends.tolist(), strict=True)):
                own, segments = ids[start:end].tolist(), batch.segments[start:end]
                block = blocks[pieces.block[one]]
                first = int(block.begins[pieces.row[one]])
                text = block.ids[first + pieces.start[one] : first + pieces.stop[one]].tolist()
                if pieces.pair[one] < 0:
                    assert own == [bos, *text, eos] and not segments.any()
                    continue
                other = blocks[pieces.second_block[one]]
                begin = int(other.begins[pieces.second_row[one]])
                second = other.ids[begin + pieces.second_start[one] : begin + pieces.second_stop[one]].tolist()
                assert own == [bos, *text, eos, *second, eos] and len(own) <= MAX
                assert segments.tolist() == [0] * (len(text) + 2) + [1] * (len(second) + 1)
                assert other.sentence_ends is not None
                seen += 1
        position = following
    assert seen > 50


def test_static_batches_are_of_one_shape_and_show_the_same(make_stream: Callable[..., TrainingStream]) -> None:
    plain, static = walk(make_stream(), 6, 1, 3), walk(make_stream(static=True), 6, 1, 3)
    shapes = set()
    for one, other in zip(plain, static, strict=True):
        for batch, padded in zip(one.batches, other.batches, strict=True):
            assert padded.segments is not None
            arrays = [values for labels in padded.labels.values() for values in labels.arrays.values()]
            shapes.add(tuple(values.shape for values in (padded.input_ids, padded.segments, *arrays)))
            assert not padded.segments[int(padded.lengths.sum()) :].any()
            if batch.lengths.tolist() == padded.lengths.tolist():
                count = int(batch.lengths.sum())
                assert batch.segments is not None
                assert padded.segments[:count].tolist() == batch.segments.tolist()
    assert len(shapes) == 1


def test_shares_are_those_of_the_plan(make_stream: Callable[..., TrainingStream]) -> None:
    """Counted with the third special token, which a piece that is taken does not know of."""
    stream = make_stream()
    counts = sum(batch.counts[:, 0] for step in walk(stream, 40, 0, 1) for batch in step.batches)
    assert np.abs(counts / counts.sum() - stream.windows.plan.phases[0].rates).max() < 0.01


def test_pages_that_are_taken_down_do_not_end_a_run(
    corpus_of_sentences, tmp_path: Path, make_stream: Callable[..., TrainingStream]
) -> None:
    """Pairs are made of what is left: those of other pages may have another second text, or become single."""
    whole = walk(make_stream(), 10, 0, 1)
    root = tmp_path / "sample"
    shutil.copytree(corpus_of_sentences.shards, root)
    for path in root.glob("data/*/train-*.parquet"):
        with pq.ParquetFile(path) as file:
            groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
        with pq.ParquetWriter(path, groups[0].schema) as out:
            for group in groups:
                out.write_table(group.slice(1))
    after = walk(make_stream(open_shards(root)), 4, 0, 1, whole[4].following)
    left = [one for step in after for one in sequences(step.batches)]
    before = {one for step in whole[5:] for one in sequences(step.batches)}
    assert sum(one in before for one in left) > 0.3 * len(left)
    assert {pair[:1] for *_, pair in left} == {(), ("nsp",), ("sop",)}


def test_validation_pairs_are_those_of_every_run(shards: Shards, tokens: Tokens, vocabulary: Vocabulary) -> None:
    """Whatever other objectives the run has; pairs alone, within the limit, half of them wrong."""
    blocks = [blocks_of(shards.files, language, "validation") for language in shards.languages]

    def made(number: int, name: str, limit: int) -> list[tuple[object, ...]]:
        collate = Collator({name: PairLabeller(number, 3)}, vocabulary, 3, 0, pairs=True)
        how = {"max_seq_len": MAX, "tokens_per_language": limit, "batch_tokens": 64}
        held = validation_of_pairs(collate, blocks, tokens, number=number, name=name, **how)
        found = [held(at) for at in range(len(held))]
        assert all(batch.lengths.sum() <= 64 for batch in found)
        assert sum(int(batch.labels[name].units.sum()) for batch in found) == sum(len(b.lengths) for b in found)
        return sequences(found)

    for name in KINDS:
        assert made(0, name, 1 << 20) == made(1, name, 1 << 20)
        labels = [pair[1] for *_, pair in made(0, name, 1 << 20)]
        assert len(labels) > 60 and 0.3 < np.mean(labels) < 0.7
    assert 0 < len(made(0, "sop", 200)) < 40


def test_shards_without_two_sentences_are_named(tmp_path: Path, corpus_of_sentences) -> None:
    root = tmp_path / "sample"
    path = root / "data" / "eng_Latn" / "train.parquet"
    path.parent.mkdir(parents=True)

    def counted(texts: list[str]) -> tuple[int, int]:
        ids = [str(number) for number in range(len(texts))]
        pq.write_table(pa.table({"id": ids, "text": texts}), path)
        there = open_shards(root)
        cache = TokenCache(tmp_path / "tokens", open_vocabulary(corpus_of_sentences.tokenizer))
        tokens = Tokens(cache, corpus_of_sentences.tokenizer, 0, sentences=True)
        return of_two_sentences(training_blocks(there), tokens, 0)

    assert counted(["the river. the light", "bread", "", "rain. stones. people"]) == (2, 3)
    with pytest.raises(UserError, match="a pair objective on shards without two sentences in any document: ") as error:
        counted(["the river", "bread"])
    assert "\n" not in str(error.value)


def test_the_first_sentence_may_be_far_behind_the_sample(
    tmp_path: Path, corpus_of_sentences, monkeypatch: pytest.MonkeyPatch
) -> None:
    import train.data.sources as sources

    monkeypatch.setattr(sources, "SAMPLED", 1)
    path = tmp_path / "sample" / "data" / "eng_Latn" / "train.parquet"
    path.parent.mkdir(parents=True)
    texts = ["rain"] * 40
    vocabulary = open_vocabulary(corpus_of_sentences.tokenizer)
    for place in range(0, 40, 8):
        texts[place : place + 8] = ["stones. bread"] + ["rain"] * 7
        pq.write_table(pa.table({"id": [str(n) for n in range(40)], "text": texts}), path, row_group_size=8)
        tokens = Tokens(TokenCache(tmp_path / f"t{place}", vocabulary), corpus_of_sentences.tokenizer, 0, True)
        several, documents = of_two_sentences(training_blocks(open_shards(tmp_path / "sample")), tokens, 0)
        assert (several, documents) in ((0, 8), (1, 8))
        texts[place : place + 8] = ["rain"] * 8


def test_a_language_that_is_owed_more_than_a_piece_has_one_in_the_next_window(
    make_stream: Callable[..., TrainingStream],
) -> None:
    """What pairs lose where they are cut is owed back, so that a window may begin with more than a piece's length."""
    windows = make_stream().windows
    first = windows.first()
    span = Span(first.span.start, first.span.stop, (MAX + 9.0, 0.0, 0.0))
    assert windows.after(span, 49).pieces.language.tolist().count(0) >= 1


def test_a_language_without_anything_left_does_not_keep_the_others_back(
    make_stream: Callable[..., TrainingStream],
) -> None:
    """Its epochs are used up by a fraction that shows no document, while others are owed less than a piece."""
    windows = make_stream().windows
    stream = windows.streams[0]
    stream.max_epochs = 1e-9
    span = windows.first().span
    places = (Place(), *span.stop[1:])
    following = windows.after(Span(places, places, (5.0 * MAX, 0.0, 0.0)), 49)
    assert len(following.pieces) and 0 not in following.pieces.language
    assert following.span.owed[0] == 0
