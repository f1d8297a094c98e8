"""What models make of held-out texts: bits a byte, which compare over vocabularies, and masked accuracy, which does so
within one."""

import numpy as np

from schemas.evaluation import Figure, Rows
from train.encoders.opened import OpenedModel
from train.evaluation.measures import Measure, Table, table
from train.evaluation.settings import Settings
from train.likelihood.held_out_texts import TEXT_BYTES, HeldOut, held_out_texts
from train.likelihood.masked_accuracy import SHARE, masked_accuracy
from train.likelihood.pseudo_likelihood import pseudo_likelihood
from train.metrics.figures import measured
from train.metrics.intervals import bootstrap
from train.telemetry.progress import Progress

MASKED_TEXT_BYTES = 1024  # a text is read once, so it may be long
KIND_TITLES = {
    "within_word_l2r": "bits a byte, each token hidden with the rest of its word",
    "original": "bits a byte, each token hidden alone",
}


def bits_a_byte(settings: Settings) -> Measure | None:
    """Tables of each kind of pseudo-likelihood, and of what the vocabulary loses, which costs no bits."""
    found = chosen_texts(settings, settings.bits_bytes, TEXT_BYTES) if settings.bits else None
    if found is None:
        return None
    texts = found.texts

    def run(model: OpenedModel, settings: Settings) -> list[Table]:
        shape: dict[str, object] = {"bytes": settings.bits_bytes, "text_bytes": TEXT_BYTES}
        tables, lost = [], Rows()
        total = sum(one.bytes for of in texts.values() for one in of)
        for kind in settings.bits:
            rows = Rows()
            with Progress("bits a byte", "bytes", total) as progress:
                for language, of in texts.items():
                    lines = [one.text for one in of]
                    each = pseudo_likelihood(
                        model, lines, kind, batch_tokens=settings.batch_tokens, progress=progress.add
                    )
                    rows[language] = _ratio(each.bits, each.bytes)
                    lost[language] = _ratio(each.lost, each.characters)
            name = "bits_a_byte" if kind == "within_word_l2r" else f"bits_a_byte_{kind}"
            tables.append(
                table(
                    name, KIND_TITLES[kind], "bits a byte", "lower", figures={model.name: rows},
                    settings={"kind": kind, **shape},
                )
            )  # fmt: skip
        title = "characters that the vocabulary loses (unknown, or in another form)"
        lost_table = table(
            "lost_characters", title, "share lost", "lower", figures={model.name: lost}, settings=dict(shape)
        )
        return [*tables, lost_table]

    return Measure("bits a byte", run, found.languages)


def masked(settings: Settings) -> Measure | None:
    """Tables of accuracy and loss."""
    found = chosen_texts(settings, settings.masked_bytes, MASKED_TEXT_BYTES)
    if found is None:
        return None
    texts = found.texts

    def run(model: OpenedModel, settings: Settings) -> list[Table]:
        shape = {"share": SHARE, "bytes": settings.masked_bytes, "text_bytes": MASKED_TEXT_BYTES}
        right, loss = Rows(), Rows()
        total = sum(one.bytes for of in texts.values() for one in of)
        with Progress("masked words", "bytes", total) as progress:
            for language, of in texts.items():
                each = masked_accuracy(model, of, batch_tokens=settings.batch_tokens, progress=progress.add)
                if each.hidden.any():
                    right[language] = _ratio(each.right, each.hidden)
                    loss[language] = _ratio(each.loss, each.hidden)
        shown = "of one vocabulary only"
        return [
            table(
                "masked_accuracy", f"masked tokens guessed; compares models {shown}", "share right",
                figures={model.name: right}, settings=dict(shape),
            ),
            table(
                "masked_loss", f"loss of masked tokens; compares models {shown}", "nats a token", "lower",
                figures={model.name: loss}, settings=dict(shape),
            ),
        ]  # fmt: skip

    return Measure("masked accuracy", run, found.languages)


def chosen_texts(settings: Settings, language_bytes: int, text_bytes: int) -> HeldOut | None:
    """None where no texts are named."""
    paths = [*([settings.shards] if settings.shards else []), *settings.texts]
    if not paths:
        return None
    return held_out_texts(
        paths, lambda language: bool(settings.wanted([language])), language_bytes=language_bytes, text_bytes=text_bytes
    )


def _ratio(parts: np.ndarray, wholes: np.ndarray) -> Figure:
    """Of sums over texts, and its interval over texts; those left out that a tokenizer makes nothing of."""
    pairs = np.stack([parts, wholes], 1).astype(np.float64)[wholes > 0]
    return measured(bootstrap(pairs, lambda drawn: float(np.divide(*drawn.sum(0)))), int(wholes.sum()))
