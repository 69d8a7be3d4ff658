"""Is eta the same everywhere? (calm.md section 9: coefficient stability across assemblies)"""

import os
from typing import Any

import numpy as np
import xarray as xr

from electjax.calm.diagnosis import FOUND, LOG_ODDS, SURE, Setting, eta_of, need_affinity, setting_of, with_shared_eta
from electjax.calm.model.diagnose import Fit, Parts, eta_place, group_etas, left_out
from electjax.calm.model.problem import in_rows
from electjax.calm.model.rank import affinity_rank
from electjax.calm.options import FitOptions
from electjax.data.errors import data_error, suggest
from electjax.data.options import option, options, with_options
from electjax.data.progress import Progress
from electjax.data.schema import Schema, Variable
from electjax.data.verdict import Doubt
from electjax.numerics.host import double_precision

REFITS = 12  # groups up to which leaving each out is fitted anew
SMALL = 0.05
_EACH, _AXIS = ("group", "axis"), ("axis",)
SCHEMA = Schema(
    "calm stability",
    {
        "eta": Variable(_AXIS, "number", "eta of all booths", LOG_ODDS, required=True),
        "eta_se": Variable(_AXIS, "number", "standard error of eta", LOG_ODDS),
        "group_eta": Variable(_EACH, "number", "eta of the group", LOG_ODDS, required=True),
        "group_eta_se": Variable(_EACH, "number", "standard error of group_eta", LOG_ODDS),
        "spread": Variable(_AXIS, "number", "sd of the groups' eta", LOG_ODDS),
        "typical_se": Variable(_AXIS, "number", "root mean square of their standard errors", LOG_ODDS),
        "Q": Variable(_AXIS, "number", "heterogeneity statistic"),
        "Q_degrees": Variable(_AXIS, "count", "degrees of freedom of Q"),
        "Q_p_value": Variable(_AXIS, "number", "p-value of Q"),
        "I2": Variable(_AXIS, "number", "part of Q beyond chance"),
        "without": Variable(_EACH, "number", "eta without the group", LOG_ODDS, required=True),
        "alone": Variable(_EACH, "number", "eta of the group alone", LOG_ODDS),
        "alone_se": Variable(_EACH, "number", "standard error of alone", LOG_ODDS),
    },
    build="calm.stability",
    attrs=FOUND,
)


@options
class StabilityOptions(FitOptions):
    """Options of `calm.stability`."""

    by: Any = option(
        "constituency",
        "constituency; a coordinate or variable over booths or constituencies, such as election; or labels of all "
        "constituencies, as a mapping or a DataArray",
    )
    refit: bool | None = option(
        None,
        "fit anew without each group, and each alone; otherwise leave groups out by the infinitesimal jackknife, which "
        f"is right for small parts; None: where there are {REFITS} groups or fewer",
    )


