"""`electjax.ecological.estimate`: cross-tables from the margins of units."""

import json
import warnings
from collections.abc import Callable
from inspect import signature
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.ecological.codec import Encoded, encode_units
from electjax.ecological.decode import decode_baseline, decode_cells
from electjax.ecological.model import baselines
from electjax.ecological.model.bounds import contest_bounds, unit_bounds
from electjax.ecological.model.draws import draw_tables, posterior
from electjax.ecological.model.estimate import Mode, at_context, mode, posed
from electjax.ecological.model.problem import Problem
from electjax.ecological.model.tables import in_contests, unit_tables
from electjax.ecological.settings import Settings, settings_of
from electjax.ecological.verbs.read import Table, read
from electjax.numerics.arrow import Point
from electjax.numerics.host import double_precision

Progress = Callable[[int, int, str], None]
DRAWS_A_CALL = 50
READING = tuple(name for name in signature(read).parameters if name not in ("source", "truth", "merge_below"))
BASELINES: dict[str, Callable[..., Any]] = {
    "goodman": baselines.goodman,
    "least_squares": baselines.constrained,
    "em": baselines.multinomial_em,
    "independence": baselines.independence,
}


class Tables(NamedTuple):
    """What was estimated, without labels.

    Attributes:
        found: the mode at the context assumed.
        units: tables of units, [B, m, R, C].
        contests: their sums, [D, R, C].
        others: tables of contests at other contexts.
        bounds: least and largest counts, [D, R, C] each.
        draws: [S, D, R, C].
        stopped: exponents at which the search ended before it converged.
        shared_sd: standard deviation of the shared parameters in the draws' approximation, [p]; without draws none.
    """

    found: Mode
    units: np.ndarray
    contests: np.ndarray
    others: dict[float, np.ndarray]
    bounds: tuple[np.ndarray, np.ndarray]
    draws: np.ndarray
    stopped: list[float]
    shared_sd: np.ndarray


