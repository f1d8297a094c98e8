import math
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.quality.expressions import Expression, Kind, parse
from schemas.errors import UserError

KINDS: dict[str, Kind] = {
    "n_words": "number",
    "mean_word_length": "number",
    "min_words": "number",
    "language": "label",
    "opt_out": "words",
}


class Columns:
    """Columns of plain lists, None for null."""

    def __init__(self, **columns: list[Any]) -> None:
        self._columns = columns

    def number(self, name: str) -> np.ndarray:
        return np.array([math.nan if value is None else value for value in self._columns[name]], float)

    def words(self, name: str) -> tuple[np.ndarray, list[frozenset[str]]]:
        values = sorted({value for value in self._columns[name] if value is not None})
        codes = [-1 if value is None else values.index(value) for value in self._columns[name]]
        return np.array(codes), [frozenset(value.split(",")) for value in values]


def fires(text: str, **columns: list[Any]) -> list[bool]:
    size = max(map(len, columns.values()))
    found: list[bool] = np.broadcast_to(parse(text, KINDS).fires(Columns(**columns)), size).tolist()
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n_words < 20", [True, False, False, False]),
        ("n_words <= 20", [True, True, False, False]),
        ("n_words > 20", [False, False, True, False]),
        ("n_words == 20", [False, True, False, False]),
        ("n_words != 20", [True, False, True, False]),
        ("not n_words < 20", [False, True, True, False]),  # unknown stays unknown
        ("not not n_words < 20", [True, False, False, False]),
        ("10 < n_words < 30", [False, True, False, False]),
        ("10 < n_words <= 20 < n_words", [False, False, False, False]),
        ("not (10 < n_words < 30)", [True, False, True, False]),
        ("known(n_words)", [True, True, True, False]),
        ("not known(n_words)", [False, False, False, True]),
        ("n_words < 20 or not known(n_words)", [True, False, False, True]),
        ("n_words < 20 or 1 < 2", [True, True, True, True]),  # true, whatever the unknown one is
        ("n_words < 20 and 2 < 1", [False, False, False, False]),
        ("not (n_words < 20 and 2 < 1)", [True, True, True, True]),  # false, whatever the unknown one is
        ("n_words * 2 - 10 < 0 + 20", [True, False, False, False]),
        ("-n_words < -20", [False, False, True, False]),
        ("+n_words / 2 < 11", [True, True, False, False]),
        ("n_words / (n_words - 20) > 0", [False, False, True, False]),  # x / 0 is null
        ("not n_words / (n_words - 20) > 0", [True, False, False, False]),
        ("n_words < 1e1 + 1", [True, False, False, False]),
    ],
)
def test_three_values(text: str, expected: list[bool]) -> None:
    assert fires(text, n_words=[10, 20, 30, None]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('language == "tha"', [True, False, False]),
        ("language != 'tha'", [False, True, False]),
        ('language in ("tha", "lao")', [True, True, False]),
        ('language not in ["lao"]', [True, False, False]),
        ('not language in ("lao",)', [True, False, False]),
        ("known(language)", [True, True, False]),
        ('"noai" in opt_out', [True, False, False]),
        ('"noai" not in opt_out', [False, True, False]),
        ('"ai" in opt_out', [False, False, False]),
        ("not known(opt_out)", [False, False, True]),
    ],
)
def test_labels_and_words(text: str, expected: list[bool]) -> None:
    columns = {"language": ["tha", "lao", None], "opt_out": ["noai,tdm", "", None]}
    assert fires(text, **columns) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["no expression"]),
        ("n_words <", ["n_words < is no expression"]),
        ("n_word < 3", ["no signal or threshold 'n_word'", "did you mean n_words?"]),
        ("n_words", ["n_words is a number", "n_words > 0"]),
        ("n_words < 3 < language", ["language is a label where a number is needed", "quoted word"]),
        ("language < 'tha'", ["language is a label"]),
        ("n_words == 'tha'", ["only a label"]),
        ("n_words in (1, 2)", ["quoted words"]),
        ("'tha' == language", ["'tha': a word is compared with a label"]),
        ("'tha' in language", ["language is a label where a column of words is needed"]),
        ("opt_out == 'noai'", ["opt_out is a words"]),
        ("n_words and 3 < 4", ["n_words is a number where a comparison is needed"]),
        ("not n_words", ["a comparison is needed"]),
        ("(n_words < 3) + 1 > 2", ["n_words < 3 is a truth where a number is needed"]),
        ("(n_words < 3) == (n_words < 4)", ["is a truth where a number is needed"]),
        ("len(n_words) > 3", ["len(n_words): the only function is known(NAME)"]),
        ("known(3)", ["the only function"]),
        ("known(n_words, min_words)", ["the only function"]),
        ("known()", ["the only function"]),
        ("known(x)", ["no signal or threshold 'x'"]),
        ("n_words.real > 3", ["n_words.real has no place in a rule"]),
        ("n_words[0] > 3", ["has no place"]),
        ("__import__('os').system('true') == 0", ["the only function"]),
        ("(lambda: 1)() > 0", ["the only function"]),
        ("[n for n in (1,)] > 0", ["has no place"]),
        ("n_words if 1 < 2 else 3", ["has no place"]),
        ("(n_words := 3) > 2", ["has no place"]),
        ("n_words ** 2 > 3", ["has no place"]),
        ("n_words // 2 > 3", ["has no place"]),
        ("n_words % 2 > 3", ["has no place"]),
        ("~n_words > 3", ["has no place"]),
        ("n_words is None", ["quoted words"]),
        ("n_words < None", ["None has no place"]),
        ("True", ["True has no place"]),
        ("n_words > 1j", ["1j has no place"]),
        ("n_words > 1" + "0" * 400, ["too large a number"]),
        ("n_words > 1e999", ["too large a number"]),
        ("f'{n_words}' == 'x'", ["has no place"]),
        ("n_words < 3; n_words < 4", ["is no expression"]),
        ("n_words < 3 # and so on", ["#"]),
        ("n_words < 3\x00", ["no"]),
        ("n_words < 3\ud800", ["no text"]),
        ("n_words < 3 and " * 200 + "n_words < 3", ["characters"]),
        ("(" * 400 + "n_words" + ")" * 400 + " < 3", ["no expression"]),
        ("-" * 900 + "n_words < 3", ["nested too deeply"]),
        ("n_wörter < 3", ["no signal or threshold 'n_wörter'"]),
    ],
)
def test_one_line_says_what_is_wrong(text: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        parse(text, KINDS)
    assert type(caught.value) is UserError
    message = str(caught.value)
    assert "\n" not in message and len(message) < 250
    assert [word for word in words if word not in message] == [], message


def test_lines_and_names() -> None:
    given = parse("  n_words < min_words\n  and known(language)\n", KINDS)
    assert given.text == "n_words < min_words and known(language)"
    assert given.names == {"n_words", "min_words", "language"}
    assert pickle.loads(pickle.dumps(given)) == given
    assert isinstance(given, Expression)


# An oracle: Python itself, with None for what is not known.
NUMBERS = st.recursive(
    st.one_of(st.sampled_from(("n_words", "mean_word_length", "min_words")), st.integers(-3, 3).map(str)),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda part: f"({' '.join(part)})"),
    max_leaves=4,
)
COMPARISONS = st.lists(st.sampled_from(("<", "<=", ">", ">=", "==", "!=")), min_size=1, max_size=2).flatmap(
    lambda ops: st.lists(NUMBERS, min_size=len(ops) + 1, max_size=len(ops) + 1).map(
        lambda sides: "(" + sides[0] + "".join(f" {op} {side}" for op, side in zip(ops, sides[1:], strict=True)) + ")"
    )
)
TRUTHS = st.recursive(
    st.one_of(COMPARISONS, st.sampled_from(("known(n_words)", "known(mean_word_length)"))),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(("and", "or")), inner).map(lambda part: f"({' '.join(part)})"),
        inner.map(lambda part: f"(not {part})"),
    ),
    max_leaves=5,
)


