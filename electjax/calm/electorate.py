"""Booths, cells and candidates as they might be, before anybody votes."""

from collections.abc import Sequence

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from scipy.special import ndtr, ndtri

from electjax.calm.booths import dataset
from electjax.data.axes import Axis, codes_of, every_cell, gate_of
from electjax.numerics.host import host_generator

ELECTORS, SPREAD = 1080, 230.0  # of a booth, about, with their sd
PULL = 0.5  # how candidates follow the composition, see `_candidates`
LEAN = 0.4  # sd of a party's log-odds for candidates of a category

# How frequent categories are among electors, roughly Delhi's; those not listed are drawn.
PEOPLE: dict[str, dict[str, float]] = {
    "age": {"18-25": 0.14, "26-35": 0.26, "36-45": 0.23, "46-60": 0.24, "61-75": 0.11, "76+": 0.02},
    "religion": {"Hindu": 0.8, "Muslim": 0.13, "Sikh": 0.035, "Christian": 0.01, "Jain": 0.015, "Other": 0.01},
    "caste": {"General": 0.42, "OBC": 0.32, "SC": 0.2, "ST": 0.01, "Other": 0.05},
    "income": {"Low": 0.42, "Middle": 0.43, "High": 0.15},
}
# The same among candidates, where it is far from that.
CANDIDATES: dict[str, dict[str, float]] = {
    "age": {"18-25": 0.01, "26-35": 0.09, "36-45": 0.25, "46-60": 0.43, "61-75": 0.2, "76+": 0.02},
    "income": {"Low": 0.1, "Middle": 0.5, "High": 0.4},
}
# Dirichlet concentration of a constituency around the whole, and of a booth around its constituency. Rolls show
# religions to be far more segregated than ages.
GATHERED = {"age": (80.0, 26.0)}
SEGREGATED = (12.0, 4.0)


def draw_electorate(
    key: jax.Array,
    axes: Sequence[Axis],
    parties: Sequence[str],
    *,
    constituencies: int,
    booths: int | None,
    election: xr.Dataset | None = None,
    unknown: float = 0.0,
    absent: float = 0.0,
) -> xr.Dataset:
    """A booths Dataset without votes.

    Args:
        constituencies, booths: how many, and booths in each; by default one for some 1,080 electors.
        election: whose constituencies and electors they are, and whose parties stand where they got votes.
        unknown, absent: options of `calm.simulate`.
    """
    keys = iter(jax.random.split(key, 8 + 2 * len(axes)))
    if election is None:
        names = [f"C{a + 1:02d}" for a in range(constituencies)]
        totals: list[int | None] = [None] * len(names)
        number = [booths or 1] * len(names)
    else:
        names = [str(name) for name in election["district"].values]
        totals = [int(value) for value in election["electors"].values]
        number = [booths or max(1, round(int(total) / ELECTORS)) for total in election["electors"].values]
    each = jax.random.split(next(keys), len(names))
    electors = np.concatenate(
        [draw_electors(k, n, total=total) for k, n, total in zip(each, number, totals, strict=True)]
    )
    area = np.repeat(np.arange(len(names)), number)

    labels = every_cell(axes)
    codes = codes_of(labels, axes)
    overall = [_people(next(keys), axis) for axis in axes]
    mix = np.exp(host_generator(next(keys)).normal(0.0, 0.25, len(codes)))
    for d, people in enumerate(overall):
        mix = mix * np.where(codes[:, d] >= 0, people[np.maximum(codes[:, d], 0)], 1.0)
    local, tilts = [], []
    for axis, people in zip(axes, overall, strict=True):
        of_area, of_booth = GATHERED.get(axis.name, SEGREGATED)
        first, second = jax.random.split(next(keys))
        own = draw_shares(first, np.repeat(people[None], len(names), axis=0), of_area)
        local.append(own / people)
        tilts.append(draw_shares(second, own[area], of_booth) / people)
    sizes = draw_cells(next(keys), electors, mix / mix.sum(), codes, tilts)

    fielded = _fielded(next(keys), election, len(names), len(parties), absent)
    traits, values = _candidates(next(keys), axes, overall, local, fielded, unknown)
    return dataset(
        cell_size=sizes,
        votes=np.zeros((len(area), len(parties)), np.int64),
        cell_category=labels,
        candidate_category=traits,
        candidate_value=values,
        fielded=fielded,
        covariates=_covariates(next(keys), _riches(axes, codes, sizes)),
        booths=[f"{names[a]} {i + 1:03d}" for a, n in enumerate(number) for i in range(n)],
        booth_constituency=np.array(names)[area],
        constituencies=names,
        parties=parties,
        axes=axes,
        name="generated" if election is None else f"generated as {election.attrs['name']}",
        source="electjax.calm.simulate",
    )


def _people(key: jax.Array, axis: Axis) -> np.ndarray:
    """How frequent the categories of an axis are: roughly as in Delhi where that is known, otherwise drawn."""
    known = PEOPLE.get(axis.name, {})
    if axis.categories and all(label in known for label in axis.categories):
        people = np.array([known[label] for label in axis.categories])
        return people / people.sum()
    return host_generator(key).dirichlet(np.full(max(len(axis.categories), 1), 5.0))


