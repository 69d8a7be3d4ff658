"""`electjax.districts.calibrate`: parameters of a district model from an observed election, labelled."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import xarray as xr

from electjax.districts.abc import METHODS, Sample, adjust_sample, best_on_average
from electjax.districts.abc.adjust import ADJUSTMENTS
from electjax.districts.abc.distance import SEAT_TOLERANCE, SHARE_TOLERANCE
from electjax.districts.abc.prior import PriorSpec
from electjax.districts.abc.statistics import Statistic
from electjax.districts.checkpoint import Checkpoint, identify
from electjax.districts.codec import observed_statistics, plain_params, provenance, seed_key
from electjax.districts.posterior import decode_posterior, warn_where_poor
from electjax.districts.problem import (
    SUMMARIES,
    check_choice,
    check_positive,
    describe_problem,
    make_problem,
    name_of,
    returns,
    with_own_measure,
)

TOLERANCE = {"smc": 0.5, "rejection": 1.0, "explore_exploit": 1.0}
WEIGHTING = {
    "explore_exploit": "equal; exploit draws are not drawn from the prior and not corrected for it",
    "rejection": "equal; draws come from the prior",
    "smc": "prior over proposal density",
    "mcmc": "equal; draws were moved by Metropolis steps",
    "exact": "equal; draws come from the exact posterior",
}
KERNEL = ", times Epanechnikov's kernel of the distance, as in the regression adjustment"


def calibrate(
    election: xr.Dataset,
    model: str = "dpm",
    *,
    method: str = "smc",
    seed: int = 0,
    budget: int = 20_000,
    priors: Mapping[str, PriorSpec] | None = None,
    params: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    tolerance: float | None = None,
    accept: int = 500,
    distance: str = "rms",
    seat_tolerance: float = SEAT_TOLERANCE,
    share_tolerance: float = SHARE_TOLERANCE,
    statistics: str | Statistic = "paper",
    summaries: str = "given",
    pilot: int = 4096,
    adjust: str | None = None,
    engine: str = "leap",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    **method_options: Any,
) -> xr.Dataset:
    """Find the parameters under which a model gives the observed result.

    By approximate Bayesian computation (Mitra, section 6): the parameters of simulations whose summary statistics
    come close to the observed ones. By default these are seats and mean vote fraction per party and the mean and sd
    of the winning margin, and the distance is in tolerances (2 seats and .02 for the rest, unless set).

    Args:
        election: the observed election.
        model: name of the model.
        method: "smc" (sequential Monte Carlo: a weighted sample of the ABC posterior, and the evidence),
            "rejection" (the same from the prior, slower), "explore_exploit" (the paper's; finds good parameters
            fast, unweighted) or "exact" (the exact posterior where the model has a likelihood).
        budget: most simulations to use, apart from those of a pilot and those that choose psi_opt.
        priors: parameter -> prior of the calibrated parameters: (low, high); {"levels": [...]}; for shares
            {"dirichlet": a}, and for `popularity`, which every model but sim can calibrate, also {"around": n}.
            Default: the model's own.
        params: values of the parameters that are held fixed.
        options: readings of the model.
        tolerance: largest accepted distance. Default: 0.5 (smc) and 1 with the paper's statistics; with others smc
            goes on until another rule stops it, and rejection keeps the closest `accept`.
        accept: accepted simulations: of smc in every generation, of the others to stop at.
        distance: "rms" or "max" over the statistics.
        seat_tolerance, share_tolerance: the gap in seats, and in vote fractions and margins, that counts as one.
        statistics: "paper", "log_votes", or a pure function of votes[district, party] and winner[district] in
            jax.numpy that returns a vector; others than the paper's count in prior median absolute deviations.
        summaries: "given", or "learned": the statistics are replaced by what they say of the parameters, learnt from
            a pilot.
        pilot: simulations that scale other statistics (of prior draws) or teach learned summaries (by a search).
        adjust: regression adjustment of the accepted draws: "linear", "heteroscedastic" or "none". Default: linear
            for smc and rejection.
        checkpoint: folder in which smc keeps its state after every generation; with the same arguments the same
            folder continues an interrupted calibration and gives what it would have given.
        method_options: of smc: quantile, schedule, move, covariance, scaling, defensive, min_acceptance, min_gain,
            wall_time, generations; of explore_exploit: explore, seeds_kept, exploit, exploit_sd; of exact: sampler.

    Returns:
        Dataset over `draw` (accepted, closest first): a variable per calibrated parameter, adjusted where asked
        (unadjusted_<parameter> is as simulated), weight, distance, accepted_at (number of the simulation), the
        simulated summaries; observed_* summaries; optimal_<parameter> (psi_opt), prior_<parameter>(prior_draw),
        contraction_<parameter> (1 - posterior over prior variance: about 0 where the election says nothing of it)
        and trace_*(generation). attrs: simulations, acceptance_rate, tolerance, ess, stopped, beyond (number of
        statistics and combinations of them in which the observed election lies beyond the accepted draws, so that
        they were not adjusted for it: a sign that the model cannot give it) and how the result came about. Where
        fewer than 10 simulations come within the tolerance the closest 10 are kept, with a warning, and
        attrs["tolerance"] is what they reach.

    Raises:
        ValueError: unknown model, method, parameter or option, or a value out of range.
        ElectionDataError: an invalid election.
    """
    adjustment = adjust or ("linear" if method in ("smc", "rejection") else "none")
    check_choice("method", method, METHODS)
    check_choice("adjust", adjustment, ADJUSTMENTS)
    check_choice("summaries", summaries, SUMMARIES)
    if summaries == "learned" and method_options.get("scaling") == "mad":
        raise ValueError("summaries=learned: has scales of its own; expected scaling=tolerance")
    check_positive(budget=budget, accept=accept, pilot=pilot, tolerance=1.0 if tolerance is None else tolerance)
    key_search, key_best, key_prior, key_pilot = jax.random.split(seed_key(seed), 4)
    problem, encoded = make_problem(
        election,
        model,
        priors=priors,
        params=params,
        options=options,
        distance=distance,
        seat_tolerance=seat_tolerance,
        share_tolerance=share_tolerance,
        statistics=statistics,
        engine=engine,
    )
    paper, spent = statistics == "paper" and summaries == "given", 0
    if not paper and method != "exact":
        problem, spent = with_own_measure(key_pilot, problem, summaries=summaries, pilot=pilot)
    if tolerance is None and paper and method_options.get("scaling") != "mad":
        tolerance = TOLERANCE.get(method)
    if tolerance is None and method == "explore_exploit":
        raise ValueError("tolerance: explore_exploit needs one where the statistics are not the paper's")
    if tolerance is None and method == "smc":
        tolerance = 0.0
    own = dict(method_options)
    if method == "exact":
        own["votes"] = returns(election, "method=exact")[0]
    if checkpoint is not None:
        if method != "smc":
            raise ValueError(f"checkpoint: method={method} keeps none; only smc does")
        asked = {"seed": seed, "budget": budget, "accept": accept, "tolerance": tolerance, **method_options}
        own["checkpoint"] = Checkpoint(checkpoint, identify(**describe_problem(problem), **asked))
    try:
        sample: Sample = METHODS[method](  # type: ignore[operator]
            key_search, problem, budget=budget, accept=accept, tolerance=tolerance, progress=progress, **own
        )
    except TypeError as error:
        if method_options and "unexpected keyword" in str(error):
            raise ValueError(f"method {method}: {str(error).split('()')[-1].strip()}") from None
        raise
    warn_where_poor(sample, tolerance, f"model {model}")
    moved = adjust_sample(sample, problem, adjustment)
    candidates = sample.closest.unit
    if problem.permits is None and not problem.space.levels.any():  # a mean of cells is no cell
        candidates = np.concatenate([candidates, (moved.weight @ moved.unit)[None]])
    best, best_distance, extra = best_on_average(key_best, candidates, problem)
    dataset = decode_posterior(sample, moved, problem, encoded, best, key_prior, observed_statistics(election))
    dataset.attrs = provenance(election, problem.setting.simulator, problem.setting.options, seed) | {
        "engine": engine,
        "method": method,
        "method_options": plain_params(method_options),
        "fixed_parameters": plain_params(problem.fixed),
        "distance": distance,
        "statistics": name_of(statistics),
        "summaries": summaries,
        "adjustment": adjustment if moved.done or adjustment == "none" else f"none ({adjustment}: too few draws)",
        **({"beyond": moved.beyond} if moved.beyond >= 0 else {}),
        "simulations": sample.simulations + extra + spent,
        "acceptance_rate": sample.acceptance_rate,
        "tolerance": sample.tolerance,
        "tolerance_asked": float(tolerance or 0.0),
        "seat_tolerance": float(seat_tolerance),
        "share_tolerance": float(share_tolerance),
        "ess": float(moved.weight.sum() ** 2 / np.sum(moved.weight**2)),
        "stopped": sample.stopped,
        "optimal_distance": best_distance,
        "weighting": WEIGHTING["mcmc" if own.get("move") == "mcmc" else method] + (KERNEL if moved.done else ""),
    }
    return dataset
