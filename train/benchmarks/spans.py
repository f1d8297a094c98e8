"""Questions with their answers in a context: SQuAD 1.1 and 2.0, XQuAD, MLQA as they are published, and flat, a record a
question, as `datasets` has them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import UserError
from train.benchmarks.columns import Columns, find, flag, need
from train.benchmarks.examples import Origin, SpanExample
from train.benchmarks.files import Say, check_text
from train.benchmarks.flaws import Flaws
from train.benchmarks.languages import Languages
from train.benchmarks.tables import Table


class _Asked(NamedTuple):
    """impossible: None where the file does not say it."""

    row: int
    id: str
    question: Any
    context: Any
    answers: Any
    impossible: bool | None
    language: Any


def is_squad(value: Any) -> bool:
    """Whether what a .json holds is articles with paragraphs with questions."""
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, list) or not data:
        return False
    return all(isinstance(article, dict) and "paragraphs" in article for article in data)


def read_squad(path: Path, value: Any, languages: Languages, labelled: bool, say: Say) -> list[SpanExample]:
    """value: what the file holds. Rows are numbers of questions. UserError where an answer is not in its context where
    the file says."""
    return _read(path, _nested(path, value), languages, labelled, "SQuAD", say)


def read_span_table(
    table: Table, columns: Columns, languages: Languages, labelled: bool, say: Say
) -> list[SpanExample]:
    """Of records with a question, a context and {"text": [...], "answer_start": [...]}, or a list of {"text": "…",
    "answer_start": 0}; a record without an answer has none in its context."""
    return _read(table.path, _flat(table, columns, labelled), languages, labelled, "", say)


def _read(
    path: Path, asked: Iterator[_Asked], languages: Languages, labelled: bool, published: str, say: Say
) -> list[SpanExample]:
    flaws = Flaws(path, published, say)
    ids = dict[str, int]()
    found = list[SpanExample]()
    context = ""
    for one in asked:
        of = languages.of_row(one.language)
        if of is None:
            continue
        where = f"{path}:{one.row}: question {one.id!r}"
        for name, text in (("question", one.question), ("context", one.context)):
            if text is not None and not isinstance(text, str):
                raise UserError(f"{where} has no text as its {name} but {type(text).__name__}: write the file again")
        if not all(text and text.strip() for text in (one.question, one.context)):
            flaws.found(one.row, "has an empty question or context", "write it, or take the question out")
            continue
        if one.id in ids:
            raise UserError(f"{where} has the id of question {ids[one.id]} too: give each its own")
        ids[one.id] = one.row
        check_text(one.question, path, one.row)
        if one.context != context:  # one string for all questions that follow
            context = one.context
            check_text(context, path, one.row)
        answers = () if one.impossible else _answers(one, where)
        if labelled and not answers and one.impossible is False:
            raise UserError(f"{where} has no answer, and is not said to have none: write one, or is_impossible")
        found.append(
            SpanExample(one.id, one.question, context, answers, _impossible(one, answers), of, Origin(path, one.row))
        )
    if labelled and found and not any(one.answers for one in found):
        raise UserError(f"{path} has no answer to any question: take a file that is not hidden")
    flaws.end(len(found))
    return found


def _impossible(one: _Asked, answers: tuple[tuple[str, int], ...]) -> bool:
    """Where a record does not say it: an empty list of answers means it, a missing one that they are not known."""
    return one.impossible if one.impossible is not None else one.answers is not None and not answers


def _answers(one: _Asked, where: str) -> tuple[tuple[str, int], ...]:
    given = one.answers
    if given is None:
        return ()
    try:
        if isinstance(given, dict):
            pairs = list(zip(given["text"], given["answer_start"], strict=True))
        else:
            pairs = [(answer["text"], answer["answer_start"]) for answer in given]
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f'{where} has answers of another form: write {{"text": ["…"], "answer_start": [0]}}, as many of each'
        ) from None
    for text, begin in pairs:
        if not isinstance(text, str) or not isinstance(begin, int) or isinstance(begin, bool):
            raise UserError(f"{where} has an answer without its text or its first character: write both")
        _check_answer(text, begin, one.context, where)
    return tuple((text, begin) for text, begin in pairs if text)


def _check_answer(text: str, begin: int, context: str, where: str) -> None:
    if begin >= 0 and context[begin : begin + len(text)] == text:
        return
    shown = repr(text if len(text) <= 60 else text[:59] + "…")
    count = sum(context.startswith(text, at) for at in range(len(context))) if len(text) else 0
    if count == 1:
        way_out = f"it is at {context.index(text)}, write that"
    elif count:
        way_out = f"it is there {count} times, first at {context.index(text)}; write which one is meant"
    else:
        way_out = "it is nowhere in it; mend the text of the answer, or take the question out"
    raise UserError(f"{where}: its answer {shown} is not at character {begin} of its context: {way_out}")


def _nested(path: Path, content: Any) -> Iterator[_Asked]:
    row = 0
    for article in content["data"]:
        try:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    row += 1
                    impossible = bool(asked.get("is_impossible", False))
                    id = str(asked.get("id", row))
                    answers = asked.get("answers")
                    yield _Asked(row, id, asked["question"], paragraph["context"], answers, impossible, None)
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}:{row} is no SQuAD from this question on ({type(error).__name__} {error}): each paragraph has "
                "context and qas, each of these question and answers"
            ) from None


def _flat(table: Table, columns: Columns, labelled: bool) -> Iterator[_Asked]:
    path, names = table.path, table.names
    if not table.typed:
        raise UserError(
            f"{path} is a table of plain text, where answers have no place: take files in SQuAD's JSON, or records in "
            ".jsonl or .parquet"
        )
    question, context = (need(path, names, columns, role) for role in ("question", "context"))
    answers = need(path, names, columns, "answers") if labelled else find(path, names, columns, "answers")
    language, id = (find(path, names, columns, role) for role in ("language", "id"))
    flagged = names.index("is_impossible") if "is_impossible" in names else None
    for row, cells in table.rows:
        if labelled and answers is not None and cells[answers] is None:
            raise UserError(
                f"{path}:{row} has nothing in the column {names[answers]!r}: name another with {flag('answers')}"
            )
        yield _Asked(
            row,
            str(row if id is None or cells[id] is None else cells[id]),
            cells[question],
            cells[context],
            None if answers is None else cells[answers],
            None if flagged is None or cells[flagged] is None else bool(cells[flagged]),
            None if language is None else cells[language],
        )
