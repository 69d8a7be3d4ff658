"""The cases of the golden results: one small function each, by public verbs alone, on small inputs with fixed seeds."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

import electjax

CASES = {}


def case(function):
    """Register a case, by its name."""
    CASES[function.__name__] = function
    return function


# --------------------------------------------------------------------------------------------- shared inputs
MODELS = ("dm", "dpm", "ecm", "pcm", "sim")
SHARES = {"A": 0.5, "B": 0.3, "C": 0.2}
CONCENTRATION = {"concentration": (1.0, 20.0)}


@cache
def delhi():
    return electjax.districts.load("delhi2020")


@cache
def few_districts():
    return electjax.districts.uniform(SHARES, districts=6, electors=1200)


@cache
def thirty_districts():
    return electjax.districts.uniform(SHARES, districts=30, electors=60_000)


@cache
def dpm_posterior():
    return electjax.districts.calibrate(delhi(), "dpm", budget=600, accept=100, tolerance=2.0, seed=1)


@cache
def dm_recovery():
    how = {"method": "rejection", "budget": 1024, "accept": 60, "priors": CONCENTRATION}
    return electjax.districts.recover(thirty_districts(), "dm", replicates=50, seed=1, **how)


@cache
def ballots():
    return electjax.voter_types.yuma_like(voters=800, seed=1)


@cache
def types_fit():
    return electjax.voter_types.fit(ballots(), types=3, restarts=4, seed=1)


@cache
def booths():
    return electjax.calm.simulate("tiny", seed=3, xi=0.2)


@cache
def calm_literal():
    return electjax.calm.fit(booths(), model="literal")


@cache
def calm_recommended():
    return electjax.calm.fit(booths(), model="recommended")


@cache
def units():
    return electjax.ecological.simulate(contests=4, units=10, rows=4, parties=4, seed=1)


@cache
def cells():
    return electjax.ecological.estimate(units(), draws=20)


# --------------------------------------------------------------------------------------------- elections
@case
def elections():
    """The embedded elections and a made-up one."""
    found = {name: electjax.districts.load(name) for name in electjax.districts.list()}
    return found | {
        "uniform": few_districts(),
        "pooled": electjax.districts.pool_parties(delhi(), 2),
        "margin": electjax.districts.winning_margin(delhi()),
        "named_only": electjax.districts.load("delhi2020", others_may_win=False),
    }


@case
def simulate_leap():
    return {model: electjax.districts.simulate(delhi(), model, runs=4, seed=1) for model in MODELS}


@case
def simulate_agent():
    return {
        model: electjax.districts.simulate(few_districts(), model, runs=2, seed=1, engine="agent") for model in MODELS
    }


@case
def simulate_readings():
    """Other readings of the models than the defaults."""
    readings = {
        "dm mode": ("dm", {}, {"winner": "mode", "bookkeeping": "by_district"}),
        "dpm count": ("dpm", {"gamma": 0.9}, {"reading": "count", "bookkeeping": "by_district"}),
        "ecm literal": ("ecm", {}, {"reading": "literal", "urn": "district", "bookkeeping": "none"}),
        "pcm open": ("pcm", {"eta": [0.7, 0.8, 0.9]}, {"districts": "open", "base": "electorate"}),
        "sim local": ("sim", {}, {"influence": "district", "spread": "drawn"}),
    }
    return {
        label: electjax.districts.simulate(few_districts(), model, params, runs=2, seed=1, options=options)
        for label, (model, params, options) in readings.items()
    }


@case
def calibrate_smc():
    return {"dpm": dpm_posterior()}


@case
def calibrate_rejection():
    return {
        "dm": electjax.districts.calibrate(
            delhi(), "dm", method="rejection", budget=600, accept=60, tolerance=6.0, seed=1
        )
    }


@case
def calibrate_explore_exploit():
    how = {"method": "explore_exploit", "explore": 256, "seeds_kept": 8, "exploit": 16}
    return {"dm": electjax.districts.calibrate(delhi(), "dm", budget=600, accept=60, tolerance=4.0, seed=1, **how)}


@case
def calibrate_exact():
    return {"dm": electjax.districts.calibrate(delhi(), "dm", method="exact", accept=200, seed=1)}


@case
def predict():
    changed = {"gamma": {"times": 0.9}}
    return {
        "posterior": electjax.districts.predict(dpm_posterior(), delhi(), runs=8, seed=1),
        "changed": electjax.districts.predict(dpm_posterior(), delhi(), runs=8, seed=1, params=changed),
    }


@case
def counterfactual():
    scenarios = {"BJP +5": {"swing": {"BJP": 0.05}}, "more": {"districts": 90}}
    return {"dpm": electjax.districts.counterfactual(dpm_posterior(), delhi(), scenarios, runs=8, seed=1)}


@case
def outcomes():
    runs = electjax.districts.simulate(few_districts(), "dm", runs=3, seed=1)
    return {
        "observed": electjax.districts.outcomes(delhi()),
        "runs": electjax.districts.outcomes(runs),
        "swing": electjax.districts.swing_curve(delhi(), party="BJP"),
        "geography": electjax.districts.geography(delhi()),
        "geography of runs": electjax.districts.geography(runs, party="A", bins=5),
    }


@case
def compare():
    models = {"narrow": {"model": "dm", "priors": CONCENTRATION}, "dm": {}}
    how = {"method": "rejection", "budget": 512, "accept": 10**6, "tolerance": 4.0}
    return {"dm": electjax.districts.compare(thirty_districts(), models, runs=40, seed=1, **how)}


@case
def trust():
    """Checks of a calibration method, and of a posterior."""
    return {
        "recover": dm_recovery(),
        "sbc": electjax.districts.sbc(dm_recovery()),
        "coverage": electjax.districts.coverage(dm_recovery()),
        "tarp": electjax.districts.tarp(dm_recovery()),
        "posterior_check": electjax.districts.check(dpm_posterior(), delhi(), runs=20),
        "tolerance": electjax.districts.sensitivity(dpm_posterior()),
        "identifiability": electjax.districts.identifiability(dpm_posterior()),
        "inference_data": electjax.districts.to_inference_data(dpm_posterior()),
    }


# --------------------------------------------------------------------------------------------- voter types
@case
def voter_types_fit():
    """Three types with the covariates of the ballots, and without them."""
    return {
        "ballots": ballots(),
        "covariates": types_fit(),
        "plain": electjax.voter_types.fit(ballots(), types=3, restarts=4, seed=1, covariates=False, start="votes"),
    }


@case
def voter_types_clustered():
    """Weights that are no counts, and errors clustered by precinct."""
    few = ballots().isel(office=slice(0, 6))
    weighted = few.assign(weight=("voter", np.linspace(0.5, 1.5, few.sizes["voter"])), cluster=few["precinct"])
    return {"fit": electjax.voter_types.fit(weighted, types=2, restarts=3, seed=1, covariates=["rural"])}


@case
def voter_types_predict():
    return {"own": electjax.voter_types.predict(types_fit(), ballots())}


@case
def voter_types_simulate():
    return {
        "own": electjax.voter_types.simulate(types_fit(), seed=1),
        "drawn": electjax.voter_types.simulate(types_fit(), ballots(), voters=100, seed=1),
    }


@case
def voter_types_residuals():
    return {"fit": electjax.voter_types.residuals(types_fit(), ballots(), replicates=2, seed=1)}


@case
def voter_types_bootstrap():
    return {
        kind: electjax.voter_types.bootstrap(types_fit(), ballots(), kind=kind, replicates=3, seed=1)
        for kind in ("nonparametric", "parametric")
    }


@case
def voter_types_select():
    few = ballots().isel(office=slice(0, 6))
    how = {"restarts": 3, "seed": 1, "covariates": False, "blrt": 3, "blrt_starts": 2}
    return {"few": electjax.voter_types.select(few, [1, 2, 3], **how)}


# --------------------------------------------------------------------------------------------- CALM
@case
def calm_madipur():
    data = electjax.calm.madipur()
    return {
        "booths": data,
        "table": electjax.calm.madipur_table(),
        "literal": electjax.calm.fit(data, model="literal"),
        "recommended": electjax.calm.fit(data, model="recommended"),
    }


@case
def calm_simulate():
    how = {"eta": 0.3, "eta_sd": 0.1, "context": 0.3, "unknown": 0.1, "absent": 0.1, "cells": True}
    return {"tiny": booths(), "more": electjax.calm.simulate("tiny", seed=2, weighting="size", **how)}


@case
def calm_fit_literal():
    return {"tiny": calm_literal()}


@case
def calm_fit_recommended():
    return {"tiny": calm_recommended()}


@case
def calm_fit_terms():
    """Mobilisation, a party's own eta and clustered errors."""
    how = {"mobilisation": "previous", "affinity": "party", "errors": "sandwich", "holdout": 0.2}
    return {"terms": electjax.calm.fit(booths(), integrate=True, **how)}


