"""What simulations, calibrations and scenarios of districts come to, as plain numbers.

All are numbers and lists, or None where there is no value, keyed by party and model. A parameter that is a list has one
value per party in the order of `observed.seats`, per district in that of the returns, or per community; a row per
community in a list of lists.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.districts.abc.distance import distance, target
from electjax.districts.builders import winning_lead
from electjax.districts.codec import observed_statistics
from electjax.districts.kernels.polling import largest_remainder
from electjax.districts.results import parameter_names
from electjax.report.tables import Metrics, plain

LOW, HIGH = 0.05, 0.95  # quantiles of the seats under scenarios


def election_metrics(election: xr.Dataset) -> Metrics:
    """`election`, `observed` {seats, mwm, swm, mean_lead}, `proportional` (largest remainder of the vote shares)."""
    seats = election["seats"].values
    proportional = largest_remainder(election["popularity"].values, int(seats.sum()))
    observed = observed_statistics(election)
    margins = {name: plain(observed[name]) for name in ("mwm", "swm")}
    margins["mean_lead"] = plain(winning_lead(election).mean()) if "votes" in election else None
    return {
        "election": str(election.attrs["name"]),
        "observed": {"seats": _by_party(election, seats)} | margins,
        "proportional": _by_party(election, np.asarray(proportional)),
    }


def simulation_metrics(
    simulation: xr.Dataset, election: xr.Dataset, *, parameters: Mapping[str, Any], **measure: Any
) -> Metrics:
    """What `runs` simulated elections gave: seats, margins and how often the observed seats came out."""
    seats = simulation["seats"].transpose("run", "party").values
    observed = election["seats"].sel(party=simulation["party"]).values
    return {
        "parameters": {name: plain(value) for name, value in parameters.items()},
        "seats_mean": _by_party(simulation, seats.mean(axis=0)),
        "seats_min": _by_party(simulation, seats.min(axis=0)),
        "seats_max": _by_party(simulation, seats.max(axis=0)),
        "seats_mode": _by_party(simulation, most_frequent(seats)),
        "mwm": plain(simulation["mwm"].mean()),
        "swm": plain(simulation["swm"].mean()),
        "mean_lead": plain(simulation["mean_lead"].mean()) if "mean_lead" in simulation else None,
        "p_exact": float((seats == observed).all(axis=1).mean()),
        "distance": plain(mean_distance(simulation, election, **measure)),
    }


def mean_distance(simulation: xr.Dataset, election: xr.Dataset, *, norm: str = "rms", **tolerances: Any) -> float:
    """Distance of the mean simulated summary statistics from the observed ones, in tolerances (as in ABC)."""
    observed: dict[str, Any] = observed_statistics(election)
    goal = target(**observed, **tolerances)
    means = [np.atleast_1d(simulation[name].mean("run").values) for name in observed]
    return float(distance(jnp.asarray(np.concatenate(means)), goal, norm=norm))


def best_draw(posterior: xr.Dataset) -> Metrics | None:
    """The accepted draw closest to the observed result, at the parameters that it was simulated with.

    None where nothing was accepted.
    """
    if posterior.sizes["draw"] == 0:
        return None
    best = posterior.isel(draw=int(posterior["distance"].values.argmin()))
    return {
        "parameters": {
            name: plain(best[f"unadjusted_{name}" if f"unadjusted_{name}" in best else name])
            for name in parameter_names(posterior)
        },
        "seats": _by_party(posterior, best["seats"].values),
        "mwm": plain(best["mwm"]),
        "swm": plain(best["swm"]),
        "distance": plain(best["distance"]),
    }


def most_frequent(seats: np.ndarray) -> np.ndarray:
    """The seat vector that most runs gave; of equally frequent ones, the one closest to the mean."""
    vectors, counts = np.unique(seats, axis=0, return_counts=True)
    tied = vectors[counts == counts.max()]
    return tied[np.square(tied - seats.mean(axis=0)).sum(axis=1).argmin()]


def scenario_metrics(worlds: xr.Dataset) -> Metrics:
    """Per scenario: districts, popularity where it goes in, seats (mean, 5 and 95 %), probabilities and change."""
    found: Metrics = {}
    for name in worlds["scenario"].values:
        world = worlds.sel(scenario=name)
        shares = {"popularity": _by_party(world, world["popularity"].values)} if "popularity" in world else {}
        quantiles = world["seats_quantile"].transpose("quantile", "party")
        low, high = (quantiles.sel(quantile=level).values.astype(np.int64) for level in (LOW, HIGH))
        found[str(name)] = {
            "districts": plain(world["districts"]),
            **shares,
            "seats_mean": _by_party(world, world["seats_mean"].values),
            "seats_low": _by_party(world, low),
            "seats_high": _by_party(world, high),
            **{name: _by_party(world, world[name].values) for name in ("p_majority", "p_first", "seat_share_change")},
            "mwm": plain(world["mwm"].mean()),
        }
    return found


def _by_party(labelled: xr.Dataset, values: np.ndarray) -> Metrics:
    return {str(party): plain(value) for party, value in zip(labelled["party"].values, values, strict=True)}
