"""How much the proximity of adjacent categories matters (calm.md section 9: sensitivity to rho_A)."""

import os
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.calm.diagnosis import FOUND, LOG_ODDS, axis_index, need_affinity, need_pairs, setting_of
from electjax.calm.diagnostics.holdout import HoldoutOptions
from electjax.calm.model.diagnose import Fit, paired
from electjax.calm.model.problem import unpack
from electjax.calm.model.unseen import unseen_losses
from electjax.data.axes import axes_of, kernel_of
from electjax.data.errors import data_error
from electjax.data.options import option, options, with_options
from electjax.data.progress import Progress
from electjax.data.schema import Schema, Variable
from electjax.data.verdict import Doubt
from electjax.numerics.host import double_precision

VALUES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_CURVE, _PER_ELECTOR = ("proximity",), "nats per elector"
SCHEMA = Schema(
    "calm rho_curve",
    {
        "objective": Variable(_CURVE, "number", "training objective", "nats", required=True),
        "KL": Variable(_CURVE, "number", "held-out KL", "nats per vote"),
        "BCE": Variable(_CURVE, "number", "held-out BCE", _PER_ELECTOR),
        "validation_loss": Variable(_CURVE, "number", "held-out KL and BCE", _PER_ELECTOR, required=True),
        "excess": Variable(_CURVE, "number", "validation loss above the best", _PER_ELECTOR),
        "excess_se": Variable(_CURVE, "number", "standard error of the excess", _PER_ELECTOR),
        "eta": Variable(("proximity", "axis"), "number", "eta", LOG_ODDS),
        "best": Variable((), "share", "proximity of the lowest validation loss", required=True),
        "best_objective": Variable((), "share", "proximity of the lowest objective"),
        "refined": Variable((), "share", "proximity where a parabola through the objective is lowest"),
    },
    build="calm.rho_curve",
    needs=("curve_axis",),
    attrs={"curve_axis": "whose proximity it is", **FOUND},
)


@options
class CurveOptions(HoldoutOptions):
    """Options of `calm.rho_curve`."""

    axis: str = option("age", "whose proximity is varied, an ordinal one")
    values: Sequence[float] = option(
        VALUES,
        "of its proximity",
        good=lambda found: len(found) > 0 and all(0 <= x <= 1 for x in found),
        expected="numbers in [0, 1]",
    )


