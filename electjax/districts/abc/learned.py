"""Summary statistics that are learned: what a pilot's simulations say of the parameters.

P. Fearnhead and D. Prangle, "Constructing summary statistics for approximate Bayesian computation: semi-automatic
ABC", Journal of the Royal Statistical Society B 74 (2012): the posterior mean of every coordinate, estimated by
regression on the features and their squares, near the observed election.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Array, Float, Key

from electjax.districts.abc.distance import Measure, Target
from electjax.districts.abc.methods.smc import SMCOptions, smc
from electjax.districts.abc.prior import to_probit
from electjax.districts.abc.problem import Problem
from electjax.districts.models.base import filled

DRAWS = 400  # fewest that are learned from
DRAWS_EACH = 10  # and for every coefficient
RIDGE = 1e-3  # in units of a standardised feature's variance


@dataclass(frozen=True)
class Projection:
    """Features to predicted coordinates, and how far they lie beyond those that it was learned from.

    Beyond, a prediction counts for little: the features are taken as the outermost that were learned from, and what
    they exceed them by, in standard deviations, is a statistic of its own.
    """

    centre: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    coefficients: np.ndarray

    def __call__(self, features: Float[np.ndarray, "N F"]) -> Float[np.ndarray, "N D"]:
        """Predicted coordinates on the probit scale, and the excess."""
        features = np.asarray(features, float)
        inside = np.clip(features, self.low, self.high)
        excess = np.sqrt(np.sum(((features - inside) / self.spread) ** 2, axis=1))
        z = (inside - self.centre) / self.spread
        return np.column_stack([np.column_stack([np.ones(len(z)), z, z * z]) @ self.coefficients, excess])


def learn_measure(key: Key[Array, ""], problem: Problem, *, pilot: int) -> tuple[Measure, int]:
    """A measure on learned statistics, from a pilot of about so many simulations, and how many these were.

    The pilot is a sequential search by the given features, scaled by their median absolute deviation; what is learned
    from are its last draws. Raises ValueError where the pilot is too small for the regression, or a feature of the
    observed election is unknown.
    """
    observed = np.asarray(problem.measure.goal.observed, float)
    if np.isnan(observed).any():
        raise ValueError("summaries=learned: a statistic of the observed election is unknown; use summaries=given")
    wanted = max(DRAWS, DRAWS_EACH * (2 * len(observed) + 1))
    if pilot < 4 * wanted:
        raise ValueError(f"pilot={pilot}: expected at least {4 * wanted} to learn from {len(observed)} features")
    found = smc(key, problem, budget=pilot, accept=wanted, tolerance=0.0, options=filled(SMCOptions, scaling="mad"))
    features = np.asarray(found.draws.features, float)
    spread = features.std(axis=0)
    bare = Projection(
        centre=features.mean(axis=0),
        spread=np.where(spread > 0, spread, np.inf),
        low=np.minimum(features.min(axis=0), observed),
        high=np.maximum(features.max(axis=0), observed),
        coefficients=np.eye(2 * len(observed) + 1),
    )
    design = bare(features)[:, :-1]
    penalty = RIDGE * len(design) * np.diag(np.r_[0.0, np.ones(design.shape[1] - 1)])
    coefficients = np.linalg.solve(design.T @ design + penalty, design.T @ to_probit(found.draws.unit))
    project = replace(bare, coefficients=coefficients)
    goal = Target(project(observed[None])[0], np.ones(coefficients.shape[1] + 1))
    measure = Measure(goal, problem.measure.norm, project).rescaled(features)
    # beyond what was learned from, one standard deviation of a feature counts as one
    scale = np.append(measure.goal.tolerance[:-1], 1.0)
    return measure._replace(goal=goal._replace(tolerance=scale)), found.simulations
