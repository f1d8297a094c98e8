"""Fisher diagonals and Gram matrices of parents, taken on held-out texts and laid out as their weights are merged."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from schemas.errors import UserError
from train.corpus.vocabulary import open_vocabulary
from train.encoders.place import place
from train.fusing.fisher_diagonals import fisher_diagonals
from train.fusing.gram_matrices import gram_matrices
from train.fusing.hidden_texts import HiddenText, hidden_texts
from train.fusing.merging.parents import Parent
from train.fusing.merging.tensors import BIAS, Merging
from train.fusing.statistics import FISHER, GRAM, Statistics, write_statistics
from train.likelihood.held_out_texts import HeldOutText
from train.model_folders.huggingface import load_encoder
from train.telemetry.progress import Progress

KINDS = {"fisher": FISHER, "regmean": GRAM}  # by rule
LONGEST = 512  # tokens of a sequence


def take(
    merging: Merging,
    rule: str,
    texts: Mapping[str, Sequence[HeldOutText]],
    own: Mapping[str, int],
    folder: Path,
    *,
    tokens: int,
    device: str,
) -> Statistics:
    """For `fisher` or `regmean`, of each parent, on texts of the languages that are its own, or of all where none
    is: so many tokens at most, as many of each language. Files are made in `folder`."""
    kind, paths = KINDS[rule], []
    for number, one in enumerate(merging.parents):
        languages = [name for name in texts if own.get(name) == number] or list(texts)
        chosen = _sequences(one, {name: texts[name] for name in languages}, tokens)
        model = load_encoder(one.folder).language_model.to(place(device).device).eval()
        path = folder / f"{number}.safetensors"
        count = sum(len(text.input_ids) for text in chosen)
        with Progress(f"{rule}: {one.name}", "tokens", count) as progress:
            found = (
                fisher_diagonals(model, chosen, progress=progress.add)
                if kind == FISHER
                else gram_matrices(model, chosen, progress=progress.add).grams
            )
        write_statistics(path, kind, found, {"tokens": count, "languages": languages, "weights": one.digest})
        paths.append(path)
    return Statistics(paths, kind)


def laid_out(statistics: Statistics, merging: Merging) -> Callable[[str], list[Tensor] | None]:
    """Of a tensor's name: those of the parents, rows of tokens in the result's order and without padding."""

    def of(name: str) -> list[Tensor] | None:
        found = statistics.of(name)
        if found is None or name not in (merging.lead.stored.embeddings, BIAS):
            return found
        cut = [value[: one.stored.config.vocab_size] for value, one in zip(found, merging.parents, strict=True)]
        return merging.rows.aligned(cut, None)[0]

    return of


def _sequences(one: Parent, texts: Mapping[str, Sequence[HeldOutText]], tokens: int) -> list[HiddenText]:
    vocabulary = open_vocabulary(one.tokenizer)
    longest = min(LONGEST, one.stored.config.max_position_embeddings)
    found: list[HiddenText] = []
    for language, of in texts.items():
        left = tokens // len(texts)
        for text in hidden_texts(of, vocabulary, max_seq_len=longest):
            if left <= 0:
                break
            found.append(text)
            left -= len(text.input_ids)
        if not found:
            raise UserError(f"the held-out texts of {language} have no token: give others, --texts")
    if not any(len(text.targets) for text in found):
        raise UserError("no token of the held-out texts is hidden: give more of them, --texts")
    return found
