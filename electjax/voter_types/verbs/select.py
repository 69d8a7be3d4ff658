"""How many types: several numbers of them fitted, and what speaks for each."""

import json
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.finished import finished
from electjax.data.options import with_options
from electjax.data.progress import Progress, silent
from electjax.data.schema import conform
from electjax.numerics.host import double_precision
from electjax.voter_types.em.bootstrap import RatioTest, ratio_test
from electjax.voter_types.em.mixture import Criteria, count_parameters, criteria, disorder, find_free, sample_shares
from electjax.voter_types.em.mixture import labels as free_labels
from electjax.voter_types.em.residuals import pair_fit, table_fit
from electjax.voter_types.fitted import Ballots, Fitted, encoded_ballots, fit_arrays, kept_attrs, whole_ballots
from electjax.voter_types.options import SelectOptions
from electjax.voter_types.schema import SELECTION
from electjax.voter_types.verdict import about_selection, judge_selection

_disorder = jax.jit(disorder)


@with_options
def select(
    ballots: Ballots,
    types: Sequence[int] | int = range(1, 7),
    *,
    progress: Progress | None = None,
    options: SelectOptions,
) -> xr.Dataset:
    """Fit several numbers of types, and say what speaks for each.

    The likelihood-ratio test compares each number with one less, if that was fitted too. Its data sets are drawn at
    the voters' own menus and covariates, their missing votes stay missing, and weights that are no counts go with
    their rows: the test then takes the weights, but not the design behind them, into account.

    Args:
        ballots: as for `voter_types.fit`.
        types: numbers of types.
        progress: called with what is done, what there is to do, and a line.

    Returns:
        A Dataset over `types` with log_likelihood, parameters, aic, bic, sabic, caic, icl, awe, entropy; g2, x2, df
        and their p-values (see `voter_types.residuals`); the largest bivariate residual; and with the test
        blrt_ratio, blrt_p, blrt_p_se, blrt_short and blrt_ratios(types, replicate). The attribute `best` names the
        number of types that each criterion prefers, `findings` what is remarkable about each fit.

    Raises:
        ElectionDataError: ballots that do not fit the schema, an argument out of range.

    Example:
        >>> from electjax import voter_types
        >>> ballots = voter_types.yuma_like(voters=200).isel(office=[0, 3, 11])
        >>> found = voter_types.select(ballots, [1, 2], restarts=2, covariates=False)
        >>> found["parameters"].values.tolist()
        [6, 13]
    """
    numbers = sorted({types} if isinstance(types, int) else set(types))
    if not numbers or not all(isinstance(number, int | np.integer) and number >= 1 for number in numbers):
        raise data_error(
            f"found {numbers}", where="voter_types.select(types=)", expected="numbers of at least 1", mend="correct it"
        )
    tests = [number for number in numbers if options.blrt and number - 1 in numbers]
    total, say = len(numbers) + len(tests), progress or silent("")
    ballots = whole_ballots(ballots)
    encoded = encoded_ballots(ballots, options.covariates)
    source = ballots if isinstance(ballots, xr.Dataset) else None
    fits: dict[int, Fitted] = {}
    columns: list[dict[str, float]] = []
    for number in numbers:
        say(len(fits), total, _said(number))
        fits[number] = fit_arrays(encoded, source, types=number, options=options)
        columns.append(_column(fits[number], number))
    found = xr.Dataset(
        {name: ("types", np.array([column[name] for column in columns])) for name in columns[0]},
        coords={"types": numbers},
    )
    if options.blrt:
        ratios = {}
        for done, number in enumerate(tests):
            say(len(fits) + done, total, f"likelihood-ratio test of {_said(number)}")
            ratios[number] = _test(fits[number - 1], fits[number], number, options)
        found = found.assign(_decode_tests(ratios, numbers, options.blrt))
    say(total, total, "")
    best = {name: int(found["types"].values[found[name].values.argmin()]) for name in Criteria._fields[:-1]}
    found.attrs = kept_attrs(encoded.attrs) | {
        "best": json.dumps(best),
        "findings": json.dumps(
            {number: [found.sentence for found in fits[number].findings] for number in numbers}, ensure_ascii=False
        ),
        "voters": float(encoded.profiles.weight.sum()),
        "rows": len(encoded.profiles.code),
        "seed": options.seed,
        "restarts": options.restarts,
        "blrt": options.blrt,
    }
    checked = conform(found, SELECTION)
    return finished(checked, about=about_selection(checked), verdict=judge_selection(checked))


def _column(fitted: Fitted, number: int) -> dict[str, float]:
    """What speaks for and against one fit."""
    data, found = fitted.encoded.profiles, fitted.estimate
    count = count_parameters(data, number, common=found.types.log_mu.shape[1] < data.mask.shape[0])
    with double_precision():
        unsure = float(_disorder(found.types, fitted.rows)) if number > 1 else 0.0
        table, pairs = table_fit(found.types, data, fitted.rows, count), pair_fit(found.types, data)
    free = find_free(found.types, data)
    reached = found.runs.objective > found.objective - 1e-6 * abs(found.objective)
    return {
        "log_likelihood": found.log_likelihood,
        "parameters": count,
        "parameters_free": len(free_labels(free)),
        **criteria(found.log_likelihood, count, float(data.weight.sum()), unsure, number)._asdict(),
        "g2": table.g2,
        "x2": table.x2,
        "df": table.df,
        "g2_p": table.p_g2,
        "x2_p": table.p_x2,
        "bivariate": float(np.nanmax(pairs.residual)) if np.isfinite(pairs.residual).any() else np.nan,
        "smallest_share": float(sample_shares(found.types, data).min()),
        "starts_at_best": float(np.mean(reached)),
        "converged": bool(found.converged),
    }


def _test(few: Fitted, many: Fitted, number: int, options: SelectOptions) -> RatioTest:
    with double_precision():
        return ratio_test(
            jax.random.fold_in(jax.random.key(options.seed), number),
            few.estimate.types,
            many.estimate.types,
            few.encoded.profiles,
            2 * (many.estimate.objective - few.estimate.objective),
            replicates=options.blrt,
            starts=options.blrt_starts,
            ridge=options.ridge,
        )


def _decode_tests(tests: dict[int, RatioTest], numbers: Sequence[int], replicates: int) -> dict[str, Any]:
    """Not a number where there was no test."""
    names = {"blrt_ratio": "ratio", "blrt_p": "p", "blrt_p_se": "p_se", "blrt_short": "short"}
    values: dict[str, Any] = {
        name: ("types", np.array([getattr(tests[n], own) if n in tests else np.nan for n in numbers]))
        for name, own in names.items()
    }
    blank = np.full(replicates, np.nan)
    ratios = np.stack([tests[n].ratios if n in tests else blank for n in numbers])
    return values | {"blrt_ratios": (("types", "replicate"), ratios)}


def _said(number: int) -> str:
    return f"{number} type{'s' if number > 1 else ''}"
