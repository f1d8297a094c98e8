"""What a fine-tuning is told."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from schemas.errors import UserError
from train.benchmarks.examples import TASKS, Task

MAX_TOKENS = 256
SEEDS = 1 << 63  # below it, as torch takes them
TRAINED = ("all", "head", "top:N")


@dataclass(frozen=True)
class FinetuneSettings:
    """Rates, batch and epochs as Devlin et al. 2019 (arXiv 1810.04805, A.3) search them; the rates of layers as Howard
    and Ruder 2018 (arXiv 1801.06146) and Clark et al. 2020 (ELECTRA, arXiv 2003.10555) let them fall.

    trained: all, head, or top:N, the head and the N last layers. layer_decay: a layer's rate is learning_rate times
    layer_decay to the power of its depth, 0 the last; embeddings are deeper than the first layer. steps: 0 for those of
    `epochs`. max_tokens: 0 takes MAX_TOKENS, or what the model takes where that is less. patience: so many evaluations
    without a better metric end the training; 0 never. eval_every, save_every: steps, 0 for an epoch. metric: "" for the
    task's own. dropout: None for the model's. from_scratch: weights at their start instead of the model's. pooling: by
    which tokens vectors and classes are told, "" for the mean in vectors and the model's own way in classes.
    """

    task: Task
    trained: str = "all"
    epochs: int = 3
    steps: int = 0
    learning_rate: float = 5e-5
    layer_decay: float = 0.9
    warmup_ratio: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    batch_size: int = 32
    max_tokens: int = 0
    patience: int = 2
    eval_every: int = 0
    save_every: int = 0
    metric: str = ""
    seeds: tuple[int, ...] = (0,)
    label_smoothing: float = 0.0
    dropout: float | None = None
    from_scratch: bool = False
    doc_stride: int = 128
    pooling: Literal["", "mean", "cls"] = ""

    def check(self) -> None:
        """UserError for the first setting that cannot be."""
        if self.task not in TASKS:
            raise UserError(f"--task {self.task}: take {', '.join(TASKS)}")
        self.top_layers()
        least = {"epochs": 1, "steps": 0, "batch_size": 1, "max_tokens": 0, "patience": 0, "eval_every": 0}
        for name, low in (least | {"save_every": 0, "doc_stride": 0}).items():
            if getattr(self, name) < low:
                raise UserError(f"--{_flag(name)} {getattr(self, name)}: take {low} or more")
        for name in ("learning_rate", "clip_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"--{_flag(name)} {getattr(self, name)}: take a number above 0")
        for name in ("warmup_ratio", "label_smoothing", "weight_decay", "dropout"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise UserError(f"--{_flag(name)} {value}: take a number from 0 up to 1")
        if not 0 < self.layer_decay <= 1:
            raise UserError(f"--layer-decay {self.layer_decay}: take a number above 0, 1 for the same rate everywhere")
        if (
            not self.seeds
            or len(set(self.seeds)) < len(self.seeds)
            or not 0 <= min(self.seeds) <= max(self.seeds) < SEEDS
        ):
            raise UserError("--seed: take one or more, no two alike, from 0 to below 2^63")
        if self.task == "embedding" and self.trained == "head":
            raise UserError("--trained head: --task embedding has no head: take all, or top:N")

    def top_layers(self) -> int | None:
        """The last layers that are trained: 0 of the head alone, None of all. UserError for another word."""
        if self.trained in ("all", "head"):
            return None if self.trained == "all" else 0
        word, colon, number = self.trained.partition(":")
        if word == "top" and colon and number.isdecimal() and int(number):
            return int(number)
        raise UserError(f"--trained {self.trained}: take {', '.join(TRAINED)}")

    @property
    def vector_pooling(self) -> Literal["mean", "cls"]:
        return self.pooling or "mean"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"seeds": list(self.seeds)}


def _flag(name: str) -> str:
    return name.replace("_", "-")
