"""The seam: one forward pass, weights by objective and language, sums by language."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from train.joint.joint_model import JointModel
from train.joint.weighting import Weighting
from train.model.attention import build_layout
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.objectives.mlm import MaskedLanguageModelling
from train.objectives.objective import Asked, Batch, Objective
from train.optim.schedule import Schedule

CPU = torch.device("cpu")
CONFIG = EncoderConfig(
    vocab_size=70, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
    max_position_embeddings=32, global_attn_every_n_layers=2, local_attention=8,
)  # fmt: skip
LENGTHS = np.array([20, 7, 31])
TOKENS = int(LENGTHS.sum())


class Length(Objective):
    """An objective of its own parameters on every token: how far its sequence's end is, as a square."""

    def __init__(self) -> None:
        self.module = nn.Linear(CONFIG.hidden_size, 1)

    def __call__(self, asked: Asked, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        losses = (self.module(asked.hidden)[:, 0] - asked.arrays["left"].float()).square()
        language = asked.arrays["language"]
        values = torch.stack((losses.double(), torch.zeros_like(losses).double(), torch.ones_like(losses).double()), 1)
        return (losses * weight[language]).sum(), torch.zeros(len(weight), 3).double().index_add_(0, language, values)


@pytest.fixture
def model() -> MaskedLanguageModel:
    torch.manual_seed(0)
    return MaskedLanguageModel(CONFIG)


def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 70, (TOKENS,), generator=generator)
    places = torch.arange(0, TOKENS, 3)
    language = torch.from_numpy(np.repeat([0, 1, 0], LENGTHS))
    positions = torch.cat([torch.arange(int(n)) for n in LENGTHS])
    labels = torch.randint(5, 70, (len(places),), generator=generator)
    mlm = {"places": places, "labels": labels, "language": language[places]}
    left = torch.cat([torch.arange(int(n)).flip(0) for n in LENGTHS])
    arrays = {"mlm": mlm, "length": {"left": left, "language": language}}
    return Batch(ids, positions, build_layout(LENGTHS, 8, CPU, torch.float32), None, None, arrays, {})


def joint_of(model: MaskedLanguageModel, *names: str) -> JointModel:
    there = {"mlm": MaskedLanguageModelling(None), "length": Length()}  # type: ignore[arg-type]
    return JointModel(model, {name: there[name] for name in names})  # type: ignore[misc]


def test_the_loss_is_that_of_a_plain_softmax(model: MaskedLanguageModel) -> None:
    made = batch()
    weights, arrays = {"mlm": torch.tensor([0.5, 2.0])}, made.arrays
    total, sums = joint_of(model, "mlm")(made, weights)
    logits = model(made.input_ids, made.positions, made.layout, arrays["mlm"]["places"])
    labels, language = arrays["mlm"]["labels"], arrays["mlm"]["language"]
    losses = nn.functional.cross_entropy(logits, labels, reduction="none")
    assert total.item() == pytest.approx((losses * weights["mlm"][language]).sum().item(), rel=1e-5)
    for number in (0, 1):
        mine = language == number
        assert sums["mlm"][number, 0].item() == pytest.approx(losses[mine].sum().item(), rel=1e-5)
        hits = (logits.argmax(1) == labels)[mine].sum().item()
        assert sums["mlm"][number, 1:].tolist() == [hits, int(mine.sum())]


def test_two_objectives_are_the_sum_of_both_in_one_forward_pass(model: MaskedLanguageModel) -> None:
    """With gradients: those of each alone, added; an objective of its own parameters and one of none."""
    made = batch()
    weights = {"mlm": torch.tensor([0.1, 0.3]), "length": torch.tensor([0.02, 0.01])}
    both = joint_of(model, "mlm", "length")
    assert [name for name, _ in both.named_parameters() if name.startswith("modules_of.length")]
    calls = []
    handle = model.model.register_forward_hook(lambda *_: calls.append(1))
    gradients = []
    for chosen in (("mlm", "length"), ("mlm",), ("length",)):
        model.zero_grad()
        total, sums = both(made, weights, {name: both.objectives[name] for name in chosen})
        total.backward()
        assert list(sums) == list(chosen)
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
    handle.remove()
    assert len(calls) == 3
    for name, value in gradients[0].items():
        parts = [found[name] for found in gradients[1:] if name in found]
        torch.testing.assert_close(value, sum(parts[1:], parts[0]), rtol=1e-4, atol=1e-6)


def test_nothing_in_a_batch_is_no_loss_and_no_error(model: MaskedLanguageModel) -> None:
    """A process whose share of a step is empty still has to take part in the exchange of gradients."""
    nothing = torch.empty(0, dtype=torch.int64)
    layout = build_layout(np.empty(0, np.int64), 8, CPU, torch.float32)
    arrays = {"mlm": {"places": nothing, "labels": nothing, "language": nothing}}
    made = Batch(nothing, nothing, layout, None, None, arrays, {})
    total, sums = joint_of(model, "mlm")(made, {"mlm": torch.ones(2)})
    total.backward()
    assert total.item() == 0 and not sums["mlm"].any()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in model.parameters())


