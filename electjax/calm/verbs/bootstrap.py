"""How far a CALM fit would move with other booths of the same constituencies: the bootstrap, labelled."""

import os

import jax
import numpy as np
import xarray as xr

from electjax.calm.basis import Basis, basis_of
from electjax.calm.booths import BOOTHS
from electjax.calm.model import bootstrap as arrays
from electjax.calm.model.predict import carried
from electjax.calm.options import BootstrapOptions
from electjax.calm.schema import BOOTSTRAP
from electjax.calm.verdict import of_replicates, on_a_fit
from electjax.data.errors import data_error
from electjax.data.finished import finished
from electjax.data.options import with_options
from electjax.data.progress import Progress
from electjax.data.schema import conform, place_of
from electjax.numerics.covariance import spread
from electjax.numerics.host import double_precision


@with_options
def bootstrap(
    fit: xr.Dataset | str | os.PathLike[str],
    booths: xr.Dataset | str | os.PathLike[str],
    options: BootstrapOptions,
    *,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Fit a model anew to its booths, drawn with replacement within each constituency.

    What standardises g, and the weights of the mobilisation, are those of the fit. Where the fit was
    integrated (`integrate=True`), every replicate is.

    Args:
        fit: what `calm.fit` returned, or its file.
        booths: the booths it was fitted to; those it kept out are left out here too.
        progress: called with replicates done, of how many, and a line.

    Returns:
        The shared parameters of every replicate by the names of the fit, alpha(replicate), eta(replicate, axis), ...;
        over the replicates that converged, their standard deviations `*_se` and percentile intervals `*_low` and
        `*_high`; converged(replicate).

    Raises:
        ElectionDataError: other booths than those of the fit, or an option out of range.

    Example:
        >>> import electjax
        >>> booths = electjax.calm.simulate("tiny")
        >>> how = {"model": "recommended", "context": 0, "integrate": False, "errors": "none"}
        >>> fit = electjax.calm.fit(booths, **how)
        >>> electjax.calm.bootstrap(fit, booths, replicates=4).eta.sizes["replicate"]
        4
    """
    with double_precision():
        basis = basis_of(fit, booths)
        _same_booths(basis)
        kept = (np.asarray(basis.to.own) >= 0).astype(float)
        shape = basis.problem.booths.weight.shape
        weight = np.pad(kept, (0, shape[0] * shape[1] - len(kept))).reshape(shape)
        problem = basis.problem._replace(booths=basis.problem.booths._replace(weight=jax.numpy.asarray(weight)))
        drawn = arrays.bootstrap(
            jax.random.key(options.seed),
            carried(basis.point, basis.to, basis.problem),
            problem,
            basis.design,
            replicates=options.replicates,
            integrate=basis.options.integrates,
            progress=progress,
        )
    done, found = drawn.converged, {}
    for name, leaf in zip(drawn.reported._fields, drawn.reported, strict=True):
        if leaf is None:
            continue
        values, dims = leaf, basis.fit[name].dims
        if name == "tower":
            values = leaf[..., list(basis.encoded.labels.trait_columns)]
        found[name] = (("replicate", *dims), values)
        if done.sum() >= 2:
            ends = spread(values[done], level=options.level)
            found |= {f"{name}_{end}": (dims, each) for end, each in zip(("se", "low", "high"), ends, strict=True)}
    found["converged"] = (("replicate",), done)
    names = ["feature", "party", "axis", "constituency", *(basis.fit["tower"].dims if "tower" in found else ())]
    attrs = {
        "title": str(basis.booths.attrs.get("name", "")),
        "drawn": "booths with replacement within each constituency",
        "replicates_converged": int(done.sum()),
        "integrated": int(basis.options.integrates),
        "level": options.level,
        "seed": options.seed,
    }
    ds = conform(xr.Dataset(found, {name: basis.fit[name] for name in names}, attrs), BOOTSTRAP)
    about = f"{options.replicates:,} fits to booths drawn anew, {int(done.sum()):,} of them converged"
    return finished(ds, about=about, verdict=on_a_fit(basis.fit, of_replicates(done)))


def _same_booths(basis: Basis) -> None:
    """Refuse booths that are not those of the fit."""
    missing = sorted(set(range(basis.fit.sizes["booth"])) - set(basis.own.tolist()))
    strange = np.flatnonzero(basis.own < 0)
    if missing or len(strange):
        label = basis.fit["booth"].values[missing[0]] if missing else basis.booths["booth"].values[strange[0]]
        raise data_error(
            f"booth {str(label)!r} is only in the {'fit' if missing else 'booths'}",
            where=place_of(basis.booths, BOOTHS),
            expected="the booths of the fit",
            mend="give the Dataset that was fitted",
        )
