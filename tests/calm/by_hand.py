"""CALM from its definition, one booth, cell and party at a time, in plain numpy; and small booths to try it on.

Parameters come with all K parties spelled out (`spell`), so that nothing here knows how the library keeps them.
"""

from itertools import product
from types import SimpleNamespace

import numpy as np
from scipy.special import expit, gammaln, logsumexp, xlogy
from scipy.stats import betabinom, dirichlet_multinomial

from electjax.calm.model.design import Booths, Frame, Hyper, Local, Shared
from electjax.calm.options import FitOptions
from electjax.data.options import made

AGES, FAITHS, CASTES = 3, 2, 2  # caste only within the first faith
FLOOR = 1e-4


def cells_of():
    """Codes of cells on age, faith, caste (-1: not applicable) and a scalar axis (-1 always)."""
    return np.array(
        [(a, f, s, -1) for a, f in product(range(AGES), range(FAITHS)) for s in (range(CASTES) if f == 0 else (-1,))]
    )


def draw(areas=3, per=4, parties=3, electors=300, seed=3, covariates=2, gaps=True, weights=None):
    """Booths, and a frame of four axes of every kind, with unknown traits, an absent party and missing cells."""
    rng = np.random.default_rng(seed)
    codes = cells_of()
    counts = (AGES, FAITHS, CASTES)
    x = np.concatenate([(codes[:, [d]] == np.arange(n)) * 1.0 for d, n in enumerate(counts)], axis=1)
    candidates = np.stack(
        [rng.integers(0, n, (areas, parties)) for n in counts] + [np.full((areas, parties), -1)], axis=-1
    )
    values = np.zeros(candidates.shape)
    values[..., 3] = rng.normal(size=(areas, parties))
    fielded = np.ones((areas, parties), bool)
    if gaps:
        fielded[0, -1] = False
        candidates[1, 0, 0] = -1
        candidates[1, 1, 2] = -1
    number = areas * per
    area = np.repeat(np.arange(areas), per)
    sizes = np.array([rng.multinomial(electors, rng.dirichlet(np.ones(len(codes)))) for _ in range(number)]).astype(
        float
    )
    if gaps:
        sizes[sizes < electors / len(codes) / 4] = 0
    total = sizes.sum(axis=1)
    polled = rng.binomial(total.astype(int), 0.6)
    votes = np.array([rng.multinomial(t, fielded[a] / fielded[a].sum()) for t, a in zip(polled, area, strict=True)])
    outside = rng.normal(size=(number, covariates))
    previous = rng.dirichlet(np.ones(parties), number)
    if gaps:
        previous[1] = 0  # unknown
    weight = np.ones(number) if weights is None else np.asarray(weights, float)
    fixed, band = np.zeros((2, 4, AGES, AGES))
    for d, n in enumerate(counts):
        fixed[d, :n, :n] = np.eye(n)
    band[0] = np.eye(AGES, k=1) + np.eye(AGES, k=-1)
    booths = Booths(sizes, polled * 1.0, votes * 1.0, area, outside - outside.mean(axis=0), previous, weight)
    gate = np.ones(codes.shape, bool)
    gate[:, 2] = codes[:, 1] == 0
    theirs = np.ones(candidates.shape, bool)
    theirs[..., 2] = candidates[..., 1] == 0
    frame = Frame(
        x,
        codes,
        candidates,
        values,
        np.array([False, False, False, True]),
        fixed,
        band,
        gate,
        theirs,
        fielded,
        *np.zeros((2, areas, len(codes))),
    )
    return booths, counted(booths, frame)


def counted(booths, frame):
    """The frame with the presence and the electors of the booths that count."""
    presence, electors = np.zeros((2, *frame.presence.shape))
    for sizes, a, weight in zip(booths.sizes, booths.constituency, booths.weight, strict=True):
        presence[a] += (sizes > 0) * (weight > 0)
        electors[a] += sizes * weight
    return frame._replace(presence=presence, electors=electors)


HYPER = Hyper(  # no two alike, so that none stands in for another
    rho=np.array([0.4, 0.0, 0.0, 0.0]),
    axis_weight=np.array([0.4, 0.3, 0.2, 0.1]),
    epsilon=np.float64(1e-12),
    lambda_T=np.float64(1.3),
    lambda_P=np.float64(0.7),
    lambda_beta=np.float64(0.11),
    lambda_b=np.float64(2.3),
    lambda_eta=np.float64(0.17),
    lambda_party=np.float64(0.9),
    lambda_tau=np.float64(3.1),
    lambda_tower=np.float64(0.6),
    lambda_constituency=np.float64(0.23),
    exponent=np.float64(0.4),
)
LIKELIHOOD = HYPER._replace(lambda_T=np.float64(1), lambda_P=np.float64(1))


def options_of(given):
    """Options of a fit, checked as `calm.fit` checks them."""
    return made(FitOptions, given, where="calm.fit")


