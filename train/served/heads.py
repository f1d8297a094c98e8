"""What each opened model can be asked."""

from typing import Any, Literal, NamedTuple

from train.encoders.opened import OpenedModel

Kind = Literal["fill-mask", "classify", "tag", "answer", "embed"]
# What the names of transformers' classes with such a head end in, the class that opens it, and the head in words.
HEADS: dict[Kind, tuple[tuple[str, ...], str, str]] = {
    "fill-mask": (("ForMaskedLM", "ForPreTraining"), "AutoModelForMaskedLM", "masked words"),
    "classify": (("ForSequenceClassification",), "AutoModelForSequenceClassification", "classes"),
    "tag": (("ForTokenClassification",), "AutoModelForTokenClassification", "tags"),
    "answer": (("ForQuestionAnswering",), "AutoModelForQuestionAnswering", "answers"),
}


class Served(NamedTuple):
    """kinds: what it can be asked, in the page's order."""

    opened: OpenedModel
    kinds: tuple[Kind, ...]

    @property
    def name(self) -> str:
        return self.opened.name

    @property
    def labels(self) -> list[str]:
        """Of its classes or tags; empty of others."""
        known: dict[Any, str] = self.opened.config.id2label if {"classify", "tag"} & set(self.kinds) else {}
        return [name for _, name in sorted(known.items())]


def served(opened: OpenedModel) -> Served:
    """Weights are read here, so that the first question need not wait for them. UserError where a head is named in the
    folder's config and its weights are not there. Vectors are of every model."""
    named = opened.config.architectures or []
    kinds: list[Kind] = []
    for kind, (endings, opens, words) in HEADS.items():
        if any(name.endswith(endings) for name in named) and (kind != "fill-mask" or opened.tokenizer.mask_token):
            opened.model(opens, words)
            kinds.append(kind)
    _ = opened.encoder
    return Served(opened, (*kinds, "embed"))
