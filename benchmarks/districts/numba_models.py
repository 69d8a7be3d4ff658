# ruff: noqa: NPY002 (inside compiled loops these are Numba's generators)
"""The references of PCM, ECM and SIM: loops over electors, in Numba, written for speed.

`*_plain` is the loop that one writes from the equation: cumulative weights, Numba's own generator. The others are
tuned: every elector is still drawn, but at a cost that depends on neither districts nor communities. Laws are drawn
from alias tables, normals by a ziggurat, uniforms by xoroshiro128+. Votes are counts[district, party].
"""

import math

import numpy as np
from numba_reference import _choose, _law, _next, _seeded, fast

# supporters of a party between two tables of its urn
BLOCK = 2048


@fast
def _alias(weights, keep, other):
    """Fill an alias table (Walker 1977, Vose 1991): chance to keep a cell, cell taken otherwise. Returns the sum."""
    n = weights.shape[0]
    total = weights.sum()
    small = np.empty(n, np.int64)
    large = np.empty(n, np.int64)
    smalls = larges = 0
    for i in range(n):
        keep[i] = weights[i] * (n / total)
        other[i] = i
        if keep[i] < 1.0:
            small[smalls] = i
            smalls += 1
        else:
            large[larges] = i
            larges += 1
    while smalls > 0 and larges > 0:
        smalls -= 1
        i, j = small[smalls], large[larges - 1]
        other[i] = j
        keep[j] -= 1.0 - keep[i]
        if keep[j] < 1.0:
            larges -= 1
            small[smalls] = j
            smalls += 1
    for i in range(smalls):  # differs from 1 by rounding only
        keep[small[i]] = 1.0
    return total


@fast
def _drawn(point, keep, other):
    """A cell of an alias table from a uniform on [0, number of cells)."""
    i = min(int(point), keep.shape[0] - 1)
    return i if point - i < keep[i] else other[i]


# --- PCM: one urn per party over districts ---------------------------------------------------------------------------
# Weight of district s after m supporters: eta n_s + (c0 + (1 - eta) m) b_s. The weights after the last full block are
# an alias table; a later supporter adds eta, "copy me", and 1 - eta, "draw from the base".


@fast
def _refill(own, room, base, eta, pseudo, keep, other):
    """Table of the weights eta own + pseudo base over the districts with room; returns their sum."""
    weights = np.empty(base.shape[0])
    for s in range(base.shape[0]):
        weights[s] = (eta * own[s] + pseudo * base[s]) * (room[s] > 0)
    return _alias(weights, keep, other)


@fast
def _later(point, eta, fresh, window, recent, base_keep, base_other):
    """District where the point is beyond the table: that of one of the `window` since, or drawn from the base."""
    if point < eta * window or fresh == 0.0:
        return recent[min(int(point / eta), window - 1)]
    return _drawn((point - eta * window) / (fresh * window) * base_keep.shape[0], base_keep, base_other)


@fast
def pcm(electors, totals, eta, prior_mass, base, seed):
    """PCM without capacity, fraction reading (eq. 5)."""
    districts, parties = electors.shape[0], totals.shape[0]
    held = np.zeros((parties, districts), np.int64)
    room = np.ones(districts, np.int64)
    keep, other = np.empty(districts), np.empty(districts, np.int64)
    base_keep, base_other = np.empty(districts), np.empty(districts, np.int64)
    reach = _alias(base, base_keep, base_other)
    recent = np.empty(BLOCK, np.int64)
    start = max(prior_mass * districts, 1e-300)
    s0, s1 = _seeded(seed)
    for k in range(parties):
        fresh = (1.0 - eta[k]) * reach
        for m in range(0, totals[k], BLOCK):
            mass = _refill(held[k], room, base, eta[k], start + (1.0 - eta[k]) * m, keep, other)
            scale = districts / mass
            for window in range(min(BLOCK, totals[k] - m)):
                s0, s1, u = _next(s0, s1)
                point = u * (mass + (eta[k] + fresh) * window)
                if point <= mass:
                    s = _drawn(point * scale, keep, other)
                else:
                    s = _later(point - mass, eta[k], fresh, window, recent, base_keep, base_other)
                recent[window] = s
                held[k, s] += 1
    return held.T.copy()


