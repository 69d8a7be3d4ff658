"""Whether a calibration can be relied on: what makes it doubtful, in sentences that say what to do about it."""

import json
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import xarray as xr

from electjax.data.verdict import Doubt, Verdict, verdict, verdict_of
from electjax.districts.abc import trust
from electjax.districts.results import parameter_names, scalars

LEARNT = 0.25  # contraction from which a parameter counts as identified; a few hundred draws leave it .1 unsure
FEW, POOR = 100.0, 30.0  # effective draws: five, and one or two, of them lie beyond either end of a 90 % interval
FAR = 2.0  # times the tolerance that was asked for; further off than this, the best draws are no answer
MISFIT = 1.0  # tolerances between the election and the mean of simulations at the best parameters
MIXED, STUCK = 1.01, 1.05  # R-hat up to which chains count as mixed, and from which as stuck
_MOST_NAMES = 8
_WHY = {
    "budget spent": ("The budget was spent", "raise budget="),
    "wall time": ("The time ran out", "raise wall_time="),
    "generations": ("The generations ran out", "raise generations="),
    "no gain": ("The search gained nothing more", "widen priors= or take another model"),
    "acceptance rate": ("Hardly any simulation came closer", "widen priors= or take another model"),
}


def is_posterior(fit: xr.Dataset) -> bool:
    """Whether the draws of a calibration are a sample of a posterior: weighted, and within the tolerance asked for.

    Else they are the best that was found. The draws of explore_exploit are never a sample.
    """
    return fit.attrs.get("method") != "explore_exploit" and _missed(fit) <= 1.0


def verdict_on(fit: xr.Dataset) -> Verdict:
    """The verdict on a calibration, as its verb gave it, else worked out from its variables."""
    return verdict_of(fit.attrs) or verdict(_doubts(fit))


def contractions(fit: xr.Dataset) -> tuple[list[str], np.ndarray]:
    """Every scalar parameter by name, and 1 - its posterior over its prior variance."""
    names = parameter_names(fit)
    if all(f"contraction_{name}" in fit for name in names):
        labels, _ = scalars(fit, names, ("draw",))
        return labels, scalars(fit, [f"contraction_{name}" for name in names], ())[1]
    labels, draws = scalars(fit, names, ("draw",))
    _, prior = scalars(fit, [f"prior_{name}" for name in names], ("prior_draw",))
    weight = fit["weight"].values
    return labels, np.array([trust.contraction(c, weight, p) for c, p in zip(draws.T, prior.T, strict=True)])


def _missed(fit: xr.Dataset) -> float:
    """The tolerance that was reached, in those that were asked for; 0 where none was."""
    asked, reached = (fit.attrs.get(key, 0.0) for key in ("tolerance_asked", "tolerance"))
    if not asked or isinstance(reached, str):
        return 0.0
    return float(reached) / float(asked) if reached > asked * (1 + 1e-9) else 1.0


def _doubts(fit: xr.Dataset) -> Iterator[Doubt]:
    """All that speaks against a calibration."""
    if not fit.sizes["draw"]:
        yield Doubt("not usable", "Nothing was accepted; raise budget= or tolerance=.")
        return
    yield from _of_the_search(fit)
    if is_posterior(fit):
        yield from _of_the_posterior(fit)
    yield from _of_the_election(fit)


def _of_the_search(fit: xr.Dataset) -> Iterator[Doubt]:
    """Where the search ended, and what its draws are."""
    told, missed = fit.attrs, _missed(fit)
    why, mend = _WHY.get(str(told.get("stopped")), ("The search ended", "raise budget="))
    if missed > 1.0:
        reason = (
            f"{why} before the tolerance was reached: the draws lie within {float(told['tolerance']):.3g} of the"
            f" election, asked for was {float(told['tolerance_asked']):.3g}. They are the best found, no posterior;"
            f" {mend}."
        )
        yield Doubt("not usable" if missed > FAR else "with care", reason)
    elif not missed and told.get("method") == "smc" and told.get("stopped") in ("budget spent", "wall time"):
        reason = f"{why} while the tolerance still fell; {mend}, or see districts.sensitivity for what still moves."
        yield Doubt("with care", reason)
    if told.get("method") == "explore_exploit":
        reason = (
            "The draws of explore_exploit are the best found and no posterior: read the best parameters, no interval;"
            " method='smc' gives a posterior."
        )
        yield Doubt("with care", reason)
    if told.get("not_finite"):
        reason = (
            f"A statistic is not finite in {told['not_finite']:.1%} of the prior's simulations, which are rejected;"
            " choose other statistics=, or narrower priors=."
        )
        yield Doubt("with care", reason)


