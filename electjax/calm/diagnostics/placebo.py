"""Placebo: candidates' caste shuffled among candidates of the same religion (calm.md section 9)."""

import os
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.calm.diagnosis import (
    FOUND,
    LOG_ODDS,
    Setting,
    axis_index,
    eta_of,
    need_affinity,
    setting_of,
    with_shared_eta,
)
from electjax.calm.model import placebo as arrays
from electjax.calm.model.diagnose import Fit
from electjax.calm.options import FitOptions
from electjax.data.errors import data_error, suggest
from electjax.data.options import option, options, with_options
from electjax.data.progress import Progress
from electjax.data.schema import Schema, Variable
from electjax.data.verdict import Doubt
from electjax.numerics.host import double_precision, host_generator

REFITS = 2048  # booths in the fits that are done at a time
SMALL = 0.05  # p-value from which an effect is spoken of
SCHEMA = Schema(
    "calm placebo",
    {
        "p_value": Variable((), "share", "two-sided p-value", required=True),
        "eta": Variable((), "number", "eta, real candidates", LOG_ODDS, required=True),
        "z": Variable((), "number", "eta / its standard error, real candidates", required=True),
        "permuted_eta": Variable(("permutation",), "number", "eta, shuffled candidates", LOG_ODDS),
        "permuted_z": Variable(("permutation",), "number", "eta / its standard error, shuffled", required=True),
        "permuted_mean": Variable((), "number", "mean eta, shuffled candidates", LOG_ODDS),
        "permuted_sd": Variable((), "number", "sd of eta, shuffled candidates", LOG_ODDS),
        "eta_fit": Variable((), "number", "eta of the whole model", LOG_ODDS),
        "eta_fit_se": Variable((), "number", "standard error of eta_fit", LOG_ODDS),
    },
    build="calm.placebo",
    attrs=FOUND,
)


@options
class PlaceboOptions(FitOptions):
    """Options of `calm.placebo`."""

    axis: str = option("caste", "whose trait is shuffled")
    within: Any = option(
        "religion",
        "shuffle among candidates alike in these axes, or of the same party or constituency; None: among all",
        good=lambda found: found is None or isinstance(found, str | Sequence),
        expected="names, or None",
    )
    permutations: int = option(200, "how many; p-values are multiples of 1 / (permutations + 1)", low=1)
    refit: bool = option(False, "fit all parameters for every permutation")


@with_options
def placebo(
    booths: xr.Dataset | str | os.PathLike[str], options: PlaceboOptions, *, progress: Progress | None = None
) -> xr.Dataset:
    """Shuffle a trait among candidates, and see whether its effect vanishes (calm.md section 9).

    The trait moves between candidates (constituency, party) for whom it is known and applies, and only its own
    component of g in the party choice changes, standardised anew each time; mobilisation and towers keep the real
    candidates. eta is shared by the parties here, whatever `affinity` says. Without `refit`, the fit without the axis
    is worked out once, and each permutation is one Newton step from there, all other parameters eliminated: the
    efficient score, for thousands of permutations at once. The p-value compares z = eta / its standard error, since
    some shuffled candidates tell less.

    Args:
        booths: a Dataset of booths, or the path of what `calm.read` reads.
        progress: called with permutations done, of how many, and a line, where they are refitted.

    Returns:
        `p_value`, two-sided, (1 + b) / (1 + B); `eta` and `z` of the real candidates and `permuted_eta(permutation)`,
        `permuted_z(permutation)` of shuffled ones, all in the same way; `permuted_mean`, `permuted_sd`; `eta_fit` and
        `eta_fit_se` of the whole model with the real candidates. attrs: finding, in a sentence, and verdict.

    Raises:
        ElectionDataError: invalid booths or options, or nothing that could be shuffled.

    Example:
        >>> import electjax
        >>> booths = electjax.calm.simulate("tiny")
        >>> found = electjax.calm.placebo(booths, model="recommended", context=0, permutations=19)
        >>> bool(0.05 <= found.p_value <= 1), found.permuted_z.sizes["permutation"]
        (True, 19)
    """
    options = with_shared_eta(options)
    setting = setting_of(booths, options, progress)
    need_affinity(setting, "calm.placebo", eta=True)
    axis, within, permutations = options.axis, options.within, options.permutations
    place = axis_index(setting, axis, "calm.placebo")
    order, moved = _orders(setting, place, within, permutations, options.seed)
    with double_precision():
        null, whole, statistics = _statistics(setting, place, order, options.refit, progress)
        eta_fit, se_fit = (float(x[place]) for x in eta_of(whole, setting))
    eta, z = np.asarray(statistics.eta), np.asarray(statistics.z)
    p = arrays.p_value(z[0], z[1:])
    mean, sd = float(eta[1:].mean()), float(eta[1:].std(ddof=1)) if permutations > 1 else np.nan
    finding = (
        f"eta[{axis}] = {eta[0]:.3g} with the real candidates, {mean:.3g} on average (sd {sd:.2g}) when shuffled: "
        f"p = {p:.3g}, {'more than chance' if p <= SMALL else 'which chance can do'}."
    )
    chance = Doubt(
        "with care",
        f"Placebo: shuffled candidates do as much as the real ones (p = {p:.3g}), so that eta[{axis}] is no evidence of"
        " an effect; more permutations= or more constituencies may tell.",
    )
    found = xr.Dataset(
        {
            "p_value": p,
            "eta": eta[0],
            "z": z[0],
            "permuted_eta": ("permutation", eta[1:]),
            "permuted_z": ("permutation", z[1:]),
            "permuted_mean": mean,
            "permuted_sd": sd,
            "eta_fit": eta_fit,
            "eta_fit_se": se_fit,
        },
        coords={"permutation": np.arange(1, permutations + 1)},
    )
    return setting.examined(
        found,
        SCHEMA,
        finding,
        [null, whole],
        [chance] if p > SMALL else [],
        axis=axis,
        within=", ".join(_names(within)),
        candidates=int(moved),
        refit=int(options.refit),
        seed=options.seed,
    )


