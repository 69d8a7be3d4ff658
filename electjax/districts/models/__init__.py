"""District models: one file each, found by name."""

from electjax.districts.models.base import Simulator
from electjax.districts.models.dm import DM
from electjax.districts.models.dpm import DPM
from electjax.districts.models.ecm import ECM
from electjax.districts.models.pcm import PCM
from electjax.districts.models.sim import SIM

SIMULATORS: dict[str, Simulator] = {model.name: model for model in (DM, DPM, ECM, PCM, SIM)}


def list_models() -> list[str]:
    """Names of the available district models."""
    return list(SIMULATORS)


def get_simulator(name: str) -> Simulator:
    """The model called `name`; ValueError lists the models there are."""
    try:
        return SIMULATORS[name]
    except KeyError:
        raise ValueError(f"unknown model '{name}'; there are: {', '.join(SIMULATORS)}") from None