@case
def calm_predict():
    return {
        "literal": electjax.calm.predict(calm_literal(), booths(), draws=8, seed=1),
        "recommended": electjax.calm.predict(calm_recommended(), booths(), booth_effects="mean"),
    }


@case
def calm_counterfactual():
    swap = {"C01": {"BJP": {"caste": "SC"}}, "C02": {"BJP": None}}
    return {"swap": electjax.calm.counterfactual(calm_recommended(), booths(), candidates=swap, draws=8, seed=1)}


@case
def calm_holdout():
    return {"tiny": electjax.calm.holdout(booths(), seed=1)}


@case
def calm_mobilisation():
    return {"tiny": electjax.calm.mobilisation(booths(), seed=1)}


@case
def calm_placebo():
    return {"caste": electjax.calm.placebo(booths(), permutations=8, seed=1)}


@case
def calm_rho_curve():
    return {"age": electjax.calm.rho_curve(booths(), values=(0.3, 0.5, 0.7), seed=1)}


@case
def calm_stability():
    return {"constituency": electjax.calm.stability(booths(), refit=False)}


@case
def calm_collinearity():
    return {"tiny": electjax.calm.collinearity(booths())}


@case
def calm_bootstrap():
    return {"literal": electjax.calm.bootstrap(calm_literal(), booths(), replicates=3, seed=1)}


