"""From a fit back to voters: who is likely of which type."""

import os

import jax
import numpy as np
import xarray as xr
from jax import Array

from electjax.data.errors import data_error, suggest
from electjax.data.finished import finished
from electjax.data.labels import strings
from electjax.data.progress import Progress
from electjax.data.schema import conform
from electjax.numerics.host import double_precision
from electjax.voter_types.ballots import MISSING, place, voter_place
from electjax.voter_types.codec import INTERCEPT, Encoded, ballot_labels, dummy_column, dummy_of, encode_ballots
from electjax.voter_types.em.mixture import Types, log_joint
from electjax.voter_types.em.rows import DENSE, NOTHING, Profiles, Rows, lay_out
from electjax.voter_types.fitted import Given, known_fit, types_of
from electjax.voter_types.schema import PREDICTION, check_dataset, checked
from electjax.voter_types.verbs.read import read
from electjax.voter_types.verdict import about_prediction, judge_prediction, verdict_on

VOTERS = 1 << 20  # voters whose votes are collapsed at a time


def predict(fit: Given, ballots: Given, *, progress: Progress | None = None) -> xr.Dataset:
    """Posterior probabilities of the types for every voter of these ballots, which need not be those of the fit.

    Menus and covariates are those of the ballots (eqs. 2.4, 5.4, B.3). Offices of the fit that the ballots do not
    have say nothing; neither do votes that are missing.

    Args:
        fit: what `voter_types.fit` returned, or its path.
        ballots: a ballots Dataset, or the path of one for `voter_types.read`, with offices of the fit,
            and the terms that membership depends on there. Their weights do not matter.
        progress: called with voters done, their number, and a line.

    Returns:
        zeta(voter, type), modal_type(voter) and log_likelihood(voter), without constants.

    Raises:
        ElectionDataError: an office, an option or a feature that the fit does not know, or a term that is missing.

    Example:
        >>> from electjax import voter_types
        >>> ballots = voter_types.yuma_like(voters=200).isel(office=[0, 3, 11])
        >>> fit = voter_types.fit(ballots, types=1, restarts=1, covariates=False)
        >>> found = voter_types.predict(fit, ballots.isel(voter=slice(0, 3)))
        >>> found["zeta"].values.tolist(), found["modal_type"].values.tolist()
        ([[1.0], [1.0], [1.0]], [1, 1, 1])
    """
    whole = known_fit(fit)
    ballots = align_ballots(whole, given_ballots(ballots).drop_vars("weight", errors="ignore"))
    fit = whole.sel(office=ballots["office"].values)
    number = ballots.sizes["voter"]
    zeta, height = np.empty((number, fit.sizes["type"])), np.empty(number)
    for start in range(0, number, VOTERS):
        part = slice(start, min(start + VOTERS, number))
        encoded = encode_fitted(fit, ballots.isel(voter=part))
        with double_precision():
            member, fitted = _members(types_of(fit, encoded), encoded.profiles)
        zeta[part], height[part] = member[encoded.inverse], fitted[encoded.inverse]
        if progress:
            progress(part.stop, number, "")
    found = xr.Dataset(
        {
            "zeta": (("voter", "type"), zeta),
            "modal_type": ("voter", fit["type"].values[zeta.argmax(axis=1)]),
            "log_likelihood": ("voter", height),
        },
        coords={
            "type": fit["type"],
            **{name: each for name, each in ballots.coords.items() if each.dims == ("voter",)},
        },
        attrs={"title": ballots.attrs.get("title", "")},
    )
    checked = conform(found, PREDICTION)
    return finished(checked, about=about_prediction(checked), verdict=judge_prediction(checked, verdict_on(whole)))


def given_ballots(ballots: Given) -> xr.Dataset:
    """Ballots as one Dataset, read where a path is given."""
    return read(ballots) if isinstance(ballots, str | os.PathLike) else check_dataset(ballots)


def align_ballots(fit: xr.Dataset, ballots: xr.Dataset) -> xr.Dataset:
    """Checked ballots with the options coded as in the fit, and with the fit's terms as their covariates."""
    ballots = checked(ballots)
    known = [str(office) for office in fit["office"].values]
    for office in ballots["office"].values:
        if str(office) not in known:
            raise data_error(
                f"office {str(office)!r} is not in the fit",
                where=place(ballots),
                expected="offices that the types were fitted to",
                mend=f"{suggest(str(office), known)}; leave it out with ballots.drop_sel(office=...)",
            )
    ballots = _with_options(fit.sel(office=ballots["office"].values), ballots)
    terms = _terms(fit)
    ballots = ballots.drop_dims("term", errors="ignore") if not terms else _with_terms(ballots, terms)
    return ballots


