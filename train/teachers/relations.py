"""Distillation of attention relations: MiniLMv2 (Wang et al. 2021, arXiv 2012.15828)."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from schemas.errors import UserError
from train.model.heads import MaskedLanguageModel
from train.objectives.objective import Asked, Built, Objective, sums_by_language
from train.teachers.routing import RelationsLabeller
from train.teachers.teachers import Teachers, layer_number

KINDS = 3  # queries with queries, keys with keys, values with values
CHUNK_RELATIONS = {"cpu": 1 << 20, "cuda": 1 << 26}


class Relations(Objective):
    """How the tokens of a sequence are related by the queries, keys and values of one layer, as the teacher has it.

    Both read the hidden text. A unit is a token, a row of the three matrices, so that the loss is their mean over
    tokens. A student of other width, heads and depth than the teacher's is none the worse for it.
    """

    def __init__(
        self, labeller: RelationsLabeller, teachers: Teachers, heads: int, student_layer: int, teacher_layer: int
    ) -> None:
        self.labeller, self.teachers, self.heads = labeller, teachers, heads
        self.student_layer, self.teacher_layers = student_layer, teachers.keep(teacher_layer)

    @classmethod
    def build(cls, built: Built) -> Self:
        teachers, table = built.teachers, built.table
        teachers.need_same_tokens("relations", built.config.data.tokenizer)
        for one in teachers.teachers:
            _check_heads(table.relation_heads, one.shape.hidden_size, f"the teacher {one.folder}")
        labeller = RelationsLabeller(teachers.routes)
        return cls(labeller, teachers, table.relation_heads, table.student_layer, table.teacher_layer)

    def bind(self, model: MaskedLanguageModel, device: torch.device, dtype: torch.dtype) -> None:
        _check_heads(self.heads, model.config.hidden_size, "the model")
        said = f"student_layer = {self.student_layer}"
        self.layers = (layer_number(self.student_layer, model.config.num_hidden_layers, said, "the model"),)
        self.teachers.open(device, dtype)

    def check_shown(self, languages: Sequence[str]) -> None:
        self.teachers.check_shown(languages)

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        (layer,) = self.layers
        inputs, of_layer = asked.layer_inputs[layer], asked.model.model.layers[layer]
        answers = self.teachers.answers(asked.batch)
        tokens = {name: self.teachers.tokens(asked.batch, name) for name in answers}
        # One call for all teachers, so that a sharded layer is gathered once.
        qkv = of_layer.queries_keys_values(inputs.index_select(0, torch.cat(list(tokens.values()))))  # type: ignore[operator]
        parts = qkv.split([len(one) for one in tokens.values()])
        total, found = torch.zeros((), device=inputs.device), []
        for (name, answer), student in zip(answers.items(), parts, strict=True):
            language = asked.arrays[f"{name}.language"]
            of_teacher = self.teacher_layers[name]
            with torch.no_grad():
                their = answer.model.model.layers[of_teacher]
                teacher = their.queries_keys_values(answer.layer_inputs[of_teacher])  # type: ignore[operator]
            groups: list[Tensor] = []
            while (index := asked.arrays.get(f"{name}.group{len(groups)}")) is not None:
                groups.append(index)
            loss, losses = relation_divergence(student, teacher, self.heads, groups, weight[language])
            total = total + loss
            nothing = torch.zeros_like(losses)
            found.append(sums_by_language(language, losses, nothing, torch.ones_like(losses), len(weight)))
        return total, torch.stack(found).sum(0)


def relation_divergence(
    student: Tensor, teacher: Tensor, heads: int, groups: Sequence[Tensor], row_weight: Tensor, chunk: int | None = None
) -> tuple[Tensor, Tensor]:
    """(sum of row_weight * loss, with gradient by `student`; float32 [T] losses in nats, without).

    student [T, 3 * width], teacher [T, 3 * its width]: queries, keys, values of the same tokens, each cut into `heads`
    anew. A relation of a head of width d is softmax(X X^T / sqrt(d)) over the tokens of a sequence; a token's loss is
    KL(teacher || student) of its row, the mean over heads, summed over queries, keys and values. groups: int64
    [sequences, longest] each, places of the tokens of all sequences, T behind their ends. row_weight: float [T].

    Gradients are made in the forward pass, some relations at a time (`chunk`), since all of them are T * 3 * heads
    times the length of a sequence. Nothing waits for the device.
    """
    learning = torch.is_grad_enabled() and student.requires_grad
    chunk = chunk or CHUNK_RELATIONS.get(student.device.type, 1 << 20)
    found = _RelationDivergence.apply(student, teacher, heads, groups, row_weight, chunk, learning)
    return found[0], found[1]


class _RelationDivergence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        student: Tensor,
        teacher: Tensor,
        heads: int,
        groups: Sequence[Tensor],
        row_weight: Tensor,
        chunk: int,
        learning: bool,
    ) -> tuple[Tensor, Tensor]:
        tokens, exact = len(student), torch.promote_types(student.dtype, torch.float32)
        # One row more, for what lies behind the ends of sequences.
        losses = student.new_zeros(tokens + 1, dtype=exact)
        weights = torch.cat((row_weight.to(exact), row_weight.new_zeros(1, dtype=exact)))
        gradient = student.new_zeros(tokens + 1, student.shape[1]) if learning else None
        for group in groups:
            longest = group.shape[1]
            for index in group.split(max(1, chunk // (KINDS * heads * longest * longest))):
                sides = [_by_head(side, index.clamp(max=tokens - 1), heads) for side in (student, teacher)]
                behind = (index == tokens)[:, None, None]
                rows = max(1, chunk // (KINDS * heads * longest * len(index)))
                found = torch.zeros_like(sides[0])
                for start in range(0, longest, rows):
                    part = slice(start, start + rows)
                    place = index[:, part]
                    ours, theirs = (_relations(side, part, behind) for side in sides)
                    wanted = theirs.exp()
                    loss = (wanted * (theirs - ours)).sum(3).sum(1) / heads
                    losses.index_copy_(0, place.flatten(), loss.flatten())
                    if learning:
                        scale = weights[place] / heads * sides[0].shape[3] ** -0.5
                        d_scores = ours.exp_().sub_(wanted).mul_(scale[:, None, :, None]).to(student.dtype)
                        found[:, :, part] += d_scores @ sides[0]
                        found += d_scores.transpose(2, 3) @ sides[0][:, :, part]
                if gradient is not None:
                    gradient.index_copy_(0, index.flatten(), found.transpose(1, 2).reshape(-1, student.shape[1]))
        losses = losses[:tokens]
        if gradient is not None:
            ctx.save_for_backward(gradient[:tokens])
        ctx.mark_non_differentiable(losses)
        return (losses * weights[:tokens]).sum(), losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        (found,) = ctx.saved_tensors
        return found * gradient.to(found.dtype), None, None, None, None, None, None


def _by_head(side: Tensor, index: Tensor, heads: int) -> Tensor:
    """[T, 3 * width] to [sequences, 3 * heads, longest, head_dim], by index [sequences, longest]."""
    return side[index].unflatten(2, (KINDS * heads, -1)).transpose(1, 2)


def _relations(side: Tensor, rows: slice, behind: Tensor) -> Tensor:
    """Log-probabilities [sequences, 3 * heads, rows, longest], in float32 or float64; where `behind`, none."""
    scores = (side[:, :, rows] @ side.transpose(2, 3)).to(torch.promote_types(side.dtype, torch.float32))
    # Not minus infinity, so that nothing times the difference of two of them is nothing.
    scores = scores.mul_(side.shape[3] ** -0.5).masked_fill_(behind, torch.finfo(scores.dtype).min / 4)
    return scores.log_softmax(3)


def _check_heads(heads: int, width: int, whose: str) -> None:
    if width % heads:
        raise UserError(f"relation_heads = {heads} does not divide hidden_size = {width} of {whose}: take a divisor")