@with_options
def stability(
    booths: xr.Dataset | str | os.PathLike[str], options: StabilityOptions, *, progress: Progress | None = None
) -> xr.Dataset:
    """Compare eta between groups of booths, and leave each group out (calm.md section 9).

    A group's eta is its own while the groups share all else: one Newton step from the common fit, from the scores and
    the information of its booths. Q tells whether the groups differ by more than their errors. Groups of several
    constituencies, such as elections, are fitted alone, too, with all parameters their own. eta is shared by the
    parties and by the constituencies of a group, whatever `affinity` says, and stays on the scale of the common g.

    Args:
        booths: a Dataset of booths, or the path of what `calm.read` reads.
        progress: called with groups left out, of how many, and a line.

    Returns:
        `eta(axis)`, `eta_se`; `group_eta(group, axis)`, `group_eta_se`, NaN where a group does not tell;
        `without(group, axis)`; with `refit`, `alone(group, axis)` and `alone_se`, NaN where the penalty alone would
        choose; `spread(axis)`, sd of the groups' eta, and `typical_se(axis)`, the root mean square of their errors;
        `Q(axis)`, `Q_degrees`, `Q_p_value`, and `I2(axis)`, the part of the spread that the errors do not explain.
        attrs: finding, in a sentence, and verdict.

    Raises:
        ElectionDataError: invalid booths or options, an unknown grouping, or fewer than two groups.

    Example:
        >>> import electjax
        >>> booths = electjax.calm.simulate("tiny")
        >>> found = electjax.calm.stability(booths, model="recommended", context=0, refit=False)
        >>> dict(found.group_eta.sizes)
        {'group': 4, 'axis': 4}
    """
    options = with_shared_eta(options)
    setting = setting_of(booths, options, progress)
    need_affinity(setting, "calm.stability", eta=True)
    labels, group = _groups(setting, options.by)
    again = len(labels) <= REFITS if options.refit is None else options.refit
    with double_precision():
        fit = setting.solve(setting.posed())
        eta, error = eta_of(fit, setting)
        parts = group_etas(fit.point, fit.problem, setting.design, group, len(labels))
        fits, found = [fit], dict[str, np.ndarray]()
        if again:
            more, found = _refitted(setting, fit, group, len(labels), progress)
            fits += more
        else:
            first = eta_place(fit.problem, setting.design)
            moved = left_out(fit.point, fit.problem, setting.design, group, len(labels))
            found["without"] = moved[:, first : first + len(eta)]
    return _dataset(setting, labels, options.by, eta, error, parts, found, fits)


def _refitted(
    setting: Setting, fit: Fit, group: np.ndarray, groups: int, progress: Progress | None
) -> tuple[list[Fit], dict[str, np.ndarray]]:
    """eta without each group and, if it has several constituencies, of each alone, on the scale of the common g."""
    axes, standard = len(setting.labels.axes), fit.problem.affinity.standard
    without, alone, alone_se = np.full((3, groups, axes), np.nan)
    fits = []
    for n in range(groups):
        inside = group == n
        one = setting.solve(setting.posed(inside, standard=standard), fit.point)
        without[n], _ = eta_of(one, setting)
        fits.append(one)
        if len(np.unique(setting.area[inside])) > 1:
            problem = setting.posed(~inside, standard=standard)
            told = affinity_rank(problem.frame, problem.traits.g, booths=in_rows(problem.booths)).identified
            if told.any():
                own = setting.solve(problem, fit.point)
                value, error = eta_of(own, setting)
                alone[n], alone_se[n] = np.where(told, value, np.nan), np.where(told, error, np.nan)
                fits.append(own)
        if progress is not None:
            progress(n + 1, groups, "groups left out")
    found = {"without": without}
    return fits, found | ({"alone": alone, "alone_se": alone_se} if np.isfinite(alone).any() else {})


