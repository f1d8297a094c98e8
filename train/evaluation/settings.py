"""What is asked of the models of one evaluation: which files, and how vectors are taken from texts."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from train.benchmarks.languages import same_language
from train.encoders.place import BATCH_TOKENS
from train.encoders.vectors import Pooling, Reading
from train.likelihood.pseudo_likelihood import Kind

LAST = -1
EVERY = "all"


@dataclass(frozen=True)
class Settings:
    """A measure runs where its files are named.

    languages: of the files, all where none is named. sentences: of a file at most, its first. layer: of
    `hidden_states`, 0 the embeddings, -1 the last, "all" each. seeds: runs of what hangs on chance. untrained: the
    models with random weights stand beside, for every measure. pivot: the language of aligned files that the others are
    held against. texts: held-out texts beside those of the shards. bits: kinds of pseudo-likelihood, of bits_bytes of
    each language; masked_bytes: of masked accuracy. transfer_epochs, transfer_learning_rate, transfer_layer_decay: of
    fine-tuning, 0 for what suits model and texts. examples: of a language of a benchmark for fine-tuned models at
    most, its first; 0: all.
    """

    shards: Path | None = None
    texts: tuple[Path, ...] = ()
    bits: tuple[Kind, ...] = ("within_word_l2r",)
    bits_bytes: int = 4096
    masked_bytes: int = 32768
    tatoeba: Path | None = None
    aligned: Path | None = None
    pivot: str = "eng"
    dictionaries: tuple[Path, ...] = ()
    transfer: Path | None = None
    transfer_from: str = "eng_Latn"
    transfer_task: Literal["sequence", "pair"] = "sequence"
    transfer_by: tuple[str, ...] = ("probe",)
    transfer_epochs: int = 0
    transfer_learning_rate: float = 0.0
    transfer_layer_decay: float = 0.0
    xnli: Path | None = None
    xquad: Path | None = None
    mlqa: Path | None = None
    glue: Path | None = None
    wikiann: Path | None = None
    sib200: Path | None = None
    examples: int = 0
    probe: bool = False
    pooling: Pooling = "mean"
    layer: int | Literal["all"] = LAST
    untrained: bool = False
    languages: tuple[str, ...] = ()
    sentences: int = 1000
    seeds: int = 3
    max_tokens: int = 0
    batch_tokens: int = BATCH_TOKENS

    def reading(self) -> Reading:
        """Of the layer asked for; of the last where it is all of them."""
        layer = self.layer if isinstance(self.layer, int) else LAST
        return Reading(self.pooling, layer, self.max_tokens, self.batch_tokens)

    def wanted(self, there: Iterable[str]) -> list[str]:
        """Those of the languages `there` that are asked for, in order: `fra` is `fra_Latn` too, and the other way
        round, since layouts call languages with their script or without."""
        return [
            one
            for one in sorted(there)
            if not self.languages or any(same_language(one, asked) for asked in self.languages)
        ]
