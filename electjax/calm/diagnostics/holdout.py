"""Does it help to predict booths that the fit has not seen? Candidates in the choice (calm.md section 9)."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from electjax.calm.diagnosis import FOUND, GAIN, SURE, Setting, compared, need_affinity, need_pairs, setting_of
from electjax.calm.model.diagnose import Fit, Paired, paired, without_affinity
from electjax.calm.model.problem import Problem
from electjax.calm.model.unseen import unseen_losses
from electjax.calm.options import FitOptions
from electjax.data.options import option, options, with_options
from electjax.data.progress import Progress
from electjax.data.schema import Schema, Variable
from electjax.data.verdict import Doubt
from electjax.numerics.host import double_precision

MEASURES = ("KL", "BCE")
VARIABLES = {
    "loss": Variable(("model", "measure"), "number", "loss of held-out booths", GAIN, required=True),
    "gain": Variable(("measure",), "number", "without less with", GAIN, required=True),
    "gain_se": Variable(("measure",), "number", "standard error of the gain", GAIN),
    "gain_z": Variable(("measure",), "number", "gain / se"),
    "booth_gain": Variable(("booth", "measure"), "number", "gain of a held-out booth", GAIN, required=True),
    "constituency_gain": Variable(("constituency", "measure"), "number", "gain of its held-out booths", GAIN),
    "held_out": Variable(("booth",), "flag", "whether the booth was held out", required=True),
}
SCHEMA = Schema("calm holdout", VARIABLES, build="calm.holdout", attrs=FOUND)


@options
class HoldoutOptions(FitOptions):
    """Options of `calm.holdout`, `calm.mobilisation` and `calm.rho_curve`."""

    share: float = option(0.2, "of the booths of each constituency, held out", above=0, below=1)
    folds: int | None = option(None, "hold every booth out once, in so many folds, instead", low=2)


@with_options
def holdout(
    booths: xr.Dataset | str | os.PathLike[str], options: HoldoutOptions, *, progress: Progress | None = None
) -> xr.Dataset:
    """Predict held-out booths with and without what candidates add to the party choice (calm.md section 9).

    Booths are held out within their constituency, whose mean booth effect they get. KL of the party shares counts by
    votes, BCE of the turnout by electors and above that of a perfect fit; differences are paired booth by booth,
    their standard errors clustered by constituency. Both fits are of the same penalties.

    Args:
        booths: a Dataset of booths, or the path of what `calm.read` reads.
        progress: called with fits done, of how many, and a line.

    Returns:
        `loss(model, measure)`, `gain(measure)` = without less with, `gain_se`, `gain_z`; `booth_gain(booth, measure)`,
        NaN where a booth was not held out; `constituency_gain(constituency, measure)`; `held_out(booth)`. attrs:
        finding, in a sentence, and verdict.

    Raises:
        ElectionDataError: invalid booths or options.

    Example:
        >>> import electjax
        >>> found = electjax.calm.holdout(electjax.calm.simulate("tiny"), model="recommended", context=0)
        >>> int(found.held_out.sum()), found.measure.values.tolist()
        (8, ['KL', 'BCE'])
    """
    setting = setting_of(booths, options, progress)
    need_affinity(setting, "calm.holdout")
    need_pairs("calm.holdout", setting)
    with double_precision():
        found, out, fits = compare(setting, without_affinity, options, progress)
    one = found["KL"][1]
    finding = told("candidate affinity", "KL per vote", one)
    doubts = unclear("Held-out booths", "the candidates", "KL of the party shares", one)
    return setting.examined(decoded(setting, found, out), SCHEMA, finding, fits, doubts, **split_attrs(options))


def compare(
    setting: Setting, leave_out: Callable[[Problem], Problem], options: HoldoutOptions, progress: Progress | None
) -> tuple[dict[str, tuple[np.ndarray, Paired]], np.ndarray, list[Fit]]:
    """Losses of held-out booths without and with something; which were held out; the fits, that of all booths first."""
    number = len(setting.area)
    losses = {name: np.zeros((2, number)) for name in MEASURES}
    out, steps = np.zeros(number, bool), 2 * (options.folds or 1) + 1
    fits = [setting.solve(setting.posed())]
    starts = [fits[0].point, fits[0].point]
    for own in setting.splits(options.share, options.folds, options.seed):
        out |= own
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
        name: (own, paired(own[0, out], own[1, out], sizes[name][out], setting.area[out]))
        for name, own in losses.items()
    }
    return found, out, fits


def decoded(setting: Setting, found: dict[str, tuple[np.ndarray, Paired]], out: np.ndarray) -> xr.Dataset:
    """The result, but for what the diagnostic adds."""
    labels, sizes = setting.labels, (setting.votes, setting.electors)
    gain, of_area = np.full((len(out), 2), np.nan), np.full((len(labels.constituencies), 2), np.nan)
    for n, ((own, _), size) in enumerate(zip(found.values(), sizes, strict=True)):
        some = out & (size > 0)
        gain[some, n] = (own[0] - own[1])[some] / size[some]
        total = np.bincount(setting.area[some], size[some], len(of_area))
        summed = np.bincount(setting.area[some], (own[0] - own[1])[some], len(of_area))
        of_area[total > 0, n] = summed[total > 0] / total[total > 0]
    each = [one for _, one in found.values()]
    return xr.Dataset(
        {
            "loss": (("model", "measure"), np.array([[one.without for one in each], [one.with_it for one in each]])),
            "gain": ("measure", [one.gain for one in each]),
            "gain_se": ("measure", [one.se for one in each]),
            "gain_z": ("measure", [one.z for one in each]),
            "booth_gain": (("booth", "measure"), gain),
            "constituency_gain": (("constituency", "measure"), of_area),
            "held_out": ("booth", out),
        },
        coords={
            "model": ["without", "with"],
            "measure": list(MEASURES),
            "booth": list(labels.booths),
            "constituency": list(labels.constituencies),
        },
    )


def split_attrs(options: HoldoutOptions) -> dict[str, Any]:
    """How booths were held out."""
    split = {"share": options.share} if options.folds is None else {"folds": options.folds}
    unseen = "held-out booths have the mean booth effect of their constituency's other booths"
    return split | {"seed": options.seed, "unseen": unseen}


def told(what: str, measure: str, one: Paired) -> str:
    """What leaving something out changes, in a sentence."""
    change = f"{measure} {'falls' if one.gain >= 0 else 'rises'} by {compared(one)}"
    if abs(one.z) > SURE:
        return f"With {what} held-out booths are predicted {'better' if one.gain > 0 else 'worse'}: {change}."
    return f"{what.capitalize()} makes no clear difference to held-out booths: {change}."


def unclear(where: str, what: str, measure: str, one: Paired) -> list[Doubt]:
    """What speaks against a term that does not help to predict held-out booths."""
    if one.z > SURE:
        return []
    if one.z < -SURE:
        said = f"make the {measure} worse (z = {one.z:.1f}): leave them out, or raise their penalty."
    else:
        said = (
            f"make no clear difference to the {measure} (z = {one.z:.1f}), so that their effect may be chance; folds="
            " keeps every booth out once."
        )
    return [Doubt("with care", f"{where}: {what} {said}")]
