"""What the modules of a folder declare: a model, a reader or a method is added by one file, and no list names it."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, TypeVar

Declared = TypeVar("Declared")


def names_in(package: str) -> list[str]:
    """Names of the modules of a package in alphabetical order; neither it nor they are imported."""
    home: Any = sys.modules.get(package)
    path = home.__path__ if home else find_spec(package).submodule_search_locations  # type: ignore[union-attr]
    return sorted(found.name for found in iter_modules(path))


def modules_in(package: str) -> dict[str, ModuleType]:
    """The modules of a package by name."""
    return {name: import_module(f"{package}.{name}") for name in names_in(package)}


def declared_in(package: str, kind: type[Declared]) -> dict[str, Declared]:
    """Every value of this type that a module of the package declares, by its attribute `name`.

    Modules are taken in alphabetical order, and what one declares in the order of its text.

    Args:
        package: full name of the package; its modules are imported, not those of packages inside it.
        kind: the type of what is declared, which has a `name`.

    Raises:
        ValueError: two of one name.
    """
    found: dict[str, Any] = {}
    for module in modules_in(package).values():
        for value in vars(module).values():
            if isinstance(value, kind) and found.setdefault(value.name, value) is not value:  # type: ignore[attr-defined]
                raise ValueError(f"{package}: two of the name {value.name!r}")  # type: ignore[attr-defined]
    return found
