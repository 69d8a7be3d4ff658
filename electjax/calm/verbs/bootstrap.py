"""How far a CALM fit would move with other booths of the same constituencies: the bootstrap, labelled."""

import os
from collections.abc import Callable

import jax
import numpy as np
import xarray as xr

import electjax
from electjax.calm.basis import Basis, basis_of, bounds
from electjax.calm.model import bootstrap as arrays
from electjax.calm.model.predict import carried
from electjax.calm.schema import place
from electjax.data.errors import data_error
from electjax.numerics.host import double_precision


def bootstrap(
    fit: xr.Dataset,
    booths: xr.Dataset | str | os.PathLike[str],
    replicates: int = 200,
    seed: int = 0,
    *,
    level: float = 0.95,
    progress: Callable[[int, int, str], None] | None = None,
) -> xr.Dataset:
    """Fit a model anew to its booths, drawn with replacement within each constituency.

    What standardises g, and the weights of the mobilisation, are those of the fit. Where the fit was
    integrated (`calm.integrate`), every replicate is.

    Args:
        fit: what `calm.fit` returned.
        booths: the booths it was fitted to; those it kept out are left out here too.
        replicates: how many, at least 2.
        seed: replicate r depends on it and on r alone.
        level: of the percentile intervals.
        progress: called with replicates done, of how many, and a line.

    Returns:
        The shared parameters of every replicate by the names of the fit, alpha(replicate), eta(replicate, axis), ...;
        over the replicates that converged, their standard deviations `*_se` and percentile intervals `*_low` and
        `*_high`; converged(replicate).

    Raises:
        ElectionDataError: other booths than those of the fit, or an argument out of range.
    """
    for name, value, good, expected in (
        ("replicates", replicates, replicates >= 2, "at least 2"),
        ("level", level, 0 < level < 1, "a share between 0 and 1"),
    ):
        if not good:
            raise data_error(f"found {value}", where=f"calm.bootstrap({name}=)", expected=expected, mend="correct it")
    with double_precision():
        basis = basis_of(fit, booths)
        _same_booths(basis)
        kept = (np.asarray(basis.to.own) >= 0).astype(float)
        shape = basis.problem.booths.weight.shape
        weight = np.pad(kept, (0, shape[0] * shape[1] - len(kept))).reshape(shape)
        problem = basis.problem._replace(booths=basis.problem.booths._replace(weight=jax.numpy.asarray(weight)))
        point = carried(basis.point, basis.to, basis.problem)
        drawn = arrays.bootstrap(
            jax.random.key(seed),
            point,
            problem,
            basis.design,
            replicates=replicates,
            integrate=basis.options.integrates,
            progress=progress,
        )
    done = drawn.converged
    found = xr.Dataset(coords={name: fit[name] for name in ("feature", "party", "axis", "constituency")})
    for name, leaf in zip(drawn.reported._fields, drawn.reported, strict=True):
        if leaf is None:
            continue
        values = leaf[..., list(basis.encoded.labels.trait_columns)] if name == "tower" else leaf
        dims, about = fit[name].dims, fit[name].attrs
        found[name] = (("replicate", *dims), values, about)
        if name == "tower":
            found = found.assign_coords({dim: fit[dim] for dim in dims})
        if done.sum() < 2:
            continue
        meaning, units = about.get("long_name", name), {"units": about.get("units", "1")}
        spread = {"long_name": f"{meaning}: standard deviation over the replicates"} | units
        found[f"{name}_se"] = (dims, values[done].std(axis=0, ddof=1), spread)
        for end, where in bounds(level).items():
            note = {"long_name": f"{meaning}: {where:.4g} quantile over the replicates"} | units
            found[f"{name}_{end}"] = (dims, np.quantile(values[done], where, axis=0), note)
    found["converged"] = ("replicate", done, {"long_name": "whether the fit converged", "units": "1"})
    found.attrs = {
        "title": str(basis.booths.attrs.get("name", "")),
        "drawn": "booths with replacement within each constituency",
        "replicates_converged": int(done.sum()),
        "integrated": int(basis.options.integrates),
        "level": level,
        "seed": seed,
        "electjax_version": electjax.__version__,
    }
    return found


def _same_booths(basis: Basis) -> None:
    """Refuse booths that are not those of the fit."""
    missing = sorted(set(range(basis.fit.sizes["booth"])) - set(basis.own.tolist()))
    strange = np.flatnonzero(basis.own < 0)
    if missing or len(strange):
        label = basis.fit["booth"].values[missing[0]] if missing else basis.booths["booth"].values[strange[0]]
        raise data_error(
            f"booth {str(label)!r} is only in the {'fit' if missing else 'booths'}",
            where=place(basis.booths),
            expected="the booths of the fit",
            mend="give the Dataset that was fitted",
        )