def hyper_of(rho, axis_weight, **others):
    """The strengths of the options' defaults, with an L2 penalty of 2 on booth effects."""
    strengths = {name: getattr(FitOptions, name) for name in Hyper._fields if name.startswith("lambda_")}
    plain = {"epsilon": 1e-12, "exponent": 0.0} | strengths | {"lambda_b": 2.0} | others
    return Hyper(rho=rho, axis_weight=axis_weight, **plain)


# ------------------------------------------------------------------------------------ g


def kernel(frame, rho, a, c, k, d):
    """g of a cell and a candidate on an axis (section 2)."""
    mine, theirs = frame.cell_codes[c], frame.candidate_codes[a, k]
    if not frame.fielded[a, k]:
        return 0.0
    if d == 3:
        return frame.candidate_values[a, k, 3]
    if mine[d] < 0 or theirs[d] < 0:
        return 0.0
    if d == 2 and not (mine[1] == 0 and theirs[1] == 0):
        return 0.0
    gap = abs(mine[d] - theirs[d])
    return 1.0 if gap == 0 else rho if gap == 1 and d == 0 else 0.0


def affinity(booths, frame, hyper, design):
    """g standardised [a, c, k, d] and raw, and its mean and sd over (i, c, k) of the training booths."""
    areas, parties, axes = frame.candidate_codes.shape
    number = len(frame.cell_codes)
    raw = np.zeros((areas, number, parties, axes))
    for a, c, k, d in product(range(areas), range(number), range(parties), range(axes)):
        raw[a, c, k, d] = kernel(frame, hyper.rho[0], a, c, k, d)
    rows = [
        (a, c, k, booths.sizes[i, c] * booths.weight[i] if design.weighting == "size" else 1.0)
        for i, a in enumerate(booths.constituency)
        if booths.weight[i] > 0
        for c in range(number)
        if booths.sizes[i, c] > 0
        for k in range(parties)
        if frame.fielded[a, k]
    ]
    g = raw.copy()
    if design.project:
        x = np.concatenate([np.ones((number, 1)), frame.features], axis=1)
        for k in range(parties):
            mine = [(a, c, w) for a, c, j, w in rows if j == k]
            heavy = np.array([np.sqrt(w) * x[c] for _, c, w in mine])
            aim = np.array([np.sqrt(w) * raw[a, c, k] for a, c, w in mine])
            g[:, :, k] -= x @ np.linalg.lstsq(heavy, aim, rcond=None)[0]
    there = np.array([g[a, c, k] for a, c, k, _ in rows])
    often = np.array([w for *_, w in rows])[:, None]
    mean = (often * there).sum(axis=0) / often.sum()
    sd = np.sqrt((often * (there - mean) ** 2).sum(axis=0) / often.sum())
    flat = sd < 1e-12
    standard = np.where(flat, 0.0, (g - mean) / np.where(flat, 1.0, sd))
    standard[~np.broadcast_to(frame.fielded[:, None, :, None], standard.shape)] = 0.0
    return standard, raw, mean, np.where(flat, 0.0, sd)


def traits(frame, a, k):
    """z of a candidate: blocks as long as the longest, zero where unknown, not applicable or nobody stands."""
    z = np.zeros((4, AGES))
    if frame.fielded[a, k]:
        codes = frame.candidate_codes[a, k]
        for d in range(3):
            if codes[d] >= 0 and not (d == 2 and codes[1] != 0):
                z[d, codes[d]] = 1.0
        z[3, 0] = frame.candidate_values[a, k, 3]
    return z.ravel()


# ------------------------------------------------------------------------------------ the model


def spell(shared: Shared, local: Local | None, basis, booths):
    """Parameters with all K parties; `basis` [k, h] turns free ones into these."""
    number = len(booths.polled)
    parties = basis.shape[0]
    some = {name: None if leaf is None else np.asarray(leaf) for name, leaf in shared._asdict().items()}
    return SimpleNamespace(
        **some | {"gamma": basis @ some["gamma"], "beta_P": some["beta_P"] @ basis.T},
        effects=None if some["effect_P"] is None else some["effect_P"] @ basis.T,
        U=None if some["left"] is None else some["left"] @ some["right"].T,
        b_T=np.zeros(number) if local is None else np.asarray(local.b_T),
        b_P=np.zeros((number, parties)) if local is None else np.asarray(local.b_P) @ basis.T,
    )


def softmax(utility, fielded):
    """Shares of those who stand."""
    shares = np.zeros(len(utility))
    shares[fielded] = np.exp(utility[fielded] - logsumexp(utility[fielded]))
    return shares


def common_utility(p, frame, g, a, c, k):
    """What a booth adds nothing to."""
    x = frame.features[c]
    utility = p.gamma[k] + x @ p.beta_P[: len(x), k]
    if p.eta is not None:
        eta = p.eta[k] if p.eta.ndim == 2 else p.eta
        eta = eta if p.eta_constituency is None else eta + p.eta_constituency[a]
        utility += eta @ g[a, c, k]
    if p.U is not None:
        utility += x @ p.U @ traits(frame, a, k)
    return utility if p.effects is None else utility + p.effects[a, k]


