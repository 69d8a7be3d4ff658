"""CALM's posterior by Markov chains, in the layout that ArviZ and its relatives read."""

import datetime
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import jax
import numpy as np
import xarray as xr

import electjax
from electjax.calm.decode import decode_fit
from electjax.calm.model.heads import contrast
from electjax.calm.model.nuts import diagnostics, sample
from electjax.calm.model.uncertainty import laplace, laplace_covariance
from electjax.calm.options import options_of
from electjax.calm.schema import place, validate
from electjax.calm.verbs.fit import Fitted, fit_arrays
from electjax.calm.verbs.read import read
from electjax.data.errors import data_error
from electjax.numerics.host import double_precision

LARGEST_R_HAT = 1.01
FEWEST = 400  # effective draws below which tails are rough


def nuts(
    booths: xr.Dataset | str | os.PathLike[str],
    *,
    draws: int = 1000,
    chains: int = 2,
    warmup: int = 500,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
    **options: Any,
) -> xr.DataTree:
    """Draw from the posterior whose log density is minus the objective of calm.md section 5; for small data.

    With lambda_T = lambda_P = 1 that is the likelihood with normal priors of variance 1 / (2 lambda), flat ones on
    alpha, gamma and xi. Mobilisation by the model's own shares keeps the weights of the fit.

    Args:
        booths: a booths Dataset or the path of one.
        draws, chains, warmup: draws kept of each chain, after so many to adapt.
        seed: of the chains, and of the fit that they start from.
        progress: called with chains done, their number, and a line.
        **options: those of `calm.fit`, without penalties="holdout" and errors.

    Returns:
        DataTree with the groups of ArviZ: posterior(chain, draw, ...) with the parameters by the names of `calm.fit`;
        sample_stats: lp, diverging, acceptance_rate; observed_data: polled, votes; constant_data: electors; and
        `diagnostics` with <name>_r_hat and <name>_ess of every parameter. Attributes of the posterior group: r_hat
        (the largest), ess (the smallest), diverging (how many transitions) and reliable, whether these are good.

    Raises:
        ElectionDataError: invalid booths or options, terms that nothing tells apart (the two-tower term), arguments
            out of range, or no blackjax.
    """
    for package in ("blackjax", "arviz_stats"):
        if find_spec(package) is None:
            raise data_error(
                f"{package} is not installed", where="calm.nuts", expected="it", mend="pip install 'electjax[mcmc]'"
            )
    for name, value, least in (("draws", draws, 4), ("chains", chains, 1), ("warmup", warmup, 20)):
        if not isinstance(value, int | np.integer) or value < least:
            raise data_error(
                f"found {value!r}", where=f"calm.nuts({name}=)", expected=f"at least {least}", mend="correct it"
            )
    chosen = options_of(options | {"seed": seed, "errors": "laplace"})
    if chosen.penalties != "given" or chosen.tower:
        what = f"tower={chosen.tower}" if chosen.tower else f"penalties={chosen.penalties!r}"
        raise data_error(
            f"found {what}",
            where="calm.nuts",
            expected="given penalties and no two-tower term, whose factors turn without a change",
            mend="leave it out",
        )
    booths = validate(booths) if isinstance(booths, xr.Dataset) else read(booths)
    fitted = fit_arrays(booths, chosen)
    with double_precision():
        design, found = chosen.design, fitted.found
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
        key = jax.random.fold_in(jax.random.key(seed), 1)
        samples = sample(
            key, posterior, found.problem, design, draws=draws, chains=chains, warmup=warmup, progress=progress
        )
        values = _named(samples, fitted)
        r_hat, ess = diagnostics(values)
    return _tree(decode_fit(fitted, booths), booths, samples, (values, r_hat, ess), seed)


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
        posterior[name] = (("chain", "draw", *fit[name].dims), value, fit[name].attrs)
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
        "reliable": int(worst < LARGEST_R_HAT and least > FEWEST and not diverging),
        "source": place(booths),
        "options": fit.attrs["options"],
        "axes": fit.attrs["axes"],
        "seed": seed,
    }
    made = {
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "creation_library": "electjax",
        "creation_library_version": electjax.__version__,
        "creation_library_language": "Python",
        "inference_library": "blackjax",
    }
    groups = {
        "posterior": posterior.assign_attrs(attrs),
        "sample_stats": stats,
        "diagnostics": told,
        "observed_data": booths[["polled", "votes"]].drop_attrs(deep=False),
        "constant_data": booths[["electors"]].drop_attrs(deep=False),
    }
    return xr.DataTree.from_dict({name: group.assign_attrs(made) for name, group in groups.items()})
