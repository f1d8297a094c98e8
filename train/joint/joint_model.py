"""One forward pass of the encoder for all objectives of a batch, and the sum of their losses."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from train.model.heads import PAIR_OBJECTIVES, MaskedLanguageModel, PairHead
from train.objectives.objective import PLACES, Asked, Batch, Objective


class JointModel(nn.Module):
    """The model with the objectives' own modules: one forward pass of the encoder, and the sum of all losses."""

    def __init__(self, model: MaskedLanguageModel, objectives: Mapping[str, Objective]) -> None:
        super().__init__()
        self.model = model
        self.objectives = dict(objectives)
        self.modules_of = nn.ModuleDict({name: o.module for name, o in objectives.items() if o.module is not None})

    @property
    def pair_head(self) -> PairHead | None:
        """That of the first of the PAIR_OBJECTIVES that the run has: of its start, and of its export."""
        found = [self.modules_of[name] for name in PAIR_OBJECTIVES if name in self.modules_of]
        return found[0] if found and isinstance(found[0], PairHead) else None

    def forward(
        self, batch: Batch, weights: Mapping[str, Tensor], objectives: Mapping[str, Objective] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(the weighted sum of all losses, the SUMS of each objective), of those that have labels in the batch.

        objectives: in place of its own.
        """
        there = {name: one for name, one in (objectives or self.objectives).items() if name in batch.arrays}
        places = [batch.arrays[name].get(PLACES) for name in there]
        # Where all of them name their places, the last layer need not answer for the others.
        named = [one for one in places if one is not None]
        narrow = len(named) == len(places) and bool(named)
        targets = None if not narrow else named[0] if len(named) == 1 else torch.cat(named)
        layer_inputs: dict[int, Tensor | None] = {layer: None for one in there.values() for layer in one.layers}
        hidden = self.model.model(
            batch.input_ids,
            batch.positions,
            batch.layout,
            targets,
            segments=batch.segments,
            languages=batch.languages,
            layer_inputs=layer_inputs,
        )
        kept = {layer: value for layer, value in layer_inputs.items() if value is not None}
        parts = iter(hidden.split([len(one) for one in named]) if narrow else ())
        total = torch.zeros((), device=hidden.device)
        sums = {}
        for (name, objective), asked in zip(there.items(), places, strict=True):
            every = hidden if narrow or asked is None else hidden.index_select(0, asked)
            vectors = next(parts) if narrow else every
            own = {layer: kept[layer] for layer in objective.layers}
            loss, sums[name] = objective(Asked(self.model, batch, vectors, batch.arrays[name], own), weights[name])
            total = total + loss
        return total, sums
