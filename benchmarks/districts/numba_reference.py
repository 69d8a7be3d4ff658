# ruff: noqa: NPY002 (inside compiled loops these are the generators of Numba)
"""The reference: election simulators as plain loops over electors, in Numba, written for speed.

`dpm_plain` is the loop that one writes from the equation. The others are tuned: cumulative counts, no division,
comparisons instead of branches, xoroshiro128+ for the uniforms (seven times Numba's own generator).
Votes are counts[district, party].
"""

import numpy as np
from numba import njit, prange

fast = njit(fastmath=True, nogil=True)


@fast
def _seeded(seed):
    """Two words of state from a seed (splitmix64)."""
    state = np.empty(2, np.uint64)
    z = np.uint64(seed)
    for i in range(2):
        z += np.uint64(0x9E3779B97F4A7C15)
        x = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state[i] = x ^ (x >> np.uint64(31))
    return state[0], state[1]


@fast
def _next(s0, s1):
    """One step of xoroshiro128+ (Blackman and Vigna 2018): new state and a uniform on [0, 1)."""
    word = s0 + s1
    s1 ^= s0
    s0 = ((s0 << np.uint64(24)) | (s0 >> np.uint64(40))) ^ s1 ^ (s1 << np.uint64(16))
    s1 = (s1 << np.uint64(37)) | (s1 >> np.uint64(27))
    return s0, s1, np.float64(word >> np.uint64(11)) * 2.0**-53


@fast
def _law(gamma, prior_mass, count):
    """Weight of the base after m electors is start + growth m, on the scale gamma n_k + (...) b_k."""
    if count:
        return max(1.0 - gamma, 1e-300), 0.0
    return max(prior_mass, 1e-300), 1.0 - gamma


@fast
def dpm_plain(electors, theta, gamma, prior_mass, seed):
    """DPM without book-keeping, fraction reading: eq. 2 as it stands, Numba's own generator."""
    votes = np.zeros((electors.shape[0], theta.shape[0]), np.int64)
    np.random.seed(seed)
    for s in range(electors.shape[0]):
        for m in range(electors[s]):
            copied = gamma / (m + prior_mass) if m + prior_mass > 0 else 0.0
            u = np.random.random()
            cumulative = 0.0
            k = 0
            while k < theta.shape[0] - 1:
                cumulative += copied * (votes[s, k] + prior_mass * theta[k]) + (1.0 - gamma) * theta[k]
                if u < cumulative:
                    break
                k += 1
            votes[s, k] += 1
    return votes


@fast
def dpm(electors, theta, gamma, prior_mass, count, seed):
    """DPM without book-keeping, both readings."""
    districts, parties = electors.shape[0], theta.shape[0]
    votes = np.zeros((districts, parties), np.int64)
    prior = np.cumsum(theta)
    held = np.zeros(parties)
    start, growth = _law(gamma, prior_mass, count)
    s0, s1 = _seeded(seed)
    for s in range(districts):
        held[:] = 0.0
        for m in range(electors[s]):
            s0, s1, u = _next(s0, s1)
            base = start + growth * m
            point = u * (gamma * m + base)
            for k in range(parties - 1):
                held[k] += point < gamma * held[k] + base * prior[k]
        held[parties - 1] = electors[s]
        votes[s, 0] = int(held[0])
        for k in range(1, parties):
            votes[s, k] = int(held[k]) - int(held[k - 1])
    return votes


@fast
def _choose(u, own, left, theta, gamma, base):
    """Choice among the parties whose total is not used up; `own` are the district's counts."""
    total = 0.0
    for k in range(theta.shape[0]):
        total += (left[k] > 0) * (gamma * own[k] + base * theta[k])
    point = u * total
    chosen = -1
    cumulative = 0.0
    for k in range(theta.shape[0]):
        if left[k] > 0:
            chosen = k
            cumulative += gamma * own[k] + base * theta[k]
            if point < cumulative:
                break
    return chosen


@fast
def dpm_interleaved(electors, theta, gamma, prior_mass, count, totals, seed):
    """DPM with party totals, the districts side by side, each at the steady pace of its electorate."""
    districts, parties = electors.shape[0], theta.shape[0]
    votes = np.zeros((districts, parties), np.int64)
    voted = np.zeros(districts, np.int64)
    credit = np.zeros(districts, np.int64)
    left = totals.copy()
    start, growth = _law(gamma, prior_mass, count)
    s0, s1 = _seeded(seed)
    largest = electors.max()
    for _ in range(largest):
        for s in range(districts):
            credit[s] += electors[s]
            if credit[s] >= largest:
                credit[s] -= largest
                s0, s1, u = _next(s0, s1)
                k = _choose(u, votes[s], left, theta, gamma, start + growth * voted[s])
                votes[s, k] += 1
                left[k] -= 1
                voted[s] += 1
    return votes


@fast
def dpm_by_district(electors, theta, gamma, prior_mass, count, totals, seed):
    """DPM with party totals, one district after the other."""
    votes = np.zeros((electors.shape[0], theta.shape[0]), np.int64)
    left = totals.copy()
    start, growth = _law(gamma, prior_mass, count)
    s0, s1 = _seeded(seed)
    for s in range(electors.shape[0]):
        for m in range(electors[s]):
            s0, s1, u = _next(s0, s1)
            k = _choose(u, votes[s], left, theta, gamma, start + growth * m)
            votes[s, k] += 1
            left[k] -= 1
    return votes


@fast
def dm(electors, theta, concentration, seed):
    """DM: one Dirichlet draw per district, then its electors one by one."""
    districts, parties = electors.shape[0], theta.shape[0]
    votes = np.zeros((districts, parties), np.int64)
    np.random.seed(seed)
    own = np.empty(parties)
    held = np.empty(parties, np.int64)
    s0, s1 = _seeded(seed)
    for s in range(districts):
        for k in range(parties):
            own[k] = np.random.gamma(concentration * theta[k], 1.0)
        own[:] = np.cumsum(own) / own.sum()
        held[:] = 0
        for _ in range(electors[s]):
            s0, s1, u = _next(s0, s1)
            for k in range(parties - 1):
                held[k] += u < own[k]
        held[parties - 1] = electors[s]
        votes[s, 0] = held[0]
        for k in range(1, parties):
            votes[s, k] = held[k] - held[k - 1]
    return votes


@njit(fastmath=True, parallel=True)
def dpm_runs(electors, theta, gamma, prior_mass, count, seed, runs):
    """`runs` elections of `dpm` on all threads; returns the votes of each."""
    votes = np.zeros((runs, electors.shape[0], theta.shape[0]), np.int64)
    for r in prange(runs):
        votes[r] = dpm(electors, theta, gamma, prior_mass, count, seed + r)
    return votes
