"""What CALM's diagnostics share: booths as arrays, fits of some of them, and penalties chosen on held-out booths."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.calm.codec import Labels, check_fittable, encode_booths
from electjax.calm.model.affinity import Standard
from electjax.calm.model.design import Booths, Design, Frame, Hyper
from electjax.calm.model.diagnose import Fit, Paired, eta_place, inverse_of, posed, solve
from electjax.calm.model.estimate import information
from electjax.calm.model.penalties import search_penalties
from electjax.calm.model.unseen import folds_of, held_out
from electjax.calm.options import FitOptions
from electjax.calm.verbs.read import read_booths
from electjax.data.errors import data_error, data_warning, suggest
from electjax.data.finished import finished
from electjax.data.progress import Progress
from electjax.data.schema import Schema, conform
from electjax.data.verdict import ATTRS, Doubt, verdict
from electjax.numerics.arrow import Point
from electjax.numerics.host import double_precision

Options = TypeVar("Options", bound=FitOptions)
GAIN = "nats per vote (KL) or per elector (BCE)"
LOG_ODDS = "log-odds per standard deviation of g"
FOUND = {"finding": "what was found, in a sentence", **ATTRS}  # attributes of every diagnostic
SURE = 2.0  # standard errors from which a difference is spoken of


@dataclass(frozen=True)
class Setting:
    """Booths and options as the fits of a diagnostic take them."""

    data: xr.Dataset
    options: FitOptions
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

    def solve(self, problem: Any, start: Point | None = None) -> Fit:
        """Its fit."""
        tolerance, max_steps = self.options.tolerance, self.options.max_steps
        return solve(problem, self.design, start, tolerance=tolerance, max_steps=max_steps)

    def splits(self, share: float, folds: int | None, seed: int) -> Iterator[np.ndarray]:
        """Booths held out within their constituency: once a share, or every booth once in as many folds."""
        key = jax.random.key(seed)
        if folds is None:
            yield held_out(self.area, share, key)
        else:
            fold = folds_of(self.area, folds, key)
            yield from (fold == n for n in range(folds))

    def examined(
        self,
        found: xr.Dataset,
        schema: Schema,
        finding: str,
        fits: list[Fit],
        doubts: Iterable[Doubt] = (),
        **more: Any,
    ) -> xr.Dataset:
        """What a diagnostic returns: what it found in a sentence, the verdict of that, and what was examined."""
        stopped = sum(not fit.converged for fit in fits)
        ended = [
            Doubt("not usable", f"{schema.build}: {stopped} of {len(fits)} fits did not converge; raise max_steps.")
        ]
        ds = conform(found.assign_attrs(self.attrs(finding, fits, **more)), schema)
        return finished(ds, about=finding, verdict=verdict([*(ended if stopped else []), *doubts]))

    def attrs(self, finding: str, fits: list[Fit], **more: Any) -> dict[str, Any]:
        """What every diagnostic says of itself."""
        known = {
            "finding": finding,
            "data": str(self.data.attrs.get("name", "booths")),
            "options": self.options.json(),
            "fits": len(fits),
            "converged": int(all(fit.converged for fit in fits)),
        }
        return known | {name: value for name, value in more.items() if value is not None}


def setting_of(booths: Any, options: FitOptions, progress: Progress | None = None) -> Setting:
    """Read, check and encode booths.

    Fits of diagnostics are joint minima: `integrate` changes none of them.
    """
    data = read_booths(booths)
    check_fittable(data, options.design)
    if options.penalties == "holdout":
        options = choose_penalties(data, options, progress=progress)
    found = encode_booths(data, checked=True, coding=options.coding, covariates=options.covariates, axes=options.axes)
    design = replace(options.design, cache="none")
    arrays, frame = jax.tree.map(jnp.asarray, (found.booths, found.frame))
    return Setting(data, options, found.labels, arrays, frame, design, options.hyper(found.axes))


def with_shared_eta(options: Options) -> Options:
    """The same with an eta that the parties and constituencies share, if there is any."""
    return options if options.affinity == "none" else replace(options, affinity="shared")


def need_affinity(setting: Setting, verb: str, *, eta: bool = False) -> None:
    """Say so if there is no candidate affinity to be examined, or no eta where that is asked for."""
    if setting.design.affinity == "none" and (eta or not setting.design.tower):
        raise data_error(
            "no eta" if setting.design.tower else "no candidate affinity",
            where=f"{verb}(affinity=)" if setting.design.tower else f"{verb}(use_candidate_affinity=)",
            expected="a model with it",
            mend="leave use_candidate_affinity and affinity at their defaults",
        )


def need_pairs(verb: str, setting: Setting) -> None:
    """Some constituency has a booth to hold out, and one to fit."""
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


def eta_of(fit: Fit, setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """The shared eta of a fit and its standard errors, [d]."""
    first, number = eta_place(fit.problem, setting.design), len(setting.labels.axes)
    inverse = np.asarray(inverse_of(information(fit.point, fit.problem, setting.design).shared))
    own = slice(first, first + number)
    return np.asarray(fit.point.shared)[own], np.sqrt(np.diag(inverse)[own])


def compared(one: Paired) -> str:
    """The size of a gain in words: 0.00123 (standard error 0.0002, z = 6.1)."""
    return f"{abs(one.gain):.3g} (standard error {one.se:.2g}, z = {one.z:.1f})"


SHARE = 0.2  # of the booths that the fit may see,
FEW = 500  # but where these would be fewer, each of them once in as many
FOLDS = 5


def choose_penalties(booths: xr.Dataset, options: Options, *, progress: Progress | None = None) -> Options:
    """The options with the penalties at which held-out booths are predicted best, from those given.

    Booths that the option `holdout` keeps out of the fit are not looked at.

    Raises:
        ElectionDataError: no constituency has booths enough to hold one out.
    """
    data = encode_booths(booths, checked=True, coding=options.coding, covariates=options.covariates, axes=options.axes)
    area, key = np.asarray(data.booths.constituency), jax.random.key(options.seed)
    kept = np.flatnonzero(~held_out(area, options.holdout, key))
    out = np.zeros((FOLDS if SHARE * len(kept) < FEW else 1, len(area)), bool)
    if len(out) == 1:
        out[0, kept] = held_out(area[kept], SHARE, jax.random.fold_in(key, 1))
    else:
        out[:, kept] = folds_of(area[kept], FOLDS, jax.random.fold_in(key, 1)) == np.arange(FOLDS)[:, None]
    if not out.any():
        raise data_error(
            "no constituency has a booth to spare",
            where="calm.fit(penalties='holdout')",
            expected="2 booths or more in some constituency",
            mend="give the penalties, with penalties='given'",
        )
    weight = np.zeros(len(area))
    weight[kept] = 1.0
    with double_precision():
        found = search_penalties(
            jax.tree.map(jax.numpy.asarray, data.booths._replace(weight=weight)),
            data.frame,
            options.hyper(data.axes),
            options.design,
            out,
            tolerance=options.tolerance,
            max_steps=options.max_steps,
            chunk=options.chunk,
            progress=None if progress is None else lambda done, most: progress(done, most, "penalties"),
        )
    for name in found.edge:
        data_warning(f"{name} went to the end of its range", where="penalties chosen on held-out booths")
    chosen: dict[str, Any] = {name: float(getattr(found.hyper, name)) for name in found.names}
    return replace(options, penalties="given", **chosen)
