"""`electjax.districts.calibrate`: parameters of a district model from an observed election, labelled."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import xarray as xr

from electjax.data.errors import data_error, data_warning
from electjax.data.finished import finished
from electjax.data.options import as_json, with_options
from electjax.data.schema import conform
from electjax.districts.abc.adjust import adjust_sample
from electjax.districts.abc.prior import PriorSpec
from electjax.districts.abc.problem import Sample, best_on_average
from electjax.districts.checkpoint import Checkpoint, identify
from electjax.districts.codec import observed_statistics, plain_params, provenance, seed_key
from electjax.districts.options import CalibrateOptions, MethodOptions
from electjax.districts.posterior import decode_posterior
from electjax.districts.problem import describe_problem, make_problem, name_of, returns, search_of, with_own_measure
from electjax.districts.results import CALIBRATION
from electjax.districts.store import Stored, election_of
from electjax.districts.verdict import is_posterior, tied, verdict_on

KERNEL = ", times Epanechnikov's kernel of the distance, as in the regression adjustment"


@with_options
def calibrate(
    election: Stored,
    model: str = "dpm",
    *,
    priors: Mapping[str, PriorSpec] | None = None,
    params: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    asked: CalibrateOptions,
    of_methods: MethodOptions,
) -> xr.Dataset:
    """Find the parameters under which a model gives the observed result.

    By approximate Bayesian computation (Mitra, section 6): the parameters of simulations whose summary statistics
    come close to the observed ones. By default these are seats and mean vote fraction per party and the mean and sd
    of the winning margin, and the distance is in tolerances (2 seats and .02 for the rest, unless set). Methods: "smc"
    (sequential Monte Carlo: a weighted sample of the ABC posterior, and the evidence), "rejection" (the same from the
    prior, slower), "explore_exploit" (the paper's; finds good parameters fast, unweighted) and "exact" (the exact
    posterior where the model has a likelihood). An option that the method does not read is refused.

    Args:
        election: the observed election: a Dataset, the name of an embedded one, or the path of a saved one.
        model: name of the model, one of `districts.list_models()`.
        priors: parameter -> prior of the calibrated parameters: (low, high); {"levels": [...]}; for shares
            {"dirichlet": a}, and for `popularity`, which every model but sim can calibrate, also {"around": n}.
            Default: the model's own.
        params: values of the parameters that are held fixed.
        options: readings of the model.
        checkpoint: folder in which smc keeps its state after every generation; with the same arguments the same
            folder continues an interrupted calibration and gives what it would have given.
        progress: called as progress(done, budget, text).

    Returns:
        Dataset over `draw` (accepted, closest first): a variable per calibrated parameter, adjusted where asked
        (unadjusted_<parameter> is as simulated), weight, distance, accepted_at (number of the simulation), the
        simulated summaries; observed_* summaries; optimal_<parameter> (psi_opt), prior_<parameter>(prior_draw),
        contraction_<parameter> (1 - posterior over prior variance: about 0 where the election says nothing of it)
        and trace_*(generation). attrs: verdict and verdict_reasons, what makes it doubtful and what to do; simulations
        (of the search, at most the budget; simulations_pilot and simulations_optimal, which chose psi_opt, come on
        top), acceptance_rate, tolerance, ess, stopped, beyond (number of statistics and combinations of them in which
        the observed election lies beyond the accepted draws, so that they were not adjusted for it: a sign that the
        model cannot give it) and how the result came about. Where fewer than 10 simulations come within the tolerance
        the closest 10 are kept, and attrs["tolerance"] is what they reach: they are the best found, no posterior.
        Simulations with a statistic that is not finite are rejected; attrs["not_finite"] is their share among
        simulations from the prior.

    Warns:
        ElectionDataWarning: the result is not usable as a posterior, and why.

    Raises:
        ValueError: unknown model or parameter, or a value out of range.
        ElectionDataError: an invalid election, an unknown option or one out of range.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> how = {"method": "rejection", "budget": 256, "accept": 50, "tolerance": 20.0, "seed": 1}
        >>> fit = electjax.districts.calibrate(election, "dm", **how)
        >>> fit["concentration"].dims, fit.attrs["stopped"]
        (('draw',), '50 accepted')
    """
    where = "districts.calibrate"
    election = election_of(election)
    search = search_of(asked, of_methods, where=where)
    method = search.method
    key_search, key_best, key_prior, key_pilot = jax.random.split(seed_key(asked.seed), 4)
    problem, encoded = make_problem(election, model, priors=priors, params=params, options=options, search=asked)
    spent, infinite = 0, 0.0
    if not search.paper and method.likelihood_free:
        problem, spent, infinite = with_own_measure(key_pilot, problem, summaries=search.summaries, pilot=search.pilot)
    extra: dict[str, Any] = {}
    if method.needs_votes:
        extra["votes"] = returns(election, f"method={method.name}")[0]
    if checkpoint is not None:
        if not method.resumes:
            raise data_error(
                f"found a folder beside method={method.name!r}",
                where=f"{where}(checkpoint=)",
                expected="a method that keeps its state, such as smc",
                mend="leave it out",
            )
        how = {"seed": asked.seed, "budget": asked.budget, "accept": search.accept, "tolerance": search.tolerance}
        extra["checkpoint"] = Checkpoint(
            checkpoint, identify(**describe_problem(problem), **how, **vars(search.options))
        )
    sample: Sample = method.search(
        key_search,
        problem,
        budget=asked.budget,
        accept=search.accept,
        tolerance=search.tolerance,
        options=search.options,
        progress=progress,
        **extra,
    )
    moved = adjust_sample(sample, problem, search.adjust)
    candidates = sample.closest.unit
    if problem.permits is None and not problem.space.levels.any():  # a mean of cells is no cell
        candidates = np.concatenate([candidates, (moved.weight @ moved.unit)[None]])
    best, best_distance, more = best_on_average(key_best, candidates, problem)
    dataset = decode_posterior(sample, moved, problem, encoded, best, key_prior, observed_statistics(election))
    done = moved.done or search.adjust == "none"
    adjustment = search.adjust if done else f"none ({search.adjust}: too few draws)"
    dataset.attrs = provenance(election, problem.setting.simulator, problem.setting.options, asked.seed) | {
        "engine": asked.engine,
        "method": method.name,
        "method_options": as_json(search.options),
        "fixed_parameters": plain_params(problem.fixed),
        "distance": asked.distance,
        "statistics": name_of(asked.statistics),
        "summaries": asked.summaries,
        "adjustment": adjustment,
        **({"beyond": moved.beyond} if moved.beyond >= 0 else {}),
        "simulations": sample.simulations,
        "simulations_pilot": spent,
        "simulations_optimal": more,
        "acceptance_rate": sample.acceptance_rate,
        "tolerance": sample.tolerance,
        "tolerance_asked": float(search.tolerance or 0.0),
        "seat_tolerance": float(asked.seat_tolerance),
        "share_tolerance": float(asked.share_tolerance),
        **({"not_finite": infinite} if infinite else {}),
        "ess": float(moved.weight.sum() ** 2 / np.sum(moved.weight**2)),
        "stopped": sample.stopped,
        "optimal_distance": best_distance,
        "weighting": method.weighting(search.options) + (KERNEL if moved.done else ""),
        **({"ties": json.dumps(ties, ensure_ascii=False)} if (ties := tied(election)) else {}),
    }
    told = verdict_on(dataset)
    if told.level == "not usable":
        data_warning(" ".join(told.reasons), where=f"{where}(model={model!r})")
    return finished(conform(dataset, CALIBRATION), about=_about(dataset), verdict=told)


def _about(fit: xr.Dataset) -> str:
    """What was calibrated to what, and how far that came."""
    told = fit.attrs
    what = f"{told['model'].upper()} calibrated to {told['election'] or 'an election'} by {told['method']}"
    number, simulations = f"{fit.sizes['draw']:,} draws", f"{told['simulations']:,} simulations"
    if not is_posterior(fit):
        return f"{what}: the best {number} of {simulations}, no posterior; {told['stopped']}"
    within = "" if told["method"] == "exact" else f" within tolerance {told['tolerance']:.3g}, of {simulations}"
    return f"{what}: {number} worth {told['ess']:.0f}{within}; {told['stopped']}"
