"""The commands of predict: texts are read, asked in parts of thousands, and the answers shown as they come."""

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import UserError
from train.answers.language import DETECT, Detector, MappedModels, Models, check_language, detector, namer
from train.answers.texts import STANDARD_INPUT, Text, Texts, batches
from train.telemetry.progress import Progress

if TYPE_CHECKING:
    from train.encoders.opened import OpenedModel
    from train.encoders.vectors import Reading

COLUMNS = {"follows": ("first", "second"), "answer": ("question", "context")}  # else "text"
PAIR_COLUMNS = ("first", "second")
TEXTS_OF_MASKS = (
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
EXAMPLES: dict[str, tuple[tuple[str, ...], ...]] = {
    "fill-mask": tuple((text,) for text in TEXTS_OF_MASKS),
    "follows": PAIRS,
}

Ask = Callable[["OpenedModel", list[Text]], Sequence[Any]]


def run(given: Namespace) -> None:
    """UserError for all that the user can mend; what can be said before the model is opened is said before."""
    check_language("--language", given.language)
    output = given.output if given.command == "embed" else given.html
    if output and Path(output).exists() and not given.overwrite:
        raise UserError(f"{output} is there already: say --overwrite, or name another")
    if given.command != "embed" and output and not output.endswith((".html", ".htm")):
        raise UserError(f"--html {output}: call it NAME.html")
    if getattr(given, "stream", False):
        stream_vectors(given)
        return
    texts = texts_of(given)
    if given.command == "embed":
        embed_file(given, texts)
    else:
        show(given, texts)


def texts_of(given: Namespace) -> Texts:
    """Arguments, else files, else standard input."""
    one: list[tuple[str, ...]] = [(text,) for text in getattr(given, "texts", ())]
    several: list[tuple[str, ...]] = [tuple(pair) for pair in getattr(given, "pair", ())]
    if given.command == "answer":
        if (given.question is None) != (given.context is None):
            raise UserError("--question and --context belong together: give both, or a --file")
        several = [] if given.question is None else [(given.question, given.context)]
    if one and several:
        raise UserError("texts and --pair at once: ask for one or the other")
    asked, files = one or several, list(given.file)
    if getattr(given, "examples", False):
        asked += EXAMPLES[given.command]
    columns = tuple(given.columns.split(",")) if given.columns else COLUMNS.get(given.command, ("text",))
    wanted = (2,) if given.command in COLUMNS else (1, 2) if given.command == "classify" else (1,)
    if len(columns) not in wanted or not all(columns):
        names = " or ".join(str(number) for number in wanted)
        raise UserError(f"--columns {given.columns}: {given.command} takes {names}, with a comma between them")
    if files and asked and len(asked[0]) != len(columns):
        raise UserError(f"--pair and texts in --file: name the two columns, as --columns {','.join(PAIR_COLUMNS)}")
    if not asked and not files:
        if sys.stdin.isatty():
            raise UserError("there is nothing to ask: give texts, --file, or texts on standard input")
        files = [STANDARD_INPUT]
    return Texts(asked, files, columns, given.max_bytes, given.skip_empty)


def show(given: Namespace, texts: Texts) -> None:
    """Answers on stdout, and on a page where one is asked for."""
    if given.command == "nearest":
        check_candidates(given)
    count = texts.count()
    detect = detector() if given.language == DETECT else None
    models = models_of(given)
    with ExitStack() as stack:
        ask = asker(given, models, detect, stack)
        from train.answers.cards import card
        from train.answers.json_view import json_line
        from train.answers.page import Page
        from train.answers.terminal_view import TerminalView

        said = f"model {models.any.name}" + (f", language {given.language}" if given.language else "")
        page = stack.enter_context(Page(Path(given.html), given.command, said)) if given.html else None
        view = TerminalView(sys.stdout.isatty())
        progress = stack.enter_context(Progress(given.command, "texts", count))
        name, first = namer(given.language, detect), True
        for part in batches(texts):
            languages = name(part)
            answers = models.ask(part, languages, ask)
            progress.clear()
            for text, language, answer in zip(part, languages, answers, strict=True):
                shown = card(text, language, answer, getattr(given, "top_k", 0))
                if given.json:
                    print(json_line(text, language, answer))
                else:
                    print(*([] if first else [""]), *view.lines(shown), sep="\n")
                first = False
                if page:
                    page.add(shown)
            sys.stdout.flush()
            progress.add(len(part))


def embed_file(given: Namespace, texts: Texts) -> None:
    """A file of vectors, or with --json alone a line a text on stdout."""
    from train.answers.embed import embedded, making
    from train.answers.vector_files import ENDINGS, vector_file

    if not given.output and not given.json:
        raise UserError(f"embed needs --output NAME{ENDINGS[0]} or NAME{ENDINGS[1]}, or --json for stdout")
    if given.output and Path(given.output).suffix not in ENDINGS:
        raise UserError(f"--output {given.output}: end it in {' or '.join(ENDINGS)}")
    count = texts.count()
    detect = detector() if given.language == DETECT else None
    models = models_of(given)
    reading = reading_of(given, models)
    began, done = time.monotonic(), 0
    with ExitStack() as stack:
        made = making(models.any, models.of(None), reading)
        file = stack.enter_context(vector_file(Path(given.output), made)) if given.output else None
        progress = stack.enter_context(Progress("embed", "texts", count))
        for part, languages, vectors in embedded(models, texts, namer(given.language, detect), reading):
            if file:
                file.write(part, languages, vectors)
            if given.json:
                _print_vectors(part, languages, vectors, progress)
            done += len(part)
            progress.add(len(part))
    if file and not given.json:
        rate = done / max(time.monotonic() - began, 1e-9)
        cut = (
            f"; {reading.truncated:,} were longer than {models.any.longest} tokens and cut" if reading.truncated else ""
        )
        width = models.any.config.hidden_size
        print(f"{given.output}: {done:,} vectors of {width} numbers, {rate:,.0f} texts/s{cut}")


def stream_vectors(given: Namespace) -> None:
    """Answers each line of standard input, as long as there is one."""
    if given.output or given.json or given.file or given.texts:
        raise UserError("--stream reads standard input and writes stdout: leave out texts, --file, --output and --json")
    from train.answers.embed import stream

    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no vector
    models = models_of(given)
    if models.of(None) is not models.any:
        raise UserError("--stream tells no languages: leave out --map")
    stream(models.any, reading_of(given, models), sys.stdin.buffer, told)


def asker(given: Namespace, models: Models, detect: Detector | None, stack: ExitStack) -> Ask:
    """What a command asks a model about some texts."""
    room = given.batch_tokens
    if given.command == "nearest":
        return _nearest_asker(given, models, detect, stack)
    if given.command == "fill-mask":
        from train.answers.fill_mask import fill_mask

        return lambda model, texts: fill_mask(model, _parts(texts), given.top_k, room)
    if given.command == "classify":
        from train.answers.classify import classify

        return lambda model, texts: classify(
            model, _parts(texts), _parts(texts, 1) if len(texts[0].parts) == 2 else None, room
        )
    if given.command == "follows":
        from train.answers.follows import follows

        return lambda model, texts: follows(model, _parts(texts), _parts(texts, 1), room)
    if given.command == "tag":
        from train.answers.tag import tag

        return lambda model, texts: tag(model, _parts(texts), room)
    from train.answers.answer import answer

    return lambda model, texts: answer(model, _parts(texts), _parts(texts, 1), room)


def check_candidates(given: Namespace) -> None:
    """Before anything is opened."""
    if bool(given.vectors) == bool(given.candidates):
        raise UserError("nearest needs either --vectors FILE or --texts FILE to search in")
    check_language("--to-language", given.to_language)
    if given.to_language == DETECT:
        raise UserError(f"--to-language {DETECT}: name a language, as fra_Latn")
    if given.to_language and given.candidates and given.language != DETECT:
        raise UserError(f"--to-language needs the languages of --texts: say --language {DETECT}")
    if given.map and given.candidates and given.language != DETECT:
        raise UserError(
            f"--map needs the languages of --texts: say --language {DETECT}, or embed them with theirs first"
        )
    if given.candidates and Texts([], given.candidates, ("text",), given.max_bytes, given.skip_empty).count() is None:
        raise UserError("--texts cannot be standard input: name a file")


def _nearest_asker(given: Namespace, models: Models, detect: Detector | None, stack: ExitStack) -> Ask:
    import tempfile

    from train.answers.embed import check_stored, embedded, making
    from train.answers.nearest import nearest
    from train.answers.vector_files import StoredVectors, vector_file

    reading = reading_of(given, models)
    path = given.vectors
    if given.candidates:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wanyu-nearest-"))) / "texts.parquet"
        columns = tuple((given.columns or "text").split(","))
        texts = Texts([], given.candidates, columns, given.max_bytes, given.skip_empty)
        with (
            vector_file(path, making(models.any, models.of(None), reading)) as file,
            Progress("embed", "texts", texts.count()) as progress,
        ):
            for part, languages, rows in embedded(models, texts, namer(None, detect), reading):
                file.write(part, languages, rows)
                progress.add(len(part))
    stored = StoredVectors(Path(path))
    check_stored(stored, models.of(None), reading, given.pooling, given.layer)
    if given.to_language:
        known = stored.languages()
        if given.to_language not in known:
            has = f"only {', '.join(sorted(known))}" if known else "none of which a language is known"
            raise UserError(
                f"{given.vectors or given.candidates[0]} has no sentences in {given.to_language}, {has}: name another, "
                f"or embed them again with --language"
            )
    return lambda model, texts: nearest(model, _parts(texts), stored, given.k, given.to_language, reading)


def models_of(given: Namespace) -> Models:
    if getattr(given, "map", None):
        return MappedModels(given.model, given.map, given.language, given.device, given.precision)
    labels_only = given.command in ("embed", "nearest")
    return Models(given.model, given.language, labels_only, given.device, given.precision)


def reading_of(given: Namespace, models: Models) -> "Reading":
    from train.encoders.vectors import Reading, check_layer

    if isinstance(models, MappedModels):
        found = models.mapped.found
        for flag, asked, was in (("--pooling", given.pooling, found.pooling), ("--layer", given.layer, found.layer)):
            if asked is not None and asked != was:
                raise UserError(f"--map {given.map} is of {flag} {was}: leave {flag} out, or learn another map")
        return Reading("cls" if found.pooling == "cls" else "mean", found.layer, batch_tokens=given.batch_tokens)
    reading = Reading(given.pooling or "mean", -1 if given.layer is None else given.layer)
    check_layer(models.any, reading.layer)
    reading.batch_tokens, reading.max_tokens = given.batch_tokens, getattr(given, "max_tokens", 0)
    return reading


def _parts(texts: Sequence[Text], part: int = 0) -> list[str]:
    return [text.parts[part] for text in texts]


def _print_vectors(part: Sequence[Text], languages: Sequence[str | None], rows: Any, progress: Progress) -> None:
    from train.answers.embed import Embedded
    from train.answers.json_view import json_line

    progress.clear()
    for text, language, row in zip(part, languages, rows, strict=True):
        print(json_line(text, language, Embedded(text.parts[0], row)))
    sys.stdout.flush()
