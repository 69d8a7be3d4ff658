"""Options of verbs, each declared once: its name, type, default, range and meaning.

A wing's `options.py` has a class for every group of options:

    @options
    class FitOptions:
        lambda_b: float = option(8.0, "L2 penalty of booth effects", low=0)
        errors: Literal["laplace", "none"] = option("laplace", "how standard errors are found")

A verb takes the group as one argument, and `with_options` shows its fields as keyword-only arguments, in the signature
and in the docstring, and checks what is given. The configuration, its help and the documentation are made from the same
fields. A field may be None where its type says so.
"""

import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import wraps
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, NoReturn, TypeVar, Union, cast, dataclass_transform, get_args, get_origin

import numpy as np

from electjax.data.errors import data_error, suggest
from electjax.data.programs import start_cache_of_jax

Group = TypeVar("Group")
Result = TypeVar("Result")
Fault = Callable[[str, Any, str, str], NoReturn]  # name, value, what was expected, how to mend it


class Kind(NamedTuple):
    """What a field takes: `base` is a type; `words` those of a Literal; `empty` says whether None is allowed."""

    base: Any
    words: tuple[str, ...]
    empty: bool


class Row(NamedTuple):
    """An option as text, for help and documentation."""

    name: str
    type: str
    default: str
    expected: str
    meaning: str


def option(
    default: Any = MISSING,
    meaning: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    good: Callable[[Any], bool] | None = None,
    expected: str = "",
) -> Any:
    """Declare an option.

    Args:
        default: without one the option must be given.
        meaning: one line; it ends up in docstrings, help and documentation.
        low, high: bounds of a number that may be reached.
        above, below: bounds of a number that may not be reached.
        good: for what no type says: whether a value makes sense. None is not asked about where the type allows it.
        expected: what `good` asks for, in words.
    """
    bounds = {"low": low, "high": high, "above": above, "below": below}
    facts = {"meaning": meaning, "good": good, "expected": expected} | bounds
    if isinstance(default, list | dict):
        return field(default_factory=default.copy, metadata=facts)
    return field(metadata=facts) if default is MISSING else field(default=default, metadata=facts)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option,))
def options(group: type[Group]) -> type[Group]:
    """Make a class a group of options: a frozen dataclass that `with_options` knows.

    Its method `conflicts`, if it has one, yields (name, value, expected, mend) for values that do not go together.
    """
    made = dataclass(frozen=True, kw_only=True)(group)
    made.is_options = True  # type: ignore[attr-defined]
    return made


def is_options(kind: Any) -> bool:
    """Whether a class is a group of options."""
    return isinstance(kind, type) and bool(getattr(kind, "is_options", False))


