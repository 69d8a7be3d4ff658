"""Elections whose exact posterior is known, and how far a weighted sample may be from it."""

import numpy as np

import electjax
from electjax.districts import dataset

COUNTED = {"reading": "count", "bookkeeping": "none"}  # DPM with a likelihood
OPEN = {"reading": "count", "districts": "open"}  # PCM with one
PRIOR = {"gamma": (0.0, 0.5)}


def simulated_election(model, params, options, *, seed=5, shares=(0.5, 0.35, 0.15), districts=40, electors=200_000):
    """One simulated run of a model, as if it were the returns."""
    parties = list("ABCDE"[: len(shares)])
    popularity = dict(zip(parties, shares, strict=True))
    base = electjax.districts.uniform(popularity, districts=districts, electors=electors)
    run = electjax.districts.simulate(base, model, params, runs=1, seed=seed, options=options).isel(run=0)
    names = [str(name) for name in run["district"].values]
    return dataset(run["votes"].values, districts=names, parties=parties, attrs={"name": "known"})


def weighted_summary(values, weight):
    """Mean, sd, 5 and 95 % quantiles."""
    mean = weight @ values
    order = np.argsort(values)
    mass = np.cumsum(weight[order])
    quantiles = values[order][np.minimum(np.searchsorted(mass, [0.05, 0.95]), len(values) - 1)]
    return np.array([mean, np.sqrt(weight @ (values - mean) ** 2), *quantiles])


def standard_errors(exact, ess):
    """Monte Carlo standard errors of `weighted_summary` of a sample of this effective size; exact[N] are draws."""
    sd = exact.std()
    kurtosis = np.mean((exact - exact.mean()) ** 4) / sd**4
    errors = [sd / np.sqrt(ess), sd * np.sqrt((kurtosis - 1.0) / (4.0 * ess))]
    for level in (0.05, 0.95):
        low, high = np.quantile(exact, [level - 0.03, level + 0.03])
        errors.append(np.sqrt(level * (1 - level) / ess) * (high - low) / 0.06)
    return np.array(errors)


def z_scores(values, weight, exact):
    """How many Monte Carlo standard errors the summary of a weighted sample is from that of the exact draws."""
    ess = weight.sum() ** 2 / np.sum(weight**2)
    summary, truth = weighted_summary(values, weight), weighted_summary(exact, np.full(len(exact), 1 / len(exact)))
    return (summary - truth) / np.hypot(standard_errors(exact, ess), standard_errors(exact, len(exact)))