def _of_the_posterior(fit: xr.Dataset) -> Iterator[Doubt]:
    """How well it is known, and what it says."""
    weight = fit["weight"].values.astype(float)
    worth = float(weight.sum() ** 2 / np.square(weight).sum())
    if worth < FEW:
        ends = "only the best parameters can be read" if worth < POOR else "ends of intervals are uncertain"
        told = f"The {len(weight):,} draws are worth {worth:.0f} independent ones: {ends}; raise accept= and budget=."
        yield Doubt("not usable" if worth < POOR else "with care", told)
    spread = float(fit["trace_r_hat"].max()) if "trace_r_hat" in fit else 1.0
    diverged = int(fit["trace_divergences"].sum()) if "trace_divergences" in fit else 0
    if diverged or spread > MIXED:
        reason = (
            f"The chains did not converge: {diverged} transitions diverged, the largest R-hat is {spread:.3f};"
            " raise warmup= or chains=."
        )
        yield Doubt("not usable" if spread > STUCK else "with care", reason)
    if fit.attrs.get("beyond", 0) > 0:
        reason = (
            "The election lies beyond the accepted simulations in what they were compared by: the model may not give"
            " it; districts.check shows in which statistics."
        )
        yield Doubt("with care", reason)
    if all(f"prior_{name}" in fit for name in parameter_names(fit)):
        labels, learnt = contractions(fit)
        blind = [label for label, contraction in zip(labels, learnt, strict=True) if contraction < LEARNT]
        if blind:
            reason = (
                f"Not identified (contraction below {LEARNT:.0%}): {_some(blind)}. The election says little that the"
                " prior does not; give narrower priors=, or set values with params=."
            )
            yield Doubt("with care", reason)


def _of_the_election(fit: xr.Dataset) -> Iterator[Doubt]:
    """How far the model is from it, and its ties."""
    far = float(fit.attrs.get("optimal_distance", 0.0))
    if far > MISFIT and _missed(fit) <= 1.0:
        reason = (
            f"At its best parameters the model is on average {far:.1f} tolerances from the election: it does not give"
            " the observed result; take another model or other options=."
        )
        yield Doubt("with care", reason)
    ties = json.loads(fit.attrs.get("ties", "[]"))
    if ties:
        reason = (
            f"Tied in the returns: {_some(ties)}. Seats there are as the returns declare them, else of the first of"
            " the tied parties; correct the winner."
        )
        yield Doubt("with care", reason)


def tied(election: xr.Dataset) -> list[str]:
    """The districts of returns where the two strongest parties have the same votes."""
    if "votes" not in election or election.sizes["party"] < 2:
        return []
    best = np.sort(election["votes"].transpose("district", "party").values, axis=1)[:, -2:]
    return [str(label) for label in election["district"].values[best[:, 0] == best[:, 1]]]


def of_evidence(labels: Iterable[str], draws: Iterable[int], fewest: int, tolerance: float) -> list[Doubt]:
    """The models of a comparison whose evidence few simulations carry; that of one without any is not known."""
    return [
        Doubt(
            "with care" if carried else "not usable",
            f"{label}: {carried} simulations carry its evidence at tolerance {tolerance:.3g}, expected {fewest} or"
            " more; raise budget= or at=.",
        )
        for label, carried in zip(labels, draws, strict=True)
        if carried < fewest
    ]


def _some(names: Sequence[str]) -> str:
    """Names in a sentence, of many the first few."""
    left = len(names) - _MOST_NAMES
    return f"{', '.join(names[:_MOST_NAMES])} and {left} more" if left > 0 else ", ".join(names)