def weighting(mean: str, weights: list[float], text: str = "1") -> Weighting:
    return Weighting({"mlm": Schedule.parse(text)}, mean, np.array(weights))


def test_weights_by_hand() -> None:
    units = {"mlm": np.array([30, 10, 0])}
    even = weighting("tokens", [1, 1, 1]).weights(units, 0, 10)["mlm"]
    assert even.tolist() == pytest.approx([1 / 40, 1 / 40, 0])
    tilted = weighting("tokens", [1, 3, 1]).weights(units, 0, 10)["mlm"]
    assert tilted.tolist() == pytest.approx([1 / 60, 3 / 60, 0])
    macro = weighting("languages", [1, 3, 1]).weights(units, 0, 10)["mlm"]
    assert macro.tolist() == pytest.approx([1 / 30 / 4, 3 / 10 / 4, 0])
    later = weighting("tokens", [1, 1, 1], "0:1,10:0").weights(units, 5, 10)["mlm"]
    assert later.tolist() == pytest.approx([0.5 / 40, 0.5 / 40, 0])
    nothing = weighting("languages", [0, 0, 1]).weights(units, 0, 10)["mlm"]
    assert nothing.tolist() == [0, 0, 0]


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0.1, 5)), min_size=1, max_size=8), st.booleans())
def test_weights_add_up_to_one_loss(languages: list[tuple[int, float]], macro: bool) -> None:
    counts = np.array([count for count, _ in languages])
    found = weighting("languages" if macro else "tokens", [w for _, w in languages]).weights({"mlm": counts}, 0, 1)
    assert (found["mlm"] * counts).sum() == pytest.approx(1.0 if counts.any() else 0.0)


SCHEDULES = ("1", "0.25", "0:1,10:0.5", "50%:1,100%:0.2", "3:0,4:2")


def plain_loss(
    losses: dict[str, list[tuple[int, float]]],
    mean: str,
    balanced: set[str],
    lambdas: dict[str, float],
    of: list[float],
) -> float:
    """The loss of a step in plain loops. losses: of each objective, (language, loss) of its units."""
    total = 0.0
    for name, units in losses.items():
        by_language: dict[int, list[float]] = {}
        for language, loss in units:
            by_language.setdefault(language, []).append(loss)
        over = under = 0.0
        for language, ones in by_language.items():
            for loss in ones:
                each = 1.0 / len(ones) if mean == "languages" or name in balanced else 1.0
                over += of[language] * each * loss
                under += of[language] * each
        total += lambdas[name] * (over / under if under else 0.0)
    return total


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("mean", ["tokens", "languages"])
def test_the_loss_of_a_step_is_that_of_plain_loops_over_any_processes(seed: int, mean: str) -> None:
    """lambda of objectives and languages by schedules, on units that lie in one process or in several."""
    draw = np.random.default_rng(seed)
    names, languages, steps = ("mlm", "nsp", "contrastive", "absent"), 5, 20
    step, balanced = int(draw.integers(steps)), frozenset({"contrastive"} if seed % 2 else ())
    texts = draw.choice(SCHEDULES, len(names) + languages)
    schedules = {name: Schedule.parse(text) for name, text in zip(names, texts, strict=False)}
    changing = {number: Schedule.parse(text) for number, text in enumerate(texts[len(names) :]) if number != 2}
    found = Weighting(schedules, mean, np.full(languages, 1.5), balanced, changing)
    counts = {name: 0 if name == "absent" else int(draw.integers(1, 60)) for name in names}
    language = {name: draw.integers(0, languages - 1, count) for name, count in counts.items()}
    losses = {name: draw.gamma(2.0, 3.0, count) for name, count in counts.items()}
    pairs = {name: list(zip(language[name].tolist(), losses[name].tolist(), strict=True)) for name in names}
    lambdas = {name: schedule(step, steps) for name, schedule in schedules.items()}
    of = [changing[number](step, steps) if number in changing else 1.5 for number in range(languages)]
    expected = plain_loss(pairs, mean, set(balanced), lambdas, of)
    assert found.of_objectives(step, steps) == lambdas and found.of_languages(step, steps).tolist() == of
    for processes in (1, 2, 3, 7):
        owner = {name: draw.integers(0, processes, count) for name, count in counts.items()}
        units = {
            name: sum(
                np.bincount(language[name][owner[name] == rank], minlength=languages) for rank in range(processes)
            )
            for name in names
        }
        weights = found.weights(units, step, steps)
        shares = [
            sum((losses[name] * weights[name][language[name]])[owner[name] == rank].sum() for name in names)
            for rank in range(processes)
        ]
        assert sum(shares) == pytest.approx(expected, rel=1e-12, abs=1e-14)
