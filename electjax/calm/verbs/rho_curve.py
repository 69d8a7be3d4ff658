"""How much the proximity of adjacent categories matters (calm.md section 9: sensitivity to rho_A)."""

import os
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.calm.diagnosis import Progress, axis_index, check_split, need_affinity, setting_of
from electjax.calm.model.diagnose import Fit, paired, unseen_losses
from electjax.data.axes import axes_of
from electjax.data.errors import data_error
from electjax.numerics.host import double_precision

VALUES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def rho_curve(
    booths: xr.Dataset | str | os.PathLike[str],
    *,
    axis: str = "age",
    values: Sequence[float] = VALUES,
    share: float = 0.2,
    folds: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> xr.Dataset:
    """Fit at many values of rho and compare the booths held out, and the objective (calm.md section 9).

    Held-out booths get the mean booth effect of their constituency. All values are fitted in one compiled program,
    each from the one before.

    Args:
        booths: a Dataset of booths, or the path of what `calm.read` reads.
        axis: an ordinal one.
        values: of its rho.
        share, folds, seed: of the split, as in `calm.holdout`.
        **options: those of `calm.fit`.

    Returns:
        `objective(rho)` of the training booths, summed over folds; of held-out booths `KL(rho)` per vote, `BCE(rho)`
        per elector above that of a perfect fit, and `validation_loss(rho)`, both per elector; `excess(rho)`, how much
        higher that is than at the best value, with `excess_se`, paired and clustered by constituency; `eta(rho,
        axis)`; `best` by validation loss and `best_objective`; `refined`, where a parabola through the best objective
        and its neighbours is lowest. attrs: verdict.

    Raises:
        ElectionDataError: an axis that is not ordinal, values outside [0, 1], or invalid booths or options.
    """
    setting = setting_of(booths, options | {"seed": seed}, progress)
    need_affinity(setting, "calm.rho_curve")
    check_split("calm.rho_curve", share, folds, setting)
    place = axis_index(setting, axis, "calm.rho_curve")
    spec = setting.data.attrs["axes"] if setting.options.axes is None else setting.options.axes
    if axes_of(spec)[place].kernel != "ordinal":
        raise data_error(
            f"the kernel of {axis!r} is {axes_of(spec)[place].kernel}",
            where="calm.rho_curve(axis=)",
            expected="an axis with the kernel ordinal",
            mend="only these have a rho",
        )
    grid = np.unique(np.asarray(values, float))
    if not (grid.size and ((grid >= 0) & (grid <= 1)).all()):
        raise data_error(
            f"found {values!r}", where="calm.rho_curve(values=)", expected="numbers in [0, 1]", mend="as in (0.3, 0.5)"
        )
    number, axes, folds_done = len(setting.area), len(setting.labels.axes), folds or 1
    objective, eta = np.zeros(grid.size), np.zeros((grid.size, axes))
    kl, bce = np.zeros((2, grid.size, number))
    held, fits = np.zeros(number, bool), list[Fit]()
    with double_precision():
        for own in setting.splits(share, folds, seed):
            held |= own
            for n, rho in enumerate(grid):
                hyper = setting.hyper._replace(rho=jnp.asarray(setting.hyper.rho).at[place].set(rho))
                fit = setting.solve(setting.posed(own, hyper), fits[-1].point if fits else None)
                lost = unseen_losses(fit.point, fit.problem, setting.design)
                kl[n, own], bce[n, own] = (np.asarray(x)[:number][own] for x in (lost.party, lost.turnout))
                objective[n] += fit.value
                eta[n] += _mean_eta(fit, setting.design, axes) / folds_done
                fits.append(fit)
                if progress is not None:
                    progress(len(fits), folds_done * grid.size, f"rho of {axis}")
    electors, votes = setting.electors[held].sum(), setting.votes[held].sum()
    total = (kl + bce)[:, held]
    loss = total.sum(axis=1) / electors
    best, lowest = int(loss.argmin()), int(objective.argmin())
    apart = [paired(row, total[best], setting.electors[held], setting.area[held]) for row in total]
    se = np.array([one.se for one in apart])
    near = grid[np.array([one.gain for one in apart]) <= se]
    verdict = (
        f"Held-out booths are predicted best at a rho of {grid[best]:g} for {axis}"
        f" ({near.min():g} to {near.max():g} are within one standard error);"
        f" the training objective is lowest at {grid[lowest]:g}."
    )
    unit = {"units": "nats per elector"}
    return xr.Dataset(
        {
            "objective": ("rho", objective, {"long_name": "training objective", "units": "nats"}),
            "KL": ("rho", kl[:, held].sum(axis=1) / votes, {"long_name": "held-out KL", "units": "nats per vote"}),
            "BCE": ("rho", bce[:, held].sum(axis=1) / electors, {"long_name": "held-out BCE", **unit}),
            "validation_loss": ("rho", loss, {"long_name": "held-out KL and BCE", **unit}),
            "excess": ("rho", np.array([one.gain for one in apart]), {"long_name": "above the best", **unit}),
            "excess_se": ("rho", se, {"long_name": "standard error of the excess", **unit}),
            "eta": (("rho", "axis"), eta, {"long_name": "eta", "units": "log-odds per standard deviation of g"}),
            "best": ((), grid[best], {"long_name": "rho of the lowest validation loss", "units": "1"}),
            "best_objective": ((), grid[lowest], {"long_name": "rho of the lowest objective", "units": "1"}),
            "refined": ((), _vertex(grid, objective), {"long_name": "rho of the lowest objective", "units": "1"}),
        },
        coords={"rho": grid, "axis": list(setting.labels.axes)},
        attrs=setting.attrs(verdict, fits, curve_axis=axis, seed=seed, share=None if folds else share, folds=folds),
    )


def _mean_eta(fit: Fit, design: Any, axes: int) -> np.ndarray:
    """eta, its mean over parties where each has its own; NaN without."""
    from electjax.calm.model.problem import unpack

    eta = unpack(fit.point, fit.problem, design)[0].eta
    return np.full(axes, np.nan) if eta is None else np.asarray(eta).reshape(-1, axes).mean(axis=0)


def _vertex(x: np.ndarray, y: np.ndarray) -> float:
    """Where the parabola through the lowest point and its neighbours is lowest; the point itself at an end."""
    n = int(y.argmin())
    if n in (0, len(x) - 1):
        return float(x[n])
    a, b, _ = np.polyfit(x[n - 1 : n + 2] - x[n], y[n - 1 : n + 2] - y[n], 2)
    return float(np.clip(x[n] - b / (2 * a), x[n - 1], x[n + 1])) if a > 0 else float(x[n])