@case
def calm_nuts():
    """A chain, which enlarges differences of rounding more than anything else here."""
    return {"recommended": electjax.calm.nuts(booths(), draws=10, chains=1, warmup=20, seed=1, model="recommended")}


# --------------------------------------------------------------------------------------------- ecological inference
@case
def ecological_estimate():
    return {
        "units": units(),
        "context": cells(),
        "table": electjax.ecological.table(cells()),
        "coverage": electjax.ecological.coverage(cells()),
        "two contests": electjax.ecological.select_contests(units(), list(units()["contest"].values[[2, 0]])),
    }


@case
def ecological_affinity():
    made = electjax.ecological.simulate(contests=3, units=8, rows=3, parties=3, abstention=0.3, traits=2, seed=5)
    return {"units": made, "cells": electjax.ecological.estimate(made, draws=10, contexts=())}


@case
def ecological_baselines():
    methods = ("goodman", "least_squares", "em", "independence")
    return {method: electjax.ecological.estimate(units(), method=method) for method in methods}


@case
def ecological_calibrate_context():
    return {"grid": electjax.ecological.calibrate_context(units(), contexts=(0.3, 0.6, 0.9), seed=1)}


@case
def units_of_booths():
    made = electjax.bridges.units_of_booths(booths(), "religion")
    return {"units": made, "cells": electjax.ecological.estimate(made, draws=10, contexts=())}


# --------------------------------------------------------------------------------------------- files
@case
def round_trip():
    """What is written and read again."""
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        parts = electjax.voter_types.stream(ballots(), chunk=300)
        return {
            "election": electjax.districts.read(electjax.districts.save(delhi(), here / "election.nc")),
            "ballots": electjax.voter_types.read(electjax.voter_types.save(ballots(), here / "ballots.nc")),
            **{f"ballots, part {number}": part for number, part in enumerate(parts)},
            "booths": electjax.calm.read(electjax.calm.save(booths(), here / "booths.nc")),
            "booths folder": electjax.calm.read(electjax.calm.write(booths(), here / "booths")),
            "units": electjax.ecological.read(electjax.ecological.save(units(), here / "units.nc")),
            "calm": electjax.calm.load(electjax.calm.save(calm_recommended(), here / "calm.nc")),
            "cells": electjax.ecological.load(electjax.ecological.save(cells(), here / "cells.nc")),
        }


@case
def read_text():
    """Small tables of returns, ballots and units."""
    texts = {
        "tidy": "district,party,votes\nn,A,30\nn,B,20\nn,C,2\ns,A,10\ns,B,25\ns,others,7\n",
        "wide": "district,votes_A,votes_B,electors\nnorth,30,20,90\nsouth,10,25,80\n",
        "ballots": "voter,office,choice\n"
        + "1,Mayor,Ann (D)\n1,Clerk,Bob (R)\n2,Mayor,Cy (R)\n2,Clerk,Bob (R)\n3,Mayor,Cy (R)\n",
        "units": "contest,unit,side,option,votes\n"
        + "".join(
            f"c{c},u{u},{side},{option},{10 + 3 * c + 2 * u + (k if side == 'row' else 2 - k)}\n"
            for c in range(2)
            for u in range(3)
            for side in ("row", "column")
            for k, option in enumerate("xyz")
        ),
    }
    with tempfile.TemporaryDirectory() as name:
        files = {label: Path(name) / f"{label}.csv" for label in texts}
        for label, text in texts.items():
            files[label].write_text(text)
        voted = electjax.voter_types.read(files["ballots"])
        return {
            "tidy": electjax.districts.read(files["tidy"], top_parties=2),
            "wide": electjax.districts.read(files["wide"]),
            "ballots": voted,
            "ticket": electjax.voter_types.recode(voted, top="Mayor"),
            "units": electjax.ecological.read(files["units"]),
        }