@with_options
def rho_curve(
    booths: xr.Dataset | str | os.PathLike[str], options: CurveOptions, *, progress: Progress | None = None
) -> xr.Dataset:
    """Fit at many proximities rho of adjacent categories and compare held-out booths, and the objective.

    Held-out booths get the mean booth effect of their constituency. All values are fitted in one compiled program,
    each from the one before (calm.md section 9).

    Args:
        booths: a Dataset of booths, or the path of what `calm.read` reads.
        progress: called with fits done, of how many, and a line.

    Returns:
        `objective(proximity)` of the training booths, summed over folds; of held-out booths `KL` per vote, `BCE` per
        elector above that of a perfect fit, and `validation_loss`, both per elector; `excess(proximity)`, how much
        higher that is than at the best value, with `excess_se`, paired and clustered by constituency; `eta(proximity,
        axis)`; `best` by validation loss and `best_objective`; `refined`, where a parabola through the best objective
        and its neighbours is lowest. attrs: finding, in a sentence, and verdict.

    Raises:
        ElectionDataError: an axis that is not ordinal, or invalid booths or options.

    Example:
        >>> import electjax
        >>> booths = electjax.calm.simulate("tiny")
        >>> how = {"model": "recommended", "context": 0}
        >>> electjax.calm.rho_curve(booths, values=(0.3, 0.6), **how).proximity.values.tolist()
        [0.3, 0.6]
    """
    setting = setting_of(booths, options, progress)
    need_affinity(setting, "calm.rho_curve")
    need_pairs("calm.rho_curve", setting)
    place = axis_index(setting, options.axis, "calm.rho_curve")
    kernel = axes_of(setting.data.attrs["axes"] if options.axes is None else options.axes)[place].kernel
    if kernel_of(kernel).START is None:
        raise data_error(
            f"the kernel of {options.axis!r} is {kernel}",
            where="calm.rho_curve(axis=)",
            expected="an axis with the kernel ordinal",
            mend="only these have a proximity of neighbours",
        )
    grid = np.unique(np.asarray(options.values, float))
    number, axes, folds_done = len(setting.area), len(setting.labels.axes), options.folds or 1
    objective, eta = np.zeros(grid.size), np.zeros((grid.size, axes))
    kl, bce = np.zeros((2, grid.size, number))
    out, fits = np.zeros(number, bool), list[Fit]()
    with double_precision():
        for own in setting.splits(options.share, options.folds, options.seed):
            out |= own
            for n, rho in enumerate(grid):
                hyper = setting.hyper._replace(rho=jnp.asarray(setting.hyper.rho).at[place].set(rho))
                fit = setting.solve(setting.posed(own, hyper), fits[-1].point if fits else None)
                lost = unseen_losses(fit.point, fit.problem, setting.design)
                kl[n, own], bce[n, own] = (np.asarray(x)[:number][own] for x in (lost.party, lost.turnout))
                objective[n] += fit.value
                eta[n] += _mean_eta(fit, setting.design, axes) / folds_done
                fits.append(fit)
                if progress is not None:
                    progress(len(fits), folds_done * grid.size, f"proximity of {options.axis}")
    electors, votes = setting.electors[out].sum(), setting.votes[out].sum()
    total = (kl + bce)[:, out]
    loss = total.sum(axis=1) / electors
    best, lowest = int(loss.argmin()), int(objective.argmin())
    apart = [paired(row, total[best], setting.electors[out], setting.area[out]) for row in total]
    se = np.array([one.se for one in apart])
    near = grid[np.array([one.gain for one in apart]) <= se]
    finding = (
        f"Held-out booths are predicted best at a proximity of {grid[best]:g} for {options.axis}"
        f" ({near.min():g} to {near.max():g} are within one standard error);"
        f" the training objective is lowest at {grid[lowest]:g}."
    )
    found = xr.Dataset(
        {
            "objective": ("proximity", objective),
            "KL": ("proximity", kl[:, out].sum(axis=1) / votes),
            "BCE": ("proximity", bce[:, out].sum(axis=1) / electors),
            "validation_loss": ("proximity", loss),
            "excess": ("proximity", [one.gain for one in apart]),
            "excess_se": ("proximity", se),
            "eta": (("proximity", "axis"), eta),
            "best": grid[best],
            "best_objective": grid[lowest],
            "refined": _vertex(grid, objective),
        },
        coords={"proximity": grid, "axis": list(setting.labels.axes)},
    )
    blind = Doubt(
        "with care",
        f"Proximity: held-out booths do not tell that of {options.axis}: every value tried is within one standard error"
        " of the best. It stays assumed.",
    )
    return setting.examined(
        found,
        SCHEMA,
        finding,
        fits,
        [blind] if near.size == grid.size > 1 else [],
        curve_axis=options.axis,
        seed=options.seed,
        share=None if options.folds else options.share,
        folds=options.folds,
    )


def _mean_eta(fit: Fit, design: Any, axes: int) -> np.ndarray:
    """eta, its mean over parties where each has its own; NaN without."""
    eta = unpack(fit.point, fit.problem, design)[0].eta
    return np.full(axes, np.nan) if eta is None else np.asarray(eta).reshape(-1, axes).mean(axis=0)


def _vertex(x: np.ndarray, y: np.ndarray) -> float:
    """Where the parabola through the lowest point and its neighbours is lowest; the point itself at an end."""
    n = int(y.argmin())
    if n in (0, len(x) - 1):
        return float(x[n])
    a, b, _ = np.polyfit(x[n - 1 : n + 2] - x[n], y[n - 1 : n + 2] - y[n], 2)
    return float(np.clip(x[n] - b / (2 * a), x[n - 1], x[n + 1])) if a > 0 else float(x[n])
