"""What Datasets of CALM hold, declared once: booths (see `electjax.calm.booths`), fits and what is made of them.

A diagnostic declares its result in its own file.
"""

import json
from importlib import import_module
from typing import Any

import xarray as xr

from electjax.calm.booths import BOOTHS
from electjax.calm.options import diagnostic_names, read_options
from electjax.data.axes import axes_of
from electjax.data.errors import data_error
from electjax.data.schema import Schema, Variable, conform, schema_of
from electjax.data.verdict import ATTRS

LOGIT = "log-odds"
Variables = dict[str, Variable]


def with_errors(variables: Variables, note: str = "standard error") -> Variables:
    """The variables, each with its standard error, `<name>_se`."""
    errors = {f"{n}_se": Variable(v.dims, v.kind, f"{v.meaning}: {note}", v.units) for n, v in variables.items()}
    return variables | errors


def with_ends(variables: Variables) -> Variables:
    """The variables, each with the ends of its interval, `<name>_low` and `<name>_high`."""
    ends = {
        f"{name}_{end}": Variable(v.dims, v.kind, f"{v.meaning}: {end} end of the interval", v.units)
        for name, v in variables.items()
        for end in ("low", "high")
    }
    return variables | ends


def _number(dims: Any, meaning: str, units: str = "1", *, required: bool = False, finite: bool = False) -> Variable:
    return Variable(dims, "number", meaning, units, required, finite=finite)


_ETA = (("axis",), ("party", "axis"))
PARAMETERS: Variables = {
    "alpha": _number((), "intercept of the turnout, alpha_0", LOGIT),
    "beta_T": _number(("feature",), "coefficient in the turnout", LOGIT),
    "gamma": _number(("party",), "party intercept", LOGIT),
    "beta_P": _number(("feature", "party"), "coefficient in the party choice", LOGIT),
    "eta": _number(_ETA, "candidate affinity, per standard deviation of g", LOGIT),
    "eta_raw": _number(_ETA, "candidate affinity, per unit of g", LOGIT),
    "eta_pp": _number(
        _ETA, "average effect of one standard deviation of a party's g on its share", "percentage points"
    ),
    "boost": _number(_ETA, "a full match on the standardised scale, eta (1 - mean) / sd if it has g = 1", LOGIT),
    "eta_constituency": _number(
        ("constituency", "axis"), "candidate affinity of the constituency, per standard deviation of g", LOGIT
    ),
    "tower": _number(("cell_feature", "trait"), "U of the two-tower term x'Uz", LOGIT),
    "xi": _number((), "mobilisation: effect of m_ic on the turnout", LOGIT),
    "effect_T": _number(("constituency",), "constituency effect on the turnout", LOGIT),
    "effect_P": _number(("constituency", "party"), "constituency effect on the party choice", LOGIT),
    "rho_T": _number((), "correlation of two electors of a booth, turnout"),
    "rho_P": _number((), "correlation of two voters of a booth, party choice"),
}
EFFECTS: Variables = {
    "b_T": _number(("booth",), "booth effect on the turnout", LOGIT, finite=True),
    "b_P": _number(("booth", "party"), "booth effect on the party choice", LOGIT, finite=True),
}
_CELL, _SHARE = ("constituency", "cell"), ("booth", "party")
_FIT: Variables = {
    "theta_value": _number(("theta",), "free shared parameters", required=True, finite=True),
    "theta_covariance": _number(("theta", "theta_"), "covariance of theta_value", finite=True),
    **with_errors(PARAMETERS | EFFECTS),
    "identified": Variable(_ETA, "flag", "whether data, not the penalty alone, choose eta"),
    "turnout": _number(_CELL, "turnout of the cell, pi"),
    "choice": _number((*_CELL, "party"), "choice of the cell, theta"),
    "electors": _number(_CELL, "electors of the cell in the training booths", "electors"),
    "fitted_turnout": _number(("booth",), "expected turnout of the booth"),
    "fitted_share": _number(_SHARE, "expected share among the votes of the booth"),
    "observed_turnout": _number(("booth",), "turnout of the booth"),
    "observed_share": _number(_SHARE, "share of the votes of the booth"),
    "booth_electors": _number(("booth",), "electors", "electors"),
    "held_out": Variable(("booth",), "flag", "whether the booth was kept out of the fit"),
    "mobilisation_weight": _number(_SHARE, "w_ik: weight of the party's candidate", finite=True),
    "g_mean": _number(("axis",), "mean of g over the training set", finite=True),
    "g_sd": _number(("axis",), "standard deviation of g over the training set", finite=True),
    "g_projection": _number(("party", "regressor", "axis"), "coefficients of g on the features of cells"),
    "proximity": _number(("axis",), "proximity of adjacent categories, rho_A", finite=True),
    "axis_weight": _number(("axis",), "weight of the axis in the mobilisation", finite=True),
    "covariate_mean": _number(("covariate",), "mean over the training booths", finite=True),
    "covariate_sd": _number(("covariate",), "standard deviation over the training booths", finite=True),
    "trace": _number(("step",), "objective after each step"),
    "booth_constituency": Variable(("booth",), "label", "constituency of the booth", coord=True),
    "cell_category": Variable(("cell", "axis"), "label", "category of the cell", coord=True),
}
_TO_PREDICT = (
    *("fitted_turnout", "fitted_share", "observed_turnout", "booth_electors", "electors", "held_out"),
    *("g_mean", "g_sd", "proximity", "axis_weight", "booth_constituency"),
)


