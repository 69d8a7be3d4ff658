"""Penalties chosen by what they do for booths that the fit has not seen.

From the penalties as given, one after the other is moved along a grid on the log scale for as long as booths held out
within their constituency are predicted better; then again with half the step. Every fit begins where the best one so
far ended, in one compiled program.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from electjax.calm.model.design import Booths, Design, Frame, Hyper
from electjax.calm.model.diagnose import posed, solve
from electjax.calm.model.unseen import unseen_losses
from electjax.numerics.arrow import Point

STEPS = (1.0, 0.5)  # in powers of ten, one round each
RANGE = 4.0  # farthest from the penalty as given, in powers of ten
LEAST = 0.05  # gain in log-likelihood of the booths held out, below which a penalty stays as it is


class Choice(NamedTuple):
    """What was chosen.

    Attributes:
        hyper: with the penalties chosen.
        names: of the penalties that were searched.
        tried: their values, [n, v], and the loss that each came to, [n]: N BCE + T KL of all booths held out.
        edge: those that stopped at the end of the range.
    """

    hyper: Hyper
    names: tuple[str, ...]
    tried: Float[np.ndarray, "n v"]
    loss: Float[np.ndarray, " n"]
    edge: tuple[str, ...]


def penalties_of(design: Design, hyper: Hyper) -> tuple[str, ...]:
    """Penalties that a design has a use for; one that is given as 0 stays 0."""
    used = {
        "lambda_eta": design.affinity in ("shared", "hierarchical"),
        "lambda_party": design.affinity == "party",
        "lambda_tau": design.affinity == "hierarchical",
        "lambda_tower": design.tower > 0,
        "lambda_beta": True,
        "lambda_b": design.booth_effects,
        "lambda_constituency": design.constituency_effects,
    }
    return tuple(name for name, use in used.items() if use and float(getattr(hyper, name)) > 0)


def search_penalties(
    booths: Booths,
    frame: Frame,
    hyper: Hyper,
    design: Design,
    out: Bool[np.ndarray, "f i"],
    *,
    tolerance: float = 1e-8,
    max_steps: int = 100,
    chunk: int = 128,
    progress: Callable[[int, int], None] | None = None,
) -> Choice:
    """Search the penalties of a design coordinate by coordinate, beginning with `hyper`. In double precision.

    Args:
        booths: those of weight 0 are neither fitted nor predicted.
        out: booths that each split holds out.
    """
    names = penalties_of(design, hyper)
    weight, chunk = np.asarray(booths.weight, float), min(chunk, len(booths.weight))
    given = np.log10([float(getattr(hyper, name)) for name in names])
    known: dict[tuple[float, ...], float] = {}
    best: list[Point | None] = [None] * len(out)

    def at_powers(powers: np.ndarray) -> Hyper:
        values: dict[str, Any] = {name: np.float64(10.0**power) for name, power in zip(names, powers, strict=True)}
        return hyper._replace(**values)

    def loss_of(moves: tuple[float, ...]) -> float:
        """Loss at powers of ten away from what was given; the fits are kept if they are the best."""
        if moves in known:
            return known[moves]
        at = at_powers(given + np.array(moves))
        points, loss = [], 0.0
        for fold, own in enumerate(out):
            problem = posed(booths, frame, at, jnp.asarray(np.where(own, 0.0, weight)), design=design, chunk=chunk)
            fit = solve(problem, design, best[fold], tolerance=tolerance, max_steps=max_steps)
            lost = unseen_losses(fit.point, fit.problem, design)
            loss += float((weight * own) @ np.asarray(lost.turnout + lost.party)[: len(weight)])
            points.append(fit.point)
            if progress is not None:
                done = len(known) * len(out) + fold + 1
                progress(done, max(done, (1 + 3 * len(STEPS) * len(names)) * len(out)))
        if loss < min(known.values(), default=np.inf):
            best[:] = points
        known[moves] = loss
        return loss

    at = (0.0,) * len(names)
    loss_of(at)
    for step in STEPS:
        for place in range(len(names)):
            for way in (step, -step):
                start = at
                while abs(at[place] + way) <= RANGE:
                    moved = (*at[:place], at[place] + way, *at[place + 1 :])
                    if loss_of(moved) > known[at] - LEAST:
                        break
                    at = moved
                if at != start:
                    break  # what helps in one direction does not in the other
    tried = 10.0 ** (given + np.array(list(known)))
    edge = tuple(name for name, move in zip(names, at, strict=True) if abs(move) > RANGE - min(STEPS))
    return Choice(at_powers(given + np.array(at)), names, tried, np.array(list(known.values())), edge)