def _statistics(
    setting: Setting, axis: int, order: np.ndarray, refit: bool, progress: Progress | None
) -> tuple[Fit, Fit, arrays.Statistics]:
    """The fits without the axis and with it, and the statistics of the real candidates and of each permutation."""
    problem, design = setting.posed(), setting.design
    null = setting.solve(arrays.without_axis(problem, axis))
    z = arrays.traits_of(problem.frame, axis)
    real = arrays.with_traits(null.problem, z, axis, design)
    whole = setting.solve(real, null.point)
    flat = z.reshape(-1, z.shape[-1])
    if not refit:
        ready = arrays.prepare(null.point, null.problem, design, axis)
        return null, whole, arrays.scored(ready, flat[jnp.asarray(order)].reshape(-1, *z.shape))
    batch = max(1, REFITS // len(setting.area))
    found = []
    for first in range(0, len(order), batch):
        some = order[first : first + batch]
        some = some[np.arange(batch) % len(some)]  # the last, too, has the shape of the others
        limits = {"tolerance": setting.options.tolerance, "max_steps": setting.options.max_steps}
        traits = flat[jnp.asarray(some)].reshape(-1, *z.shape)
        got = arrays.refitted(null.problem, null.point, traits, design, axis, batch=batch, **limits)
        wanted = min(batch, len(order) - first)
        found.append(arrays.Statistics(*(np.asarray(x)[:wanted] for x in got)))
        if progress is not None:
            progress(min(first + batch, len(order)), len(order), "permutations")
    return null, whole, arrays.Statistics(*(np.concatenate(x) for x in zip(*found, strict=True)))


def _orders(
    setting: Setting, axis: int, within: str | Sequence[str] | None, count: int, seed: int
) -> tuple[np.ndarray, int]:
    """Index arrays over (constituency, party), the real order first; how many candidates there are to shuffle."""
    frame, labels = jax.tree.map(np.asarray, setting.frame), setting.labels
    shape = frame.fielded.shape
    keys = []
    for name in _names(within):
        if name == "party":
            keys.append(np.broadcast_to(np.arange(shape[1]), shape))
        elif name == "constituency":
            keys.append(np.broadcast_to(np.arange(shape[0])[:, None], shape))
        elif name in labels.axes and name != labels.axes[axis]:
            keys.append(frame.candidate_codes[..., labels.axes.index(name)])
        else:
            known = [other for other in (*labels.axes, "party", "constituency") if other != labels.axes[axis]]
            raise data_error(
                f"found {name!r}",
                where="calm.placebo(within=)",
                expected="another axis, party or constituency; None to shuffle among all",
                mend=suggest(name, known),
            )
    key = np.stack([np.zeros(shape, int), *keys], axis=-1).reshape(-1, 1 + len(keys))
    group = np.unique(key, axis=0, return_inverse=True)[1].ravel()
    z = np.asarray(arrays.traits_of(setting.frame, axis)).reshape(group.size, -1)
    known = frame.candidate_codes[..., axis] >= 0
    if frame.scalar[axis]:
        values = setting.data["candidate_value"].sel(axis=labels.axes[axis]).transpose("constituency", "party")
        known = np.isfinite(values.values)
    moving = (known & frame.fielded & frame.candidate_gate[..., axis]).ravel()
    kinds = {g: len(np.unique(z[moving & (group == g)], axis=0)) for g in np.unique(group[moving])}
    if max(kinds.values(), default=0) < 2:
        raise data_error(
            f"candidates that may change places all have the same {labels.axes[axis]}",
            where="calm.placebo(booths)",
            expected="two or more categories among them",
            mend="shuffle within fewer traits, or another axis",
        )
    generator = host_generator(jax.random.key(seed))
    shuffled = arrays.shuffles(group, moving, count, generator)
    return np.concatenate([np.arange(group.size)[None], shuffled]), int(moving.sum())


def _names(within: str | Sequence[str] | None) -> list[str]:
    return [] if within is None else [within] if isinstance(within, str) else [str(name) for name in within]
