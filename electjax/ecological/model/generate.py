"""Contests drawn from the model itself, so that the table of every unit is known.

Everything runs on the host. Keys of pooling are whole numbers: a party's number, or one of `OTHER`, `ABSTAINED` and
`ABSENT`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit, logit, logsumexp, softmax

from electjax.numerics.choice import CONTEXT_FLOOR
from electjax.numerics.host import host_generator

OTHER, ABSTAINED, ABSENT = -1, -2, -3  # the merged option, electors who did not vote, padding
WAVES = 6  # of which the field is made that lets neighbouring units be alike


class Parameters(NamedTuple):
    """What the tables were drawn with.

    Attributes:
        eta: logits of the contests' cells; -inf in padding.
        theta: their shares; 0 in padding.
        local: shares in each unit: theta moved by its surroundings.
        pair: pooled logits of a row and a candidate's party, by number; OTHER is the last of each.
        rho: correlation of two voters of one row of a unit, by contest.
        beta: exponent of the context.
    """

    eta: Float[np.ndarray, "d r c"]
    theta: Float[np.ndarray, "d r c"]
    local: Float[np.ndarray, "d u r c"]
    pair: Float[np.ndarray, "r p"]
    rho: Float[np.ndarray, " d"]
    beta: float


class Drawn(NamedTuple):
    """Units and their true tables, padded with empty units and with options that are not there.

    Attributes:
        tables: counts of every cell; their sums are `rows` and `columns`.
        row_key, column_key: party of a row, and of a candidate.
        kind: of a cell, as in `electjax.ecological.model.data.KINDS`.
        row_trait, column_trait: category of a row and of a candidate on one axis; -1 none.
        place: of a unit on the unit square.
    """

    rows: Int[np.ndarray, "d u r"]
    columns: Int[np.ndarray, "d u c"]
    tables: Int[np.ndarray, "d u r c"]
    row_here: Bool[np.ndarray, "d r"]
    column_here: Bool[np.ndarray, "d c"]
    row_key: Int[np.ndarray, "d r"]
    column_key: Int[np.ndarray, "d c"]
    kind: Int[np.ndarray, "d r c"]
    row_trait: Int[np.ndarray, "d r"]
    column_trait: Int[np.ndarray, "d c"]
    place: Float[np.ndarray, "d u 2"]
    parameters: Parameters


def draw_units(
    key: jax.Array,
    *,
    contests: int,
    units: int,
    rows: int,
    parties: int,
    fielded: float,
    voters: float,
    unit_sd: float,
    level: Sequence[float],
    pair_sd: float,
    tau: Sequence[float],
    beta: float,
    rho: float,
    abstention: float,
    traits: int,
    affinity: float,
    fewest_units: float = 1.0,
    other: bool = True,
    voters_sd: float = 0.6,
    strength_sd: float = 0.8,
    contest_sd: float = 0.4,
    near: float = 0.7,
    rho_spread: float = 0.5,
    abstention_sd: float = 0.4,
) -> Drawn:
    """Contests of rows (parties of another ballot paper, or groups) and candidates, whose cells are known.

    Logits of a cell are g_dc + level_kind + pair + tau_kind z_drc (+ affinity where row and candidate share a trait).
    In a unit its shares are multiplied by ((mu_uc + e) / (mu_c + e))^beta, where mu are the shares expected in the unit
    and in its contest; then each row of the unit draws shares of its own (Dirichlet), and its voters theirs. A count
    of A voters so has the variance A theta (1 - theta) (1 + (A - 1) rho).

    Args:
        key: contests, units and votes depend on it alone.
        rows, parties: how many. A row and a party of one number are one party; without a shared meaning set level to
            zeros. What is not named here is as in `SimulateOptions`.
        fewest_units: units of a contest are a share of `units` drawn evenly between this and 1.
        other: the last row and the last party are what smaller ones were merged into, OTHER; it always stands.
        voters, voters_sd: median size of a unit, and standard deviation of its logarithm.
        strength_sd, contest_sd: standard deviation of the log strength of a row in all, and its deviation by contest;
            of a candidate g_dc likewise.
        unit_sd, near: the same by unit, and the share of this variance that is smooth in space.
        beta: exponent of the context; 0 for none.
        rho, rho_spread: typical correlation within a row of a unit, and standard deviation of its logit by contest.
        abstention, abstention_sd: share of a row that does not vote, as the last column, and standard deviation of its
            logit by row and contest; 0 for no such column. Row margins then are electors.
    """
    rng = host_generator(key)
    numbers = np.arange(rows), np.arange(parties)
    if other:
        numbers[0][-1] = numbers[1][-1] = OTHER
    row_key = np.tile(numbers[0], (contests, 1))
    stands = _field(rng, contests, parties, fielded, other)
    # candidates in the order of their parties, those who do not stand last
    order = np.argsort(~stands, axis=1, kind="stable")
    number = stands.sum(axis=1)
    width = int(number.max()) + (abstention > 0)
    order = np.pad(order, ((0, 0), (0, max(width - parties, 0))))[:, :width]
    candidate = np.arange(width) < number[:, None]
    column_key = np.where(candidate, numbers[1][order], ABSENT)
    if abstention > 0:
        column_key[np.arange(contests), number] = ABSTAINED
    kind = np.where(row_key[:, :, None] == column_key[:, None, :], 0, 1)
    kind[(row_key == OTHER)[:, :, None] | (column_key < 0)[:, None, :]] = 2

    pair = pair_sd * rng.normal(size=(rows, parties))
    column = strength_sd * rng.normal(size=parties) + contest_sd * rng.normal(size=(contests, parties))
    eta = np.take_along_axis(column, order, 1)[:, None, :] + np.moveaxis(pair[:, order], 0, 1)
    eta += np.asarray(level)[kind] + np.asarray(tau)[kind] * rng.normal(size=kind.shape)
    row_trait, column_trait = _traits(rng, traits, row_key, candidate)
    eta += affinity * ((row_trait[:, :, None] == column_trait[:, None, :]) & (row_trait >= 0)[:, :, None])
    eta = np.where(candidate[:, None, :], eta, -np.inf)
    if abstention > 0:
        stay = logit(abstention) + abstention_sd * rng.normal(size=(contests, rows))
        away = (column_key == ABSTAINED)[:, None, :]
        eta = np.where(away, (stay + logsumexp(eta, axis=2))[:, :, None], eta)
    theta = softmax(eta, axis=2)

    strength = strength_sd * rng.normal(size=rows) + contest_sd * rng.normal(size=(contests, rows))
    place = rng.uniform(size=(contests, units, 2))
    spread = np.sqrt(near) * _smooth(rng, place, rows) + np.sqrt(1 - near) * rng.normal(size=(contests, units, rows))
    size = np.ceil(voters * np.exp(voters_sd * rng.normal(size=(contests, units)))).astype(np.int64)
    kept = np.ceil(units * rng.uniform(min(fewest_units, 1.0), 1.0, size=contests))
    size[np.arange(units) >= kept[:, None]] = 0
    margin = rng.multinomial(size, softmax(strength[:, None, :] + unit_sd * spread, axis=2))

    local = surrounded(theta, margin, beta)
    correlation = expit(logit(rho) + rho_spread * rng.normal(size=contests)) if rho > 0 else np.zeros(contests)
    tables = draw_tables(rng, margin, local, correlation)
    here = column_key != ABSENT
    return Drawn(
        margin,
        tables.sum(axis=2),
        tables,
        np.ones((contests, rows), bool),
        here,
        row_key,
        column_key,
        kind,
        row_trait,
        column_trait,
        place,
        Parameters(eta, theta, local, pair, correlation, float(beta)),
    )


def surrounded(
    theta: Float[np.ndarray, "d r c"], rows: Int[np.ndarray, "d u r"], beta: float
) -> Float[np.ndarray, "d u r c"]:
    """Cell shares of every unit: theta ((mu_uc + e) / (mu_c + e))^beta, scaled to 1."""
    expected = rows @ theta
    voters = rows.sum(axis=2, keepdims=True)
    mean = expected / np.maximum(voters, 1)
    whole = expected.sum(axis=1, keepdims=True) / voters.sum(axis=1, keepdims=True)
    moved = theta[:, None] * (((mean + CONTEXT_FLOOR) / (whole + CONTEXT_FLOOR)) ** beta)[:, :, None, :]
    return moved / moved.sum(axis=3, keepdims=True)


def draw_tables(
    rng: np.random.Generator,
    rows: Int[np.ndarray, "d u r"],
    shares: Float[np.ndarray, "d u r c"],
    rho: Float[np.ndarray, " d"],
) -> Int[np.ndarray, "d u r c"]:
    """Counts of every unit's cells: Dirichlet-multinomial, or multinomial where rho is 0."""
    if (rho > 0).any():
        weight = np.where(rho > 0, (1.0 - rho) / np.where(rho > 0, rho, 1.0), 1.0)[:, None, None, None]
        # a gamma of a shape near 0 is 0 in double precision: in a row of such the largest share takes all
        some = rng.gamma(np.maximum(shares * weight, 1e-300)) * (shares > 0)
        total = some.sum(axis=3, keepdims=True)
        own = np.where(total > 0, some / np.where(total > 0, total, 1.0), shares)
        shares = np.where(rho[:, None, None, None] > 0, own, shares)
    return rng.multinomial(rows, shares)


