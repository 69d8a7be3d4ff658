"""What the modules of a folder declare: a model, a reader or a method is added by one file, and no list names it."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

Declared = TypeVar("Declared")


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
    for module in sorted(info.name for info in iter_modules(import_module(package).__path__)):
        for value in vars(import_module(f"{package}.{module}")).values():
            if isinstance(value, kind) and found.setdefault(value.name, value) is not value:  # type: ignore[attr-defined]
                raise ValueError(f"{package}: two of the name {value.name!r}")  # type: ignore[attr-defined]
    return found
