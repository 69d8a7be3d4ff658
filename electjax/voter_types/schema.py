"""The Datasets of voter types, declared: ballots, and what the verbs make of them.

The codes and menus of ballots are explained in `ballots.py`; every variable says what it is below.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.labels import strings, strings_like
from electjax.data.options import option, options, with_options
from electjax.data.schema import Schema, Variable, arranged, conform
from electjax.data.verdict import ATTRS
from electjax.voter_types.ballots import completed, normalised, place
from electjax.voter_types.options import Invalid, Scheme

_CELL = ("voter", "office")
_OPTION = (("office", "option"), ("option",))
_FEATURE = ("office", "option", "feature")
_MU = ("type", "office", "option")
_NAMED = {"name": "what the ballots are called", "source": "where they come from", "scheme": "what votes are coded to"}

BALLOTS = Schema(
    "ballots",
    {
        "choice": Variable(_CELL, "whole", "option chosen, -1 missing or not on the ballot", "option code", True),
        "menu": Variable(_CELL, "count", "options on the ballot, a number of `available`", "menu code"),
        "available": Variable(
            (("menu_kind", "option"), (*_CELL, "option")), "flag", "whether the option can be chosen"
        ),
        "weight": Variable(("voter",), "number", "survey weight or count of the voter", "voters"),
        "cluster": Variable(("voter",), "key", "sampling cluster", "cluster label"),
        "covariate": Variable(("voter", "term"), "number", "covariate of the voter, no intercept", "of the term"),
        "candidate_covariate": Variable(
            (_FEATURE, ("voter", *_FEATURE)), "number", "covariate of the option", "of the feature"
        ),
        "office_covariate": Variable(("office", "feature"), "number", "covariate of the office", "of the feature"),
        "office": Variable(("office",), "label", "office", coord=True),
        "option_label": Variable(_OPTION, "label", "what the option is called", coord=True),
        "option_party": Variable(("office", "option"), "label", "party of the candidate", coord=True),
        "office_scheme": Variable(("office",), "label", "what votes of the office are coded to", coord=True),
        "row": Variable(("voter",), "whole", "line of the file", coord=True),
    },
    build="voter_types.read or voter_types.dataset",
    attrs=_NAMED | {"top": "the office at the top of the ticket", "notes": "how the source was read"},
    check=completed,
)

# dims, units and meaning of what a fit reports
REPORTED = {
    "pi": (("type",), "1", "share of the type, average over voters"),
    "mu": (_MU, "1", "probability of the option with all of the office's options on the menu"),
    "mu_met": (_MU, "1", "probability of the option, averaged over the menus met"),
    "psi": (_MU, "log odds", "log odds of the option against the office's first"),
    "gamma": (("term", "type"), "log odds", "log odds of membership against the first type"),
    "delta": (("type", "feature"), "log odds", "effect of the covariate on psi"),
}
_REQUIRED = ("pi", "mu", "gamma")
_LABELS = {
    "office": Variable(("office",), "label", "office", coord=True),
    "option_label": Variable(_OPTION, "label", "what the option is called", coord=True),
}
_ROWS = {
    "profile_choice": Variable(("profile", "office"), "whole", "votes of the row, -1 for none", "option code"),
    "profile_menu": Variable(("profile", "office"), "whole", "menu, -1 for no vote", "menu code"),
    "profile_weight": Variable(("profile",), "number", "weight of the voters with this row", "voters", finite=True),
}


def _reported(lead: tuple[str, ...], **ends: str) -> dict[str, Variable]:
    """What is reported, with leading dims, and what is known of its error: suffixes and what they mean."""
    found = {}
    for name, (dims, units, meaning) in REPORTED.items():
        needed = name in _REQUIRED
        found[name] = Variable((*lead, *dims), "number", meaning, units, needed, finite=needed and name != "mu")
        found |= {f"{name}_{end}": Variable(dims, "number", f"{said} of {name}", units) for end, said in ends.items()}
    return found


def _fit_is_whole(ds: xr.Dataset, where: str) -> xr.Dataset:
    """A probability is missing only where the option is on no menu."""
    known = ds["on_menu"].values.astype(bool)
    bad = known & ~np.isfinite(ds["mu"].values)
    if bad.any():
        k, j, option = np.argwhere(bad)[0]
        spot = f"type={ds['type'].values[k].item()}, office={str(ds['office'].values[j])!r}, option={int(option)}"
        raise data_error(
            f"found {ds['mu'].values[k, j, option]}",
            where=f"{where}, mu({spot})",
            expected="a probability of an option that is on some menu",
            mend="fit the ballots again",
        )
    return ds


FIT = Schema(
    "voter types",
    _reported((), se="standard error", low="low end of the interval", high="high end of the interval")
    | {
        "on_menu": Variable(("office", "option"), "flag", "whether the option is on some menu", required=True),
        "at_boundary": Variable(_MU, "flag", "whether the probability is 0 though it need not be"),
        "pi_sample": Variable(("type",), "number", "sample average of pi_i (section 5.1)"),
        "zeta": Variable(("profile", "type"), "number", "probability of the type", finite=True),
        **_ROWS,
        "profile_covariate": Variable(("profile", "term"), "number", "covariates of the row", "of the term"),
        "maxima_log_likelihood": Variable(
            ("maximum",), "number", "local maxima of the (penalised) log-likelihood, best first", "nats"
        ),
        "maxima_starts": Variable(("maximum",), "count", "starts that ended there"),
        "start_log_likelihood": Variable(("start",), "number", "where each start ended", "nats"),
        "start_maps": Variable(("start",), "count", "evaluations of the EM map"),
        "start_converged": Variable(("start",), "flag", "whether EM converged"),
        "trace_log_likelihood": Variable(
            ("iteration",),
            "number",
            "(penalised) log-likelihood after each cycle of the run that led to the best maximum",
            "nats",
        ),
        "theta_name": Variable(("theta",), "label", "free parameter; psi against type and office's likeliest option"),
        "theta_covariance": Variable(("theta", "theta_"), "number", "covariance of the free parameters"),
        **_LABELS,
        "option_party": Variable(("office", "option"), "label", "party of the candidate", coord=True),
        "term": Variable(("term",), "label", "what membership depends on, the intercept first", coord=True),
        "feature": Variable(("feature",), "label", "what psi depends on", coord=True),
    },
    build="voter_types.fit",
    attrs=_NAMED
    | ATTRS
    | {
        "log_likelihood": "observed, without constants",
        "types": "number of types",
        "remarks": "what else is to be known of the fit, as a JSON list of sentences",
    },
    needs=("log_likelihood",),
    check=_fit_is_whole,
)

_BY_TYPES = {
    "log_likelihood": "observed log-likelihood, without constants",
    "parameters": "number of parameters",
    "parameters_free": "number of parameters that did not end at the boundary",
    "aic": "Akaike's criterion",
    "bic": "Schwarz's criterion",
    "sabic": "Schwarz's criterion, adjusted for the size of the sample",
    "caic": "consistent Akaike's criterion",
    "icl": "integrated completed likelihood",
    "awe": "approximate weight of evidence",
    "entropy": "relative entropy, 1 where every voter's type is certain",
    "g2": "likelihood ratio against the saturated model",
    "x2": "Pearson statistic against the saturated model",
    "df": "degrees of freedom of g2 and x2",
    "g2_p": "p-value of g2 by the chi-square distribution",
    "x2_p": "p-value of x2 by the chi-square distribution",
    "bivariate": "largest bivariate residual, chi-square per degree of freedom",
    "smallest_share": "share of the smallest type",
    "starts_at_best": "share of the starts that ended at the best maximum",
    "blrt_ratio": "likelihood ratio against one type less",
    "blrt_p": "its p-value by the parametric bootstrap",
    "blrt_p_se": "Monte Carlo standard error of the p-value",
    "blrt_short": "share of the replicates whose fit fell short of that of one type less",
}
_NEEDED = ("log_likelihood", "parameters", "bic")
SELECTION = Schema(
    "voter types selection",
    {name: Variable(("types",), "number", meaning, required=name in _NEEDED) for name, meaning in _BY_TYPES.items()}
    | {
        "converged": Variable(("types",), "flag", "whether the search converged"),
        "blrt_ratios": Variable(("types", "replicate"), "number", "likelihood ratios of the replicates"),
        "types": Variable(("types",), "count", "number of types", coord=True),
    },
    build="voter_types.select",
    attrs=_NAMED
    | ATTRS
    | {
        "best": "the number of types that each criterion prefers, as JSON",
        "findings": "what is remarkable about each fit, as JSON",
    },
)

_PAIR, _CELLS = ("office", "office_"), ("office", "option", "office_", "option_")
_NUMBERS = {
    "g2": "likelihood ratio against the saturated model",
    "x2": "Pearson statistic against the saturated model",
    "df": "degrees of freedom of both",
    "g2_p": "p-value by the chi-square distribution",
    "x2_p": "p-value by the chi-square distribution",
    "g2_p_bootstrap": "p-value by the parametric bootstrap",
    "x2_p_bootstrap": "p-value by the parametric bootstrap",
    "sparse": "share of the ballots cast whose expected frequency is below 5",
}
RESIDUALS = Schema(
    "voter types residuals",
    {name: Variable((), "number", meaning, required=name in ("g2", "x2", "df")) for name, meaning in _NUMBERS.items()}
    | {
        "bivariate": Variable(_PAIR, "number", "bivariate residual, chi-square per degree of freedom", required=True),
        "bivariate_x2": Variable(_PAIR, "number", "Pearson statistic of the two-way table"),
        "bivariate_df": Variable(_PAIR, "number", "its degrees of freedom"),
        "bivariate_p": Variable(_PAIR, "number", "p-value of the two-way table by the parametric bootstrap"),
        "observed": Variable(_CELLS, "number", "voters who chose both options", "voters"),
        "expected": Variable(_CELLS, "number", "voters who would choose both, by the fit", "voters"),
        "profile_expected": Variable(("profile",), "number", "voters with these votes, by the fit", "voters"),
        "profile_residual": Variable(("profile",), "number", "(observed - expected) / sqrt(expected)"),
        "g2_replicate": Variable(("replicate",), "number", "g2 of the replicate"),
        "x2_replicate": Variable(("replicate",), "number", "x2 of the replicate"),
        "replicate_converged": Variable(("replicate",), "flag", "whether the fit of the replicate converged"),
        **_ROWS,
        **_LABELS,
    },
    build="voter_types.residuals",
    attrs=_NAMED | ATTRS | {"parameters": "number of parameters", "tables": "number of tables"},
)

BOOTSTRAP = Schema(
    "voter types bootstrap",
    _reported(
        ("replicate",),
        se="standard deviation over the replicates",
        low="low quantile over the replicates",
        high="high quantile over the replicates",
    )
    | {
        "log_likelihood": Variable(("replicate",), "number", "log-likelihood of the replicate", "nats", required=True),
        "converged": Variable(("replicate",), "flag", "whether the fit of the replicate converged", required=True),
        **_LABELS,
    },
    build="voter_types.bootstrap",
    attrs=_NAMED | ATTRS | {"kind": "what was drawn", "level": "of the intervals"},
    needs=("level",),
)

PREDICTION = Schema(
    "voter types prediction",
    {
        "zeta": Variable(("voter", "type"), "number", "posterior probability of the type", required=True, finite=True),
        "modal_type": Variable(("voter",), "whole", "likeliest type", required=True),
        "log_likelihood": Variable(("voter",), "number", "log probability of the votes", "nats", required=True),
    },
    build="voter_types.predict",
    attrs=ATTRS,
)

SCHEMAS = (BALLOTS, FIT, SELECTION, RESIDUALS, BOOTSTRAP, PREDICTION)


@options
class ValidateOptions:
    """Options of `voter_types.validate`."""

    invalid: Invalid = option(
        "error",
        "a vote for an option that was not on the ballot: refused, or taken as missing with one warning that counts "
        "such votes",
    )


@with_options
def validate(ballots: xr.Dataset, *, options: ValidateOptions) -> xr.Dataset:
    """Check ballots against their schema and return them with the schema's dims order and dtypes.

    Labels that are not given are added (offices are numbered); the argument itself stays as it is.

    Args:
        ballots: a Dataset with at least `choice(voter, office)`; NaN in it counts as missing, False and True as 0
            and 1.

    Returns:
        A ballots Dataset, whose variables `schema.BALLOTS` declares.

    Raises:
        ElectionDataError: one line that names the voter (row of the file where that is known), the office, what was
            found, what was expected and how to mend it.

    Example:
        >>> import xarray as xr
        >>> from electjax import voter_types
        >>> ballots = voter_types.validate(xr.Dataset({"choice": (("voter", "office"), [[0, 1], [1, 1], [0, 0]])}))
        >>> ballots["office"].values.tolist(), ballots.attrs["scheme"]
        (['office 1', 'office 2'], 'options')
    """
    return checked(ballots, options.invalid)


def checked(ballots: Any, invalid: Invalid = "error") -> xr.Dataset:
    """`validate`, for code of the package."""
    where = place(check_dataset(ballots))
    ds = normalised(arranged(ballots, BALLOTS, where), where)
    return conform(ds, BALLOTS._replace(check=partial(completed, invalid=invalid)))


def check_dataset(ballots: Any) -> xr.Dataset:
    """What is a Dataset, as it is; anything else is refused in one line."""
    if isinstance(ballots, xr.Dataset):
        return ballots
    raise data_error(
        f"found {type(ballots).__name__}",
        where="ballots",
        expected="an xarray Dataset with choice(voter, office)",
        mend="read a file with voter_types.read; of codes make voter_types.dataset(codes)",
    )


def dataset(
    choice: Any,
    *,
    offices: Iterable[object] | None = None,
    options: Sequence[str] | Sequence[Sequence[str]] | None = None,
    menu: Any = None,
    available: Any = None,
    weight: Any = None,
    cluster: Any = None,
    covariates: Any = None,
    terms: Iterable[object] | None = None,
    voters: Iterable[object] | None = None,
    scheme: Scheme | None = None,
    name: str = "ballots",
) -> xr.Dataset:
    """Build ballots from plain arrays; N voters, J offices, O options.

    Args:
        choice: [N, J] codes of the options chosen, 0 to O - 1; -1 or NaN where missing or not on the ballot.
        offices: J labels.
        options: O labels for all offices, or one such list for each office, filled up with "".
        menu: [N, J] which options each ballot offered: 0 to 3 as in section 4.1 of the document, or a row of
            `available`.
        available: [menus, O] whether an option is on a menu; or [N, J, O] without `menu`.
        weight: [N] survey weights or counts of voters.
        cluster: [N] labels of sampling clusters.
        covariates: [N, P] numbers that membership of a type may depend on, without an intercept.
        terms: P labels of the covariates.
        voters: N labels.
        scheme: what votes are coded to: "ticket" (0 abstain, 1 split, 2 straight), "split" (0 straight, 1 split), or
            "options" as they come.
        name: of the ballots.

    Returns:
        A checked ballots Dataset.

    Raises:
        ElectionDataError: as `voter_types.validate`, or an array whose shape is not that of the others.

    Example:
        >>> from electjax import voter_types
        >>> ballots = voter_types.dataset(
        ...     [[2, 1], [0, 2], [-1, 2]], offices=["Senate", "Sheriff"], options=["abstain", "split", "straight"]
        ... )
        >>> dict(ballots.sizes)
        {'voter': 3, 'office': 2, 'option': 3}
    """
    place_of = f"ballots {name!r}"
    codes = np.asarray(choice)
    if codes.ndim != 2:
        raise data_error(f"choice of shape {codes.shape}", where=place_of, expected="[voters, offices]", mend="reshape")
    given: dict[str, tuple[Any, tuple[str, ...]]] = {
        "choice": (codes, _CELL),
        "menu": (menu, _CELL),
        "available": (available, ("menu_kind", "option") if np.ndim(available) == 2 else (*_CELL, "option")),
        "weight": (weight, ("voter",)),
        "cluster": (cluster, ("voter",)),
        "covariate": (covariates, ("voter", "term")),
        "voter": (voters if voters is None else strings(voters), ("voter",)),
        "office": (offices if offices is None else strings(offices), ("office",)),
        "term": (terms if terms is None else strings(terms), ("term",)),
    }
    if options is not None:
        labels = np.array(options)
        given["option_label"] = (strings_like(labels), ("office", "option")[-labels.ndim :])
    ds = xr.Dataset(attrs={"name": name} | ({} if scheme is None else {"scheme": scheme}))
    for key, (values, dims) in given.items():
        if values is None:
            continue
        array = np.asarray(values)
        wanted = [ds.sizes.get(dim, size) for dim, size in zip(dims, array.shape, strict=False)]
        if array.ndim != len(dims) or list(array.shape) != wanted:
            expected = f"[{', '.join(f'{dim} {ds.sizes[dim]}' if dim in ds.sizes else dim for dim in dims)}]"
            raise data_error(f"{key} of shape {array.shape}", where=place_of, expected=expected, mend="check the array")
        ds = (
            ds.assign_coords({key: (dims, array)})
            if key in (*dims, "option_label")
            else ds.assign({key: (dims, array)})
        )
    if covariates is not None and terms is None:
        ds = ds.assign_coords(term=strings(f"term {p + 1}" for p in range(ds.sizes["term"])))
    return checked(ds)