@fast
def pcm_capped(electors, totals, eta, prior_mass, base, capacity, seed):
    """PCM with districts that close at `capacity` times their electors; supporters of all parties in random order."""
    districts, parties = electors.shape[0], totals.shape[0]
    held = np.zeros((parties, districts), np.int64)
    room = np.floor(capacity * electors).astype(np.int64)
    keep, other = np.empty((parties, districts)), np.empty((parties, districts), np.int64)
    base_keep, base_other = np.empty(districts), np.empty(districts, np.int64)
    mass = np.empty(parties)
    recent = np.empty((parties, BLOCK), np.int64)
    window = np.full(parties, BLOCK)  # a full one asks for a new table
    start = max(prior_mass * districts, 1e-300)
    left = totals.copy()
    reach = _refill(base, room, base, 0.0, 1.0, base_keep, base_other)
    s0, s1 = _seeded(seed)
    for rest in range(totals.sum(), 0, -1):
        s0, s1, u = _next(s0, s1)
        ticket = min(int(u * rest), rest - 1)
        k = 0
        while ticket >= left[k]:
            ticket -= left[k]
            k += 1
        if window[k] == BLOCK:
            pseudo = start + (1.0 - eta[k]) * (totals[k] - left[k])
            mass[k] = _refill(held[k], room, base, eta[k], pseudo, keep[k], other[k])
            window[k] = 0
        fresh = (1.0 - eta[k]) * reach
        s0, s1, u = _next(s0, s1)
        point = u * (mass[k] + (eta[k] + fresh) * window[k])
        if point <= mass[k]:
            s = _drawn(point / mass[k] * districts, keep[k], other[k])
        else:
            s = _later(point - mass[k], eta[k], fresh, window[k], recent[k], base_keep, base_other)
        recent[k, window[k]] = s
        window[k] += 1
        held[k, s] += 1
        room[s] -= 1
        left[k] -= 1
        if room[s] == 0 and rest > 1:  # the tables forget a district that closes
            window[:] = BLOCK
            reach = _refill(base, room, base, 0.0, 1.0, base_keep, base_other)
    return held.T.copy()


@fast
def pcm_plain(electors, totals, eta, prior_mass, base, seed):
    """`pcm` as eq. 5 stands: the weights of all districts for every supporter."""
    districts = electors.shape[0]
    votes = np.zeros((districts, totals.shape[0]), np.int64)
    np.random.seed(seed)
    c0 = max(prior_mass * districts, 1e-300)
    for k in range(totals.shape[0]):
        for m in range(totals[k]):
            copied = eta[k] / (m + c0)
            u = np.random.random()
            cumulative = 0.0
            s = 0
            while s < districts - 1:
                cumulative += copied * (votes[s, k] + c0 * base[s]) + (1.0 - eta[k]) * base[s]
                if u < cumulative:
                    break
                s += 1
            votes[s, k] += 1
    return votes


@fast
def pcm_capped_plain(electors, totals, eta, prior_mass, base, capacity, seed):
    """`pcm_capped` as eq. 5 stands: the weights of all open districts for every supporter."""
    districts, parties = electors.shape[0], totals.shape[0]
    votes = np.zeros((districts, parties), np.int64)
    np.random.seed(seed)
    room = np.floor(capacity * electors).astype(np.int64)
    came = np.zeros(parties, np.int64)
    order = np.repeat(np.arange(parties), totals)
    np.random.shuffle(order)
    c0 = max(prior_mass * districts, 1e-300)
    for k in order:
        pseudo = c0 + (1.0 - eta[k]) * came[k]
        s = _choose(np.random.random(), votes[:, k], room, base, eta[k], pseudo)
        votes[s, k] += 1
        room[s] -= 1
        came[k] += 1
    return votes


# --- ECM: communities inside a district, then one urn over parties ---------------------------------------------------


@fast
def _communities(n, alpha, member, sizes, s0, s1):
    """Chinese restaurant process over n electors (eq. 3): new state and number of communities, in order of appearance.

    Their sizes are written to `sizes`; `member` is scratch.
    """
    found = 0
    for m in range(n):
        s0, s1, u = _next(s0, s1)
        point = u * (m + alpha)
        if point < m:
            c = member[int(point)]
            sizes[c] += 1
        else:
            c = np.int32(found)
            sizes[c] = 1
            found += 1
        member[m] = c
    return s0, s1, found


