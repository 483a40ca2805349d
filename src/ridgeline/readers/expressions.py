"""The small language in which the family table says how a size follows from a config.

An expression is arithmetic over the keys of a config, in Python's own syntax:
``"head_dim | hidden_size / num_attention_heads"`` takes ``head_dim`` where it is given, else the
exact quotient. ``a | b`` is `b` where a key of `a` is absent or null. Dotted names descend into
nested tables; ``own.x`` is another field of the same part, ``layer.value`` what a pattern said
about this layer. ``true``, ``false`` and ``none`` are constants; text is quoted. ``count(x)`` is
the length of a list, ``same(x)`` the one value of a list that repeats it, ``number(x)`` a number
that may be written as text, ``up_to(x, m)`` rounds up to a multiple.
"""

from __future__ import annotations

import ast
import operator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from ridgeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Missing", "Scope", "evaluate", "names_in", "shown"]

_CONSTANTS = {"true": True, "false": False, "none": None}
_SCOPES = ("own", "layer")
_LARGEST = 10**15
_LONGEST = 48

_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def shown(value: object) -> str:
    """Show a value from a config in a message, shortened."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}…"


class Missing(Exception):  # noqa: N818  (a signal between alternatives, never shown)
    """A key that the expression needs is absent or null."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Scope(Protocol):
    """Where names get their values; raises `Missing` for a name that has none."""

    def lookup(self, path: tuple[str, ...]) -> Any:
        """Return the value of a dotted name."""
        ...


def _up_to(n: Any, multiple: Any) -> int:
    """Round up to a multiple."""
    return -int(-n // multiple) * int(multiple)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "up_to": _up_to,
    "whole": int,
    "ceil": lambda x: -int(-x // 1),
    "max": max,
    "min": min,
}


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def evaluate(expression: object, scope: Scope) -> Any:
    """Compute an expression, or return a constant as it is.

    Parameters
    ----------
    expression : object   Text is an expression; anything else is its own value.
    scope : Scope         Gives names their values.

    Returns
    -------
    object   A number, truth value, text, list or None.

    Raises
    ------
    Missing       A needed name has no value.
    ConfigError   The values do not allow the arithmetic.
    """
    return _visit(_parse(expression), scope) if isinstance(expression, str) else expression


def names_in(expression: object) -> frozenset[str]:
    """Every config key an expression may read, as dotted text.

    Examples
    --------
    >>> sorted(names_in("head_dim | hidden_size / num_attention_heads"))
    ['head_dim', 'hidden_size', 'num_attention_heads']
    """
    return _names_in(expression) if isinstance(expression, str) else frozenset()


@lru_cache(maxsize=4096)
def _names_in(text: str) -> frozenset[str]:
    found: set[str] = set()
    pending: list[ast.AST] = [_parse(text)]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Name, ast.Attribute)):
            path = _path(node)
            if path[0] not in _SCOPES and path[0] not in _CONSTANTS:
                found.add(".".join(path))
        elif isinstance(node, ast.Call):
            pending.extend(node.args)
        else:
            pending.extend(ast.iter_child_nodes(node))
    return frozenset(found)


def _path(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Attribute):
        return (*_path(node.value), node.attr)
    if isinstance(node, ast.Name):
        return (node.id,)
    raise TypeError(f"not a dotted name: {ast.dump(node)}")


def _visit(node: ast.AST, scope: Scope) -> Any:
    for kind, handler in _HANDLERS:
        if isinstance(node, kind):
            return handler(node, scope)
    raise TypeError(f"the family table uses what expressions lack: {ast.dump(node)}")


def _name(node: Any, scope: Scope) -> Any:
    path = _path(node)
    if path[0] in _CONSTANTS:
        return _CONSTANTS[path[0]]
    value = scope.lookup(path)
    if value is None:
        raise Missing(".".join(path))
    return value