def forward(p, booths, frame, hyper, design, weights, known=None):
    """pi [i, c], theta [i, c, k], T, V, t, p of sections 0, 3 and 4."""
    g, raw, *_ = affinity(booths, frame, hyper, design) if known is None else known
    number, cells = booths.sizes.shape
    parties = frame.fielded.shape[1]
    pi, theta = np.zeros((number, cells)), np.zeros((number, cells, parties))
    for i in range(number):
        a = booths.constituency[i]
        n, stands, outside = booths.sizes[i], frame.fielded[a], booths.covariates[i]
        utility = np.array([[common_utility(p, frame, g, a, c, k) for k in range(parties)] for c in range(cells)])
        surroundings = np.zeros(parties)
        if design.context:
            shares = np.array([softmax(utility[c], stands) for c in range(cells)])
            here, there = n / n.sum(), frame.electors[a] / frame.electors[a].sum()
            surroundings = np.log(here @ shares + FLOOR) - np.log(there @ shares + FLOOR)
        for c in range(cells):
            x = frame.features[c]
            logit = p.alpha + p.b_T[i] + x @ p.beta_T[: len(x)] + outside @ p.beta_T[len(x) :]
            if p.effect_T is not None:
                logit += p.effect_T[a]
            if p.xi is not None:
                met = raw if design.raw_mobilisation else g
                logit += p.xi * sum(weights[i, k] * (hyper.axis_weight @ met[a, c, k]) for k in range(parties))
            pi[i, c] = expit(logit)
            own = utility[c] + p.b_P[i] + outside @ p.beta_P[len(x) :] + hyper.exponent * surroundings
            theta[i, c] = softmax(own, stands)
    T = (booths.sizes * pi).sum(axis=1)
    V = np.einsum("ic,ic,ick->ik", booths.sizes, pi, theta)
    return SimpleNamespace(pi=pi, theta=theta, T=T, V=V, t=T / booths.sizes.sum(axis=1), p=V / T[:, None])


def first_weights(booths, frame):
    """w_ik before any epoch: previous shares of those who stand, else the constituency's shares."""
    found = np.zeros(booths.votes.shape)
    for i, a in enumerate(booths.constituency):
        mine = booths.previous[i] * frame.fielded[a]
        if mine.sum() == 0:
            same = booths.constituency == a
            mine = booths.weight[same] @ booths.votes[same] * frame.fielded[a]
        found[i] = mine / mine.sum()
    return found


# ------------------------------------------------------------------------------------ the objective


def losses(rates, p, booths):
    """N BCE and T KL of each booth (section 5); overdispersed, minus the log-probabilities up to a constant."""
    turnout, party = [], []
    for i in range(len(booths.polled)):
        N, T, V = booths.sizes[i].sum(), booths.polled[i], booths.votes[i]
        t, shares = rates.t[i], rates.p[i]
        if p.dispersion is None:
            turnout.append(-(T * np.log(t) + (N - T) * np.log1p(-t)))
            party.append(sum(v * np.log(v / T / q) for v, q in zip(V, shares, strict=True) if v > 0))
            continue
        rho_T, rho_P = expit(p.dispersion)
        size, stands = 1 / rho_T - 1, shares > 0
        turnout.append(-betabinom.logpmf(T, N, size * t, size * (1 - t)) + log_choose(N, T))
        size = 1 / rho_P - 1
        chance = dirichlet_multinomial.logpmf(V[stands], size * shares[stands], T)
        coefficient = gammaln(T + 1) - gammaln(V + 1).sum()
        party.append(-chance + coefficient + xlogy(V, V / max(T, 1)).sum())
    return np.array(turnout), np.array(party)


def log_choose(n, k):
    """Logarithm of the binomial coefficient."""
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


def penalties(p, booths, hyper, design):
    """Every penalty by its name."""
    found = {"beta": hyper.lambda_beta * ((p.beta_T**2).sum() + (p.beta_P**2).sum())}
    if p.eta is not None:
        strength = hyper.lambda_party if p.eta.ndim == 2 else hyper.lambda_eta
        found["eta"] = strength * (p.eta**2).sum()
    if p.eta_constituency is not None:
        found["tau"] = hyper.lambda_tau * (p.eta_constituency**2).sum()
    if p.left is not None:
        found["tower"] = hyper.lambda_tower * ((p.left**2).sum() + (p.right**2).sum())
    if p.effects is not None:
        found["constituency"] = hyper.lambda_constituency * ((p.effect_T**2).sum() + (p.effects**2).sum())
    if p.dispersion is not None:
        found["dispersion"] = (((p.dispersion + 6) / 3) ** 2).sum() / 2
    if design.booth_effects:
        often = np.where(booths.weight > 0, booths.weight, 1.0)
        found["b"] = hyper.lambda_b * (often * (p.b_T**2 + (p.b_P**2).sum(axis=1))).sum()
    return found


def objective(p, booths, frame, hyper, design, weights, known=None):
    """What is minimised."""
    turnout, party = losses(forward(p, booths, frame, hyper, design, weights, known), p, booths)
    total = booths.weight @ (hyper.lambda_T * turnout + hyper.lambda_P * party)
    return total + sum(penalties(p, booths, hyper, design).values())
