"""What the arrays of a fit show to be wrong with it, in words. Host arrays; nothing here changes a result."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np

from electjax.numerics.covariance import FLAT, Covariance, unidentified
from electjax.voter_types.em.mixture import Free, Types, chosen_options, find_free, labels, sample_shares
from electjax.voter_types.em.rows import Profiles
from electjax.voter_types.em.uncertainty import NO_MAXIMUM, voters_of

ALIKE = 1e-4  # largest difference of mu between types that are the same
STEEP = 10.0  # log odds per standard deviation of a covariate that no finite slope explains
SMALL = 0.01  # share below which a type of less than one voter is worth a sentence
SLIGHT = 0.01  # what a probability of 0 may be at most (rule of three) to be no reason for care
NAMED = 6  # how many of a kind a sentence names
COLLINEAR = 1e-8  # part of a column's length that the others leave unexplained


class Names(NamedTuple):
    """What types, offices, options, covariates of voters (the intercept first) and of options are called."""

    types: Sequence[str]
    offices: Sequence[str]
    options: Callable[[int, int], str]  # of an office and an option
    terms: Sequence[str] = ("intercept",)
    features: Sequence[str] = ()


class Finding(NamedTuple):
    """A sentence about a fit, and what it is: a remark that takes nothing from it, or a reason not to rely on it."""

    level: Literal["remark", "with care", "not usable"]
    sentence: str


def diagnose(
    types: Types,
    profiles: Profiles,
    *,
    names: Names,
    covariance: Covariance | None = None,
    free: Free | None = None,
    clusters: int | None = None,
    parameters: int | None = None,
) -> list[Finding]:
    """What a reader of the fit should know; nothing where all is well.

    Args:
        types, profiles: the fit and the data.
        covariance: of the free parameters, for what it says about identification.
        free: the free parameters; as `find_free` finds them by default.
        clusters: how many clusters the standard errors take for independent.
        parameters: how many there are, for what the data can bear.
    """
    free = free or find_free(types, profiles)
    found = _silent(profiles, names)
    if free.log_mu.shape[1] < len(names.offices):
        names = names._replace(offices=["all offices"])
    found += _never(profiles, names)
    found += _types(types, profiles, names, free)
    found += _slopes(types, profiles, names)
    if parameters is not None:
        found += _size(profiles, parameters, clusters)
    if covariance is not None:
        found += _rank(covariance, free, names)
    return found


def _silent(profiles: Profiles, names: Names) -> list[Finding]:
    """Offices that say nothing."""
    silent = np.logical_not(chosen_options(profiles).any(-1, keepdims=True))[:, 0]
    if not silent.any():
        return []
    said = f"Nobody voted in {_pick(names.offices, silent)}: the probabilities there are what the start made them"
    return [Finding("with care", f"{said}; leave the office out.")]


def _never(profiles: Profiles, names: Names) -> list[Finding]:
    """Options that say nothing."""
    shared = len(names.offices) < profiles.mask.shape[0]
    chosen, ever = chosen_options(profiles, shared=shared), profiles.mask.any(1)
    ever = ever.any(0, keepdims=True) if shared else ever
    never = np.argwhere(ever & ~chosen & chosen.any(-1, keepdims=True)).tolist()
    if not never:
        return []
    which = _some(f"{names.offices[j]} {names.options(j, option)}" for j, option in never)
    return [Finding("remark", f"Nobody chose {which}: the probability is 0 in every type and no parameter.")]


def _types(types: Types, profiles: Profiles, names: Names, free: Free) -> list[Finding]:
    """Empty, slight and duplicate types, probabilities at the boundary."""
    shares, mu = sample_shares(types, profiles), np.exp(np.asarray(types.log_mu))
    slight = ~free.empty & (shares < SMALL) & (shares * voters_of(profiles) < 1)
    said = [
        f"Type {names.types[k]} is empty (share {shares[k]:.2g}): the data need fewer types."
        for k in np.flatnonzero(free.empty).tolist()
    ]
    said += [
        f"Type {names.types[k]} holds less than one voter (share {shares[k]:.2g}): its probabilities rest on next to "
        "nothing; fit fewer types."
        for k in np.flatnonzero(slight).tolist()
    ]
    empty = free.empty | slight
    delta = np.asarray(types.delta)
    for a, b in combinations(range(len(mu)), 2):
        apart = np.abs(mu[a] - mu[b]).max()
        if apart < ALIKE and np.abs(delta[a] - delta[b]).max(initial=0.0) < ALIKE and not (empty[a] or empty[b]):
            said.append(
                f"Types {names.types[a]} and {names.types[b]} vote alike (no probability differs by {ALIKE:g}): "
                "they are one type, and how it is divided between them is arbitrary; fit fewer types."
            )
    found = [Finding("not usable", sentence) for sentence in said]
    zero = free.boundary & ~empty[:, None, None]
    if zero.any():
        where = [
            f"type {names.types[k]}, {names.offices[j]}: {names.options(j, option)}"
            for k, j, option in np.argwhere(zero).tolist()
        ]
        fewest = float(shares[zero.any((1, 2))].min()) * voters_of(profiles)
        sentence = (
            f"{_count(len(where), 'probability is', 'probabilities are')} 0 though other types choose the option "
            f"({_some(where, 3, '; ')}): fixed there, without an interval. Read them as up to "
            f"{100 * min(3 / fewest, 1):.1f} %, three of the type's voters."
        )
        found.append(Finding("with care" if 3 / fewest > SLIGHT else "remark", sentence))
    return found


def _slopes(types: Types, profiles: Profiles, names: Names) -> list[Finding]:
    """Covariates that tell types apart all but perfectly."""
    gamma = np.asarray(types.gamma)
    if len(gamma) == 1:
        return []
    size = np.bincount(profiles.group, profiles.weight, len(profiles.design))
    mean = size @ profiles.design / size.sum()
    spread = np.sqrt(size @ (profiles.design - mean) ** 2 / size.sum())
    slope = np.abs(gamma[1:, :, None] - gamma[1:, None, :]) * spread[1:, None, None]
    steep = slope.max(axis=(1, 2)) > STEEP
    flat = spread[1:] <= 1e-12 * (1 + np.abs(mean[1:]))
    found = []
    if steep.any():
        what = _pick(names.terms[1:], steep)
        sentence = (
            f"The types are separated by {what} (log odds change by more than {STEEP:g} per standard deviation): the "
            "slope has no finite maximum, its standard error means nothing; leave the covariate out or pass ridge=."
        )
        found.append(Finding("with care", sentence))
    if flat.any():
        what = _pick(names.terms[1:], flat)
        sentence = f"All voters have the same value of {what}: its slope is not identified; leave the covariate out."
        found.append(Finding("with care", sentence))
    return found


def _size(profiles: Profiles, parameters: int, clusters: int | None) -> list[Finding]:
    """More parameters than the data can bear."""
    rows = int((profiles.weight > 0).sum())
    found = []
    # distinct rows are one more than the numbers that are free to vary
    if parameters >= rows:
        sentence = (
            f"There are {parameters} parameters but only {rows} distinct rows of votes: not all of the parameters are "
            "identified; fit fewer types."
        )
        found.append(Finding("not usable", sentence))
    if clusters is not None and clusters <= parameters:
        sentence = (
            f"There are {clusters} clusters for {parameters} parameters: the standard errors rest on few clusters, and "
            "joint tests of many parameters are impossible; test few at a time."
        )
        found.append(Finding("with care", sentence))
    return found


def _rank(covariance: Covariance, free: Free, names: Names) -> list[Finding]:
    """Directions along which the likelihood is flat, or curves the wrong way."""
    found = []
    if (covariance.eigenvalues < NO_MAXIMUM).any():
        sentence = "The log-likelihood curves upwards in some direction: this is no maximum; raise max_maps=."
        found.append(Finding("not usable", sentence))
    flat = int(((covariance.eigenvalues <= FLAT) & (covariance.eigenvalues >= NO_MAXIMUM)).sum())
    if flat:
        own = labels(free)
        where = list(dict.fromkeys(_place(own[i], names) for i in np.flatnonzero(unidentified(covariance))))
        sentence = (
            f"Not identified: parameters of {_some(where)} ({_count(flat, 'flat direction', 'flat directions')} of the "
            "log-likelihood), which have no standard errors; fit fewer types."
        )
        found.append(Finding("with care", sentence))
    return found


def _place(label: tuple[str, int, int, int], names: Names) -> str:
    """Where a parameter of `labels(free)` belongs."""
    kind, first, second, _ = label
    if kind == "gamma":
        return f"the share of type {names.types[second]}" + (f" by {names.terms[first]}" if first else "")
    if kind == "delta":
        return f"type {names.types[first]} {names.features[second]}"
    return f"type {names.types[first]} {names.offices[second]}"


def check_design(
    mask: np.ndarray, x: np.ndarray, *, common: bool = False, features: Sequence[str] | None = None
) -> list[Finding]:
    """Whether the covariates of options can be told from the intercepts, in words; nothing where they can.

    Within a menu only differences of psi count: a covariate that is the same for all options of every menu does
    nothing, and with free intercepts per office one that does not differ between an office's contexts does not
    either. Its effect can then be estimated with common intercepts only.

    Args:
        mask: [J, S, O] options of each context that somebody met.
        x: [J, S, O, Q] covariates of the options, called `features`.
    """
    columns = x.shape[-1]
    features = features or [str(q + 1) for q in range(columns)]
    offices, contexts, options = mask.shape
    dummy = np.broadcast_to(np.eye(options), (offices, contexts, options, options))
    both = _within(np.concatenate([dummy, x], axis=-1), mask)
    groups = both.reshape(1, -1, options + columns) if common else both.reshape(offices, -1, options + columns)
    left = np.concatenate([_unexplained(part[:, :options], part[:, options:]) for part in groups])
    length = np.linalg.norm(_within(x, mask).reshape(-1, columns), axis=0)
    scaled = left / np.where(length > 0, length, 1.0)
    found = []
    constant = length <= COLLINEAR * (1 + np.linalg.norm(x.reshape(-1, columns), axis=0))
    if constant.any():
        found.append(
            f"{_pick(features, constant)} never differs between the options of a menu: it "
            "cannot change a choice; let it differ by option, or leave it out."
        )
    absorbed = ~constant & (np.linalg.norm(scaled, axis=0) <= COLLINEAR)
    if absorbed.any():
        mend = "leave it out" if common else "share the intercepts between offices (common=True), or leave it out"
        found.append(
            f"{_pick(features, absorbed)} is not identified beside the intercepts of the "
            f"{'options' if common else 'offices'}: {mend}."
        )
    rest = np.flatnonzero(~constant & ~absorbed)
    _, size, axes = np.linalg.svd(
        scaled[:, rest] / np.maximum(np.linalg.norm(scaled[:, rest], axis=0), 1e-300), full_matrices=False
    )
    tied = (np.abs(axes[size <= COLLINEAR * max(1, len(rest))]) > 1e-3).any(0) if len(rest) else np.zeros(0, bool)
    if tied.any():
        which = _pick(features, np.isin(np.arange(columns), rest[tied]))
        found.append(f"{which} are collinear, given the intercepts: leave one of them out.")
    return [Finding("with care", sentence) for sentence in found]


def _within(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Differences from the mean over the options of each menu; 0 off the menu."""
    on = mask[..., None]
    mean = (values * on).sum(2, keepdims=True) / np.maximum(on.sum(2, keepdims=True), 1)
    return np.where(on, values - mean, 0.0)


def _unexplained(basis: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.asarray(values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0])


def _some(names: Iterable[str], most: int = NAMED, comma: str = ", ") -> str:
    """The first few of a list, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return comma.join(names[:most]) + more


def _pick(names: Sequence[str], which: np.ndarray) -> str:
    return _some(name for name, yes in zip(names, which, strict=True) if yes)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
