"""District models: one file each, found by name.

A file of this folder that declares a `Simulator` adds a model; nothing else has to know of it.
"""

from electjax.districts.models.base import Simulator
from electjax.numerics.registry import declared_in

SIMULATORS: dict[str, Simulator] = declared_in(__name__, Simulator)


def list_models() -> list[str]:
    """Names of the available district models.

    Examples:
        >>> import electjax
        >>> electjax.districts.list_models()
        ['dm', 'dpm', 'ecm', 'pcm', 'sim']
    """
    return list(SIMULATORS)


def get_simulator(name: str) -> Simulator:
    """The model called `name`; ValueError lists the models there are."""
    try:
        return SIMULATORS[name]
    except KeyError:
        raise ValueError(f"unknown model {name!r}; there are: {', '.join(SIMULATORS)}") from None
