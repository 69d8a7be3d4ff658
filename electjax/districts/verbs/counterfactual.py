"""`electjax.districts.counterfactual`: what the seats would have been, with uncertainty, labelled."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from electjax.districts.codec import provenance, with_units
from electjax.districts.models.base import Outcome
from electjax.districts.scenario import BASELINE, Basis, change
from electjax.districts.verbs.predict import RUNS, posterior_basis, run_key, set_basis, simulate_basis

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def counterfactual(
    fit: xr.Dataset,
    election: xr.Dataset,
    scenarios: Mapping[str, Mapping[str, Any]],
    *,
    runs: int = RUNS,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> xr.Dataset:
    """Simulate an election as a posterior has it, and as it would have been under each scenario.

    All scenarios share their draws from the posterior and their random numbers: run r of one is to be compared with run
    r of another, and a scenario that changes nothing gives the baseline's numbers.

    Args:
        fit: the posterior, as `calibrate` returns it.
        election: the election of the calibration, or another with the same parties.
        scenarios: name -> one or more changes:
            popularity  {party: share of the votes}; the other parties keep their proportions
            swing       {party: change of its share}; the other parties make up for it in proportion
            parameters  {parameter: value}: a number, {"add": x} or {"times": x} for every draw, an array, or a mapping
                        from labels to these, such as {"eta": {"BJP": 0.9}}
            districts   number of districts, of the same electors; sizes follow the quantiles of the old ones and
                        parameters stay what they are in a district
        runs: simulated elections per scenario.

    Returns:
        Dataset over `scenario`, whose first is "baseline": seats and vote_fraction(scenario, run, party), mwm and
        swm(scenario, run), coordinate draw(run); what was simulated: districts(scenario), popularity(scenario, party);
        and seats_mean, seats_se (its Monte Carlo standard error), seats_quantile(scenario, quantile, party), p_majority
        (more than half of the seats), p_first (most seats, a tie shared), and seat_share_change with its standard error
        seat_share_change_se: the mean over runs of the share of seats less that of the same run in the baseline.

    Raises:
        ValueError: no scenario, or one that is not possible, named in one line; a posterior without draws.
        ElectionDataError: an invalid election.
    """
    named = _named(scenarios)
    basis, draw = posterior_basis(election, fit, runs=runs, seed=seed)
    bases = {BASELINE: basis} | {name: change(basis, name, spec) for name, spec in named.items()}
    done: dict[str, Outcome] = {}
    for name, changed in bases.items():
        done[name] = simulate_basis(run_key(seed), changed, runs=runs, keep_votes=False)
        if progress:
            progress(len(done), len(bases), name)
    summaries = [out.summary for out in done.values()]
    dataset = xr.Dataset(
        {
            "seats": (("scenario", "run", "party"), np.stack([s.seats for s in summaries])),
            "vote_fraction": (("scenario", "run", "party"), np.stack([s.vote_fraction for s in summaries])),
            "mwm": (("scenario", "run"), np.stack([s.mwm for s in summaries])),
            "swm": (("scenario", "run"), np.stack([s.swm for s in summaries])),
            "districts": ("scenario", [len(changed.encoded.districts) for changed in bases.values()]),
        },
        coords={
            "scenario": list(bases),
            "run": np.arange(runs),
            "draw": ("run", draw, {"long_name": "draw of the posterior", "units": "1"}),
            "party": basis.encoded.parties,
        },
        attrs=provenance(election, basis.simulator, basis.options, seed)
        | {"engine": basis.engine, "scenarios": json.dumps(named, default=_plain)},
    )
    if basis.simulator.takes_popularity:
        shares = np.stack([changed.popularity.mean(axis=0) for changed in bases.values()])
        dataset["popularity"] = (("scenario", "party"), shares)
    return with_units(_described(dataset.merge(seat_statistics(dataset["seats"], dataset["districts"]))))


def check_scenarios(
    election: xr.Dataset,
    model: str,
    scenarios: Mapping[str, Mapping[str, Any]],
    *,
    params: Mapping[str, Any],
    options: Mapping[str, Any],
) -> None:
    """Refuse what is wrong with scenarios before a model is calibrated, as far as that does not depend on the draws.

    Raises ValueError, one line that names the scenario.
    """
    basis: Basis = set_basis(election, model, params=params, options=options)
    for name, scenario in _named(scenarios).items():
        change(basis, name, scenario, relative=False)


def seat_statistics(seats: xr.DataArray, districts: xr.DataArray) -> xr.Dataset:
    """Mean, quantiles and probabilities of seats(scenario, run, party); changes are against the first scenario."""
    runs = seats.sizes["run"]
    most = seats.max("party")
    leaders = seats == most
    share = seats / districts
    gain = share - share.isel(scenario=0, drop=True)
    quantile = seats.quantile(list(QUANTILES), "run", method="inverted_cdf")
    return xr.Dataset(
        {
            "seats_mean": seats.mean("run"),
            "seats_se": seats.std("run") / np.sqrt(runs),
            "seats_quantile": quantile.transpose("scenario", "quantile", "party"),
            "p_majority": (2 * seats > districts).mean("run"),
            "p_first": (leaders / leaders.sum("party")).mean("run"),
            "seat_share_change": gain.mean("run"),
            "seat_share_change_se": gain.std("run") / np.sqrt(runs),
        }
    )


def _named(scenarios: Mapping[str, Mapping[str, Any]] | None) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(scenarios, Mapping) or not scenarios:
        example = "{'more districts': {'districts': 140}}"
        raise ValueError(f"scenarios: found {scenarios!r}; expected at least one, such as {example}")
    for name in scenarios:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"scenarios: found the name {name!r}; expected text")
    if BASELINE in scenarios:
        raise ValueError(f"scenario {BASELINE!r}: this is the election without a change; expected another name")
    return scenarios


def _plain(value: Any) -> Any:
    return np.asarray(value).tolist() if isinstance(value, np.ndarray | np.generic) else dict(value)


_ATTRS = {
    "districts": ("number of districts", "districts"),
    "popularity": ("share of all votes, mean over the draws", "1"),
    "seats_mean": ("mean seats over runs", "seats"),
    "seats_se": ("Monte Carlo standard error of the mean seats", "seats"),
    "seats_quantile": ("quantile of the seats over runs", "seats"),
    "p_majority": ("share of runs in which the party wins more than half of the seats", "1"),
    "p_first": ("share of runs in which the party wins most seats, ties shared", "1"),
    "seat_share_change": ("mean change of the share of seats against the same run of the baseline", "1"),
    "seat_share_change_se": ("its Monte Carlo standard error", "1"),
}


def _described(dataset: xr.Dataset) -> xr.Dataset:
    for name, (long_name, units) in _ATTRS.items():
        if name in dataset:
            dataset[name].attrs = {"long_name": long_name, "units": units}
    return dataset
