"""What the diagnostics of CALM share: booths as arrays, fits of some of them, and how a finding is told."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import electjax
from electjax.calm.codec import Labels, encode_booths
from electjax.calm.fittable import check_fittable
from electjax.calm.model.affinity import Standard
from electjax.calm.model.data import Booths, Frame
from electjax.calm.model.design import Design, Hyper
from electjax.calm.model.diagnose import Fit, Paired, folds_of, posed, solve
from electjax.calm.model.directions import eta_place, inverse_of
from electjax.calm.model.estimate import information
from electjax.calm.model.split import held_out
from electjax.calm.options import Options, options_of
from electjax.calm.penalties import choose_penalties
from electjax.calm.schema import validate
from electjax.calm.verbs.read import read
from electjax.data.errors import data_error, suggest
from electjax.numerics.arrow import Point

Progress = Callable[[int, int, str], None]
SURE = 2.0  # standard errors from which a difference is spoken of


@dataclass(frozen=True)
class Setting:
    """Booths and options as the fits of a diagnostic take them."""

    data: xr.Dataset
    options: Options
    labels: Labels
    booths: Booths
    frame: Frame
    design: Design
    hyper: Hyper

    @property
    def area(self) -> np.ndarray:
        """Index of each booth's constituency."""
        return np.asarray(self.booths.constituency)

    @property
    def electors(self) -> np.ndarray:
        """Of each booth."""
        return np.asarray(self.booths.sizes.sum(axis=1))

    @property
    def votes(self) -> np.ndarray:
        """Of each booth."""
        return np.asarray(self.booths.votes.sum(axis=1))

    def posed(self, out: np.ndarray | None = None, hyper: Hyper | None = None, standard: Standard | None = None) -> Any:
        """The problem without some booths."""
        weight = jnp.where(jnp.zeros(len(self.area), bool) if out is None else jnp.asarray(out), 0.0, 1.0)
        return posed(
            self.booths,
            self.frame,
            self.hyper if hyper is None else hyper,
            weight,
            standard,
            design=self.design,
            chunk=min(self.options.chunk, len(self.area)),
        )

    def solve(self, problem: Any, start: Point | None = None, design: Design | None = None) -> Fit:
        """Its fit."""
        limits: dict[str, Any] = {"tolerance": self.options.tolerance, "max_steps": self.options.max_steps}
        return solve(problem, design or self.design, start, **limits)

    def splits(self, share: float, folds: int | None, seed: int) -> Iterator[np.ndarray]:
        """Booths held out within their constituency: once a share, or every booth once in as many folds."""
        key = jax.random.key(seed)
        if folds is None:
            yield held_out(self.area, share, key)
        else:
            fold = folds_of(self.area, folds, key)
            yield from (fold == n for n in range(folds))

    def attrs(self, verdict: str, fits: list[Fit], **more: Any) -> dict[str, Any]:
        """What every diagnostic says of itself."""
        known = {
            "verdict": verdict,
            "data": str(self.data.attrs.get("name", "booths")),
            "options": self.options.json(),
            "fits": len(fits),
            "converged": int(all(fit.converged for fit in fits)),
            "electjax_version": electjax.__version__,
        }
        return known | {name: value for name, value in more.items() if value is not None}


def setting_of(booths: Any, options: Mapping[str, Any], progress: Progress | None = None, **forced: Any) -> Setting:
    """Read, check and encode booths.

    Args:
        options: those of `calm.fit`; refits are by Newton's method whatever `method` says.
        forced: fields of the design that the diagnostic needs otherwise.

    Fits of diagnostics are joint minima: `integrate` changes none of them.
    """
    chosen = options_of(options)
    data = validate(booths) if isinstance(booths, xr.Dataset) else read(booths)
    check_fittable(data, replace(chosen.design, **forced))
    if chosen.penalties == "holdout":
        chosen = choose_penalties(data, chosen, progress=progress)
    given: dict[str, Any] = {"coding": chosen.coding, "covariates": chosen.covariates, "axes": chosen.axes}
    found = encode_booths(data, checked=True, **given)
    design = replace(chosen.design, cache="none", **forced)
    arrays, frame = jax.tree.map(jnp.asarray, (found.booths, found.frame))
    return Setting(data, chosen, found.labels, arrays, frame, design, chosen.hyper(found.axes))


def need_affinity(setting: Setting, verb: str) -> None:
    """Say so if there is no eta to be examined."""
    if setting.design.affinity == "none" and not setting.design.tower:
        raise data_error(
            "no candidate affinity",
            where=f"{verb}(use_candidate_affinity=)",
            expected="a model with it",
            mend="leave use_candidate_affinity and affinity at their defaults",
        )


def check_split(verb: str, share: float, folds: int | None, setting: Setting) -> None:
    """A share that leaves some booths on both sides, or a number of folds."""
    if folds is None and not 0 < share < 1:
        raise data_error(
            f"found {share!r}", where=f"{verb}(share=)", expected="a share above 0 and below 1", mend="as in 0.2"
        )
    if folds is not None and (isinstance(folds, bool) or int(folds) != folds or folds < 2):
        raise data_error(
            f"found {folds!r}", where=f"{verb}(folds=)", expected="a whole number of at least 2", mend="as in 5"
        )
    if (np.bincount(setting.area) < 2).all():
        raise data_error(
            "no constituency has two booths",
            where=f"{verb}(booths)",
            expected="booths to hold out and booths to fit in the same constituency",
            mend="pool constituencies",
        )


def axis_index(setting: Setting, axis: str, verb: str) -> int:
    """Where an axis stands."""
    names = list(setting.labels.axes)
    if axis not in names:
        raise data_error(
            f"no axis {axis!r}", where=f"{verb}(axis=)", expected=", ".join(names), mend=suggest(str(axis), names)
        )
    return names.index(axis)


def eta_of(fit: Fit, design: Design, setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """The shared eta of a fit and its standard errors, [d]."""
    first, number = eta_place(fit.problem, design), len(setting.labels.axes)
    inverse = np.asarray(inverse_of(information(fit.point, fit.problem, design).shared))
    own = slice(first, first + number)
    return np.asarray(fit.point.shared)[own], np.sqrt(np.diag(inverse)[own])


def paired_variables(found: Mapping[str, Paired]) -> dict[str, Any]:
    """Variables of paired comparisons over the dim `measure`."""
    unit = {"units": "nats per vote (KL) or per elector (BCE)"}
    losses = np.array([[getattr(one, name) for one in found.values()] for name in ("without", "with_it")])
    return {
        "loss": (("model", "measure"), losses, {"long_name": "loss of held-out booths", **unit}),
        "gain": ("measure", np.array([one.gain for one in found.values()]), {"long_name": "without less with", **unit}),
        "gain_se": ("measure", np.array([one.se for one in found.values()]), {"long_name": "standard error", **unit}),
        "gain_z": ("measure", np.array([one.z for one in found.values()]), {"long_name": "gain / se", "units": "1"}),
    }


def compared(one: Paired) -> str:
    """The size of a gain in words: 0.00123 (standard error 0.0002, z = 6.1)."""
    return f"{abs(one.gain):.3g} (standard error {one.se:.2g}, z = {one.z:.1f})"