def _check_fit(ds: xr.Dataset, where: str) -> xr.Dataset:
    """Options and axes can be read, and all is there that prediction needs."""
    axes_of(ds.attrs["axes"])
    try:
        options = read_options(str(ds.attrs["options"]))
    except json.JSONDecodeError as error:
        raise data_error(f"options are no JSON: {error}", where=where, expected="JSON", mend="fit again") from None
    effects = ["b_T", "b_P"] if options.design.booth_effects else []
    for name in (*_TO_PREDICT, *effects):
        if name not in ds.variables:
            expected = f"{name}({', '.join(_FIT[name].shapes[0])})"
            raise data_error(f"no {name!r}", where=where, expected=expected, mend="fit again, with calm.fit")
    return ds


FIT = Schema(
    "calm",
    _FIT,
    build="calm.fit",
    attrs={
        "options": "those of calm.fit, as JSON",
        "axes": "the axes as JSON (electjax.data.axes)",
        "objective": "at the minimum (section 5)",
        "log_likelihood": "of the booths' totals, from totals that are met exactly",
        "gradient": "largest slope at the minimum, in units of its curvature",
        "steps": "of the optimiser",
        "converged": "whether it came to an end",
        "integrated": "whether a step integrated booth effects and dispersion out",
        "context": "exponent of the context",
        "validation": "losses of the booths kept out, as JSON",
        "notes": "what is to be known of how the booths were taken, as JSON",
        **ATTRS,
    },
    needs=("options", "axes"),
    check=_check_fit,
)


def _drawn(name: str, variable: Variable) -> Variable:
    shapes = tuple(("replicate", *dims) for dims in variable.shapes)
    return Variable(shapes, variable.kind, variable.meaning, variable.units)


_SPREAD = with_ends(PARAMETERS) | with_errors(PARAMETERS, "standard deviation over the replicates")
BOOTSTRAP = Schema(
    "calm bootstrap",
    {"converged": Variable(("replicate",), "flag", "whether the fit converged", required=True)}
    | {name: v for name, v in _SPREAD.items() if name not in PARAMETERS}
    | {name: _drawn(name, variable) for name, variable in PARAMETERS.items()},
    build="calm.bootstrap",
    attrs={"replicates_converged": "how many", **ATTRS},
    needs=("replicates_converged",),
)

