"""Asks an exported model: which words stand behind [MASK], and whether a sentence follows another.

    python train/ask.py --model DIR [--mask "text with [MASK]" ...] [--pair "A" "B"] [--pair "C" "D"]

DIR is OUTPUT/export of train/pretrain.py or another folder of a masked language model for transformers, which answers
through its pipelines, on the CPU. Without questions it is asked sentences of several languages, and pairs of them where
it has a head for pairs, as BERT trained with [objectives.nsp] has. [MASK] and <mask> are the model's own mask token.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import UserError, run_program
from train.telemetry.columns import laid_out, readable, shortened

MASKS = ("[MASK]", "<mask>")
ANSWERS = 3
SENTENCES = (
    "The river is high after the [MASK].",
    "Die Kinder gehen morgens in die [MASK].",
    "El pan se hace con harina y [MASK].",
    "Она читает новую [MASK].",
    "北京是中国的[MASK]都。",
    "बच्चे स्कूल में [MASK] पढ़ते हैं।",
    "Watu wengi wanakula [MASK] asubuhi.",
)
PAIRS = (
    ("It rained all night in the mountains.", "In the morning the river was high."),
    ("It rained all night in the mountains.", "The museum sells tickets at the door."),
    ("Die Bäckerei öffnet um sechs Uhr.", "Dann ist das erste Brot schon fertig."),
    ("Die Bäckerei öffnet um sechs Uhr.", "Der Mond hat keine Atmosphäre."),
    ("今天早上河水很高。", "所以我们走了那座旧桥。"),
)


class Answer(NamedTuple):
    """A word for a mask, and its probability."""

    word: str
    probability: float


class Model:
    """A folder, opened by transformers."""

    def __init__(self, folder: Path) -> None:
        """UserError where transformers is not installed, and where the folder holds no model for it."""
        if not (folder / "config.json").is_file():
            what = "holds no model" if folder.is_dir() else "is no folder"
            raise UserError(f"--model {folder} {what}: point to the export of a run, OUTPUT/export")
        try:
            import transformers
        except ImportError as error:
            raise UserError(f"transformers is not installed ({error}): pip install transformers") from None
        # What it says of weights that another head would use is no news here.
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        self.library: Any = transformers
        self.folder = folder
        self.config = self._open(transformers.AutoConfig)
        self.tokenizer = self._open(transformers.AutoTokenizer)
        longest = self.tokenizer.model_max_length
        self.longest = min(getattr(self.config, "max_position_embeddings", longest), longest)

    def fill(self, texts: Sequence[str]) -> list[tuple[str, list[list[Answer]]]]:
        """(text with the model's own mask token, the likeliest words for each of its masks), of each text."""
        own = self.tokenizer.mask_token
        if own is None:
            raise UserError(f"--model {self.folder}: its tokenizer has no mask token: take a masked language model")
        asked = [self._with_mask(text, own) for text in texts]
        model, lacks = self._weights(self.library.AutoModelForMaskedLM)
        if lacks:
            raise UserError(f"--model {self.folder} has no head for masked words ({lacks[0]} is missing): take another")
        pipeline = self.library.pipeline("fill-mask", model=model, tokenizer=self.tokenizer, device=-1, top_k=ANSWERS)
        found = []
        for text in asked:
            answers = pipeline(text)
            by_mask = answers if isinstance(answers[0], list) else [answers]
            found.append((text, [[Answer(one["token_str"], one["score"]) for one in mask] for mask in by_mask]))
        return found

    def has_pairs(self) -> bool:
        """Whether it can be asked for pairs."""
        return self._pair_model() is not None

    def asks_order(self) -> bool:
        """Whether its head for pairs learnt by sentence-order prediction, by its lineage."""
        try:
            lineage = json.loads((self.folder / "lineage.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):  # of other makers' models
            return False
        return isinstance(lineage, dict) and lineage.get("pair_objective") == "sop"

    def follows(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The probability that the second text follows the first, of each pair; where the model `asks_order`, that
        two texts of which one follows the other are in this order."""
        model = self._pair_model()
        if model is None:
            raise UserError(
                f"--model {self.folder} has no head for pairs: take a BERT trained with [objectives.nsp], or leave out "
                "--pair"
            )
        classifier = self.library.TextClassificationPipeline

        class NextSentence(classifier):  # type: ignore[misc, valid-type]
            def check_model_type(self, supported_models: object) -> None:
                """It would call the model a wrong one: BertForNextSentencePrediction is in none of its lists."""

        pipeline = NextSentence(model=model, tokenizer=self.tokenizer, device=-1)
        follows = model.config.id2label[0]  # BERT's class 0
        found = []
        for first, second in pairs:
            self._check_length("--pair", first, second)
            scores = pipeline({"text": first, "text_pair": second}, top_k=None, function_to_apply="softmax")
            found.append(next(one["score"] for one in scores if one["label"] == follows))
        return found

    def _with_mask(self, text: str, own: str) -> str:
        for mask in MASKS:
            text = text.replace(mask, own)
        if own not in text:
            raise UserError(f"--mask {text!r} has no [MASK]: write it where a word is asked for")
        self._check_length("--mask", text)
        return text

    def _check_length(self, flag: str, *texts: str) -> None:
        length = len(self.tokenizer(*texts)["input_ids"])
        if length > self.longest:
            text = shortened(texts[0])
            raise UserError(f"{flag} {text!r} has {length} tokens, and the model takes {self.longest}: shorten it")

    def _pair_model(self) -> Any:
        """None where the folder's weights have no head for pairs."""
        if self.config.model_type != "bert":
            return None
        model, lacks = self._weights(self.library.BertForNextSentencePrediction)
        return None if lacks else model

    def _weights(self, kind: Any) -> tuple[Any, list[str]]:
        """(a model of that class, names of its weights that the folder does not have)."""
        model, told = self._open(kind, output_loading_info=True)
        return model.eval(), sorted(told["missing_keys"])

    def _open(self, kind: Any, **settings: Any) -> Any:
        try:
            return kind.from_pretrained(self.folder, local_files_only=True, **settings)
        except Exception as error:  # whatever its readers raise, of files that are damaged or of another kind
            why = " ".join(str(error).split())
            raise UserError(f"--model {self.folder} cannot be opened: {why[:200]}; write the export again") from None


def tables(model: Model, masks: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The lines of the answers."""
    lines: list[str] = []
    if masks:
        own = model.tokenizer.mask_token
        rows = [["text", *(f"answer {number + 1}" for number in range(ANSWERS))]]
        for text, by_mask in model.fill(masks):
            for number, answers in enumerate(by_mask):
                shown = shortened(text, own) if not number else f"  mask {number + 1}"
                rows.append([shown, *(f"{readable(one.word)} {percent(one.probability)}" for one in answers)])
        lines += laid_out(rows)
    if pairs:
        rows = [["first", "second", "in this order" if model.asks_order() else "follows"]]
        for (first, second), probability in zip(pairs, model.follows(pairs), strict=True):
            rows.append([shortened(first), shortened(second), percent(probability)])
        lines += [*([""] if lines else []), *laid_out(rows)]
    return lines


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def main(arguments: Sequence[str] | None = None) -> int:
    """Status 0; 2, with one line on stderr, for what the user can mend."""
    parser = argparse.ArgumentParser("ask", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of an export")
    parser.add_argument("--mask", action="extend", nargs="+", default=[], help="texts with [MASK]")
    parser.add_argument("--pair", action="append", nargs=2, default=[], help="two texts; may be given again")
    given = parser.parse_args(arguments)
    pairs = [(first, second) for first, second in given.pair]
    try:
        model = Model(given.model)
        if given.mask or pairs:
            lines = tables(model, given.mask, pairs)
        else:
            lines = tables(model, SENTENCES, PAIRS if model.has_pairs() else ())
    except UserError as error:
        print("ask: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    print("\n".join(lines), flush=True)
    return 0


if __name__ == "__main__":
    run_program(main)
