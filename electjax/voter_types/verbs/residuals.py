"""What a fit leaves unexplained: whole ballots, and pairs of offices."""

import jax
import numpy as np
import xarray as xr

from electjax.data.finished import finished
from electjax.data.options import with_options
from electjax.data.schema import conform
from electjax.numerics.host import double_precision
from electjax.voter_types.codec import Encoded, decode_rows
from electjax.voter_types.em.mixture import count_parameters
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
from electjax.voter_types.fitted import Ballots, Given, fitted_arrays, kept_attrs, known_fit
from electjax.voter_types.options import ResidualOptions
from electjax.voter_types.schema import RESIDUALS
from electjax.voter_types.verdict import about_residuals, judge_residuals, verdict_on

_PAIR = ("office", "office_")


@with_options
def residuals(fit: Given, ballots: Ballots, *, options: ResidualOptions) -> xr.Dataset:
    """Compare the ballots with what a fit expects of them.

    Menus, missing votes and covariates are taken as given: voters who share them make a table of their own, within
    which the fit's frequencies are compared with those observed. So G2 and X2 also blame the fit where votes are not
    missing completely at random. Their chi-square distribution holds where expected frequencies are not small, which
    with more than a few offices they are (`sparse`), and never quite for pairs of offices; the bootstrap holds anyway.

    Args:
        fit: what `voter_types.fit` returned, or its path.
        ballots: the ballots it was fitted to.

    Returns:
        A Dataset with g2, x2, df and p-values; bivariate(office, office_), the chi-square of two offices' table per
        degree of freedom, which is near 1 where the types explain what the offices have in common; observed and
        expected(office, option, office_, option_); and profile_expected and profile_residual of every unique row.

    Raises:
        ElectionDataError: ballots that do not fit the schema, or offices and covariates that are not those of the fit.

    Example:
        >>> from electjax import voter_types
        >>> ballots = voter_types.yuma_like(voters=200).isel(office=[0, 3, 11])
        >>> fit = voter_types.fit(ballots, types=1, restarts=1, covariates=False)
        >>> found = voter_types.residuals(fit, ballots)
        >>> bool(found["bivariate"].sel(office="US Senate", office_="County Attorney") > 1)
        True
    """
    fit = known_fit(fit)
    types, encoded = fitted_arrays(fit, ballots)
    data = encoded.profiles
    count = count_parameters(data, fit.sizes["type"], common=types.log_mu.shape[1] < data.mask.shape[0])
    drawn = None
    with double_precision():
        table, pairs = table_fit(types, data, lay_out(data), count), pair_fit(types, data)
        if options.replicates:
            ridge = float(fit.attrs.get("ridge", 0.0))
            key = jax.random.key(options.seed)
            drawn = bootstrap_fit(key, types, data, replicates=options.replicates, ridge=ridge)
    found = _decode(encoded, table, pairs)
    if drawn is not None:
        found = found.assign(_decode_replicates(drawn, table, pairs))
    found.attrs = kept_attrs(fit.attrs) | {
        "types": fit.sizes["type"],
        "parameters": count,
        "tables": table.tables,
        "seed": options.seed,
        "replicates": options.replicates,
    }
    checked = conform(found, RESIDUALS)
    return finished(checked, about=about_residuals(checked), verdict=judge_residuals(checked, verdict_on(fit)))


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