@fast
def _poll(sizes, votes, balls, left, theta, beta, prior_mass, s0, s1):
    """The communities of a district choose one after the other (eq. 4, fraction reading); returns the new state."""
    start, growth = _law(beta, prior_mass, False)
    for size in sizes:
        rest = size
        while rest > 0:
            s0, s1, u = _next(s0, s1)
            k = _choose(u, balls, left, theta, beta, start + growth * balls.sum())
            cast = min(rest, left[k])
            votes[k] += cast
            left[k] -= cast
            balls[k] += 1
            rest -= cast
    return s0, s1


@fast
def ecm(electors, totals, theta, alpha, beta, prior_mass, seed):
    """ECM by district (eqs. 3-4), fraction reading, one national urn, one ball a community.

    Of a community larger than what its party has left, the rest chooses again.
    """
    votes = np.zeros((electors.shape[0], theta.shape[0]), np.int64)
    balls = np.zeros(theta.shape[0], np.int64)
    left = totals.copy()
    member = np.empty(electors.max(), np.int32)
    sizes = np.empty(electors.max(), np.int64)
    s0, s1 = _seeded(seed)
    for s in range(electors.shape[0]):
        s0, s1, found = _communities(electors[s], alpha, member, sizes, s0, s1)
        s0, s1 = _poll(sizes[:found], votes[s], balls, left, theta, beta, prior_mass, s0, s1)
    return votes


@fast
def ecm_plain(electors, totals, theta, alpha, beta, prior_mass, seed):
    """`ecm` as eq. 3 stands: the weights of all communities for every elector."""
    votes = np.zeros((electors.shape[0], theta.shape[0]), np.int64)
    balls = np.zeros(theta.shape[0], np.int64)
    left = totals.copy()
    np.random.seed(seed)
    s0, s1 = _seeded(seed)
    for s in range(electors.shape[0]):
        sizes = np.zeros(electors[s], np.int64)
        found = 0
        for m in range(electors[s]):
            point = np.random.random() * (m + alpha)
            cumulative = 0.0
            c = 0
            while c < found:
                cumulative += sizes[c]
                if point < cumulative:
                    break
                c += 1
            sizes[c] += 1
            found = max(found, c + 1)
        s0, s1 = _poll(sizes[:found], votes[s], balls, left, theta, beta, prior_mass, s0, s1)
    return votes


# --- SIM: communities placed over districts, valuations, votes -------------------------------------------------------


def _ziggurat(layers=256, edge=3.6541528853610088):
    """Right edges and heights of layers of equal area under exp(-x^2 / 2) (Marsaglia and Tsang 2000)."""
    tail = math.sqrt(math.pi / 2) * math.erfc(edge / math.sqrt(2))
    area = edge * math.exp(-(edge**2) / 2) + tail
    x = [area / math.exp(-(edge**2) / 2), edge]
    while len(x) < layers:
        x.append(math.sqrt(-2 * math.log(area / x[-1] + math.exp(-(x[-1] ** 2) / 2))))
    x = np.array([*x, 0.0])
    return x, np.exp(-(x**2) / 2)


ZIGGURAT = _ziggurat()


@fast
def _point(edges, s0, s1):
    """New state, a layer and an abscissa inside it, either sign."""
    layer = ((s0 + s1) >> np.uint64(3)) & np.uint64(255)  # the uniform is made of the 53 bits above
    s0, s1, u = _next(s0, s1)
    return s0, s1, layer, (2.0 * u - 1.0) * edges[layer]


@fast
def _outside(layer, z, edges, heights, s0, s1):
    """Finish a normal whose first point is outside the sure part of its layer."""
    while abs(z) >= edges[layer + np.uint64(1)]:
        s0, s1, u = _next(s0, s1)
        if layer == 0:
            s0, s1, v = _next(s0, s1)
            beyond = -math.log(1.0 - u) / edges[1]
            if -2.0 * math.log(1.0 - v) > beyond * beyond:
                return s0, s1, math.copysign(edges[1] + beyond, z)
        elif heights[layer] + u * (heights[layer + np.uint64(1)] - heights[layer]) < math.exp(-0.5 * z * z):
            break
        s0, s1, layer, z = _point(edges, s0, s1)
    return s0, s1, z