def _binary(node: Any, scope: Scope) -> Any:
    if isinstance(node.op, ast.BitOr):
        try:
            return _visit(node.left, scope)
        except Missing:
            return _visit(node.right, scope)
    left, right = _visit(node.left, scope), _visit(node.right, scope)
    for side, value in ((node.left, left), (node.right, right)):
        _require_number(ast.unparse(side), value)
    text = ast.unparse(node)
    if isinstance(node.op, (ast.Div, ast.FloorDiv, ast.Mod)) and right == 0:
        raise ConfigError(f"{text} cannot be computed: {ast.unparse(node.right)} is 0.")
    if isinstance(node.op, ast.Div):
        result = left / right
        if not abs(result) <= _LARGEST or result != int(result):
            raise ConfigError(
                f"{ast.unparse(node.left)} ({shown(left)}) is not a multiple of "
                f"{ast.unparse(node.right)} ({shown(right)})."
            )
        return int(left // right)
    if isinstance(node.op, ast.FloorDiv):
        result = left // right
        _require_number(text, result)
        return int(result)
    return _OPERATORS[type(node.op)](left, right)


def _require_number(text: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{text} is {shown(value)}, and a number is expected.")
    if not abs(value) <= _LARGEST:  # NaN is not, either
        raise ConfigError(f"{text} is {shown(value)}: no model is of that size.")


def _choice(node: Any, scope: Scope) -> Any:
    return _visit(node.body if _truth(node.test, scope) else node.orelse, scope)


def _truth(node: ast.expr, scope: Scope) -> bool:
    value = _visit(node, scope)
    if value is not None and not isinstance(value, (bool, int)):
        raise ConfigError(f"{ast.unparse(node)} is {shown(value)}, and true or false is expected.")
    return bool(value)


def _compare(node: Any, scope: Scope) -> bool:
    left, right = _visit(node.left, scope), _visit(node.comparators[0], scope)
    try:
        return _COMPARISONS[type(node.ops[0])](left, right)
    except TypeError:
        raise ConfigError(
            f"{ast.unparse(node)} cannot be decided: {shown(left)} and {shown(right)} do not "
            "compare."
        ) from None


def _logic(node: Any, scope: Scope) -> bool:
    values = (_truth(value, scope) for value in node.values)
    return all(values) if isinstance(node.op, ast.And) else any(values)


def _call(node: Any, scope: Scope) -> Any:
    if node.func.id in _OF_ANYTHING:
        return _OF_ANYTHING[node.func.id](node.args[0], scope)
    arguments = [_visit(argument, scope) for argument in node.args]
    for argument, value in zip(node.args, arguments, strict=True):
        _require_number(ast.unparse(argument), value)
    if node.func.id == "up_to" and arguments[1] <= 0:
        raise ConfigError(f"{ast.unparse(node.args[1])} is {arguments[1]}, and must be above 0.")
    return _FUNCTIONS[node.func.id](*arguments)


def _count(node: ast.expr, scope: Scope) -> int:
    value = _visit(node, scope)
    if not isinstance(value, (list, tuple, str)):
        raise ConfigError(f"{ast.unparse(node)} is {shown(value)}, and a list is expected.")
    return len(value)


def _same(node: ast.expr, scope: Scope) -> Any:
    value = _visit(node, scope)
    if not isinstance(value, (list, tuple)):
        return value
    if not value or any(v != value[0] for v in value):
        raise ConfigError(
            f"{ast.unparse(node)} is {shown(value)}; one value, the same for every layer, is "
            "expected."
        )
    return value[0]


def _number(node: ast.expr, scope: Scope) -> Any:
    value = _visit(node, scope)
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 16 else value


_OF_ANYTHING = {"count": _count, "same": _same, "number": _number}


def _unary(node: Any, scope: Scope) -> Any:
    if isinstance(node.op, ast.Not):
        return not _truth(node.operand, scope)
    value = _visit(node.operand, scope)
    _require_number(ast.unparse(node.operand), value)
    return -value


_HANDLERS: tuple[tuple[type[ast.AST] | tuple[type[ast.AST], ...], Callable[[Any, Any], Any]], ...]
_HANDLERS = (
    (ast.Constant, lambda node, _: node.value),
    ((ast.Name, ast.Attribute), _name),
    (ast.BinOp, _binary),
    (ast.IfExp, _choice),
    (ast.Compare, _compare),
    (ast.BoolOp, _logic),
    (ast.UnaryOp, _unary),
    (ast.Call, _call),
)
