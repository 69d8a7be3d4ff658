"""What a fit leaves unexplained: whole ballots, and pairs of offices."""

import os
from collections.abc import Iterable

import jax
import numpy as np
import xarray as xr

import electjax
from electjax.data.errors import data_error
from electjax.numerics.host import double_precision
from electjax.voter_types.codec import Encoded, decode_rows
from electjax.voter_types.decode import CONVENTIONS
from electjax.voter_types.em.criteria import count_parameters
from electjax.voter_types.em.mixture import Types
from electjax.voter_types.em.residuals import (
    PairFit,
    Replicates,
    TableFit,
    bootstrap_fit,
    bootstrap_p,
    pair_fit,
    table_fit,
)
from electjax.voter_types.em.rows import lay_out
from electjax.voter_types.verbs.fit import encoded_ballots, types_of

_PAIR = ("office", "office_")
_MEANS = {
    "g2": "likelihood ratio against the saturated model",
    "x2": "Pearson statistic against the saturated model",
    "df": "degrees of freedom of both",
    "g2_p": "p-value by the chi-square distribution",
    "x2_p": "p-value by the chi-square distribution",
    "g2_p_bootstrap": "p-value by the parametric bootstrap",
    "x2_p_bootstrap": "p-value by the parametric bootstrap",
    "sparse": "share of the ballots cast whose expected frequency is below 5",
    "bivariate": "bivariate residual, chi-square per degree of freedom",
    "bivariate_x2": "Pearson statistic of the two-way table",
    "bivariate_df": "its degrees of freedom",
    "bivariate_p": "p-value of the two-way table by the parametric bootstrap",
    "observed": "voters who chose both options",
    "expected": "voters who would choose both, by the fit",
    "profile_expected": "voters with these votes, by the fit",
    "profile_residual": "(observed - expected) / sqrt(expected)",
}


def residuals(
    fit: xr.Dataset,
    ballots: xr.Dataset | str | os.PathLike[str] | Iterable[xr.Dataset],
    *,
    replicates: int = 0,
    seed: int = 0,
) -> xr.Dataset:
    """Compare the ballots with what a fit expects of them.

    Menus, missing votes and covariates are taken as given: voters who share them make a table of their own, within
    which the fit's frequencies are compared with those observed. So G2 and X2 also blame the fit where votes are not
    missing completely at random. Their chi-square distribution holds where expected frequencies are not small, which
    with more than a few offices they are (`sparse`), and never quite for pairs of offices; the bootstrap holds anyway.

    Args:
        fit: what `electjax.voter_types.fit` returned.
        ballots: the ballots it was fitted to.
        replicates: data sets of a parametric bootstrap of the p-values; 0 for none.
        seed: of the bootstrap.

    Returns:
        A Dataset with g2, x2, df and p-values; bivariate(office, office_), the chi-square of two offices' table per
        degree of freedom, which is near 1 where the types explain what the offices have in common; observed and
        expected(office, option, office_, option_); and profile_expected and profile_residual of every unique row.

    Raises:
        ElectionDataError: ballots that do not fit the schema, or offices and covariates that are not those of the fit.
    """
    if replicates < 0:
        raise data_error(
            f"found {replicates}", where="voter_types.residuals(replicates=)", expected="0 or more", mend="correct it"
        )
    types, encoded = fitted_arrays(fit, ballots)
    data = encoded.profiles
    count = count_parameters(data, fit.sizes["type"], common=types.log_mu.shape[1] < data.mask.shape[0])
    drawn = None
    with double_precision():
        table, pairs = table_fit(types, data, lay_out(data), count), pair_fit(types, data)
        if replicates:
            ridge = float(fit.attrs.get("ridge", 0.0))
            drawn = bootstrap_fit(jax.random.key(seed), types, data, replicates=replicates, ridge=ridge)
    found = _decode(encoded, table, pairs)
    if drawn is not None:
        found = found.assign(_decode_replicates(drawn, table, pairs))
    for name, meaning in _MEANS.items():
        if name in found:
            found[name].attrs["long_name"] = meaning
    kept = {name: fit.attrs[name] for name in ("title", "name", "source", "scheme") if name in fit.attrs}
    found.attrs = kept | {
        "conventions": CONVENTIONS,
        "types": fit.sizes["type"],
        "parameters": count,
        "tables": table.tables,
        "seed": seed,
        "replicates": replicates,
        "electjax_version": electjax.__version__,
    }
    return found


def fitted_arrays(
    fit: xr.Dataset, ballots: xr.Dataset | str | os.PathLike[str] | Iterable[xr.Dataset]
) -> tuple[Types, Encoded]:
    """The parameters of a fit, and the ballots with the covariates that it has."""
    terms = [str(term) for term in fit["term"].values[1:]] if "term" in fit.coords else []
    encoded = encoded_ballots(ballots, terms or False)
    with double_precision():
        return types_of(fit, encoded), encoded


def _decode(encoded: Encoded, table: TableFit, pairs: PairFit) -> xr.Dataset:
    data, labels = encoded.profiles, encoded.labels
    options = data.mask.shape[2]
    cells = ("office", "option", "office_", "option_")
    return xr.Dataset(
        {
            "g2": table.g2,
            "x2": table.x2,
            "df": table.df,
            "g2_p": table.p_g2,
            "x2_p": table.p_x2,
            "sparse": table.sparse,
            "bivariate": (_PAIR, pairs.residual),
            "bivariate_x2": (_PAIR, np.where(pairs.df > 0, pairs.x2, np.nan)),
            "bivariate_df": (_PAIR, pairs.df),
            "observed": (cells, pairs.observed),
            "expected": (cells, pairs.expected),
            "profile_expected": ("profile", table.expected),
            "profile_residual": ("profile", table.residual),
            **decode_rows(encoded),
        },
        coords={
            "office": np.array(labels.offices),
            "office_": np.array(labels.offices),
            "option": np.arange(options),
            "option_": np.arange(options),
            "option_label": (("office", "option"), labels.options),
        },
    )


def _decode_replicates(drawn: Replicates, table: TableFit, pairs: PairFit) -> dict[str, object]:
    p = np.where(pairs.df > 0, bootstrap_p(pairs.x2, drawn.pairs), np.nan)
    return {
        "g2_p_bootstrap": bootstrap_p(table.g2, drawn.g2),
        "x2_p_bootstrap": bootstrap_p(table.x2, drawn.x2),
        "bivariate_p": (_PAIR, p),
        "g2_replicate": ("replicate", drawn.g2),
        "x2_replicate": ("replicate", drawn.x2),
        "replicate_converged": ("replicate", drawn.converged),
    }
