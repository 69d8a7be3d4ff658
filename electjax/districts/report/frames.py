"""Results as tidy tables: what `summary` returns, and what a run leaves in tables/*.csv."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from electjax.districts.results import parameter_names, scalars
from electjax.districts.schema import seat_index
from electjax.districts.verdict import LEARNT, contractions, verdict_on
from electjax.report.draw import weighted_quantiles

LEVELS = [0.05, 0.5, 0.95]
STAGES = ("default", "optimal", "prediction")  # simulated elections of a model in the tree of a run


def parameters(fit: xr.Dataset) -> pd.DataFrame:
    """The scalar parameters of a calibration, one a line; see `districts.summary`."""
    names = parameter_names(fit)
    labels, draws = scalars(fit, names, ("draw",))
    weight = fit["weight"].values / fit["weight"].values.sum()
    mean = weight @ draws
    low, median, high = weighted_quantiles(draws, weight, LEVELS)
    table = {"mean": mean, "sd": np.sqrt(weight @ (draws - mean) ** 2), "low": low, "median": median, "high": high}
    table["optimal"] = scalars(fit, [f"optimal_{name}" for name in names], ())[1]
    if all(f"prior_{name}" in fit for name in names):
        _, learnt = contractions(fit)
        table |= {"contraction": learnt, "identified": learnt >= LEARNT}
    return pd.DataFrame(table | {"ess": 1 / (weight**2).sum()}, index=pd.Index(labels, name="parameter"))


def seats(elections: xr.Dataset) -> pd.DataFrame:
    """Seats over runs by party, or by scenario and party; see `districts.summary`."""
    won = elections["seats"]
    low, median, high = (won.quantile(level, "run").drop_vars("quantile") for level in LEVELS)
    columns = {"mean": won.mean("run"), "sd": won.std("run"), "low": low, "median": median, "high": high}
    columns |= {"min": won.min("run"), "max": won.max("run")}
    return pd.DataFrame({name: values.to_series() for name, values in columns.items()})


def scenarios(worlds: xr.Dataset) -> pd.DataFrame:
    """What was simulated under every scenario, and the seats of every party."""
    table = seats(worlds).add_prefix("seats_")
    names = ("popularity", "seats_se", "p_majority", "p_first", "seat_share_change", "seat_share_change_se")
    for name in names:
        if name in worlds:
            table[name] = worlds[name].to_series()
    table["districts"] = worlds["districts"].to_series().reindex(table.index, level="scenario")
    return table


def districts(elections: xr.Dataset, returns: xr.Dataset) -> pd.DataFrame:
    """Every party in every district: who won and who is expected to, p_win, and shares of the votes as observed.

    The expected winner is the party that wins most runs. share_mean, the mean share over runs, is known where votes
    are.
    """
    parties = elections["party"].values.astype(str)
    won = (elections["winner"].transpose("run", "district").values[..., None] == parties).mean(axis=0)
    labels = elections["district"].values.astype(str)
    table = pd.DataFrame(index=pd.MultiIndex.from_product([labels, parties], names=["district", "party"]))
    votes = returns["votes"].transpose("district", "party").values
    table["share_observed"] = (votes / votes.sum(axis=1, keepdims=True)).ravel()
    if "votes" in elections or "share_mean" in elections:
        table["share_mean"] = mean_shares(elections).ravel()
    table["p_win"] = won.ravel()
    table["observed_winner"] = np.repeat(parties[seat_index(returns).values], len(parties))
    table["expected_winner"] = np.repeat(parties[won.argmax(axis=1)], len(parties))
    return table


def mean_shares(elections: xr.Dataset) -> np.ndarray:
    """The mean over runs of every party's share of a district's votes, shape (district, party)."""
    if "share_mean" in elections:
        return np.asarray(elections["share_mean"].transpose("district", "party").values)
    votes = elections["votes"].transpose("run", "district", "party").values
    return np.asarray((votes / np.maximum(votes.sum(axis=2, keepdims=True), 1)).mean(axis=0))


def calibration(fit: xr.Dataset) -> pd.DataFrame:
    """How a calibration went, in one line."""
    told, found = fit.attrs, verdict_on(fit)
    keys = ("election", "method", "simulations", "acceptance_rate", "tolerance", "tolerance_asked", "ess", "stopped")
    line = {key: told[key] for key in keys if key in told}
    line |= {"draws": fit.sizes["draw"], "verdict": found.level, "reasons": " ".join(found.reasons)}
    return pd.DataFrame([line])


def tables(result: Any) -> dict[str, pd.DataFrame]:
    """All tables of a run by name: seats, districts, calibrations, parameters and scenarios, those that there are.

    Their first columns are model and, of elections, stage: default, optimal or prediction.
    """
    tree = result.tree
    returns = tree["observed"].to_dataset()
    simulated = {
        (model, stage): node[stage].to_dataset()
        for model, node in tree.children.items()
        for stage in STAGES
        if stage in node.children
    }
    observed = returns["seats"].to_series()
    known = "votes" in returns and bool(simulated)
    fits = models_with(tree, "fit")
    return {
        "seats": _stacked(simulated, lambda elections: seats(elections).assign(observed=observed), ("model", "stage")),
        "districts": _stacked(simulated if known else {}, lambda made: districts(made, returns), ("model", "stage")),
        "calibrations": _stacked(fits, calibration, ("model",)).droplevel(-1) if fits else pd.DataFrame(),
        "parameters": _stacked({name: fit for name, fit in fits.items() if fit.sizes["draw"]}, parameters, ("model",)),
        "scenarios": _stacked(models_with(tree, "counterfactual"), scenarios, ("model",)),
    }


def models_with(tree: xr.DataTree, kind: str) -> dict[str, xr.Dataset]:
    """The Datasets of one kind in the tree of a run, by model."""
    return {name: node[kind].to_dataset() for name, node in tree.children.items() if kind in node.children}


def _stacked(
    results: Mapping[Any, xr.Dataset], table: Callable[[xr.Dataset], pd.DataFrame], names: Iterable[str]
) -> pd.DataFrame:
    """The tables of several results, one below the other, with the names of the results in front."""
    made = {name: table(result) for name, result in results.items()}
    return pd.concat(made, names=[*names]) if made else pd.DataFrame()
