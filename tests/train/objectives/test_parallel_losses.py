"""Both objectives of translations in the model: padded or not, of one process or of several."""

from pathlib import Path

import numpy as np
import pytest
import torch
from translations import translations, write_translations

from train.corpus.vocabulary import open_vocabulary
from train.data.batches import FEWEST_TOKENS, PackedBatch
from train.data.parallel import read_parallel, tokenise
from train.data.parallel_batches import ParallelBatches
from train.joint.joint_model import JointModel
from train.model.attention import build_layout, filled_lengths
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.objectives.contrastive import Contrastive, SentenceLabeller
from train.objectives.objective import Batch
from train.objectives.tlm import SideLabeller, TranslationLanguageModelling

LANGUAGES = ("arb_Arab", "eng_Latn", "tha_Thai", "zho_Hans")
CPU, LONGEST = torch.device("cpu"), 32


@pytest.fixture(scope="module")
def source(corpus, tmp_path_factory: pytest.TempPathFactory) -> ParallelBatches:
    texts = {f"{name}.txt": lines for name, lines in translations(60, list(LANGUAGES)).items()}
    folder: Path = write_translations(tmp_path_factory.mktemp("text"), texts)
    vocabulary = open_vocabulary(corpus.tokenizer)
    lines = tokenise(read_parallel(folder, LANGUAGES, lambda line: None), vocabulary)
    tlm = SideLabeller(vocabulary, 4, lambda step: 0.3, 0.3)
    labellers = {"tlm": tlm, "contrastive": SentenceLabeller(4, "mean")}
    return ParallelBatches(lines, labellers, vocabulary, 4, seed=1, pairs=8, max_seq_len=LONGEST)


@pytest.fixture(scope="module")
def joint(source: ParallelBatches) -> JointModel:
    torch.manual_seed(0)
    config = EncoderConfig(
        vocab_size=source.vocabulary.size, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=LONGEST, global_attn_every_n_layers=2, local_attention=8,
    )  # fmt: skip
    tlm = TranslationLanguageModelling(source.labellers["tlm"])  # type: ignore[arg-type]
    contrastive = Contrastive(source.labellers["contrastive"], 0.1)  # type: ignore[arg-type]
    return JointModel(MaskedLanguageModel(config), {"tlm": tlm, "contrastive": contrastive})


def there(batch: PackedBatch) -> Batch:
    """With the layout that it has on a GPU."""
    tokens = len(batch.input_ids)
    layout = build_layout(
        filled_lengths(batch.lengths, tokens, LONGEST), 8, CPU, torch.float32, longest=LONGEST,
        max_sequences=tokens // FEWEST_TOKENS + -(-tokens // LONGEST) + len(batch.lengths),
    )  # fmt: skip
    arrays = {
        name: {key: torch.from_numpy(values) for key, values in labels.arrays.items()}
        for name, labels in batch.labels.items()
    }
    segments = None if batch.segments is None else torch.from_numpy(batch.segments)
    ids, positions = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.positions)
    return Batch(ids, positions, layout, segments, None, arrays, {})


WEIGHTS = {"tlm": torch.tensor([1.0, 0.5, 2.0, 1.5]), "contrastive": torch.tensor([0.3, 1.0, 0.7, 0.2])}


def test_padding_changes_neither_losses_nor_gradients(source: ParallelBatches, joint: JointModel) -> None:
    for plain, static in zip(source(3, 0, 2), source(3, 0, 2, True), strict=True):
        assert len(static.input_ids) > len(plain.input_ids)
        found = []
        for batch in (plain, static):
            joint.zero_grad()
            total, sums = joint(there(batch), WEIGHTS)
            total.backward()
            gradients = {name: p.grad.clone() for name, p in joint.named_parameters() if p.grad is not None}
            found.append((total.detach(), sums, gradients))
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)
        (name,) = plain.labels
        assert found[0][1][name][:, 2].tolist() == plain.labels[name].units.tolist()


def test_a_padded_batch_fits_the_layout_of_a_gpu(source: ParallelBatches) -> None:
    """DeviceBatches keeps room for so many sequences, and the padding's own."""
    for step in range(source.steps_an_epoch):
        for batch in source(step, 0, 1, True):
            tokens = len(batch.input_ids)
            lengths = filled_lengths(batch.lengths, tokens, LONGEST)
            assert len(lengths) <= tokens // FEWEST_TOKENS + -(-tokens // LONGEST)
            assert batch.positions.max() < LONGEST


def test_masked_words_of_processes_add_up(source: ParallelBatches, joint: JointModel) -> None:
    with torch.no_grad():
        totals = []
        for world in (1, 2, 4):
            shares = [joint(there(source(6, rank, world)[0]), WEIGHTS) for rank in range(world)]
            totals.append(sum(total.item() for total, _ in shares))
            units = sum(sums["tlm"][:, 2] for _, sums in shares)
            assert np.allclose(units.numpy(), source(6, 0, 1)[0].labels["tlm"].units)
    assert totals[1:] == pytest.approx([totals[0]] * 2, rel=1e-5)
