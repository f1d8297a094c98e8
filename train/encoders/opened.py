"""A model and its tokenizer, opened by transformers, with one line for what cannot be."""

from collections.abc import Sequence
from copy import copy, deepcopy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from schemas.errors import UserError
from train.encoders.folders import ModelFolder, lineage_of, model_folder
from train.encoders.place import Place, place

if TYPE_CHECKING:
    from train.encoders.vectors import Reading, Vectors

UNLIMITED = 1_000_000  # tokenizers that know no limit have a number beyond it
# Positions of these begin behind the number of the padding token, as RoBERTa's.
OFFSET = (
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "camembert",
    "xmod",
    "mpnet",
    "data2vec-text",
)


def transformers_library() -> Any:
    """UserError where it is not installed."""
    try:
        import transformers
    except ImportError as error:
        raise UserError(f"transformers is not installed ({error}): pip install transformers") from None
    # What it says of weights that another head would use is no news here.
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


class OpenedModel:
    """name: for tables. folder: what transformers opens. Weights are read when a kind of model is first asked for, in
    float32, onto the device, in eval mode.

    Several models that answer as one, and a model with a map, are of classes of their own. one_module: whether its
    answers are those of one module of transformers, which can be fine-tuned and asked layer by layer.
    """

    one_module = True

    def __init__(self, folder: ModelFolder, name: str, where: Place) -> None:
        self.library = transformers_library()
        self.given, self.folder, self.name, self.place = folder.given, folder.path, name, where
        self.source = folder  # a temporary one is there as long as this
        self.config = self._open(self.library.AutoConfig)
        self.tokenizer = self._open(self.library.AutoTokenizer)
        self._check()
        self._models: dict[str, Any] = {}
        self._seed: int | None = None

    def _check(self) -> None:
        """UserError for a folder that transformers opens and that yet is no encoder with its tokenizer."""
        if getattr(self.config, "is_encoder_decoder", False):
            raise UserError(
                f"--model {self.given} is an encoder with a decoder ({self.config.model_type}): take an encoder alone, "
                "as BERT or XLM-R"
            )
        rows, special = getattr(self.config, "vocab_size", None) or UNLIMITED, len(self.tokenizer.all_special_ids)
        # Without its files transformers makes a tokenizer that knows its special tokens alone.
        if len(self.tokenizer) <= special:
            raise UserError(f"--model {self.given} has no tokenizer: put its files there, as tokenizer.json")
        if len(self.tokenizer) > rows:
            raise UserError(
                f"--model {self.given} has a tokenizer of {len(self.tokenizer):,} tokens and embeddings of {rows:,}: "
                "put the model's own tokenizer there"
            )

    @cached_property
    def longest(self) -> int:
        """Tokens of a sequence at most, <s> and </s> among them."""
        table = getattr(self.config, "max_position_embeddings", None) or UNLIMITED
        if self.config.model_type in OFFSET:
            table -= self.config.pad_token_id + 1  # rows that are kept for padding
        return int(min(table, self.tokenizer.model_max_length))

    @cached_property
    def lineage(self) -> dict[str, Any]:
        return lineage_of(self.folder)

    @cached_property
    def parameters(self) -> int:
        """Of the encoder; no weights are read."""
        with torch.device("meta"):
            return parameters_of(self.library.AutoModel.from_config(self.config))

    @property
    def kind(self) -> str:
        """For tables."""
        return str(self.config.model_type)

    @property
    def members(self) -> "Sequence[OpenedModel]":
        """Itself; of several that answer together, each."""
        return (self,)

    def in_language(self, language: str) -> "OpenedModel":
        """The model whose vectors are those of texts in a language. UserError where it has none of it."""
        return self

    def knows(self, language: str) -> bool:
        """Whether it has vectors of texts in a language."""
        return True

    def own_vectors(self, texts: Sequence[str], reading: "Reading") -> "Vectors | None":
        """float32 [texts, width], what stands in the place of the encoder's: of a map, of several together; None."""
        return None

    @property
    def encoder(self) -> Any:
        """The model without a head; `last_hidden_state` and, asked for, `hidden_states` are its answer."""
        return self.model("AutoModel")

    def model(self, kind: str, needs: str = "") -> Any:
        """That of a class of transformers, as AutoModelForMaskedLM. needs: the head in words ("masked words"), without
        which it is of no use: UserError where the folder lacks it. Else what it lacks is at its start."""
        if kind not in self._models:
            found = self._read(kind, needs) if self._seed is None else self._at_random(kind, self._seed)
            self._models[kind] = found.float().eval().requires_grad_(False).to(self.place.device)
        return self._models[kind]

    @property
    def at_random(self) -> bool:
        """Whether it is an untrained twin."""
        return self._seed is not None

    def untrained(self, seed: int = 0) -> "OpenedModel":
        """The same model with the random weights that transformers begins with: what remains without training."""
        twin = copy(self)
        twin.name, twin._models, twin._seed = f"{self.name}, untrained", {}, seed
        return twin

    def mask_token(self) -> str:
        """UserError where the tokenizer has none."""
        if self.tokenizer.mask_token is None:
            raise UserError(f"--model {self.given}: its tokenizer has no mask token: take a masked language model")
        return str(self.tokenizer.mask_token)

    def to_train(self, kind: str, seed: int, **settings: Any) -> Any:
        """A model of that class of its own: the folder's weights, and where it has none, or has those of another shape
        as of a head for other labels, those that begin with this seed; of an untrained one all begin so. In float32 on
        the device. settings: of its config, as id2label."""
        config = deepcopy(self.config)
        for name, value in settings.items():
            setattr(config, name, value)
        of_kind = getattr(self.library, kind)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self._seed is not None:
                found = of_kind.from_config(config)
            else:
                found, told = self._open(of_kind, config=config, ignore_mismatched_sizes=True, output_loading_info=True)
                self._check_encoder(kind, found, told)
        return found.float().to(self.place.device)

    def holding(self, kind: str, module: Any) -> "OpenedModel":
        """The same with this model of that class instead of the folder's weights, as one that is being trained."""
        twin = copy(self)
        twin.config, twin._models = module.config, {kind: module}
        return twin

    def _read(self, kind: str, needs: str) -> Any:
        found, told = self._open(getattr(self.library, kind), output_loading_info=True)
        self._check_encoder(kind, found, told)
        lacks = sorted(told["missing_keys"])
        if needs and lacks:
            raise UserError(f"--model {self.given} has no head for {needs} ({lacks[0]} is missing): take another")
        return found

    def _check_encoder(self, kind: str, module: Any, told: dict[str, Any]) -> None:
        """UserError where weights below the head are not the folder's but at their start. A pooler is head."""
        base = next(name for name, one in module.named_modules() if one is module.base_model)
        if not base and kind != "AutoModel":  # body and head are not apart
            return
        inside = f"{base}." if base else ""
        new = {*told["missing_keys"], *(one[0] for one in told["mismatched_keys"])}
        lacks = sorted(name for name in new if name.startswith(inside) and "pooler" not in name)
        if lacks:
            raise UserError(
                f"--model {self.given} has not the weights of the model that its config.json says ({lacks[0]} is "
                "missing, or of another shape): write the export again"
            )

    def _at_random(self, kind: str, seed: int) -> Any:
        of_kind = getattr(self.library, kind)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            make = of_kind.from_config if hasattr(of_kind, "from_config") else of_kind._from_config
            return make(deepcopy(self.config))

    def _open(self, kind: Any, **settings: Any) -> Any:
        try:
            return kind.from_pretrained(self.folder, local_files_only=True, **settings)
        except Exception as error:  # whatever its readers raise, of files that are damaged or of another kind
            why = " ".join(str(error).split())
            raise UserError(f"--model {self.given} cannot be opened: {why[:200]}; write the export again") from None


def open_model(
    given: Path, *, language: str | None = None, name: str = "", device: str = "auto", precision: str = "auto"
) -> OpenedModel:
    """Of a run, a checkpoint, an export or a folder of transformers."""
    return OpenedModel(model_folder(given, language), name or given.name, place(device, precision))


def parameters_of(model: Any) -> int:
    return sum(value.numel() for value in model.parameters())


def on_device(arrays: dict[str, torch.Tensor], where: Place) -> dict[str, torch.Tensor]:
    return {name: value.to(where.device, non_blocking=True) for name, value in arrays.items()}