_EXPECTED: Variables = {
    "turnout": _number(("booth",), "expected turnout"),
    "share": _number(_SHARE, "expected share among the votes of the booth"),
    "votes": _number(_SHARE, "expected votes", "votes"),
    "constituency_votes": _number(("constituency", "party"), "expected votes", "votes"),
    "party_votes": _number(("party",), "expected votes of all booths", "votes"),
    "party_share": _number(("party",), "expected share of the votes of all booths"),
}
PREDICTION = Schema(
    "calm prediction",
    with_ends(_EXPECTED)
    | {
        "known": Variable(("booth",), "flag", "whether the booth's own effects were used", required=True),
        "booth_constituency": Variable(("booth",), "label", "constituency of the booth", coord=True),
    },
    build="calm.predict",
    attrs=ATTRS,
)

_WORLD: Variables = {
    "votes": _number(("scenario", "party"), "expected votes", "votes", required=True),
    "seats": _number(
        ("scenario", "party"), "constituencies in which the party is expected to have most votes", "seats"
    ),
    "constituency_votes": _number(("scenario", "constituency", "party"), "expected votes", "votes"),
    "constituency_share": _number(("scenario", "constituency", "party"), "expected share of the votes"),
}
_CHANGE = {
    f"{name}_change": Variable(v.shapes[0][1:], v.kind, f"{v.meaning}: after - before", v.units)
    for name, v in _WORLD.items()
}
COUNTERFACTUAL = Schema(
    "calm counterfactual",
    with_ends(_WORLD | _CHANGE)
    | {
        "seats_mean": _number(("scenario", "party"), "seats, mean over draws of the parameters", "seats"),
        "p_win": _number(
            ("scenario", "constituency", "party"), "share of draws in which the party is expected to have most votes"
        ),
        "winner": Variable(("scenario", "constituency"), "label", "party with most expected votes", required=True),
        "changed": Variable(("constituency", "party"), "flag", "whether another candidate is given", required=True),
    },
    build="calm.counterfactual",
    attrs=ATTRS,
)

POSTERIOR = Schema(
    "calm posterior",
    {
        name: Variable(tuple(("chain", "draw", *dims) for dims in v.shapes), v.kind, v.meaning, v.units)
        for name, v in (PARAMETERS | EFFECTS).items()
    },
    build="calm.nuts",
    attrs={"reliable": "whether R-hat, effective draws and transitions are good", **ATTRS},
    needs=("reliable", "options", "axes"),
)


def schemas() -> list[Schema]:
    """Every kind of Dataset there is; those of the diagnostics are `SCHEMA` in their files."""
    own = [BOOTHS, FIT, BOOTSTRAP, PREDICTION, COUNTERFACTUAL, POSTERIOR]
    return own + [import_module(f"electjax.calm.diagnostics.{name}").SCHEMA for name in diagnostic_names()]


def validate(data: xr.Dataset) -> xr.Dataset:
    """Check booths, or a result of this wing, against their schema.

    What follows from the rest is added to booths where it is missing: `electors` and `polled` as sums, `fielded`
    (everywhere), `candidate_value` (unknown), labels of cells, the default `axes`.

    Args:
        data: booths, or what a verb of `electjax.calm` returned.

    Returns:
        A copy with the schema's dims order, dtypes and units.

    Raises:
        ElectionDataError: one line that names the variable, the coordinate, what was found, what was expected and how
            to mend it.

    Example:
        >>> import electjax
        >>> booths = electjax.calm.simulate("tiny")
        >>> dict(electjax.calm.validate(booths.drop_vars("polled")).polled.sizes)
        {'booth': 40}
    """
    told = data.attrs.get("conventions", BOOTHS.conventions) if isinstance(data, xr.Dataset) else BOOTHS.conventions
    if told == BOOTHS.conventions:
        return conform(data, BOOTHS)
    return conform(data, schema_of(data, schemas()) or BOOTHS)
