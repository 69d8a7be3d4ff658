"""CALM's posterior by Markov chains, in the layout that ArviZ and its relatives read."""

import datetime
import os
from importlib.util import find_spec
from typing import Any

import jax
import numpy as np
import xarray as xr

import electjax
from electjax.calm.booths import BOOTHS
from electjax.calm.decode import Fitted, decode_fit
from electjax.calm.model.heads import contrast
from electjax.calm.model.nuts import diagnostics, sample
from electjax.calm.model.uncertainty import laplace, laplace_covariance
from electjax.calm.options import NutsOptions
from electjax.calm.schema import POSTERIOR
from electjax.calm.verbs.fit import fit_arrays
from electjax.calm.verbs.read import read_booths
from electjax.calm.verdict import FEW_DRAWS, MIXED, of_chains
from electjax.data.errors import data_error
from electjax.data.options import with_options
from electjax.data.progress import Progress
from electjax.data.schema import conform, place_of
from electjax.data.verdict import attrs_of
from electjax.numerics.host import double_precision


@with_options
def nuts(
    booths: xr.Dataset | str | os.PathLike[str], options: NutsOptions, *, progress: Progress | None = None
) -> xr.DataTree:
    """Draw from the posterior whose log density is minus the objective of calm.md section 5; for small data.

    With lambda_T = lambda_P = 1 that is the likelihood with normal priors of variance 1 / (2 lambda), flat ones on
    alpha, gamma and xi. Mobilisation by the model's own shares keeps the weights of the fit. The seed is that of the
    chains, and of the fit that they start from.

    Args:
        booths: a booths Dataset or the path of one.
        progress: called with chains done, their number, and a line.

    Returns:
        DataTree with the groups of ArviZ: posterior(chain, draw, ...) with the parameters by the names of `calm.fit`;
        sample_stats: lp, diverging, acceptance_rate; observed_data: polled, votes; constant_data: electors; and
        `diagnostics` with <name>_r_hat and <name>_ess of every parameter. Attributes of the posterior group: r_hat
        (the largest), ess (the smallest), diverging (how many transitions), reliable, whether these are good, and
        verdict, which says what is not.

    Raises:
        ElectionDataError: invalid booths or options, terms that nothing tells apart (the two-tower term), or no
            blackjax.

    Example:
        >>> import electjax
        >>> booths = electjax.calm.simulate("tiny", constituencies=2, booths=3)
        >>> how = {"model": "recommended", "context": 0, "affinity": "none"}
        >>> chains = electjax.calm.nuts(booths, draws=4, chains=1, warmup=20, **how)  # doctest: +SKIP
        >>> chains["posterior"].alpha.sizes  # doctest: +SKIP
        Frozen({'chain': 1, 'draw': 4})
    """
    for package in ("blackjax", "arviz_stats"):
        if find_spec(package) is None:
            raise data_error(
                f"{package} is not installed", where="calm.nuts", expected="it", mend="pip install 'electjax[mcmc]'"
            )
    data = read_booths(booths)
    fitted = fit_arrays(data, options)
    with double_precision():
        design, found = options.design, fitted.found
        assert fitted.information is not None  # errors are asked for
        covariance = laplace_covariance(fitted.information)
        if covariance.flat.size:
            raise data_error(
                f"nothing tells {covariance.flat.shape[1]} directions of the parameters apart",
                where="calm.nuts",
                expected="a proper posterior",
                mend="give penalties above 0",
            )
        posterior = laplace(found.point, fitted.information, covariance)
        key = jax.random.fold_in(jax.random.key(options.seed), 1)
        how: dict[str, Any] = {"draws": options.draws, "chains": options.chains, "warmup": options.warmup}
        samples = sample(key, posterior, found.problem, design, **how, progress=progress)
        values = _named(samples, fitted)
        r_hat, ess = diagnostics(values)
    return _tree(decode_fit(fitted, data), data, samples, (values, r_hat, ess), options.seed)


def _named(samples: Any, fitted: Fitted) -> dict[str, np.ndarray]:
    """Draws by the name of the parameter."""
    found = {name: value for name, value in samples.reported._asdict().items() if value is not None}
    design, labels = fitted.options.design, fitted.encoded.labels
    if design.booth_effects:
        groups = samples.point.groups[:, :, : len(labels.booths)]
        basis = np.asarray(contrast(len(labels.parties), design.identification))
        found |= {"b_T": groups[..., 0], "b_P": groups[..., 1:] @ basis.T}
    return found


def _tree(
    fit: xr.Dataset, booths: xr.Dataset, samples: Any, values: tuple[dict[str, Any], ...], seed: int
) -> xr.DataTree:
    drawn, r_hat, ess = values
    coords = {dim: fit[dim] for dim in ("booth", "feature", "party", "axis", "constituency")}
    chain = {"chain": np.arange(samples.log_density.shape[0]), "draw": np.arange(samples.log_density.shape[1])}
    posterior = xr.Dataset(coords=chain | coords)
    told = xr.Dataset(coords=coords)
    for name, value in drawn.items():
        posterior[name] = (("chain", "draw", *fit[name].dims), value)
        told[f"{name}_r_hat"] = (fit[name].dims, r_hat[name], {"long_name": f"split R-hat of {name}", "units": "1"})
        told[f"{name}_ess"] = (fit[name].dims, ess[name], {"long_name": f"effective draws of {name}", "units": "draws"})
    stats = xr.Dataset(coords=chain)
    for name, value in (
        ("lp", samples.log_density),
        ("diverging", samples.diverging),
        ("acceptance_rate", samples.acceptance),
    ):
        stats[name] = (("chain", "draw"), value)
    # what does not move, such as a reference party's intercept, has neither
    worst = float(np.nanmax(np.concatenate([np.ravel(value) for value in r_hat.values()])))
    least = float(np.nanmin(np.concatenate([np.ravel(value) for value in ess.values()])))
    diverging = int(samples.diverging.sum())
    attrs = {
        "r_hat": worst,
        "ess": least,
        "diverging": diverging,
        "reliable": int(worst < MIXED and least > FEW_DRAWS and not diverging),
        "source": place_of(booths, BOOTHS),
        "options": fit.attrs["options"],
        "axes": fit.attrs["axes"],
        "seed": seed,
        "about": f"{samples.log_density.size:,} draws of the posterior in {len(samples.log_density)} chains",
        **attrs_of(of_chains(fit, r_hat=worst, ess=least, diverging=diverging)),
    }
    made = {
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "creation_library": "electjax",
        "creation_library_version": electjax.__version__,
        "creation_library_language": "Python",
        "inference_library": "blackjax",
    }
    groups = {
        "posterior": conform(posterior.assign_attrs(attrs), POSTERIOR),
        "sample_stats": stats,
        "diagnostics": told,
        "observed_data": booths[["polled", "votes"]].drop_attrs(deep=False),
        "constant_data": booths[["electors"]].drop_attrs(deep=False),
    }
    root = xr.Dataset(attrs={"conventions": POSTERIOR.conventions})
    return xr.DataTree.from_dict({"/": root} | {name: group.assign_attrs(made) for name, group in groups.items()})
