"""How many types: fits of several numbers of types beside each other."""

import inspect
import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr

import electjax
from electjax.data.errors import data_error
from electjax.numerics.host import double_precision
from electjax.voter_types.decode import CONVENTIONS
from electjax.voter_types.em.blrt import RatioTest, ratio_test
from electjax.voter_types.em.criteria import Criteria, count_parameters, criteria, disorder
from electjax.voter_types.em.free import find_free
from electjax.voter_types.em.free import labels as free_labels
from electjax.voter_types.em.matching import sample_shares
from electjax.voter_types.em.residuals import pair_fit, table_fit
from electjax.voter_types.verbs.fit import Fitted, encoded_ballots, fit_arrays

_disorder = jax.jit(disorder)
_MEANS = {
    "log_likelihood": "observed log-likelihood, without constants",
    "parameters": "number of parameters",
    "parameters_free": "number of parameters that did not end at the boundary",
    "entropy": "relative entropy, 1 where every voter's type is certain",
    "g2": "likelihood ratio against the saturated model",
    "x2": "Pearson statistic against the saturated model",
    "df": "degrees of freedom of g2 and x2",
    "g2_p": "p-value of g2 by the chi-square distribution",
    "x2_p": "p-value of x2 by the chi-square distribution",
    "bivariate": "largest bivariate residual, chi-square per degree of freedom",
    "smallest_share": "share of the smallest type",
    "starts_at_best": "share of the starts that ended at the best maximum",
    "converged": "whether the search converged",
    "blrt_ratio": "likelihood ratio against one type less",
    "blrt_p": "its p-value by the parametric bootstrap",
    "blrt_p_se": "Monte Carlo standard error of the p-value",
    "blrt_short": "share of the replicates whose fit fell short of that of one type less",
    "blrt_ratios": "likelihood ratios of the replicates",
}


def select(
    ballots: xr.Dataset | str | os.PathLike[str] | Iterable[xr.Dataset],
    types: Sequence[int] | int = range(1, 7),
    restarts: int = 100,
    seed: int = 0,
    covariates: Sequence[str] | bool | None = None,
    *,
    blrt: int = 0,
    blrt_starts: int = 10,
    progress: Callable[[int, int, str], None] | None = None,
    **options: Any,
) -> xr.Dataset:
    """Fit several numbers of types, and say what speaks for each.

    The likelihood-ratio test compares each number with one less, if that was fitted too. Its data sets are drawn at
    the voters' own menus and covariates, their missing votes stay missing, and weights that are no counts go with
    their rows: the test then takes the weights, but not the design behind them, into account.

    Args:
        ballots: as for `electjax.voter_types.fit`.
        types: numbers of types.
        restarts: number of starts of each fit.
        seed: the same seed gives the same result.
        covariates: as for `electjax.voter_types.fit`.
        blrt: number of data sets of the bootstrap likelihood-ratio test of each number of types; 0 for none.
        blrt_starts: starts of each fit there; too few make the p-values too small.
        progress: called with what is done, what there is to do, and a line.
        **options: further arguments of `voter_types.fit` for the search (start, tolerance, ridge, common, ...).

    Returns:
        A Dataset over `types` with log_likelihood, parameters, aic, bic, sabic, caic, icl, awe, entropy; g2, x2, df
        and their p-values (see `electjax.voter_types.residuals`); the largest bivariate residual; and with the test
        blrt_ratio, blrt_p, blrt_p_se, blrt_short and blrt_ratios(types, replicate). The attribute `best` names the
        number of types that each criterion prefers, `warnings` what was remarkable about each fit.

    Raises:
        ElectionDataError: ballots that do not fit the schema, an argument out of range.
    """
    numbers = sorted({types} if isinstance(types, int) else set(types))
    _check(numbers, blrt, blrt_starts, options)
    tests = [number for number in numbers if blrt and number - 1 in numbers]
    total = len(numbers) + len(tests)
    say = progress or (lambda done, total, text: None)
    encoded = encoded_ballots(ballots, covariates)
    source = ballots if isinstance(ballots, xr.Dataset) else None
    fits: dict[int, Fitted] = {}
    columns: list[dict[str, float]] = []
    for number in numbers:
        say(len(fits), total, _said(number))
        search = {"restarts": restarts, "seed": seed, **options, "errors": "none"}
        fits[number] = fit_arrays(encoded, source, types=number, **search)
        columns.append(_column(fits[number], number))
    found = xr.Dataset(
        {name: ("types", np.array([column[name] for column in columns])) for name in columns[0]},
        coords={"types": numbers},
    )
    if blrt:
        ratios = {}
        for done, number in enumerate(tests):
            say(len(fits) + done, total, f"likelihood-ratio test of {_said(number)}")
            ratios[number] = _test(fits[number - 1], fits[number], seed, number, blrt, blrt_starts, options)
        found = found.assign(_decode_tests(ratios, numbers, blrt))
    for name, meaning in _MEANS.items():
        if name in found:
            found[name].attrs["long_name"] = meaning
    say(total, total, "")
    best = {name: int(found["types"].values[found[name].values.argmin()]) for name in Criteria._fields[:-1]}
    kept = {name: encoded.attrs[name] for name in ("title", "name", "source", "scheme") if encoded.attrs.get(name)}
    found.attrs = kept | {
        "conventions": CONVENTIONS,
        "best": json.dumps(best),
        "warnings": json.dumps({number: fits[number].notes for number in numbers}),
        "voters": float(encoded.profiles.weight.sum()),
        "rows": len(encoded.profiles.code),
        "seed": seed,
        "restarts": restarts,
        "blrt": blrt,
        "electjax_version": electjax.__version__,
    }
    return found


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


def _test(
    few: Fitted, many: Fitted, seed: int, number: int, replicates: int, starts: int, options: dict[str, Any]
) -> RatioTest:
    with double_precision():
        return ratio_test(
            jax.random.fold_in(jax.random.key(seed), number),
            few.estimate.types,
            many.estimate.types,
            few.encoded.profiles,
            2 * (many.estimate.objective - few.estimate.objective),
            replicates=replicates,
            starts=starts,
            ridge=options.get("ridge", 0.0),
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


def _check(numbers: Sequence[int], blrt: int, starts: int, options: dict[str, Any]) -> None:
    own = ("encoded", "ballots", "types", "restarts", "seed", "errors", "progress")
    known = [name for name in inspect.signature(fit_arrays).parameters if name not in own]
    for name in options:
        if name not in (*known, "errors"):  # no standard errors are computed
            raise data_error(
                f"no argument {name!r}",
                where="voter_types.select",
                expected=f"its own, or of the search: {', '.join(known)}",
                mend="leave it out, or correct its name",
            )
    for name, value, good, expected in (
        ("types", list(numbers), bool(numbers) and min(numbers, default=0) >= 1, "numbers of at least 1"),
        ("blrt", blrt, blrt >= 0, "0 or more"),
        ("blrt_starts", starts, starts >= 2, "at least 2"),
    ):
        if not good:
            raise data_error(
                f"found {value}", where=f"voter_types.select({name}=)", expected=expected, mend="correct it"
            )
