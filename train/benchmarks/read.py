"""Files in published layouts become examples, whatever the layout: it is told by their extension, header and names."""

from collections.abc import Sequence
from pathlib import Path

from schemas.errors import UserError
from train.benchmarks.columns import Columns
from train.benchmarks.examples import TASKS, Example, Task
from train.benchmarks.files import Say, json_value, kind_of, nothing
from train.benchmarks.folders import files_of
from train.benchmarks.languages import Languages, language_of_file
from train.benchmarks.spans import is_squad, read_span_table, read_squad
from train.benchmarks.tables import open_table
from train.benchmarks.texts import read_texts
from train.benchmarks.words import has_word_header, is_word_per_line, read_word_table, read_words

BY_NAME = Columns()
__all__ = ["Columns", "read_by_language", "read_examples"]


def read_examples(
    path: Path,
    task: Task,
    columns: Columns = BY_NAME,
    language: str = "",
    labelled: bool = True,
    say: Say = nothing,
) -> list[Example]:
    """The examples of one file, in its order.

    language: of a file with a column of languages, the rows that are read; else that of all examples. Without it, the
    column says it, or the name of the file or of its folder. labelled: without labels, tags, answers, scores it is a
    UserError; else they are read where they are there. say: told what is left out of published files that have wrong
    rows.

    UserError, one line that names file, row and way out, where it cannot be read: see docs of the modules beside."""
    return _read(path, task, columns, language, "", labelled, say)


def read_by_language(
    paths: Sequence[Path],
    task: Task,
    columns: Columns = BY_NAME,
    split: str = "",
    labelled: bool = True,
    say: Say = nothing,
) -> dict[str, list[Example]]:
    """language -> its examples, "" where nothing says it, in the order in which they come.

    paths: files, or folders of benchmarks, of which `split` chooses the files: train, dev (or validation), test, or the
    name of a file without its extension, as dev_mismatched; "" where a folder has only one."""
    found = dict[str, list[Example]]()
    for path in paths:
        files = files_of(path, split, say) if path.is_dir() else [("", path)]
        for language, file in files:
            for example in _read(file, task, columns, "", language, labelled, say):
                found.setdefault(example.language, []).append(example)
    return found


def _read(
    path: Path, task: Task, columns: Columns, language: str, otherwise: str, labelled: bool, say: Say
) -> list[Example]:
    if task not in TASKS:
        raise UserError(f"there is no task {task!r}: take {', '.join(TASKS)}")
    if path.is_dir():
        some = sorted(one.name for one in path.iterdir() if one.is_file())[:3]
        raise UserError(f"{path} is a folder: name a file in it" + (f", as {', '.join(some)}" if some else ""))
    if not path.is_file():
        raise UserError(f"there is no file {path}: name one that is there")
    languages = Languages(path, language, otherwise or language_of_file(path))
    found = [*_examples(path, task, columns, languages, labelled, say)]
    languages.end()
    if not found:
        raise UserError(f"{path} holds no example: give a file with rows")
    return found


def _examples(
    path: Path, task: Task, columns: Columns, languages: Languages, labelled: bool, say: Say
) -> Sequence[Example]:
    value = json_value(path) if kind_of(path) == ".json" else None
    if is_squad(value):
        if task != "span":
            raise UserError(f"{path} is of SQuAD's layout, questions with answers in a context: take the task span")
        return read_squad(path, value, languages, labelled, say)
    plain = kind_of(path) not in (".parquet", ".jsonl", ".ndjson", ".json", ".csv")
    if plain and task == "token" and (is_word_per_line(path) or not has_word_header(path, columns)):
        return read_words(path, columns, languages, labelled, say)
    if plain and task != "token" and is_word_per_line(path):
        raise UserError(f"{path} is of words and tags, a word a line: take the task token, or a table with a header")
    table = open_table(path, value)
    if task == "token":
        return read_word_table(table, columns, languages, labelled, say)
    if task == "span":
        return read_span_table(table, columns, languages, labelled, say)
    return read_texts(table, task, columns, languages, labelled, say)
