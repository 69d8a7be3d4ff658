"""The options of `voter_types.read`, as its readers share them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from electjax.data.checks import check_choice
from electjax.voter_types.readers.voters import Incomplete
from electjax.voter_types.schema import Invalid, Scheme

Absent = Literal["missing", "off_ballot"]
Overvote = Literal["abstain", "missing"]


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """The options of `voter_types.read`, explained there."""

    offices: Sequence[str] | None = None
    top: str | None = None
    scheme: Scheme | None = None
    weight: str | None = None
    cluster: str | None = None
    covariates: Sequence[str] = ()
    invalid: Invalid = "error"
    incomplete: Incomplete = "error"
    absent: Absent = "missing"
    overvote: Overvote = "abstain"

    def __post_init__(self) -> None:
        words: dict[str, Any] = {"invalid": Invalid, "incomplete": Incomplete, "absent": Absent, "overvote": Overvote}
        for name, kind in words.items():
            check_choice(f"voter_types.read({name}=)", getattr(self, name), get_args(kind))
        if self.scheme is not None:
            check_choice("voter_types.read(scheme=)", self.scheme, get_args(Scheme))
        for name in ("offices", "covariates"):
            if isinstance(value := getattr(self, name), str):
                object.__setattr__(self, name, (value,))

    def attrs(self, file: str, scheme: str, reader: str) -> dict[str, Any]:
        """Attributes of a Dataset read from `file`."""
        known = {"name": Path(file).name.split(".")[0], "source": file, "scheme": scheme, "reader": reader}
        return known | ({"top": self.top} if self.top else {})


def already_coded(labels: Sequence[Sequence[str]], scheme: Scheme | None) -> Scheme | None:
    """The asked scheme where the labels of all offices are its codes already, else None: they are options."""
    codes = {"ticket": {"0", "1", "2"}, "split": {"0", "1"}}.get(scheme or "", set())
    return scheme if codes and all(set(known) <= codes for known in labels) else None
