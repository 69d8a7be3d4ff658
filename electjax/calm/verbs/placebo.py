"""Placebo: candidates' caste shuffled among candidates of the same religion (calm.md section 9)."""

import os
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.calm.diagnosis import Progress, Setting, axis_index, eta_of, need_affinity, setting_of
from electjax.calm.model.diagnose import Fit
from electjax.calm.model.placebo import (
    Statistics,
    p_value,
    prepare,
    refitted,
    scored,
    shuffles,
    traits_of,
    with_traits,
    without_axis,
)
from electjax.data.errors import data_error, suggest
from electjax.numerics.host import double_precision, host_generator

REFITS = 2048  # booths in the fits that are done at a time
SMALL = 0.05  # p-value from which an effect is spoken of


def placebo(
    booths: xr.Dataset | str | os.PathLike[str],
    *,
    axis: str = "caste",
    within: str | Sequence[str] | None = "religion",
    permutations: int = 200,
    seed: int = 0,
    refit: bool = False,
    progress: Progress | None = None,
    **options: Any,
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
        axis: whose trait is shuffled.
        within: shuffle among candidates alike in these axes, or of the same "party" or "constituency"; None: among
            all.
        permutations: how many.
        seed: of the permutations.
        refit: fit all parameters for every permutation.
        **options: those of `calm.fit`.

    Returns:
        `p_value`, two-sided, (1 + b) / (1 + B); `eta` and `z` of the real candidates and `permuted_eta(permutation)`,
        `permuted_z(permutation)` of shuffled ones, all in the same way; `permuted_mean`, `permuted_sd`; `eta_fit` and
        `eta_fit_se` of the whole model with the real candidates. attrs: verdict.

    Raises:
        ElectionDataError: invalid booths or options, or nothing that could be shuffled.
    """
    asked = options | {"seed": seed, "affinity": "none" if options.get("affinity") == "none" else "shared"}
    setting = setting_of(booths, asked, progress)
    need_affinity(setting, "calm.placebo")
    if setting.design.affinity == "none":
        raise data_error("no eta", where="calm.placebo(affinity=)", expected="an eta", mend="leave affinity out")
    place = axis_index(setting, axis, "calm.placebo")
    if isinstance(permutations, bool) or int(permutations) != permutations or permutations < 1:
        raise data_error(
            f"found {permutations!r}",
            where="calm.placebo(permutations=)",
            expected="a whole number of at least 1",
            mend="p-values are multiples of 1 / (permutations + 1)",
        )
    order, moved = _orders(setting, place, within, permutations, seed)
    with double_precision():
        null, whole, found = _statistics(setting, place, order, refit, progress)
        eta_fit, se_fit = (float(x[place]) for x in eta_of(whole, setting.design, setting))
    eta, z = np.asarray(found.eta), np.asarray(found.z)
    p = p_value(z[0], z[1:])
    mean, sd = float(eta[1:].mean()), float(eta[1:].std(ddof=1)) if permutations > 1 else np.nan
    verdict = (
        f"eta[{axis}] = {eta[0]:.3g} with the real candidates, {mean:.3g} on average (sd {sd:.2g}) when shuffled: "
        f"p = {p:.3g}, {'more than chance' if p <= SMALL else 'which chance can do'}."
    )
    unit = {"units": "log-odds per standard deviation of g"}
    return xr.Dataset(
        {
            "p_value": ((), p, {"long_name": "two-sided p-value", "units": "1"}),
            "eta": ((), eta[0], {"long_name": "eta, real candidates", **unit}),
            "z": ((), z[0], {"long_name": "eta / its standard error, real candidates", "units": "1"}),
            "permuted_eta": ("permutation", eta[1:], {"long_name": "eta, shuffled candidates", **unit}),
            "permuted_z": ("permutation", z[1:], {"long_name": "eta / its standard error, shuffled", "units": "1"}),
            "permuted_mean": ((), mean, {"long_name": "mean eta, shuffled candidates", **unit}),
            "permuted_sd": ((), sd, {"long_name": "sd of eta, shuffled candidates", **unit}),
            "eta_fit": ((), eta_fit, {"long_name": "eta of the whole model", **unit}),
            "eta_fit_se": ((), se_fit, {"long_name": "its standard error", **unit}),
        },
        coords={"permutation": np.arange(1, permutations + 1)},
        attrs=setting.attrs(
            verdict,
            [null, whole],
            axis=axis,
            within=", ".join(_names(within)),
            candidates=int(moved),
            refit=int(refit),
            seed=seed,
        ),
    )


def _statistics(
    setting: Setting, axis: int, order: np.ndarray, refit: bool, progress: Progress | None
) -> tuple[Fit, Fit, Statistics]:
    """The fits without the axis and with it, and the statistics of the real candidates and of each permutation."""
    problem, design = setting.posed(), setting.design
    null = setting.solve(without_axis(problem, axis))
    z = traits_of(problem.frame, axis)
    real = with_traits(null.problem, z, axis, design)
    whole = setting.solve(real, null.point)
    flat = z.reshape(-1, z.shape[-1])
    if not refit:
        ready = prepare(null.point, null.problem, design, axis)
        return null, whole, scored(ready, flat[jnp.asarray(order)].reshape(-1, *z.shape))
    batch = max(1, REFITS // len(setting.area))
    found = []
    for first in range(0, len(order), batch):
        some = order[first : first + batch]
        some = some[np.arange(batch) % len(some)]  # the last, too, has the shape of the others
        limits = {"tolerance": setting.options.tolerance, "max_steps": setting.options.max_steps}
        traits = flat[jnp.asarray(some)].reshape(-1, *z.shape)
        got = refitted(null.problem, null.point, traits, design, axis, batch=batch, **limits)
        wanted = min(batch, len(order) - first)
        found.append(Statistics(*(np.asarray(x)[:wanted] for x in got)))
        if progress is not None:
            progress(min(first + batch, len(order)), len(order), "permutations")
    return null, whole, Statistics(*(np.concatenate(x) for x in zip(*found, strict=True)))


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
    z = np.asarray(traits_of(setting.frame, axis)).reshape(group.size, -1)
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
    shuffled = shuffles(group, moving, count, generator)
    return np.concatenate([np.arange(group.size)[None], shuffled]), int(moving.sum())


def _names(within: str | Sequence[str] | None) -> list[str]:
    return [] if within is None else [within] if isinstance(within, str) else [str(name) for name in within]
