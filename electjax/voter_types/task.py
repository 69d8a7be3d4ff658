"""Task `types`: voter types for one or several numbers of types, one of which is chosen."""

import json
import time
import warnings

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

import electjax
from electjax.data.progress import Stages, silent
from electjax.report.metrics import Metrics, plain, single_numbers
from electjax.run.result import Result
from electjax.run.settings import CRITERIA, Settings
from electjax.voter_types.report.figures import option_names, shares

_REACH = 1.96


def types(ballots: xr.Dataset, settings: Settings, stage: Stages = silent) -> Result:
    """Fit every number of types of the settings, choose one, and describe it.

    The tree has `/selection` with a row per number of types, `/fit`, the fit that was chosen, its `/residuals`, and
    `/bootstrap` where the settings ask for it.
    """
    started = time.perf_counter()
    own, seed = settings.types, settings.seed
    with warnings.catch_warnings():  # the fit that is chosen says what is to be said, below
        warnings.simplefilter("ignore", UserWarning)
        selection = None
        if len(own.counts) > 1:
            search = {name: value for name, value in own.options.items() if name not in ("errors", "level")}
            selection = electjax.voter_types.select(
                ballots, types=own.counts, seed=seed, blrt=own.blrt, progress=stage("how many types"), **search
            )
        chosen = own.counts[0] if selection is None else choose(selection, own.choose)
        said = stage(f"{chosen} type{'s' if chosen > 1 else ''}")
        fit = electjax.voter_types.fit(ballots, types=chosen, seed=seed, progress=said, **own.options)
    nodes = {"/fit": fit, "/selection": selection_of(fit) if selection is None else selection}
    nodes["/residuals"] = electjax.voter_types.residuals(fit, ballots)
    if own.bootstrap:
        nodes["/bootstrap"] = electjax.voter_types.bootstrap(
            fit, ballots, replicates=own.bootstrap, seed=seed, level=fit.attrs["level"], progress=stage("bootstrap")
        )
    metrics: Metrics = {
        "ballots": str(ballots.attrs.get("name", "ballots")),
        "voters": ballots.sizes["voter"],
        "rows": int(fit.attrs["rows"]),
        "offices": ballots.sizes["office"],
        "restarts": int(fit.attrs["restarts"]),
        "types": {str(count): single_numbers(nodes["/selection"].sel(types=count)) for count in own.counts},
        "fit": fit_metrics(fit) | {"chosen_by": own.choose if selection is not None else chosen},
        "residuals": single_numbers(nodes["/residuals"]),
    }
    if own.bootstrap:
        again = nodes["/bootstrap"]
        metrics["bootstrap"] = {"replicates": own.bootstrap, "shares_se": plain(again["pi_se"])}
        metrics["bootstrap"] |= _parameters(again, ("mu_se", "gamma_se"))
    truth = recovery(fit, ballots)
    metrics |= {} if truth is None else {"truth": truth}
    notes = json.loads(fit.attrs["warnings"])
    for note in notes:
        warnings.warn(note, stacklevel=1)
    metrics |= {"warnings": notes, "seconds": time.perf_counter() - started}
    return Result(xr.DataTree.from_dict(nodes), metrics)


def selection_of(fit: xr.Dataset) -> xr.Dataset:
    """What `voter_types.select` says of a single fit."""
    names = ("log_likelihood", "parameters", *CRITERIA, "entropy")
    values = {name: ("types", [fit.attrs[name]]) for name in names}
    share = fit["maxima_starts"].values[:1] / fit.attrs["restarts"]
    return xr.Dataset(values | {"starts_at_best": ("types", share)}, coords={"types": [fit.sizes["type"]]})


def choose(selection: xr.Dataset, by: str | int) -> int:
    """The number of types with the smallest value of a criterion, or the number that is given."""
    if not isinstance(by, str):
        return by
    return int(selection["types"].values[int(selection[by].values.argmin())])


def fit_metrics(fit: xr.Dataset) -> Metrics:
    """The parameters of a fit as plain numbers: mu by office with a row per type, gamma by term."""
    value, low, high = shares(fit)
    found: Metrics = {
        "types": fit.sizes["type"],
        "log_likelihood": plain(fit.attrs["log_likelihood"]),
        "level": float(fit.attrs["level"]),
        "shares": plain(value),
        "shares_low": plain(low),
        "shares_high": plain(high),
        "options": option_names(fit),
    }
    return found | _parameters(fit, ("mu", "mu_se", "gamma", "gamma_se"))


def _parameters(fit: xr.Dataset, names: tuple[str, ...]) -> Metrics:
    found: Metrics = {}
    for name in names:
        if name in fit:
            key = "term" if name.startswith("gamma") else "office"
            array = fit[name].transpose(key, "type", ...)
            found[name] = {str(label): plain(array.sel({key: label})) for label in fit[key].values}
    return found


def recovery(fit: xr.Dataset, ballots: xr.Dataset) -> Metrics | None:
    """How far a fit is from the truth of generated ballots; None where it is not known or has other types.

    The types are matched to the true ones by what they do.
    """
    if "true_mu" not in ballots or ballots.sizes["type"] != fit.sizes["type"]:
        return None
    dims = ("type", "office", "option")
    mu, error, truth = (
        data.transpose(*dims).values for data in (fit["mu"], fit.get("mu_se", fit["mu"] * np.nan), ballots["true_mu"])
    )
    cost = np.nansum((truth[:, None] - mu[None]) ** 2, axis=(2, 3))
    match = linear_sum_assignment(cost)[1]
    known = np.isfinite(mu[match]) & np.isfinite(error[match]) & (error[match] > 0)
    z = np.abs((mu[match] - truth)[known] / error[match][known])
    label = electjax.voter_types.predict(fit, ballots)["modal_type"].values
    likeliest = np.argsort(match)[np.searchsorted(fit["type"].values, label)]
    names = ballots["type_name"].values if "type_name" in ballots.coords else ballots["type"].values
    return {
        "types": [str(name) for name in names],
        "fitted_types": plain(fit["type"].values[match]),
        "shares": plain(ballots["true_pi"].values),
        "fitted_shares": plain(fit["pi"].values[match]),
        "compared": int(known.sum()),
        "within": plain((z < _REACH).mean()) if z.size else None,
        "largest_z": plain(z.max()) if z.size else None,
        "agreement": plain((likeliest + 1 == ballots["true_type"].values).mean()),
    }