def _fielded(key: jax.Array, election: xr.Dataset | None, areas: int, parties: int, absent: float) -> np.ndarray:
    if election is not None:
        return np.asarray(election["votes"].values > 0)
    draws = host_generator(key).random((areas, parties))
    two_least_absent = np.argsort(np.argsort(-draws, axis=1), axis=1) < 2
    return np.asarray((draws >= absent) | two_least_absent)


def _candidates(
    key: jax.Array,
    axes: Sequence[Axis],
    overall: Sequence[np.ndarray],
    local: Sequence[np.ndarray],
    fielded: np.ndarray,
    unknown: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Traits of the candidates, categories [a, k, d] and values of scalar axes [a, k, d].

    A category r times as frequent in the constituency as in the whole is r^0.5 times as likely; a party's own lean to
    categories multiplies that. Where candidates are not listed to be different from electors, a quarter of them is
    drawn from all categories alike.
    """
    rng = host_generator(key)
    shape = (*fielded.shape, len(axes))
    codes, values = np.full(shape, -1), np.full(shape, np.nan)
    for d, (axis, people, own) in enumerate(zip(axes, overall, local, strict=True)):
        if not axis.categories:
            values[..., d] = np.where(fielded, rng.normal(size=fielded.shape), np.nan)
            continue
        table = CANDIDATES.get(axis.name, {})
        level = 0.75 * people + 0.25 / len(people)
        if all(label in table for label in axis.categories):
            level = np.array([table[label] for label in axis.categories])
        lean = rng.normal(0.0, LEAN, (fielded.shape[1], len(people)))
        chance = level * np.maximum(own, 1e-3)[:, None] ** PULL * np.exp(lean)
        bounds = np.cumsum(chance / chance.sum(axis=-1, keepdims=True), axis=-1)[..., :-1]
        codes[..., d] = np.where(fielded, (rng.random(fielded.shape)[..., None] >= bounds).sum(axis=-1), -1)
    codes = np.where(gate_of(codes, axes), codes, -1)
    hidden = rng.random(shape) < unknown
    labels = np.full(shape, "", dtype=f"<U{max([len(c) for axis in axes for c in axis.categories] + [1])}")
    for d, axis in enumerate(axes):
        if axis.categories:
            labels[..., d] = np.array([*axis.categories, ""])[np.where(hidden[..., d], -1, codes[..., d])]
    return labels, np.where(hidden, np.nan, values)


def _riches(axes: Sequence[Axis], codes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Mean place of a booth's electors on the axis income, from 0 to 1; 0.5 without such an axis."""
    place = {axis.name: d for d, axis in enumerate(axes)}.get("income")
    if place is None or len(axes[place].categories) < 2:
        return np.full(len(sizes), 0.5)
    return np.asarray(sizes @ (codes[:, place] / (len(axes[place].categories) - 1)) / sizes.sum(axis=1))


def _covariates(key: jax.Array, riches: np.ndarray) -> dict[str, np.ndarray]:
    """Land rate (rupees per square metre, higher where people are rich) and men per woman."""
    rng = host_generator(key)
    land = np.round(np.exp(10.0 + 1.5 * riches + rng.normal(0.0, 0.3, len(riches))), -2)
    return {"land_rate": land, "mf_ratio": np.round(np.exp(rng.normal(np.log(1.2), 0.08, len(riches))), 3)}


def draw_electors(key: jax.Array, number: int, *, total: int | None = None) -> Int[np.ndarray, " i"]:
    """Electors of the booths of a constituency, from 300 to 1,600, or a bit more or less to add up to `total`."""
    least, most = ndtr((np.array([300.0, 1600.0]) - ELECTORS) / SPREAD)
    sizes = ELECTORS + SPREAD * ndtri(host_generator(key).uniform(least, most, number))
    if total is None:
        return np.rint(sizes).astype(np.int64)
    bounds = np.rint(np.cumsum(sizes) * (total / sizes.sum())).astype(np.int64)
    return np.diff(bounds, prepend=0)


def draw_shares(key: jax.Array, shares: Float[np.ndarray, "*n l"], concentration: float) -> Float[np.ndarray, "*n l"]:
    """Dirichlet shares around given ones: the larger the concentration, the nearer."""
    gamma = host_generator(key).standard_gamma(concentration * shares)
    total = gamma.sum(axis=-1, keepdims=True)
    return np.where(total > 0, gamma / np.where(total > 0, total, 1.0), shares)


def draw_cells(
    key: jax.Array,
    electors: Int[np.ndarray, " i"],
    mix: Float[np.ndarray, " c"],
    codes: Int[np.ndarray, "c d"],
    tilts: Sequence[Float[np.ndarray, "i _"]],
) -> Int[np.ndarray, "i c"]:
    """Integer cell sizes of each booth.

    Args:
        electors: they add up to these.
        mix: shares of the cells among all electors.
        codes: category of each cell on each axis, negative where the axis does not apply.
        tilts: for each axis and booth, how many times as frequent each category is as among all electors.
    """
    shares = np.repeat(mix[None], len(electors), axis=0)
    for axis, tilt in enumerate(tilts):
        applies = codes[:, axis] >= 0
        shares[:, applies] *= tilt[:, codes[applies, axis]]
    total = shares.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, shares / np.where(total > 0, total, 1.0), mix)
    return host_generator(key).multinomial(electors, shares).astype(np.int32)
