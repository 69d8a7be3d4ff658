"""`electjax.ecological.estimate`: cross-tables from the margins of units."""

import warnings
from dataclasses import fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.options import with_options
from electjax.data.progress import Progress
from electjax.ecological.codec import Encoded, decode_baseline, decode_estimate, encode_units
from electjax.ecological.model.balance import contest_bounds, unit_bounds
from electjax.ecological.model.baselines import baselines, table_of
from electjax.ecological.model.data import KINDS, Assumed
from electjax.ecological.model.draws import draw_tables, posterior
from electjax.ecological.model.estimate import Mode, Tables, at_context, in_contests, mode, posed, unit_tables
from electjax.ecological.model.problem import Problem
from electjax.ecological.options import EstimateOptions, ModelOptions, ReadOptions, UnitsOptions
from electjax.ecological.verbs.read import Source, read
from electjax.numerics.arrow import Point
from electjax.numerics.host import double_precision

DRAWS_A_CALL = 50
APART = 1e-3  # standard deviation of what is not to vary


@with_options
def estimate(
    units: Source,
    truth: Any = None,
    *,
    options: EstimateOptions,
    reading: UnitsOptions,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Cross-tables of contests from the margins of their units: R x C ecological inference, all contests jointly.

    The model is CALM's party head with a cell for each row: logits pooled by the parties of row and column, a
    contextual exponent, and overdispersed votes within units. The exponent is an assumption that margins cannot check:
    it is named in the result, and the table is given for others beside it.

    Args:
        units: what `ecological.read` reads: a path, a DataFrame, or a Dataset of units.
        truth: the counted tables, as `ecological.read` takes them. They enter no estimate; they are compared with it.
        progress: called with steps done, steps in all, and what is being done.

    Returns:
        cells(contest, row, column): votes, and share of the row; share_low and share_high(level, ...): intervals of the
        share; bound_low and bound_high: what is certain of the votes (Duncan and Davis 1953); draws(draw, ...): votes;
        unit_cells(unit, row, column): tables of units, which have their margins and add up to `cells`;
        cells_by_context(context, ...); correlation(contest): rho of two voters of a row in a unit;
        pair_logit(row_key, column_key): what is pooled; feature_effect(feature): on the logit, for a standard deviation
        of the feature, and feature_effect_se, its standard error as wide as the draws are.
        Attributes verdict and verdict_reasons: whether it can be relied on, and why not further.
        With truth: truth, error(contest): EI = 50 sum |n - n_hat| / sum n, error_by_context(context); attrs mean_ei,
        coverage_95, coverage_80, width_95, width_80.

    Raises:
        ElectionDataError: units, truth or options that are not valid.

    Example:
        >>> import electjax
        >>> units = electjax.ecological.simulate(contests=3, units=10, rows=3, parties=3, seed=1)
        >>> fit = electjax.ecological.estimate(units, draws=0, contexts=())
        >>> dict(fit["cells"].sizes)
        {'contest': 3, 'row': 3, 'column': 3}
        >>> guess = electjax.ecological.estimate(units, method="independence")
        >>> fit.attrs["mean_ei"] < guess.attrs["mean_ei"]
        True
    """
    data = units_of(units, truth, reading)
    code = encode_units(data, checked=True)
    with double_precision():
        if options.method != "context":
            return decode_baseline(*baseline_tables(code, options.method), data, code, options)
        tables = estimate_tables(code, options, progress=progress)
    result = decode_estimate(tables, data, code, options)
    if tables.stopped:
        at = ", ".join(f"{beta:g}" for beta in tables.stopped)
        warnings.warn(f"the fit did not converge at context {at}: raise max_steps, or check the units", stacklevel=3)
    return result


def units_of(units: Source, truth: Any, reading: UnitsOptions) -> xr.Dataset:
    """Units as they are, or as they are read."""
    given = {each.name: getattr(reading, each.name) for each in fields(reading)}
    return read(units, options=ReadOptions(**given, truth=truth))


def assumed_of(options: ModelOptions, context: float) -> Assumed:
    """What the model assumes."""
    assumed = Assumed(context, np.asarray(options.tau), pair_sd=options.pair_sd, feature_sd=options.feature_sd)
    if not options.pooled:  # the loyalty of a party's voters stays what the prior says, nothing else is expected
        assumed = assumed._replace(tau=(1.0,) * len(KINDS), pair_sd=APART, level_sd=APART)
    if not options.overdispersed:
        assumed = assumed._replace(rho=-20.0, rho_sd=APART, rho_spread=APART)
    return assumed


def estimate_tables(code: Encoded, options: EstimateOptions, *, progress: Progress | None = None) -> Tables:
    """`ecological.estimate` on arrays. In double precision."""
    others = [beta for beta in options.contexts if beta != options.context]  # type: ignore[union-attr]
    need_slope = options.draws > 0 and options.context_sd > 0
    nodes = others or ([options.context + 0.2] if need_slope else [])
    calls = -(-options.draws // DRAWS_A_CALL)
    todo = 2 + len(nodes) + calls

    def tell(done: int, what: str) -> None:
        if progress is not None:
            progress(done, todo, what)

    problem = problem_of(code, options, options.context)
    search = {"tolerance": options.tolerance, "max_steps": options.max_steps}
    tell(0, "fit")
    found = mode(problem, **search)  # type: ignore[arg-type]
    if not np.isfinite(np.asarray(found.eta)).all() or not np.isfinite(found.value):
        expected, mend = "margins of ordinary size", "check them"
        raise data_error("the fit is not finite", where="ecological.estimate", expected=expected, mend=mend)
    near: dict[float, Mode] = {}
    for n, beta in enumerate(nodes):
        tell(1 + n, f"fit at context {beta:g}")
        near[beta] = mode(at_context(problem, beta), found.point, **search)  # type: ignore[arg-type]
    tell(1 + len(nodes), "tables")
    table = unit_tables(found.eta, options.context, problem)
    contest = in_contests(table, problem)
    low, high = (in_contests(x, problem) for x in unit_bounds(code.blocks.rows, code.blocks.columns))
    tables = {b: np.asarray(in_contests(unit_tables(near[b].eta, b, problem), problem)) for b in others}
    draws, shared_sd = np.zeros((0, *contest.shape)), np.zeros(0)
    if options.draws:
        slope = _slope({options.context: found, **near}, options.context)
        known = posterior(found, slope, context_sd=options.context_sd, inflation=options.inflation)
        shared_sd = np.sqrt((np.asarray(known.laplace.root) ** 2).sum(axis=1))
        keys = jax.random.split(jax.random.key(options.seed), calls * DRAWS_A_CALL)
        parts = []
        for n in range(calls):
            tell(2 + len(nodes) + n, "draws")
            some = keys[n * DRAWS_A_CALL : (n + 1) * DRAWS_A_CALL]
            parts.append(np.asarray(draw_tables(some, known, problem, contest, (low, high))))
        draws = np.concatenate(parts)[: options.draws]
    tell(todo, "done")
    bounds = (np.asarray(low), np.asarray(high))
    stopped = [b for b, m in {options.context: found, **near}.items() if not m.converged]
    return Tables(found, np.asarray(table), np.asarray(contest), tables, bounds, draws, stopped, shared_sd)


def problem_of(code: Encoded, options: ModelOptions, context: float) -> Problem:
    """What a fit with these options computes with; without affinity, traits and covariates are not known to it."""
    contests = code.contests
    if not options.affinity:
        contests = contests._replace(features=contests.features[..., :0])
    return posed(code.blocks, contests, assumed_of(options, context), pairs=len(code.pairs))


def _slope(modes: dict[float, Mode], context: float) -> Point:
    """Change of the mode with the context: of the parabola through its neighbours and it, or to the only one."""
    here = modes[context].point
    below = max((b for b in modes if b < context), default=None)
    above = min((b for b in modes if b > context), default=None)
    sides = [(b - context, modes[b].point) for b in (below, above) if b is not None]
    slopes = [jax.tree.map(lambda far, at, by=by: (far - at) / by, point, here) for by, point in sides]
    if not slopes:
        return jax.tree.map(jnp.zeros_like, here)
    # the nearer side counts more
    weight = abs(sides[-1][0]) / sum(abs(by) for by, _ in sides) if len(sides) > 1 else 1.0
    return jax.tree.map(lambda first, last: weight * first + (1 - weight) * last, slopes[0], slopes[-1])


def baseline_tables(code: Encoded, method: str) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The table of a baseline, and the bounds."""
    rows, columns = padded(code)
    own = code.contests
    theta = baselines()[method].shares(rows, columns, own.row_here, own.column_here)
    low, high = contest_bounds(rows, columns)
    return np.asarray(table_of(theta, rows, columns)), (np.asarray(low), np.asarray(high))


def padded(code: Encoded) -> tuple[np.ndarray, np.ndarray]:
    """Margins as [D, U, R] and [D, U, C], with empty units."""
    of = np.asarray(code.blocks.contest)[code.block]
    number = np.bincount(of)
    rank = np.arange(of.size) - np.repeat(np.cumsum(number) - number, number)
    found = []
    for side in (code.blocks.rows, code.blocks.columns):
        values = np.zeros((number.size, number.max(), side.shape[-1]))
        values[of, rank] = np.asarray(side)[code.block, code.place]
        found.append(values)
    return found[0], found[1]