def kind_of(annotation: Any) -> Kind:
    """What an annotation allows, taken apart."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    left = [part for part in parts if part is not NoneType]
    empty = len(left) < len(parts)
    if len(left) == 1 and get_origin(left[0]) is Literal:
        return Kind(str, get_args(left[0]), empty)
    return Kind(left[0] if len(left) == 1 else Any, (), empty)


def default_of(item: "Field[Any]") -> Any:
    """The default of a field; MISSING where there is none."""
    return item.default if item.default_factory is MISSING else item.default_factory()


def expected_of(item: "Field[Any]") -> str:
    """What a field takes, in words."""
    kind, facts = kind_of(item.type), item.metadata
    if facts.get("expected"):
        said = facts["expected"]
    elif kind.words:
        said = f"one of {', '.join(kind.words)}"
    elif kind.base is bool:
        said = "true or false"
    elif kind.base in (int, float):
        said = ("a whole number" if kind.base is int else "a number") + _range(facts)
    elif kind.base is str:
        said = "text"
    elif get_origin(kind.base) is not None and issubclass(get_origin(kind.base), Mapping):
        said = "a value for each of some names"
    elif get_origin(kind.base) is not None and issubclass(get_origin(kind.base), Sequence):
        said = "a list"
    else:
        said = "a value"
    return said


def rows_of(group: type) -> list[Row]:
    """The options of a group as text."""
    rows = []
    for item in fields(group):
        default = default_of(item)
        told = "required" if default is MISSING else repr(default)
        rows.append(Row(item.name, _type_text(item.type), told, expected_of(item), item.metadata.get("meaning", "")))
    return rows


def made(group: type[Group], values: Mapping[str, Any], *, where: str) -> Group:
    """A group from keywords, checked.

    Args:
        where: the verb, as in "calm.fit", for the error.

    Raises:
        ElectionDataError: an unknown option, or a value that makes no sense, with its name.
    """

    def fault(name: str, value: Any, expected: str, mend: str) -> NoReturn:
        raise data_error(f"found {value!r}", where=f"{where}({name}=)", expected=expected, mend=mend)

    return checked(group, values, fault)


def checked(group: type[Group], values: Mapping[str, Any], fault: Fault) -> Group:
    """A group from plain values; what is wrong is handed to `fault`, which raises.

    Scalars of numpy become numbers of Python, and whole numbers floats where a float is declared.
    """
    known = {item.name: item for item in fields(cast(Any, group))}
    for name, value in values.items():
        if name not in known:
            fault(name, value, "one of the options", suggest(name, list(known)))
    plain = {name: _plain(value, known[name]) for name, value in values.items()}
    for name, item in known.items():
        if name not in plain and default_of(item) is MISSING:
            fault(name, None, expected_of(item), "it has no default")
        if name in plain and not _fits(plain[name], item):
            mend = suggest(str(plain[name]), kind_of(item.type).words) if kind_of(item.type).words else _mend(item)
            fault(name, values[name], expected_of(item), mend)
    found = group(**plain)
    for conflict in getattr(found, "conflicts", lambda: ())():
        fault(*conflict)
    return found


def as_json(group: Any, *, without: Sequence[str] = ()) -> str:
    """The values of a group as JSON, which `made(group, json.loads(text), where=...)` reads back."""
    values = {item.name: getattr(group, item.name) for item in fields(group) if item.name not in without}
    return json.dumps(values, default=lambda value: value.tolist())  # of numpy


def with_options(verb: Callable[..., Result]) -> Callable[..., Result]:
    """Let a verb take the fields of its groups of options as keyword-only arguments.

    The groups are the parameters that are annotated with one. An option that several groups declare is given to all of
    them. Code of the package may pass a whole group by the name of its parameter instead.
    """
    signature = inspect.signature(verb)
    groups = {name: p.annotation for name, p in signature.parameters.items() if is_options(p.annotation)}
    homes: dict[str, Field[Any]] = {}
    for group in groups.values():
        for item in fields(group):
            homes.setdefault(item.name, item)
    own = [p for name, p in signature.parameters.items() if name not in groups]
    where = f"{verb.__module__.split('.')[1]}.{verb.__name__}"
    known = [*homes, *(p.name for p in own if p.kind is p.KEYWORD_ONLY)]
    places = [p.name for p in own if p.kind is not p.KEYWORD_ONLY]

    @wraps(verb)
    def call(*args: Any, **given: Any) -> Result:
        if len(args) > len(places):
            raise TypeError(f"{where} takes {', '.join(places)} by position; options are given by name")
        twice = set(places[: len(args)]) & set(given)
        if twice:
            raise TypeError(f"{where} got {min(twice)} twice: by position and by name")
        given |= dict(zip(places, args, strict=False))
        values = {name: given.pop(name) for name in list(given) if name in homes}
        for name, value in given.items():
            if name not in signature.parameters:
                raise data_error(
                    f"found {value!r}",
                    where=f"{where}({name}=)",
                    expected="one of its options",
                    mend=suggest(name, known),
                )
        for name, group in groups.items():
            if name not in given:
                names = {item.name for item in fields(group)}
                given[name] = made(group, {key: value for key, value in values.items() if key in names}, where=where)
        start_cache_of_jax()  # before the verb compiles something
        return verb(**given)

    kinds = inspect.Parameter
    shown = [
        kinds(
            item.name,
            kinds.KEYWORD_ONLY,
            default=kinds.empty if default_of(item) is MISSING else default_of(item),
            annotation=item.type,
        )
        for item in homes.values()
    ]
    call.__signature__ = signature.replace(parameters=[*own, *shown])  # type: ignore[attr-defined]
    call.__doc__ = _with_section(verb.__doc__ or "", groups.values())
    return call


def _with_section(text: str, groups: Any) -> str:
    """The docstring with a section of options before what is returned."""
    lines, seen = [], set()
    for group in groups:
        for row in rows_of(group):
            if row.name not in seen:
                seen.add(row.name)
                lines.append(f"        {row.name}: {row.meaning} ({row.expected}; {row.default})")
    section = "\n".join(["    Options:", *lines])
    head, mark, tail = text.partition("\n    Returns:")
    if not mark:
        head, mark, tail = text.partition("\n    Raises:")
    return f"{head.rstrip()}\n\n{section}\n{mark}{tail}" if mark else f"{text.rstrip()}\n\n{section}\n"


def _plain(value: Any, item: "Field[Any]") -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and kind_of(item.type).base is float else value


def _fits(value: Any, item: "Field[Any]") -> bool:
    kind, facts = kind_of(item.type), item.metadata
    if value is None and kind.empty:
        return True
    if facts.get("good") is not None:
        return bool(facts["good"](value))
    if kind.words:
        return isinstance(value, str) and value in kind.words
    if kind.base is bool:
        return isinstance(value, bool)
    if kind.base in (int, float):
        return isinstance(value, kind.base) and not isinstance(value, bool) and _inside(value, facts)
    if kind.base is str:
        return isinstance(value, str)
    origin = get_origin(kind.base) or kind.base
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)
    return value is not None or kind.base is Any


def _inside(value: float, facts: Mapping[str, Any]) -> bool:
    low, high, above, below = (facts[name] for name in ("low", "high", "above", "below"))
    return (
        math.isfinite(value)
        and (low is None or value >= low)
        and (high is None or value <= high)
        and (above is None or value > above)
        and (below is None or value < below)
    )


def _range(facts: Mapping[str, Any]) -> str:
    low, high, above, below = (facts.get(name) for name in ("low", "high", "above", "below"))
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if above is not None and below is not None:
        return f" between {above:g} and {below:g}"
    said = [
        f"of at least {low:g}" if low is not None else f"above {above:g}" if above is not None else "",
        f"up to {high:g}" if high is not None else f"below {below:g}" if below is not None else "",
    ]
    told = " and ".join(part for part in said if part)
    return f" {told}" if told else ""


def _mend(item: "Field[Any]") -> str:
    return "give it" if default_of(item) is MISSING else "leave it out for the default"


def _type_text(annotation: Any) -> str:
    kind = kind_of(annotation)
    return " | ".join(map(repr, kind.words)) if kind.words else inspect.formatannotation(annotation)
