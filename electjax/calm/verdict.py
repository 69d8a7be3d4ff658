"""Whether a CALM fit, and what rests on one, can be relied on: what makes it doubtful, and what to do about it."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import xarray as xr

from electjax.calm.model.rank import Rank, rank_sentence
from electjax.calm.model.uncertainty import FEW_CLUSTERS
from electjax.calm.options import FitOptions, read_options
from electjax.data.verdict import Doubt, Verdict, verdict, verdict_of

EXTREME = 10.0  # log odds, 1 in 22,000: what goes further is held by its penalty, not by votes
NO_SCATTER = 1e-6  # correlation of two electors: 1 % of the binomial variance at 10,000 of them
SCATTER = 1.5  # times the variance that the model has; errors are then a fifth too small
MOST_LOST = 0.05  # of the replicates of a bootstrap
FEW_REPLICATES = 100  # two or three of them lie beyond either end of a 95 % interval
MIXED, STUCK = 1.01, 1.05  # R-hat up to which chains count as mixed, and from which as stuck
FEW_DRAWS = 400  # effective ones, below which tails are rough
_MOST_NAMES = 6
_SINGLE = ("alpha", "gamma", "beta_T", "beta_P", "eta", "xi", "effect_T", "effect_P")
JOINT = (
    "Booth effects are fitted, not integrated out: that biases eta, and with many booths to a constituency its"
    " intervals miss the truth too often (experiments/calm); integrate=True takes the bias off to first order."
)
NO_ERRORS = "There are no standard errors: errors='laplace' gives them."
BY_CHOICE = (JOINT, NO_ERRORS)  # reasons that the options say, which need no warning besides


def judge(fit: xr.Dataset) -> Verdict:
    """The verdict on a result of `calm.fit`.

    Not usable: it did not converge. With care: eta or other parameters that are not identified; parties without a vote,
    and coefficients beyond 10 log odds; a dispersion at its boundary; booths that scatter more than 1.5 times as much
    as the model has it; booth effects that are fitted, not integrated out; fewer than 20 constituencies behind
    clustered errors; no errors; an objective that is no likelihood; booths where nobody voted.
    """
    return verdict(doubts_of(fit))


def verdict_on(result: xr.Dataset) -> Verdict:
    """The verdict on a fit as `calm.fit` gave it, else worked out."""
    return verdict_of(result.attrs) or judge(result)


def doubts_of(fit: xr.Dataset) -> Iterator[Doubt]:
    """All that speaks against a fit."""
    options, attrs = read_options(str(fit.attrs["options"])), fit.attrs
    if not attrs.get("converged", 1):
        yield Doubt(
            "not usable", f"The fit did not converge in {attrs['steps']} steps: raise max_steps, or the penalties."
        )
    yield from _not_identified(fit, options)
    yield from _at_an_end(fit, options)
    yield from _scatter(fit, options)
    yield from _errors(fit, options)
    silent = int((fit["observed_turnout"].values == 0).sum())
    if silent:
        yield Doubt(
            "with care",
            f"{silent} of {fit.sizes['booth']} booths polled no votes and count as a turnout of 0: leave them out if"
            " their votes are not known.",
        )


def on_a_fit(fit: xr.Dataset, more: Iterable[Doubt] = ()) -> Verdict:
    """The verdict on what rests on a fit: that of the fit, and what else there is."""
    return with_doubts(verdict_on(fit), more)


def with_doubts(found: Verdict, more: Iterable[Doubt]) -> Verdict:
    """A verdict and further doubts."""
    return verdict([*found.doubts, *more])


def of_places(unseen: Sequence[str]) -> list[Doubt]:
    """What is to be said of a prediction for constituencies that its fit has not seen."""
    if not unseen:
        return []
    reason = (
        f"The fit has not seen {some(unseen)}: what is particular to a constituency is left out there, and intervals"
        " do not know it."
    )
    return [Doubt("with care", reason)]


def of_changes(fit: xr.Dataset, changes: dict[str, dict[str, dict[str, object] | None]]) -> list[Doubt]:
    """What is to be said of other candidates: whether the change rests on an eta that the data do not tell."""
    if "eta" not in fit:
        reason = (
            "The model has no candidate affinity, so that other traits change nothing: use_candidate_affinity=True."
        )
        return [Doubt("not usable", reason)] if "tower" not in fit else []
    if "identified" not in fit:
        return []
    told = fit["identified"].all([dim for dim in fit["identified"].dims if dim != "axis"])
    known = dict(zip(map(str, told["axis"].values), told.values.tolist(), strict=True))
    named = {axis for parties in changes.values() for traits in parties.values() for axis in traits or {}}
    blind = [axis for axis, good in known.items() if axis in named and not good]
    if not blind:
        return []
    reason = (
        f"The change rests on eta of {some(blind)}, which is not identified: its penalty chose it, not the votes; fit"
        " booths of more constituencies."
    )
    return [Doubt("not usable", reason)]


def of_replicates(converged: np.ndarray) -> list[Doubt]:
    """What is to be said of a bootstrap."""
    done, number = int(np.sum(converged)), len(converged)
    reason = (
        f"{number - done} of {number} replicates did not converge, and are left out: raise the penalties of the fit."
    )
    if done < 2:
        return [Doubt("not usable", reason)]
    found = [Doubt("with care", reason)] if done < (1 - MOST_LOST) * number else []
    if done < FEW_REPLICATES:
        said = f"Ends of intervals from {done} replicates are uncertain: replicates={FEW_REPLICATES} or more."
        found.append(Doubt("with care", said))
    return found


def of_chains(fit: xr.Dataset, *, r_hat: float, ess: float, diverging: int) -> Verdict:
    """The verdict on draws of the posterior, which are as good as their chains; what is not identified stays so."""
    found = [Doubt("with care", reason) for reason in verdict_on(fit).reasons if reason.startswith("Not identified")]
    if diverging or r_hat > MIXED:
        reason = (
            f"The chains did not converge: {diverging} transitions diverged, the largest R-hat is {r_hat:.3f}; raise"
            " warmup= and draws=."
        )
        found.append(Doubt("not usable" if r_hat > STUCK else "with care", reason))
    if ess < FEW_DRAWS:
        reason = (
            f"A parameter has {ess:.0f} effective draws: ends of intervals want {FEW_DRAWS} or more; raise draws= or"
            " chains=."
        )
        found.append(Doubt("with care", reason))
    return verdict(found)


# ------------------------------------------------------------------------------------ parts of a fit


def _not_identified(fit: xr.Dataset, options: FitOptions) -> Iterator[Doubt]:
    """Parameters that the penalties choose."""
    if "identified" in fit:
        rank = Rank(int(fit.attrs["rank_without_affinity"]), int(fit.attrs["rank"]), fit["identified"].values)
        axes, parties = ([str(name) for name in fit[dim].values] for dim in ("axis", "party"))
        if said := rank_sentence(rank, axes, parties):
            yield Doubt("with care", said)
    if "eta" in fit and options.design.tower:
        yield Doubt(
            "with care",
            "eta stands beside a two-tower term that can do what eta does: how the pull of candidates is split between"
            " them is chosen by lambda_eta, lambda_party and lambda_tower, not the data; leave tower out to read eta.",
        )
    flat = [
        label
        for name in _SINGLE
        if name in fit and f"{name}_se" in fit
        for label in _entries(fit[name], np.isfinite(fit[name].values) & ~np.isfinite(fit[f"{name}_se"].values))
    ]
    if flat:
        yield Doubt(
            "with care",
            f"Not identified, and without a standard error: {some(flat)}; give penalties above 0 (lambda_beta,"
            " lambda_constituency, lambda_eta), or coding='reference'.",
        )


def _at_an_end(fit: xr.Dataset, options: FitOptions) -> Iterator[Doubt]:
    """Parties without votes, coefficients that run away, and a dispersion at the end of its range."""
    empty = without_votes(fit)
    if empty:
        yield Doubt(
            "with care",
            f"Separation: not a vote for {some(empty)}. How far below 0.1 % it is there is chosen by the penalty;"
            " pool the party with others, or mark it as not fielded.",
        )
    far = [
        f"{label} = {value:.1f}"
        for name in _SINGLE
        if name in fit
        for label, value in zip(
            _entries(fit[name], np.abs(fit[name].values) > EXTREME),
            fit[name].values[np.abs(fit[name].values) > EXTREME].ravel(),
            strict=True,
        )
    ]
    if far:
        yield Doubt(
            "with care",
            f"Separation: {some(far)} log odds, at the end of what votes can tell, so that its interval says nothing;"
            " raise lambda_beta or lambda_constituency, or pool categories or parties.",
        )
    for name, what in (("rho_T", "the turnout"), ("rho_P", "the choice")):
        if name in fit and float(fit[name]) < NO_SCATTER:
            yield Doubt(
                "with care",
                f"The dispersion of {what} is at its boundary, 0 ({name} = {float(fit[name]):.1g}): its interval says"
                " nothing; overdispersed=False leaves it out.",
            )


def _scatter(fit: xr.Dataset, options: FitOptions) -> Iterator[Doubt]:
    """Booths that differ by more than the model has it."""
    if options.errors == "sandwich":  # which are right whatever the scatter is
        return
    design = options.design
    if design.booth_effects and options.lambda_b > 0:
        for name, what in (("b_T", "turnout"), ("b_P", "choice")):
            wide, wanted = _effect_sd(fit, name), (2 * options.lambda_b) ** -0.5
            if wide > np.sqrt(SCATTER) * wanted:
                yield Doubt(
                    "with care",
                    f"Booth effects on the {what} have a standard deviation of {wide:.2f}, and lambda_b ="
                    f" {options.lambda_b:g} assumes {wanted:.2f}: errors are too small; penalties='holdout' chooses"
                    " it, and errors='sandwich' does without.",
                )
    elif not design.booth_effects:
        for name, times in dispersion(fit).items():
            if times > SCATTER:
                yield Doubt(
                    "with care",
                    f"Booths scatter {times:.1f} times as much in the {name} as the model has it: errors are too"
                    f" small; {'' if design.overdispersed else 'overdispersed=True, or '}errors='sandwich'.",
                )


def _errors(fit: xr.Dataset, options: FitOptions) -> Iterator[Doubt]:
    """How far standard errors can be believed."""
    if options.design.booth_effects and not options.integrates:
        yield Doubt("with care", JOINT)
    if options.errors == "none":
        yield Doubt("with care", NO_ERRORS)
    if options.errors == "laplace" and (options.lambda_T != 1 or options.lambda_P != 1):
        yield Doubt(
            "with care",
            "lambda_T or lambda_P is not 1: the objective is no log-likelihood, nor are its standard errors; leave"
            " them at 1, or use errors='sandwich'.",
        )
    if options.errors == "sandwich":
        kept = fit["booth_constituency"].values[~fit["held_out"].values.astype(bool)]
        number = len(np.unique(kept.astype(str)))
        if number < FEW_CLUSTERS:
            yield Doubt(
                "with care",
                f"Sandwich errors from {number} constituencies are too small more often than not: they want"
                f" {FEW_CLUSTERS} or more; errors='laplace' does without.",
            )


def without_votes(fit: xr.Dataset) -> list[str]:
    """Parties that stand and have not a vote in the booths of the fit, or of one of its constituencies.

    Of single constituencies only where they have effects of their own.
    """
    kept = ~fit["held_out"].values.astype(bool)
    share = np.nan_to_num(fit["observed_share"].transpose("booth", "party").values)[kept]
    parties = [str(name) for name in fit["party"].values]
    nowhere = ~(share > 0).any(axis=0)
    found = [party for party, none in zip(parties, nowhere, strict=True) if none]
    if "effect_P" not in fit or "choice" not in fit:
        return found
    of = fit["booth_constituency"].values.astype(str)[kept]
    stands = np.nan_to_num(fit["choice"].transpose("constituency", "cell", "party").values).max(axis=1) > 0
    for a, place in enumerate(map(str, fit["constituency"].values)):
        here = share[of == place]
        empty = stands[a] & ~(here > 0).any(axis=0) & ~nowhere & bool((here > 0).any())
        found += [f"{parties[k]} in {place}" for k in np.flatnonzero(empty)]
    return found


def dispersion(fit: xr.Dataset) -> dict[str, float]:
    """Mean of the squared residuals of booths, in the variances that the model gives them; of a good model about 1."""
    kept = ~fit["held_out"].values.astype(bool)
    electors = fit["booth_electors"].values[kept].astype(float)
    turnout, seen = (fit[f"{name}_turnout"].values[kept] for name in ("fitted", "observed"))
    share, own = (fit[f"{name}_share"].transpose("booth", "party").values[kept] for name in ("fitted", "observed"))
    votes = electors * seen
    known = (votes > 1) & np.isfinite(own).all(axis=1)
    wider = [1 + (n - 1) * float(fit.get(f"rho_{x}", 0.0)) for n, x in ((electors, "T"), (votes, "P"))]
    with np.errstate(invalid="ignore", divide="ignore"):
        of_T = electors * (seen - turnout) ** 2 / (turnout * (1 - turnout)) / wider[0]
        free = np.maximum((share > 0).sum(axis=1) - 1, 1)
        each = np.where(share > 0, (own - share) ** 2 / share, 0.0).sum(axis=1)
        of_P = votes * each / free / wider[1]
    return {name: float(np.mean(x[known])) if known.any() else 0.0 for name, x in (("turnout", of_T), ("choice", of_P))}


def _effect_sd(fit: xr.Dataset, name: str) -> float:
    """Standard deviation of booth effects in each free direction, with what is not known of them."""
    if name not in fit:
        return 0.0
    kept = ~fit["held_out"].values.astype(bool)
    squares = np.nan_to_num(fit[name].values[kept]) ** 2
    if f"{name}_se" in fit:
        squares = squares + np.nan_to_num(fit[f"{name}_se"].values[kept]) ** 2
    free = 1 if squares.ndim == 1 else max(fit.sizes["party"] - 1, 1)
    return float(np.sqrt(squares.sum() / max(len(squares) * free, 1)))


def _entries(values: xr.DataArray, wanted: np.ndarray) -> list[str]:
    """Names of the entries of a parameter that are wanted, as in "beta_P[age[old], B]"."""
    if not values.dims:
        return [str(values.name)] if bool(wanted) else []
    at = [
        tuple(str(values[dim].values[i]) for dim, i in zip(values.dims, where, strict=True))
        for where in np.argwhere(wanted)
    ]
    return [f"{values.name}[{', '.join(labels)}]" for labels in at]


def some(names: Sequence[str]) -> str:
    """Names in a sentence, of many the first few."""
    left = len(names) - _MOST_NAMES
    return f"{', '.join(names[:_MOST_NAMES])} and {left} more" if left > 0 else ", ".join(names)


def about(fit: xr.Dataset) -> str:
    """What a fit is, in a line."""
    options, attrs = read_options(str(fit.attrs["options"])), fit.attrs
    places = len(np.unique(fit["booth_constituency"].values.astype(str)))
    kept = int(attrs.get("booths", fit.sizes["booth"]))
    out = fit.sizes["booth"] - kept
    said = f"CALM, {options.model} model, {attrs.get('name') or 'booths'}: {kept:,} booths"
    said += f" ({out:,} kept out)" if out else ""
    said += f" in {places:,} constituenc{'y' if places == 1 else 'ies'}, {fit.sizes['theta']:,} parameters"
    return f"{said}; {'converged' if attrs['converged'] else 'not converged'} in {attrs['steps']} steps"
