"""Exact laws of tiny elections by enumeration, written from the models' definitions and from nothing else."""

from collections import defaultdict
from collections.abc import Callable
from itertools import permutations, product

Table = tuple[tuple[int, ...], ...]  # votes[district][party]
Weights = Callable[[tuple[int, ...]], list[float]]


def fraction_urn(gamma: float, theta: tuple[float, ...], prior_mass: float) -> Weights:
    """Eq. 2 with n_sk read as a fraction of prior mass and electors so far; the first elector follows theta."""

    def weights(votes: tuple[int, ...]) -> list[float]:
        mass = sum(votes) + prior_mass
        if mass == 0:
            return list(theta)
        return [gamma * (n + prior_mass * b) / mass + (1 - gamma) * b for n, b in zip(votes, theta, strict=True)]

    return weights


def polya_urn(concentration: float, theta: tuple[float, ...]) -> Weights:
    """The count reading, and DM with its Dirichlet integrated out."""
    return lambda votes: [n + concentration * b for n, b in zip(votes, theta, strict=True)]


def polling_orders(electors: tuple[int, ...], rule: str) -> list[tuple[int, ...]]:
    """The equally likely orders in which the districts' electors vote.

    rounds: one elector of every district (all of one size), in random order within the round;
    shuffled: any order of all electors; by_district: one district after the other.
    """
    districts = range(len(electors))
    if rule == "by_district":
        return [tuple(s for s in districts for _ in range(electors[s]))]
    if rule == "rounds":
        rounds = product(permutations(districts), repeat=electors[0])
        return [tuple(s for one in rounds_ for s in one) for rounds_ in rounds]
    return sorted(set(permutations([s for s in districts for _ in range(electors[s])])))


def law(
    electors: tuple[int, ...], theta: tuple[float, ...], weights: Weights, totals: tuple[int, ...] | None, rule: str
) -> dict[Table, float]:
    """Probability of every vote table; a party whose total is used up leaves everybody's choice.

    An elector with nobody to copy follows theta, the limit of copy probabilities below 1.
    """
    parties = len(theta)
    orders = polling_orders(electors, rule)
    result: dict[Table, float] = defaultdict(float)
    for order in orders:
        states: dict[Table, float] = {tuple((0,) * parties for _ in electors): 1 / len(orders)}
        for s in order:
            after: dict[Table, float] = defaultdict(float)
            for table, probability in states.items():
                w = weights(table[s])
                if totals is not None:
                    used = [sum(row[k] for row in table) for k in range(parties)]
                    room = [used[k] < totals[k] for k in range(parties)]
                    w = [x * free for x, free in zip(w, room, strict=True)]
                    if sum(w) == 0:
                        w = [b * free for b, free in zip(theta, room, strict=True)]
                for k, x in enumerate(w):
                    if x > 0:
                        row = tuple(n + (j == k) for j, n in enumerate(table[s]))
                        after[(*table[:s], row, *table[s + 1 :])] += probability * x / sum(w)
            states = after
        for table, probability in states.items():
            result[table] += probability
    return dict(result)