def _dataset(
    setting: Setting,
    labels: list[str],
    by: Any,
    eta: np.ndarray,
    error: np.ndarray,
    parts: Parts,
    found: dict[str, np.ndarray],
    fits: list[Fit],
) -> xr.Dataset:
    axes = list(setting.labels.axes)
    known = np.isfinite(parts.eta)
    count = known.sum(axis=0)
    enough = count > 1
    centred = np.where(known, parts.eta - np.nansum(parts.eta, axis=0) / np.maximum(count, 1), 0.0)
    spread = np.where(enough, np.sqrt((centred**2).sum(axis=0) / np.maximum(count - 1, 1)), np.nan)
    typical = np.where(enough, np.sqrt(np.nansum(parts.se**2, axis=0) / np.maximum(count, 1)), np.nan)
    q, degrees = parts.q, parts.degrees
    excess = np.where(q > 0, np.maximum(0.0, 1.0 - degrees / np.where(q > 0, q, 1.0)), 0.0)
    odd = [axis for axis, p, some in zip(axes, parts.p_value, enough, strict=True) if some and p < SMALL / len(axes)]
    far = np.nanmax(np.abs(found["without"] - eta) / np.where(error > 0, error, np.nan))
    name = by if isinstance(by, str) else "group"
    more = f"eta[{', '.join(odd)}] differs between groups by more" if odd else "eta differs between groups by no more"
    moved = f"leaving any one out moves eta by at most {far:.2g} standard errors"
    finding = f"Over {len(labels)} groups by {name}, {more} than the standard errors explain; {moved}."
    plain = {
        "eta": eta,
        "eta_se": error,
        "group_eta": parts.eta,
        "group_eta_se": parts.se,
        "spread": spread,
        "typical_se": typical,
        "Q": np.where(enough, q, np.nan),
        "Q_degrees": np.maximum(degrees, 0),
        "Q_p_value": np.where(enough, parts.p_value, np.nan),
        "I2": np.where(enough, excess, np.nan),
    }
    ds = xr.Dataset(
        {key: (SCHEMA.variables[key].dims, values) for key, values in (plain | found).items()},
        coords={"axis": axes, "group": labels},
    )
    doubts = []
    if odd:
        reason = (
            f"Stability: eta of {', '.join(odd)} is not the same in every {name}: one number is an average over them;"
            " affinity='hierarchical' lets constituencies differ."
        )
        doubts.append(Doubt("with care", reason))
    if far > SURE:
        reason = (
            f"Stability: one {name} alone moves eta by {far:.2g} standard errors; see `without`, and check its booths."
        )
        doubts.append(Doubt("with care", reason))
    return setting.examined(ds, SCHEMA, finding, fits, doubts, by=name, refit=int(len(fits) > 1))


def _groups(setting: Setting, by: Any) -> tuple[list[str], np.ndarray]:
    """Labels of the groups, in the order of the constituencies or booths, and the group of every booth."""
    data, areas = setting.data, list(setting.labels.constituencies)
    if isinstance(by, str) and by == "constituency":
        named = np.array(areas, dtype=object)[setting.area]
    else:
        named = _labels(by, data, areas)[setting.area] if not _by_booth(by, data) else _over_booths(by, data)
    kinds = list(dict.fromkeys(named.tolist()))
    if len(kinds) < 2:
        raise data_error(
            f"found {len(kinds)} group", where="calm.stability(by=)", expected="2 or more", mend="group otherwise"
        )
    index = {label: n for n, label in enumerate(kinds)}
    return kinds, np.array([index[label] for label in named.tolist()], np.int32)


def _by_booth(by: Any, data: xr.Dataset) -> bool:
    values = data[by] if isinstance(by, str) and by in data.variables else by
    return isinstance(values, xr.DataArray) and values.dims == ("booth",)


def _over_booths(by: Any, data: xr.Dataset) -> np.ndarray:
    values = data[by] if isinstance(by, str) else by
    if "booth" in values.coords:
        values = values.sel(booth=data["booth"])
    return np.asarray(values.values.astype(str), dtype=object)


def _labels(by: Any, data: xr.Dataset, areas: list[str]) -> np.ndarray:
    """A label for each constituency."""
    if isinstance(by, str):
        if by not in data.variables or data[by].dims != ("constituency",):
            there = [str(name) for name in data.variables if data[name].dims in (("booth",), ("constituency",))]
            raise data_error(
                f"no grouping {by!r}",
                where="calm.stability(by=)",
                expected="constituency, or a coordinate over booths or constituencies",
                mend=suggest(by, ["constituency", *there]),
            )
        by = data[by]
    if isinstance(by, xr.DataArray):
        by = dict(zip(map(str, by["constituency"].values), map(str, by.values), strict=True))
    missing = [area for area in areas if area not in by]
    if missing:
        raise data_error(
            f"no label for {missing[0]}",
            where="calm.stability(by=)",
            expected="one for every constituency",
            mend="add it",
        )
    return np.array([str(by[area]) for area in areas], dtype=object)