class Maybe:
    """A number or truth that may be unknown, by the tables of three-valued logic."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def of(self, other: "Maybe", operation: str) -> "Maybe":
        if self.value is None or other.value is None or (operation == "/" and other.value == 0):
            return Maybe(None)
        return Maybe(eval(f"a {operation} b", {}, {"a": self.value, "b": other.value}))


def oracle(text: str, row: Mapping[str, float | None]) -> Any:
    import ast

    def walk(node: ast.AST) -> Maybe:
        match node:
            case ast.Constant(value=value):
                return Maybe(float(value))
            case ast.Name(id=name):
                return Maybe(row[name])
            case ast.UnaryOp(op=ast.Not(), operand=part):
                inner = walk(part).value
                return Maybe(None if inner is None else not inner)
            case ast.UnaryOp(operand=part):
                return Maybe(0.0).of(walk(part), "-")
            case ast.BinOp(left=left, op=op, right=right):
                signs = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
                return walk(left).of(walk(right), signs[type(op)])
            case ast.Call(args=[ast.Name(id=name)]):
                return Maybe(row[name] is not None)
            case ast.BoolOp(op=op, values=parts):
                found = [walk(part).value for part in parts]
                decisive = isinstance(op, ast.Or)
                return Maybe(decisive if decisive in found else None if None in found else not decisive)
            case ast.Compare(left=left, ops=ops, comparators=rights):
                sides = [left, *rights]
                signs_of = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
                found = [
                    walk(a).of(walk(b), signs_of[type(op)]).value for a, op, b in zip(sides, ops, rights, strict=False)
                ]
                return Maybe(False if False in found else None if None in found else True)
        raise AssertionError(ast.dump(node))

    return walk(ast.parse(text, mode="eval").body).value


VALUES = st.one_of(st.none(), st.integers(-3, 3).map(float))


@settings(max_examples=300)
@given(TRUTHS, st.lists(st.tuples(VALUES, VALUES, st.integers(-3, 3).map(float)), min_size=1, max_size=6))
def test_equals_the_tables_of_three_valued_logic(text: str, rows: list[tuple[Any, ...]]) -> None:
    names = ("n_words", "mean_word_length", "min_words")
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    expected = [oracle(text, dict(zip(names, row, strict=True))) is True for row in rows]
    assert fires(text, **columns) == expected


@given(st.text(max_size=60))
def test_no_text_crashes_the_parser(text: str) -> None:
    try:
        parse(text, KINDS)
    except ValueError as error:
        assert "\n" not in str(error)


NAMES = st.sampled_from(
    ["n_words", "language", "opt_out", "known", "min_words", "__import__", "os", "x", "print", "open"]
)
ATOMS = NAMES | st.integers(-9, 10**400).map(str) | st.sampled_from(["'a'", "None", "True", "1e999", "[]", "{}", "..."])
MARKS = ["({})", "{}.__class__", "{}({})", "{}[{}]", "lambda: {}", "[{} for x in {}]", "{} if {} else {}", "(x := {})"]
MARKS += [
    "{} < {}",
    "{} and {}",
    "not {}",
    "{} in {}",
    "{} in ['a', {}]",
    "f'{{{}}}'",
    "{}**{}",
    "{} << {}",
    "await {}",
    "*{}",
]
CODE = st.recursive(
    ATOMS, lambda inner: st.tuples(st.sampled_from(MARKS), inner, inner, inner).map(lambda t: t[0].format(*t[1:]))
)


@given(CODE | st.text(max_size=80))
def test_what_is_no_rule_is_one_line_and_never_run(text: str) -> None:
    """Parsed, never evaluated: whatever Python would do with it."""
    try:
        rule = parse(text, KINDS)
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert set(rule.names) <= set(KINDS)
    assert pickle.loads(pickle.dumps(rule)) == rule


@pytest.mark.parametrize("text", ["9**9**9**9 < 1", "(" * 5000 + "1" + ")" * 5000, "not " * 5000 + "known(n_words)"])
def test_what_would_take_for_ever_is_refused_at_once(text: str) -> None:
    with pytest.raises(UserError):
        parse(text, KINDS, None)
