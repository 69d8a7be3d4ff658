"""`electjax.districts.counterfactual`: what the seats would have been, with uncertainty, labelled."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.finished import finished
from electjax.data.labels import strings
from electjax.data.options import with_options
from electjax.data.schema import conform
from electjax.districts.codec import provenance
from electjax.districts.models.base import Outcome
from electjax.districts.options import PredictOptions
from electjax.districts.results import COUNTERFACTUAL
from electjax.districts.scenario import BASELINE, Basis, change
from electjax.districts.store import Stored, election_of, fit_of
from electjax.districts.verbs.predict import posterior_basis, run_key, set_basis, simulate_basis
from electjax.districts.verdict import verdict_on

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@with_options
def counterfactual(
    fit: Stored,
    election: Stored,
    scenarios: Mapping[str, Mapping[str, Any]],
    *,
    progress: Callable[[int, int, str], None] | None = None,
    asked: PredictOptions,
) -> xr.Dataset:
    """Simulate an election as a posterior has it, and as it would have been under each scenario.

    All scenarios share their draws from the posterior and their random numbers: run r of one is to be compared with run
    r of another, and a scenario that changes nothing gives the baseline's numbers.

    Args:
        fit: what `districts.calibrate` returned, or the path where it was saved.
        election: the election of the calibration, or another with the same parties; a Dataset, a name or a path.
        scenarios: name -> one or more changes:

            - popularity, {party: share of the votes}: the other parties keep their proportions;
            - swing, {party: change of its share}: the other parties make up for it in proportion;
            - parameters, {parameter: value}: a number, {"add": x} or {"times": x} for every draw, an array, or a
              mapping from labels to these, such as {"eta": {"BJP": 0.9}};
            - districts, their number, of the same electors: sizes follow the quantiles of the old ones and parameters
              stay what they are in a district.
        progress: called as progress(done, scenarios, name).

    Returns:
        Dataset over `scenario`, whose first is "baseline": seats and vote_fraction(scenario, run, party), mwm and
        swm(scenario, run), coordinate draw(run); what was simulated: districts(scenario), popularity(scenario, party);
        and seats_mean, seats_se (its Monte Carlo standard error), seats_quantile(scenario, quantile, party), p_majority
        (more than half of the seats), p_first (most seats, a tie shared), and seat_share_change with its standard error
        seat_share_change_se: the mean over runs of the share of seats less that of the same run in the baseline.
        attrs["verdict"] is the calibration's.

    Raises:
        ValueError: no scenario, or one that is not possible, named in one line; a posterior without draws.
        ElectionDataError: an invalid election or calibration, or an option out of range.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> how = {"method": "rejection", "budget": 256, "accept": 50, "tolerance": 20.0, "seed": 1}
        >>> fit = electjax.districts.calibrate(election, "dm", **how)
        >>> scenarios = {"A loses": {"swing": {"A": -0.2}}}
        >>> worlds = electjax.districts.counterfactual(fit, election, scenarios, runs=8, seed=1)
        >>> worlds["scenario"].values.tolist()
        ['baseline', 'A loses']
        >>> bool(worlds["seat_share_change"].sel(scenario="A loses", party="A") < 0)
        True
    """
    fit, election = fit_of(fit), election_of(election)
    named = _named(scenarios)
    basis, draw = posterior_basis(election, fit, runs=asked.runs, seed=asked.seed)
    bases = {BASELINE: basis} | {name: change(basis, name, spec) for name, spec in named.items()}
    done: dict[str, Outcome] = {}
    for name, changed in bases.items():
        done[name] = simulate_basis(run_key(asked.seed), changed, runs=asked.runs, keep_votes=False)
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
            "scenario": strings(bases),
            "run": np.arange(asked.runs),
            "draw": ("run", draw),
            "party": strings(basis.encoded.parties),
        },
        attrs=provenance(election, basis.simulator, basis.options, asked.seed)
        | {"engine": basis.engine, "scenarios": json.dumps(named, default=_plain)},
    )
    if basis.simulator.takes_popularity:
        shares = np.stack([changed.popularity.mean(axis=0) for changed in bases.values()])
        dataset["popularity"] = (("scenario", "party"), shares)
    about = (
        f"{len(named)} scenarios of {dataset.attrs['election'] or 'an election'} under {basis.simulator.name.upper()}"
    )
    about += f", {asked.runs:,} elections each"
    worlds = conform(dataset.merge(seat_statistics(dataset["seats"], dataset["districts"])), COUNTERFACTUAL)
    return finished(worlds, about=about, verdict=verdict_on(fit))


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