def _field(rng: np.random.Generator, contests: int, parties: int, chance: float, other: bool) -> np.ndarray:
    """Which parties have a candidate, [d, p]."""
    stands = rng.uniform(size=(contests, parties)) < chance
    stands[:, :2] = True
    if other:
        stands[:, -1] = True
    return stands


def _traits(
    rng: np.random.Generator, number: int, row_key: np.ndarray, candidate: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Categories of rows, the same in every contest, and of candidates, drawn; -1 without."""
    if not number:
        return np.full(row_key.shape, -1), np.full(candidate.shape, -1)
    row = np.tile(np.arange(row_key.shape[1]) % number, (len(row_key), 1))
    column = rng.integers(number, size=candidate.shape)
    return np.where(row_key == OTHER, -1, row), np.where(candidate, column, -1)


def _smooth(rng: np.random.Generator, place: np.ndarray, fields: int) -> np.ndarray:
    """Fields of variance 1 that are smooth in space: cosines of random directions and phases, [d, u, field]."""
    shape = (len(place), WAVES, fields)
    wave, phase, height = rng.normal(size=(*shape, 2)) * 3.0, rng.uniform(0, 2 * np.pi, shape), rng.normal(size=shape)
    angle = np.einsum("dux,dwfx->duwf", place, wave) + phase[:, None]
    return np.sqrt(2.0 / WAVES) * (height[:, None] * np.cos(angle)).sum(axis=2)
