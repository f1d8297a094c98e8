"""Rules as text: `n_words < min_words and known(stop_word_hits)`, parsed once, evaluated over whole columns.

A sublanguage of Python's expressions: names, numbers, + - * /, comparisons (chained too), and, or, not, parentheses;
`known(name)`; a label compared with a quoted word, `language == "tha"` or `language not in ("tha", "lao")`; a word in
a column of words, `"noai" in opt_out`. Nothing else is ever run.

Logic has three values, as SQL's: a comparison with a null is unknown, so is its negation, and only what is true fires.
Division by zero is null.
"""

import ast
import difflib
import math
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from schemas.errors import UserError

MAX_CHARACTERS = 1000  # what a person writes is shorter; keeps the tree's depth within bounds

Kind = Literal["number", "label", "words", "truth"]
Tree = tuple[Any, ...]  # nested: (operation, operand ...), so that it can be pickled and compared

_ARITHMETIC: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISONS: dict[type, str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Truth(NamedTuple):
    """Rows that are surely so, and rows that are surely not; the others are unknown. Broadcast to each other."""

    yes: np.ndarray
    no: np.ndarray


class Row(Protocol):
    """The columns that an expression is evaluated over."""

    def number(self, name: str) -> np.ndarray:
        """float64, a value a row or one for all; null is NaN."""

    def words(self, name: str) -> tuple[np.ndarray, list[frozenset[str]]]:
        """A code a row, -1 for null, and the words that each code stands for; a label is one word."""


class Expression(NamedTuple):
    """Parsed text; `names` are all that it reads."""

    text: str
    tree: Tree
    names: frozenset[str]

    def fires(self, rows: Row) -> np.ndarray:
        """bool: rows for which the expression is surely true, or one value for all."""
        with np.errstate(all="ignore"):
            return _truth(self.tree, rows).yes


class Bound(NamedTuple):
    """An expression that comes down to `name operator value`."""

    name: str
    operator: str
    value: float


def bound(expression: Expression, rows: Row, known: Collection[str]) -> Bound | None:
    """What the expression asks of the one column that it compares with a number, where all else that it reads is
    `known` of the single row; None where it asks more, or where it cannot be true of such a row."""
    _, *parts = expression.tree if expression.tree[0] == "and" else ("and", expression.tree)
    asked = []
    for part in parts:
        if not _names(part) <= set(known):
            asked.append(part)
        elif not np.all(_truth(part, rows).yes):
            return None
    if len(asked) != 1 or asked[0][0] not in _MIRRORED:
        return None
    operation, left, right = asked[0]
    if left[0] != "name" or left[1] in known:
        operation, left, right = _MIRRORED[operation], right, left
    if left[0] != "name" or not _names(right) <= set(known):
        return None
    with np.errstate(all="ignore"):
        value = float(np.max(_number(right, rows)))
    return Bound(left[1], operation, value) if math.isfinite(value) else None


def _names(tree: Tree) -> set[str]:
    """All that it reads."""
    if tree[0] in ("name", "known", "has"):
        return {tree[1]}
    return set[str]().union(*(_names(part) for part in tree[1:] if isinstance(part, tuple)))


def parse(text: str, kinds: Mapping[str, Kind], max_characters: int | None = MAX_CHARACTERS) -> Expression:
    """The expression over the names of `kinds`. UserError says in one line what is wrong with it.

    max_characters: None for text that code made, which may have long lists of words but is not nested deeply.
    """
    line = " ".join(text.split())
    if max_characters is not None and len(line) > max_characters:
        raise UserError(f"has {len(line)} characters; {max_characters} are the most")
    if "#" in line:  # would hide what follows it
        raise UserError("has a #; comments belong outside the quotation marks")
    try:
        body = ast.parse(line, mode="eval").body
        names: set[str] = set()
        tree, kind = _compile(body, kinds, names)
    except SyntaxError as error:
        raise UserError(f"{_short(line)} is no expression: {error.msg}") from None
    except (RecursionError, MemoryError):
        raise UserError(f"{_short(line)} is nested too deeply") from None
    except UnicodeEncodeError:
        raise UserError("has a character that is no text") from None
    if kind != "truth":
        raise UserError(f"{_short(line)} is a {kind}; compare it with something, such as {_short(line)} > 0")
    return Expression(line, tree, frozenset(names))


def nearest(name: str, known: Collection[str]) -> str:
    """`; did you mean n_words?`, or nothing."""
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""


def _compile(node: ast.expr, kinds: Mapping[str, Kind], names: set[str]) -> tuple[Tree, Kind]:
    def number(part: ast.expr) -> Tree:
        return _expect(part, "number")

    def _expect(part: ast.expr, kind: Kind) -> Tree:
        tree, found = _compile(part, kinds, names)
        if found != kind:
            wanted = "a comparison" if kind == "truth" else f"a {kind}"
            raise UserError(f"{_source(part)} is a {found} where {wanted} is needed")
        return tree

    match node:
        case ast.Constant(value=bool() | None):
            raise UserError(f"{_source(node)} has no place in a rule; compare signals with numbers")
        case ast.Constant(value=int() | float() as value):
            return ("constant", _finite(value)), "number"
        case ast.Constant(value=str()):
            raise UserError(f"{_source(node)}: a word is compared with a label, such as language == {_source(node)}")
        case ast.Name(id=name):
            if name not in kinds:
                raise UserError(f"there is no signal or threshold {name!r}{nearest(name, kinds)}")
            names.add(name)
            return ("name", name), kinds[name]
        case ast.UnaryOp(op=ast.USub(), operand=part):
            return ("-", ("constant", 0.0), number(part)), "number"
        case ast.UnaryOp(op=ast.UAdd(), operand=part):
            return number(part), "number"
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return ("not", _expect(part, "truth")), "truth"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return (_ARITHMETIC[type(op)], number(left), number(right)), "number"
        case ast.BoolOp(op=op, values=parts):
            return ("and" if isinstance(op, ast.And) else "or", *(_expect(p, "truth") for p in parts)), "truth"
        case ast.Call(func=ast.Name(id="known"), args=[ast.Name() as part], keywords=[]):
            tree, kind = _compile(part, kinds, names)
            return ("known", tree[1], kind), "truth"
        case ast.Call():
            raise UserError(f"{_source(node)}: the only function is known(NAME), true where NAME is not null")
        case ast.Compare(left=left, ops=ops, comparators=rights):
            sides = [left, *rights]
            pairs = [_comparison(a, op, b, kinds, names) for a, op, b in zip(sides, ops, rights, strict=False)]
            return (pairs[0] if len(pairs) == 1 else ("and", *pairs)), "truth"
    raise UserError(f"{_source(node)} has no place in a rule; use names, numbers, + - * /, comparisons, and, or, not")


def _comparison(left: ast.expr, op: ast.cmpop, right: ast.expr, kinds: Mapping[str, Kind], names: set[str]) -> Tree:
    if isinstance(op, ast.In | ast.NotIn) and isinstance(left, ast.Constant) and isinstance(left.value, str):
        tree, kind = _compile(right, kinds, names)
        if kind != "words":
            raise UserError(f"{_source(right)} is a {kind} where a column of words is needed, such as opt_out")
        found: Tree = ("has", tree[1], frozenset({left.value}))
        return found if isinstance(op, ast.In) else ("not", found)
    words = _constants(right)
    if isinstance(op, ast.In | ast.NotIn | ast.Eq | ast.NotEq) and words is not None:
        tree, kind = _compile(left, kinds, names)
        if kind != "label":
            raise UserError(f"{_source(left)} is a {kind}; only a label, such as language, is compared with words")
        found = ("has", tree[1], words)
        return found if isinstance(op, ast.In | ast.Eq) else ("not", found)
    if type(op) not in _COMPARISONS:
        raise UserError(f"{_source(left)}: `in` needs quoted words, such as language in ('tha', 'lao')")
    sides = []
    for part in (left, right):
        tree, kind = _compile(part, kinds, names)
        if kind != "number":
            hint = "; a label is compared with a quoted word" if kind == "label" else ""
            raise UserError(f"{_source(part)} is a {kind} where a number is needed{hint}")
        sides.append(tree)
    return (_COMPARISONS[type(op)], *sides)


def _constants(node: ast.expr) -> frozenset[str] | None:
    """The quoted words of `"tha"` or `("tha", "lao")`; None for anything else."""
    match node:
        case ast.Constant(value=str() as word):
            return frozenset({word})
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            words = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            return frozenset(words) if len(words) == len(parts) else None
    return None


def _finite(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UserError(f"{_short(str(value))} is too large a number")
    return number


def _source(node: ast.expr) -> str:
    return _short(ast.unparse(node))


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _number(tree: Tree, rows: Row) -> Any:
    match tree:
        case ("constant", value):
            return np.float64(value)
        case ("name", name):
            return rows.number(name)
    left, right = _number(tree[1], rows), _number(tree[2], rows)
    match tree[0]:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    return np.where(right == 0, np.nan, np.divide(left, right))


def _truth(tree: Tree, rows: Row) -> Truth:
    operation, *parts = tree
    if operation == "not":
        inner = _truth(parts[0], rows)
        return Truth(inner.no, inner.yes)
    if operation in ("and", "or"):
        found = [_truth(part, rows) for part in parts]
        every, some = (np.logical_and, np.logical_or) if operation == "and" else (np.logical_or, np.logical_and)
        yes, no = found[0]
        for other in found[1:]:
            yes, no = every(yes, other.yes), some(no, other.no)
        return Truth(yes, no)
    if operation == "known":
        name, kind = parts
        there = ~np.isnan(rows.number(name)) if kind == "number" else rows.words(name)[0] >= 0
        return Truth(there, ~there)
    if operation == "has":
        name, wanted = parts
        codes, values = rows.words(name)
        hits = np.array([*(not wanted.isdisjoint(words) for words in values), False])[codes]  # -1: the last one
        return Truth(hits, ~hits & (codes >= 0))
    left, right = (_number(part, rows) for part in parts)
    so = _COMPARE[operation](left, right)
    known = ~(np.isnan(left) | np.isnan(right))
    return Truth(so & known, ~so & known)
