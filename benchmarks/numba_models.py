# ruff: noqa: NPY002 (inside compiled loops these are the generators of Numba)
"""The references of PCM, ECM and SIM: plain loops over electors, in Numba, written for speed.

`*_plain` is the loop that one writes from the equation: cumulative weights, Numba's own generator. The others are
tuned: every elector is still drawn, at a cost that depends on neither districts nor communities. A reinforced choice
copies the choice of a random earlier elector or draws afresh; fixed laws are drawn by alias tables, normals by a
ziggurat, uniforms by xoroshiro128+. Votes are counts[district, party].
"""

import math

import numpy as np
from numba_reference import _choose, _law, _next, _seeded, fast

# proposals from the whole urn before the open districts are scanned
TRIES = 16


@fast
def _alias(weights):
    """Alias table of a law (Walker 1977, Vose 1991): chance to keep a cell, and the cell taken otherwise."""
    n = weights.shape[0]
    keep = weights * (n / weights.sum())
    other = np.arange(n)
    small = np.empty(n, np.int64)
    large = np.empty(n, np.int64)
    smalls = larges = 0
    for i in range(n):
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
    # what is left over differs from 1 by rounding only
    for i in range(smalls):
        keep[small[i]] = 1.0
    for i in range(larges):
        keep[large[i]] = 1.0
    return keep, other


@fast
def _drawn(u, keep, other):
    """A cell of the alias table from one uniform."""
    point = u * keep.shape[0]
    i = min(int(point), keep.shape[0] - 1)
    return i if point - i < keep[i] else other[i]


# --- PCM: one urn per party over districts ---------------------------------------------------------------------------


@fast
def _settled(u, trace, m, eta, start, keep, other):
    """District of a party's supporter m + 1: that of a random earlier one, or drawn from the base."""
    point = u * (start + m)
    if point < eta * m:
        return np.int64(trace[min(int(point / eta), m - 1)])
    return _drawn((point - eta * m) / (start + (1.0 - eta) * m), keep, other)


@fast
def pcm(electors, totals, eta, prior_mass, base, seed):
    """PCM without capacity, fraction reading (eq. 5); at most 65,536 districts."""
    districts, parties = electors.shape[0], totals.shape[0]
    held = np.zeros((parties, districts), np.int64)
    keep, other = _alias(base)
    trace = np.empty(totals.max(), np.uint16)
    start = max(prior_mass * districts, 1e-300)
    s0, s1 = _seeded(seed)
    for k in range(parties):
        for m in range(totals[k]):
            s0, s1, u = _next(s0, s1)
            s = _settled(u, trace, m, eta[k], start, keep, other)
            trace[m] = s
            held[k, s] += 1
    return held.T.copy()


@fast
def pcm_capped(electors, totals, eta, prior_mass, base, capacity, seed):
    """PCM with districts that close at `capacity` times their electors; supporters of all parties in random order.

    A proposal from the whole urn that meets a closed district is thrown away, which leaves the law over the open ones;
    after TRIES of them the weights of the open districts are summed.
    """
    districts, parties = electors.shape[0], totals.shape[0]
    held = np.zeros((parties, districts), np.int64)
    room = np.floor(capacity * electors).astype(np.int64)
    keep, other = _alias(base)
    left = totals.copy()
    first = np.cumsum(totals) - totals
    rest = totals.sum()
    trace = np.empty(rest, np.uint16)
    start = max(prior_mass * districts, 1e-300)
    s0, s1 = _seeded(seed)
    while rest > 0:
        s0, s1, u = _next(s0, s1)
        point = min(int(u * rest), rest - 1)
        k = 0
        while point >= left[k]:
            point -= left[k]
            k += 1
        m = totals[k] - left[k]
        own = trace[first[k] : first[k] + totals[k]]
        s = -1
        for _ in range(TRIES):
            s0, s1, u = _next(s0, s1)
            s = _settled(u, own, m, eta[k], start, keep, other)
            if room[s] > 0:
                break
            s = -1
        if s < 0:
            s0, s1, u = _next(s0, s1)
            s = _choose(u, held[k], room, base, eta[k], start + (1.0 - eta[k]) * m)
        own[m] = s
        held[k, s] += 1
        room[s] -= 1
        left[k] -= 1
        rest -= 1
    return held.T.copy()