@fast
def _vote(values, i, own, pull):
    """Party that elector i values most: own valuation and the pull of the others."""
    choice = 0
    best = own * values[i, 0] + pull[0]
    for k in range(1, pull.shape[0]):
        value = own * values[i, k] + pull[k]
        choice = k if value > best else choice
        best = max(value, best)
    return choice


@fast
def _sim(electors, placement, phi, sigma, kappa, influence_district, seed, edges, heights):
    """Votes, given the law over (district, community)."""
    districts, parties, groups = placement.shape[0], sigma.shape[0], placement.shape[1]
    votes = np.zeros((districts, parties), np.int64)
    keep, other = np.empty(districts * groups), np.empty(districts * groups, np.int64)
    _alias(placement.ravel(), keep, other)
    placed = np.zeros(districts * groups, np.int64)
    s0, s1 = _seeded(seed)
    for _ in range(electors):
        s0, s1, u = _next(s0, s1)
        placed[_drawn(u * keep.shape[0], keep, other)] += 1
    members = placed.reshape(districts, groups)
    values = np.empty((members.sum(axis=1).max() if influence_district else 1, parties), np.float32)
    pull = np.zeros(parties)
    for s in range(districts):
        row = 0
        pull[:] = 0.0
        for c in range(groups):
            for _ in range(members[s, c]):
                for k in range(parties):
                    s0, s1, layer, z = _point(edges, s0, s1)
                    if abs(z) >= edges[layer + np.uint64(1)]:  # one in a hundred
                        s0, s1, z = _outside(layer, z, edges, heights, s0, s1)
                    values[row, k] = phi[c, k] + sigma[k] * z
                if influence_district:
                    row += 1
                else:
                    votes[s, _vote(values, 0, 1.0, pull)] += 1
        for k in range(parties):
            for i in range(row):
                pull[k] += (1.0 - kappa) * values[i, k] / row
        for i in range(row):
            votes[s, _vote(values, i, kappa, pull)] += 1
    return votes


def sim(electors, shares, placement_a, phi, sigma, kappa, influence_district, seed):
    """SIM (eq. 6), Dirichlet placement; phi[community, party], sigma[party]; districts' sizes are what placement gives.

    Every elector first draws community and district; then, district by district, the valuations, and the votes:
    with local influence once the district's means are known (the valuations of one district are held).
    """
    each = np.random.default_rng(seed).dirichlet(np.full(len(electors), placement_a), len(shares))
    placement = np.ascontiguousarray(each.T * shares)
    return _sim(electors.sum(), placement, phi, sigma, kappa, influence_district, seed, *ZIGGURAT)


@fast
def _sim_plain(electors, placement, phi, sigma, kappa, influence_district, seed):
    """The votes of `sim_plain`; placement is cumulative over (district, community)."""
    parties, groups = sigma.shape[0], phi.shape[0]
    votes = np.zeros((placement.shape[0] // groups, parties), np.int64)
    means = np.zeros(votes.shape)
    np.random.seed(seed)
    home = np.empty(electors, np.int32)
    values = np.empty((electors, parties), np.float32)
    for i in range(electors):
        cell = min(np.searchsorted(placement, np.random.random()), placement.shape[0] - 1)
        home[i] = cell // groups
        for k in range(parties):
            values[i, k] = np.random.normal(phi[cell % groups, k], sigma[k])
            means[home[i], k] += values[i, k]
    own = kappa if influence_district else 1.0
    members = np.bincount(home, minlength=votes.shape[0])
    pull = (1.0 - own) * means / np.maximum(members, 1).reshape(-1, 1)
    for i in range(electors):
        votes[home[i], _vote(values, i, own, pull[home[i]])] += 1
    return votes


def sim_plain(electors, shares, placement_a, phi, sigma, kappa, influence_district, seed):
    """`sim` as eq. 6 stands: all electors and valuations in turn, then all votes; Numba's own generator and normals."""
    each = np.random.default_rng(seed).dirichlet(np.full(len(electors), placement_a), len(shares))
    placement = np.cumsum(each.T * shares)
    return _sim_plain(electors.sum(), placement, phi, sigma, kappa, influence_district, seed)