def estimate(
    units: Table | xr.Dataset,
    truth: Any = None,
    *,
    merge_below: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> xr.Dataset:
    """Cross-tables of contests from the margins of their units: R x C ecological inference, all contests jointly.

    The model is CALM's party head with a cell for each row: logits pooled by the parties of row and column, a
    contextual exponent, and overdispersed votes within units. The exponent is an assumption that margins cannot check:
    it is named in the result, and the table is given for others beside it.

    Args:
        units: what `ecological.read` reads: a path, a DataFrame, or a Dataset of units.
        truth: the counted tables, as `ecological.read` takes them. They enter no estimate; they are compared with it.
        merge_below: options below this share of a contest's votes become one, as in `ecological.read`; 0.03 for tables.
        seed: of the draws.
        progress: called with steps done, steps in all, and what is being done.
        **options: the fields of `electjax.ecological.settings.Settings`, such as method, context, draws; and other
            arguments of `ecological.read`, such as rows, columns, electors, kind.

    Returns:
        cells(contest, row, column): votes, and share of the row; share_low and share_high(level, ...): intervals of the
        share; bound_low and bound_high: what is certain of the votes (Duncan and Davis 1953); draws(draw, ...): votes;
        unit_cells(unit, row, column): tables of units, which have their margins and add up to `cells`;
        cells_by_context(context, ...); correlation(contest): rho of two voters of a row in a unit;
        pair_logit(row_key, column_key): what is pooled; feature_effect(feature): on the logit, for a standard deviation
        of the feature, and feature_effect_se, its standard error as wide as the draws are.
        With truth: truth, error(contest): EI = 50 sum |n - n_hat| / sum n, error_by_context(context); attrs mean_ei,
        coverage_95, coverage_80, width_95, width_80.

    Raises:
        ElectionDataError: units, truth or options that are not valid.
    """
    chosen, reading = parted(options | {"seed": seed})
    settings = settings_of(chosen, READING)
    data = units_of(units, truth, merge_below, reading)
    code = encode_units(data, checked=True)
    with double_precision():
        if settings.method != "context":
            return decode_baseline(*_baseline(code, settings), data, code, settings)
        tables = estimate_tables(code, settings, progress=progress)
    result = decode_cells(tables, data, code, settings)
    if tables.stopped:
        warnings.warn(json.loads(result.attrs["notes"])[-1], stacklevel=2)
    return result


def parted(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the estimate, and those that say how to read the units."""
    reading = {name: value for name, value in options.items() if name in READING}
    return {name: value for name, value in options.items() if name not in READING}, reading


def units_of(units: Table | xr.Dataset, truth: Any, merge_below: float | None, reading: dict[str, Any]) -> xr.Dataset:
    """Units as they are, or as they are read."""
    return read(units, truth=truth, merge_below=merge_below, **reading)


def estimate_tables(code: Encoded, settings: Settings, *, progress: Progress | None = None) -> Tables:
    """`ecological.estimate` on arrays. In double precision."""
    others = [beta for beta in settings.contexts if beta != settings.context] if settings.method == "context" else []
    need_slope = settings.draws > 0 and settings.context_sd > 0
    nodes = others or ([settings.context + 0.2] if need_slope else [])
    calls = -(-settings.draws // DRAWS_A_CALL)
    todo = 2 + len(nodes) + calls

    def tell(done: int, what: str) -> None:
        if progress is not None:
            progress(done, todo, what)

    problem = problem_of(code, settings)
    search = {"tolerance": settings.tolerance, "max_steps": settings.max_steps}
    tell(0, "fit")
    found = mode(problem, **search)  # type: ignore[arg-type]
    if not np.isfinite(np.asarray(found.eta)).all() or not np.isfinite(found.value):
        raise data_error("the fit is not finite", where="units", expected="margins of ordinary size", mend="check them")
    near: dict[float, Mode] = {}
    for n, beta in enumerate(nodes):
        tell(1 + n, f"fit at context {beta:g}")
        near[beta] = mode(at_context(problem, beta), found.point, **search)  # type: ignore[arg-type]
    tell(1 + len(nodes), "tables")
    table = unit_tables(found.eta, settings.context, problem)
    contest = in_contests(table, problem)
    low, high = (in_contests(x, problem) for x in unit_bounds(code.blocks.rows, code.blocks.columns))
    tables = {b: np.asarray(in_contests(unit_tables(near[b].eta, b, problem), problem)) for b in others}
    draws, shared_sd = np.zeros((0, *contest.shape)), np.zeros(0)
    if settings.draws:
        slope = _slope({settings.context: found, **near}, settings.context)
        known = posterior(found, slope, context_sd=settings.context_sd, inflation=settings.inflation)
        shared_sd = np.sqrt((np.asarray(known.laplace.root) ** 2).sum(axis=1))
        keys = jax.random.split(jax.random.key(settings.seed), calls * DRAWS_A_CALL)
        parts = []
        for n in range(calls):
            tell(2 + len(nodes) + n, "draws")
            some = keys[n * DRAWS_A_CALL : (n + 1) * DRAWS_A_CALL]
            parts.append(np.asarray(draw_tables(some, known, problem, contest, (low, high))))
        draws = np.concatenate(parts)[: settings.draws]
    tell(todo, "done")
    bounds = (np.asarray(low), np.asarray(high))
    stopped = [b for b, m in {settings.context: found, **near}.items() if not m.converged]
    return Tables(found, np.asarray(table), np.asarray(contest), tables, bounds, draws, stopped, shared_sd)


def problem_of(code: Encoded, settings: Settings) -> Problem:
    """What a fit with these settings computes with; without affinity, traits and covariates are not known to it."""
    contests = code.contests
    if not settings.affinity:
        contests = contests._replace(features=contests.features[..., :0])
    return posed(code.blocks, contests, settings.assumed(), pairs=len(code.pairs))


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


def _baseline(code: Encoded, settings: Settings) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The table of a baseline, and the bounds."""
    rows, columns = padded(code)
    own = code.contests
    theta = BASELINES[settings.method](rows, columns, own.row_here, own.column_here)
    low, high = contest_bounds(rows, columns)
    return np.asarray(baselines.table_of(theta, rows, columns)), (np.asarray(low), np.asarray(high))


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