@fast
def pcm_plain(electors, totals, eta, prior_mass, base, seed):
    """`pcm` as eq. 5 stands: the weights of all districts for every supporter."""
    districts = electors.shape[0]
    votes = np.zeros((districts, totals.shape[0]), np.int64)
    np.random.seed(seed)
    c0 = prior_mass * districts
    for k in range(totals.shape[0]):
        for m in range(totals[k]):
            copied = eta[k] / (m + c0) if m + c0 > 0 else 0.0
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
    weights = np.empty(districts)
    c0 = prior_mass * districts
    for k in order:
        copied = eta[k] / (came[k] + c0) if came[k] + c0 > 0 else 0.0
        total = 0.0
        for s in range(districts):
            weights[s] = 0.0
            if room[s] > 0:
                weights[s] = copied * (votes[s, k] + c0 * base[s]) + (1.0 - eta[k]) * base[s]
            total += weights[s]
        point = np.random.random() * total
        s = -1
        cumulative = 0.0
        for j in range(districts):
            if room[j] > 0:
                s = j
                cumulative += weights[j]
                if point < cumulative:
                    break
        votes[s, k] += 1
        room[s] -= 1
        came[k] += 1
    return votes


# --- ECM: communities inside a district, then one urn over parties ---------------------------------------------------