def encode_fitted(fit: xr.Dataset, ballots: xr.Dataset, *, unique: bool = True) -> Encoded:
    """Aligned ballots as arrays, for the fit at their offices; every vote is for an option that the fit knows."""
    encoded = encode_ballots(ballots, None if _terms(fit) else False, unique=unique)
    features = [str(name) for name in fit["feature"].values] if "feature" in fit.coords else []
    if list(encoded.labels.features) != features:
        raise data_error(
            f"covariates of the options are {', '.join(encoded.labels.features) or 'none'}",
            where=place(ballots),
            expected=f"those of the fit: {', '.join(features) or 'none'}",
            mend="give candidate_covariate and office_covariate as for the fit",
        )
    profiles = encoded.profiles
    never = np.isnan(fit["mu"].transpose("type", "office", "option").values[0])
    options = never.shape[1]
    rows, offices = np.nonzero(profiles.code != NOTHING)
    bad = never[offices, profiles.code[rows, offices] % options]
    if bad.any():
        row, office = int(rows[bad.argmax()]), int(offices[bad.argmax()])
        label = encoded.labels.option(office, int(profiles.code[row, office]) % options)
        where, line = voter_place(ballots, int(np.argmax(encoded.inverse == row)))
        raise data_error(
            f"a vote for {label!r}, which was on no menu of the ballots that the types were fitted to",
            where=where,
            row=line,
            column=encoded.labels.offices[office],
            expected="an option whose probability is known",
            mend="take the vote as missing (-1)",
        )
    return encoded


def _members(types: Types, profiles: Profiles) -> tuple[np.ndarray, np.ndarray]:
    """zeta [U, K] and log-likelihood [U] of the rows, so many at a time that their layout is small."""
    rows, cells = len(profiles.code), profiles.mask.size
    size = min(max(DENSE // cells, 64), 1 << (rows - 1).bit_length())
    zeta, height = np.empty((rows, types.gamma.shape[1])), np.empty(rows)
    for start in range(0, rows, size):
        part = slice(start, min(start + size, rows))
        own = part.stop - part.start
        filled = profiles._replace(
            code=np.pad(profiles.code[part], ((0, size - own), (0, 0)), constant_values=NOTHING),
            **{name: np.pad(getattr(profiles, name)[part], (0, size - own)) for name in ("weight", "group")},
        )
        member, fitted = _posterior(types, lay_out(filled, layout="dense"))
        zeta[part], height[part] = np.asarray(member)[:, :own].T, np.asarray(fitted)[:own]
    return zeta, height


@jax.jit
def _posterior(types: Types, rows: Rows) -> tuple[Array, Array]:
    joint = log_joint(types, rows)
    return jax.nn.softmax(joint, axis=0), jax.nn.logsumexp(joint, axis=0)


def _terms(fit: xr.Dataset) -> list[str]:
    """What membership depends on, without the intercept."""
    return [str(term) for term in fit["term"].values if str(term) != INTERCEPT]


def _with_options(fit: xr.Dataset, ballots: xr.Dataset) -> xr.Dataset:
    """Ballots whose options have the codes of the fit, by their labels."""
    own, labels = ballot_labels(ballots).options, _option_labels(fit)
    if own.shape == labels.shape and (own == labels).all():
        return ballots
    code = np.full(own.shape, MISSING)
    for j, option in np.argwhere(own != ""):
        found = np.flatnonzero(labels[j] == own[j, option])
        if len(found):
            code[j, option] = found[0]
            continue
        chosen = bool((ballots["choice"].values[:, j] == option).any())
        if chosen:
            raise data_error(
                f"option {str(own[j, option])!r} is not in the fit",
                where=place(ballots),
                column=str(ballots["office"].values[j]),
                expected=f"one of {', '.join(label for label in labels[j] if label)}",
                mend="recode the ballots as those of the fit were",
            )
    if {"menu", "available", "candidate_covariate"} & set(ballots.variables):
        raise data_error(
            "options are labelled or numbered otherwise than in the fit",
            where=place(ballots),
            expected="the same options in the same order, where ballots have menus",
            mend="recode the ballots as those of the fit were",
        )
    choice = ballots["choice"].values
    new = np.where(choice == MISSING, MISSING, code[np.arange(len(code)), choice])
    return (
        ballots.drop_dims("option")
        .assign(choice=(("voter", "office"), new))
        .assign_coords(option=np.arange(labels.shape[1]), option_label=(("office", "option"), labels))
    )


def _option_labels(fit: xr.Dataset) -> np.ndarray:
    labels = fit["option_label"] if "option_label" in fit.coords else fit["option"]
    full = labels.transpose("office", "option").values if "office" in labels.dims else labels.values
    text = strings(np.ravel(full)).reshape(np.shape(full))
    return np.broadcast_to(text, (fit.sizes["office"], fit.sizes["option"]))


def _with_terms(ballots: xr.Dataset, terms: list[str]) -> xr.Dataset:
    """Ballots with these terms as their covariates, from the covariates and the variables of the voters."""
    own = [str(term) for term in ballots["term"].values] if "covariate" in ballots else []
    columns = []
    for term in terms:
        if term in own:
            columns.append(ballots["covariate"].values[:, own.index(term)])
        elif _is_number(ballots, term):
            columns.append(ballots[term].values.astype(float))
        elif dummy := dummy_of(ballots, term):
            columns.append(dummy_column(ballots, *dummy, terms))
        else:
            raise data_error(
                f"no covariate {term!r}",
                where=place(ballots),
                expected=f"what membership depends on in the fit: {', '.join(terms)}",
                mend=suggest(term, [*own, *(str(name) for name in ballots.coords if name != "voter")] or ["none"]),
            )
    rest = ballots.drop_dims("term", errors="ignore")
    return rest.assign(covariate=(("voter", "term"), np.column_stack(columns))).assign_coords(term=strings(terms))


def _is_number(ballots: xr.Dataset, name: str) -> bool:
    return name in ballots.variables and ballots[name].dims == ("voter",) and ballots[name].dtype.kind in "biuf"
