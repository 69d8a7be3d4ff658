"""Does it help to predict booths that the fit has not seen? Candidates in the choice, and candidates in the turnout."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from electjax.calm.diagnosis import (
    SURE,
    Progress,
    Setting,
    check_split,
    compared,
    need_affinity,
    paired_variables,
    setting_of,
)
from electjax.calm.fittable import known_previous
from electjax.calm.model.diagnose import Fit, Paired, paired, unseen_losses, without_affinity, without_mobilisation
from electjax.calm.model.directions import inverse_of
from electjax.calm.model.estimate import information, names
from electjax.calm.model.problem import Problem, unpack
from electjax.calm.schema import validate
from electjax.calm.verbs.read import read
from electjax.data.errors import data_error
from electjax.numerics.host import double_precision

MEASURES = ("KL", "BCE")


def holdout(
    booths: xr.Dataset | str | os.PathLike[str],
    *,
    share: float = 0.2,
    folds: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> xr.Dataset:
    """Predict held-out booths with and without what candidates add to the party choice (calm.md section 9).

    Booths are held out within their constituency, whose mean booth effect they get. KL of the party shares counts by
    votes, BCE of the turnout by electors and above that of a perfect fit; differences are paired booth by booth,
    their standard errors clustered by constituency. Both fits are of the same penalties.

    Args:
        booths: a Dataset of booths, or the path of what `calm.read` reads.
        share: held out of each constituency.
        folds: hold every booth out once, in so many folds, instead.
        seed: of the split.
        **options: those of `calm.fit`.

    Returns:
        `loss(model, measure)`, `gain(measure)` = without less with, `gain_se`, `gain_z`; `booth_gain(booth, measure)`,
        NaN where a booth was not held out; `constituency_gain(constituency, measure)`; `held_out(booth)`. attrs:
        verdict.

    Raises:
        ElectionDataError: invalid booths or options.
    """
    setting = setting_of(booths, options | {"seed": seed}, progress)
    need_affinity(setting, "calm.holdout")
    check_split("calm.holdout", share, folds, setting)
    with double_precision():
        found, held, fits = _compare(setting, without_affinity, share, folds, seed, progress)
    kl = found["KL"][1]
    attrs = setting.attrs(_told("candidate affinity", "KL per vote", kl), fits, **_split_attrs(share, folds, seed))
    return _dataset(setting, found, held, attrs)


def mobilisation(
    booths: xr.Dataset | str | os.PathLike[str],
    *,
    share: float = 0.2,
    folds: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> xr.Dataset:
    """Predict the turnout of held-out booths with and without the mobilisation xi m_ic (calm.md sections 4 and 9).

    As `calm.holdout`; what decides is the BCE of the turnout weighted by N. Where the options have no mobilisation,
    it is weighted by previous shares, or by the model's own where no booth has any.

    Returns:
        The same as `calm.holdout`, and `xi` with `xi_se` from all booths.
    """
    if options.get("mobilisation", "none") == "none":
        booths = validate(booths) if isinstance(booths, xr.Dataset) else read(booths)
        options = options | {"mobilisation": "previous" if known_previous(booths)[0].any() else "model"}
    if not options.get("use_candidate_affinity", True):
        raise data_error(
            "no candidates in the model",
            where="calm.mobilisation(use_candidate_affinity=)",
            expected="a model with them",
            mend="leave use_candidate_affinity out",
        )
    setting = setting_of(booths, options | {"seed": seed}, progress)
    check_split("calm.mobilisation", share, folds, setting)
    with double_precision():
        found, held, fits = _compare(setting, without_mobilisation, share, folds, seed, progress)
        xi, error = _xi(fits[0], setting)
    verdict = _told("mobilisation", "BCE per elector", found["BCE"][1])
    verdict = f"{verdict[:-1]}; xi = {xi:.3g} (standard error {error:.2g})."
    more = _split_attrs(share, folds, seed) | {"mobilisation": setting.design.mobilisation}
    dataset = _dataset(setting, found, held, setting.attrs(verdict, fits, **more))
    dataset["xi"] = ((), xi, {"long_name": "mobilisation", "units": "log-odds"})
    dataset["xi_se"] = ((), error, {"long_name": "standard error of xi", "units": "log-odds"})
    return dataset


def _compare(
    setting: Setting,
    leave_out: Callable[[Problem], Problem],
    share: float,
    folds: int | None,
    seed: int,
    progress: Progress | None,
) -> tuple[dict[str, tuple[np.ndarray, Paired]], np.ndarray, list[Fit]]:
    """Losses of held-out booths without and with something; which were held out; the fits, that of all booths first."""
    number = len(setting.area)
    losses = {name: np.zeros((2, number)) for name in MEASURES}
    held, steps = np.zeros(number, bool), 2 * (folds or 1) + 1
    fits = [setting.solve(setting.posed())]
    starts = [fits[0].point, fits[0].point]
    for own in setting.splits(share, folds, seed):
        held |= own
        problem = setting.posed(own)
        for m, asked in enumerate((leave_out(problem), problem)):
            fit = setting.solve(asked, starts[m])
            lost = unseen_losses(fit.point, fit.problem, setting.design)
            losses["KL"][m, own] = np.asarray(lost.party)[:number][own]
            losses["BCE"][m, own] = np.asarray(lost.turnout)[:number][own]
            starts[m] = fit.point
            fits.append(fit)
            if progress is not None:
                progress(len(fits), steps, "held-out booths")
    sizes = {"KL": setting.votes, "BCE": setting.electors}
    found = {
        name: (own, paired(own[0, held], own[1, held], sizes[name][held], setting.area[held]))
        for name, own in losses.items()
    }
    return found, held, fits


def _dataset(
    setting: Setting, found: dict[str, tuple[np.ndarray, Paired]], held: np.ndarray, attrs: dict[str, Any]
) -> xr.Dataset:
    labels, sizes = setting.labels, (setting.votes, setting.electors)
    gain, of_area = np.full((len(held), 2), np.nan), np.full((len(labels.constituencies), 2), np.nan)
    for n, ((own, _), size) in enumerate(zip(found.values(), sizes, strict=True)):
        some = held & (size > 0)
        gain[some, n] = (own[0] - own[1])[some] / size[some]
        total = np.bincount(setting.area[some], size[some], len(of_area))
        summed = np.bincount(setting.area[some], (own[0] - own[1])[some], len(of_area))
        of_area[total > 0, n] = summed[total > 0] / total[total > 0]
    unit = {"units": "nats per vote (KL) or per elector (BCE)"}
    return xr.Dataset(
        {
            **paired_variables({name: one for name, (_, one) in found.items()}),
            "booth_gain": (("booth", "measure"), gain, {"long_name": "gain of a held-out booth", **unit}),
            "constituency_gain": (
                ("constituency", "measure"),
                of_area,
                {"long_name": "gain of its held-out booths", **unit},
            ),
            "held_out": ("booth", held, {"long_name": "whether the booth was held out", "units": "1"}),
        },
        coords={
            "model": ["without", "with"],
            "measure": list(MEASURES),
            "booth": list(labels.booths),
            "constituency": list(labels.constituencies),
        },
        attrs=attrs,
    )


def _split_attrs(share: float, folds: int | None, seed: int) -> dict[str, Any]:
    split = {"share": share} if folds is None else {"folds": folds}
    unseen = "held-out booths have the mean booth effect of their constituency's other booths"
    return split | {"seed": seed, "unseen": unseen}


def _told(what: str, measure: str, one: Paired) -> str:
    change = f"{measure} {'falls' if one.gain >= 0 else 'rises'} by {compared(one)}"
    if abs(one.z) > SURE:
        return f"With {what} held-out booths are predicted {'better' if one.gain > 0 else 'worse'}: {change}."
    return f"{what.capitalize()} makes no clear difference to held-out booths: {change}."


def _xi(fit: Fit, setting: Setting) -> tuple[float, float]:
    shared, _ = unpack(fit.point, fit.problem, setting.design)
    place = names(shared).index("xi")
    inverse = inverse_of(information(fit.point, fit.problem, setting.design).shared)
    return float(fit.point.shared[place]), float(np.sqrt(inverse[place, place]))