@fast
def communities(n, alpha, member, sizes, s0, s1):
    """Chinese restaurant process over n electors (eq. 3), in order of appearance.

    Writes `sizes` (as long as n) from its start; `member` is scratch. Returns the generator and how many there are.
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
def ecm(electors, totals, theta, alpha, beta, prior_mass, seed):
    """ECM by district (eqs. 3-4), fraction reading, one national urn, one ball a community.

    A community larger than what its party has left is split: the rest of it chooses again.
    """
    votes = np.zeros((electors.shape[0], theta.shape[0]), np.int64)
    balls = np.zeros(theta.shape[0], np.int64)
    left = totals.copy()
    member = np.empty(electors.max(), np.int32)
    sizes = np.empty(electors.max(), np.int64)
    start, growth = _law(beta, prior_mass, False)
    thrown = 0
    s0, s1 = _seeded(seed)
    for s in range(electors.shape[0]):
        s0, s1, found = communities(electors[s], alpha, member, sizes, s0, s1)
        for c in range(found):
            rest = sizes[c]
            while rest > 0:
                s0, s1, u = _next(s0, s1)
                k = _choose(u, balls, left, theta, beta, start + growth * thrown)
                cast = min(rest, left[k])
                votes[s, k] += cast
                left[k] -= cast
                rest -= cast
                balls[k] += 1
                thrown += 1
    return votes


@fast
def ecm_plain(electors, totals, theta, alpha, beta, prior_mass, seed):
    """`ecm` as eqs. 3-4 stand: the weights of all communities for every elector."""
    parties = theta.shape[0]
    votes = np.zeros((electors.shape[0], parties), np.int64)
    balls = np.zeros(parties, np.int64)
    left = totals.copy()
    weights = np.empty(parties)
    np.random.seed(seed)
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
        for c in range(found):
            while sizes[c] > 0:
                pseudo = balls.sum() + prior_mass
                for k in range(parties):
                    copied = (balls[k] + prior_mass * theta[k]) / pseudo if pseudo > 0 else 0.0
                    weights[k] = (beta * copied + (1.0 - beta) * theta[k]) * (left[k] > 0)
                point = np.random.random() * weights.sum()
                chosen = -1
                cumulative = 0.0
                for k in range(parties):
                    if left[k] > 0:
                        chosen = k
                        cumulative += weights[k]
                        if point < cumulative:
                            break
                cast = min(sizes[c], left[chosen])
                votes[s, chosen] += cast
                left[chosen] -= cast
                sizes[c] -= cast
                balls[chosen] += 1
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


EDGES, HEIGHTS = _ziggurat()


@fast
def _normal(s0, s1):
    """New state and a standard normal."""
    while True:
        word = s0 + s1
        s0, s1, u = _next(s0, s1)
        layer = np.int64((word >> np.uint64(3)) & np.uint64(255))  # the three lowest bits are weak; u has the high 53
        z = (2.0 * u - 1.0) * EDGES[layer]
        if abs(z) < EDGES[layer + 1]:
            break
        s0, s1, u = _next(s0, s1)
        if layer == 0:
            s0, s1, v = _next(s0, s1)
            beyond = -math.log(1.0 - u) / EDGES[1]
            if -2.0 * math.log(1.0 - v) > beyond * beyond:
                z = math.copysign(EDGES[1] + beyond, z)
                break
        elif HEIGHTS[layer] + u * (HEIGHTS[layer + 1] - HEIGHTS[layer]) < math.exp(-0.5 * z * z):
            break
    return s0, s1, z


@fast
def _placement(districts, shares, a):
    """Law over (district, community), flat: P_c ~ Dirichlet(a per district), in logs so that a small a is safe."""
    law = np.empty((districts, shares.shape[0]))
    for c in range(shares.shape[0]):
        for s in range(districts):
            law[s, c] = math.log(np.random.gamma(a + 1.0, 1.0)) + math.log(1.0 - np.random.random()) / a
        law[:, c] = np.exp(law[:, c] - law[:, c].max())
        law[:, c] *= shares[c] / law[:, c].sum()
    return law.ravel()


@fast
def sim(electors, shares, placement_a, phi, sigma, kappa, influence_district, seed):
    """SIM (eq. 6), Dirichlet placement; phi[community, party], sigma[party]; districts' sizes are what placement gives.

    Every elector first draws community and district; then, district by district, the valuations, and the votes:
    with local influence once the district's means are known (valuations of one district are held).
    """
    districts, parties, groups = electors.shape[0], sigma.shape[0], shares.shape[0]
    votes = np.zeros((districts, parties), np.int64)
    np.random.seed(seed)
    s0, s1 = _seeded(seed)
    keep, other = _alias(_placement(districts, shares, placement_a))
    placed = np.zeros(districts * groups, np.int64)
    for _ in range(electors.sum()):
        s0, s1, u = _next(s0, s1)
        placed[_drawn(u, keep, other)] += 1
    members = placed.reshape(districts, groups)
    largest = members.sum(axis=1).max() if influence_district else 1
    values = np.empty((largest, parties), np.float32)
    pull = np.zeros(parties)
    own = np.float32(kappa if influence_district else 1.0)
    for s in range(districts):
        row = 0
        pull[:] = 0.0
        for c in range(groups):
            for _ in range(members[s, c]):
                best = -np.float32(3e38)
                choice = 0
                for k in range(parties):
                    s0, s1, z = _normal(s0, s1)
                    value = np.float32(phi[c, k] + sigma[k] * z)
                    if influence_district:
                        values[row, k] = value
                        pull[k] += value
                    elif value > best:
                        best = value
                        choice = k
                if influence_district:
                    row += 1
                else:
                    votes[s, choice] += 1
        for i in range(row):
            choice = 0
            best = -np.float32(3e38)
            for k in range(parties):
                value = own * values[i, k] + np.float32((1.0 - kappa) * pull[k] / row)
                if value > best:
                    best = value
                    choice = k
            votes[s, choice] += 1
    return votes
