"""Whether results of voter types can be relied on, in sentences that say what to do; and what each is, in a line."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

from electjax.data.verdict import Doubt, Verdict, verdict, verdict_of

FEW_VOTERS = 30  # of a type: a share of one half has then a standard error of nine points
PER_PARAMETER = 5  # ballots; below, standard errors of the information are rarely right
BLURRED = 0.6  # relative entropy below which likeliest types are often not the true ones
MISFIT = 10.0  # chi-square per degree of freedom of a pair of offices; 1 is expected
FEW_REPLICATES = 100  # of a bootstrap, whose ends of 95 % intervals are two or three of them
FAILED = 0.1  # share of the replicates that may not converge
_MOST_NAMES = 4


def verdict_on(fit: xr.Dataset) -> Verdict:
    """The verdict on a fit as its verb gave it, else worked out from its variables."""
    return verdict_of(fit.attrs) or judge(fit)


def judge(fit: xr.Dataset, findings: Iterable[tuple[str, str]] = ()) -> Verdict:
    """The verdict on a fit.

    Not usable: EM that did not converge; what `em.diagnose` calls so (no maximum, types that are empty or alike, more
    parameters than rows). With care: one start, or a best maximum that one start found; types of fewer than 30 voters;
    fewer than 5 ballots a parameter; relative entropy below .6; no standard errors; a ridge; and what `em.diagnose`
    calls so (probabilities of 0, parameters that are not identified, separation, few clusters).

    Args:
        fit: its Dataset.
        findings: of `em.diagnose`: how grave, and a sentence; remarks do not count.
    """
    graver = [Doubt(level, said) for level, said in findings if level in ("with care", "not usable")]  # type: ignore[arg-type]
    return verdict([*_of_the_search(fit), *graver, *_of_the_size(fit), *_of_the_errors(fit)])


def _of_the_search(fit: xr.Dataset) -> Iterator[Doubt]:
    """Whether it ended, and whether it found the best maximum."""
    if not fit.attrs.get("converged", 1):
        yield Doubt("not usable", "The search stopped before it converged: raise max_maps=.")
    if fit.sizes["type"] == 1 or "maxima_starts" not in fit:
        return  # the likelihood of one type has one maximum
    starts, best = fit.sizes.get("start", 0), int(fit["maxima_starts"].values[0])
    if starts == 1:
        said = (
            "There was one start: whether there is a better maximum is not known; fit with restarts=, without initial=."
        )
        yield Doubt("with care", said)
    elif best <= 1:
        said = f"Only one of {starts} starts reached the best maximum: there may be a better one; raise restarts=."
        yield Doubt("with care", said)


def _of_the_size(fit: xr.Dataset) -> Iterator[Doubt]:
    """How many voters speak for what was estimated, and how clearly."""
    attrs, types = fit.attrs, fit.sizes["type"]
    ballots = float(attrs.get("sample", attrs.get("voters", np.inf)))
    for label, share in zip(fit["type"].values, fit["pi"].values, strict=True):
        voters = share * ballots
        if types > 1 and 1 <= voters < FEW_VOTERS:
            said = f"Type {label} holds about {voters:.0f} voters ({100 * share:.1f} %)"
            yield Doubt("with care", f"{said}, too few to say much of what it does; fit fewer types.")
    each = ballots / max(float(attrs.get("parameters_free", attrs.get("parameters", 1))), 1.0)
    if each < PER_PARAMETER:
        said = f"There are {each:.1f} ballots for each parameter: intervals are too narrow"
        yield Doubt("with care", f"{said}; fit fewer types or offices.")
    entropy = float(attrs.get("entropy", 1.0))
    if types > 1 and entropy < BLURRED:
        said = (
            f"The types are not told apart well (relative entropy {entropy:.2f}): use the probabilities of predict, not"
            " the likeliest type of a voter, or fit fewer types."
        )
        yield Doubt("with care", said)


def _of_the_errors(fit: xr.Dataset) -> Iterator[Doubt]:
    """What the intervals say."""
    if fit.attrs.get("errors") == "none" or "pi_se" not in fit:
        yield Doubt("with care", "There are no standard errors: fit with errors='auto', or run voter_types.bootstrap.")
    ridge = float(fit.attrs.get("ridge", 0.0))
    if ridge > 0:
        said = f"A ridge of {ridge:g} pulls the slopes of membership towards 0, and their intervals do not know it"
        yield Doubt("with care", f"{said}; compare with ridge=0.")


# ------------------------------------------------------------------------------------ what rests on a fit


def judge_selection(selection: xr.Dataset) -> Verdict:
    """The verdict on a comparison of numbers of types: what is doubtful at the number that BIC prefers."""
    return verdict(_of_the_numbers(selection))


def _of_the_numbers(selection: xr.Dataset) -> Iterator[Doubt]:
    numbers = selection["types"].values.astype(int)
    at = int(np.argmin(selection["bic"].values))
    best = int(numbers[at])
    if "converged" in selection:
        stopped = numbers[~selection["converged"].values.astype(bool)]
        if len(stopped):
            said = f"The search did not converge for {', '.join(map(str, stopped))} types: raise max_maps=."
            yield Doubt("not usable" if best in stopped else "with care", said)
    if len(numbers) > 1 and at == len(numbers) - 1:
        yield Doubt("with care", f"BIC prefers {best} types, the largest number that was tried: try more.")
    if best > 1 and "starts_at_best" in selection and selection.attrs.get("restarts"):
        starts = round(float(selection["starts_at_best"].values[at]) * int(selection.attrs["restarts"]))
        if starts <= 1:
            said = f"At most one start reached the best maximum of {best} types, which BIC prefers: raise restarts=."
            yield Doubt("with care", said)


def judge_residuals(residuals: xr.Dataset, fit: Verdict) -> Verdict:
    """The verdict on a fit, and the pairs of offices that its types leave unexplained."""
    values = np.triu(np.nan_to_num(residuals["bivariate"].transpose("office", "office_").values), 1)
    names = residuals["office"].values.astype(str)
    far = sorted(np.argwhere(values > MISFIT).tolist(), key=lambda pair: -values[pair[0], pair[1]])
    if not far:
        return fit
    pairs = [f"{names[i]} with {names[j]} ({values[i, j]:.0f})" for i, j in far[:_MOST_NAMES]]
    more = f" and {len(far) - _MOST_NAMES} pairs more" if len(far) > _MOST_NAMES else ""
    said = (
        f"The types leave unexplained what offices have in common: {', '.join(pairs)}{more}; chi-square per degree of"
        " freedom, 1 is expected. Fit more types."
    )
    return _with(fit, [Doubt("with care", said)])


def judge_bootstrap(found: xr.Dataset, fit: Verdict) -> Verdict:
    """The verdict on a fit, and whether its replicates suffice."""
    doubts, number = [], found.sizes["replicate"]
    failed = 1 - float(found["converged"].values.astype(bool).mean())
    if failed > FAILED:
        said = f"{100 * failed:.0f} % of the replicates did not converge and are left out: the spread is too small"
        doubts.append(Doubt("with care", f"{said}; fit fewer types."))
    if number < FEW_REPLICATES:
        said = f"The intervals rest on {number} replicates: raise replicates= to {FEW_REPLICATES} or more."
        doubts.append(Doubt("with care", said))
    return _with(fit, doubts)


def judge_prediction(found: xr.Dataset, fit: Verdict) -> Verdict:
    """The verdict on a fit, and whether it tells these voters apart."""
    types = found.sizes["type"]
    zeta = np.clip(found["zeta"].values, 1e-300, 1)
    entropy = 1 + float((zeta * np.log(zeta)).sum(1).mean()) / np.log(types) if types > 1 else 1.0
    if entropy >= BLURRED:
        return fit
    said = (
        f"The types of these voters are not told apart well (relative entropy {entropy:.2f}): use zeta, not modal_type."
    )
    return _with(fit, [Doubt("with care", said)])


def verdict_on_run(tree: xr.DataTree) -> Verdict:
    """The verdict on a fit, and on what was made of it in the same run; each reason once."""
    found: dict[str, Doubt] = {}
    for name in ("fit", "selection", "residuals", "bootstrap", "prediction"):
        judged = verdict_of(tree[name].attrs) if name in tree.children else None
        if judged is not None:
            found |= {doubt.reason: doubt for doubt in judged.doubts if doubt.reason not in found}
    return verdict(found.values())


def _with(fit: Verdict, doubts: Sequence[Doubt]) -> Verdict:
    return verdict([*fit.doubts, *doubts])


# ------------------------------------------------------------------------------------ what it is


def about_fit(fit: xr.Dataset) -> str:
    """What a fit is, in a line."""
    attrs, types = fit.attrs, fit.sizes["type"]
    shares = ", ".join(f"{100 * share:.0f} %" for share in fit["pi"].values)
    said = f"{_types(types)} of voters ({shares}) in {_ballots(attrs)} with {_offices(fit)}"
    ended = "converged" if attrs.get("converged", 1) else "not converged"
    if types == 1 or "maxima_starts" not in fit:
        return f"{said}; {ended}"
    return f"{said}; {ended}, best maximum of {fit.sizes['start']} starts reached by {int(fit['maxima_starts'][0])}"


def about_selection(selection: xr.Dataset) -> str:
    """What a comparison of numbers of types is, in a line."""
    best: Mapping[str, int] = json.loads(selection.attrs["best"])
    numbers = [str(number) for number in selection["types"].values]
    preferred = ", ".join(f"{name.upper()} {best[name]}" for name in ("bic", "aic", "icl") if name in best)
    return f"{', '.join(numbers)} types of voters compared in {_ballots(selection.attrs)}; preferred: {preferred}"


def about_residuals(residuals: xr.Dataset) -> str:
    """What residuals are, in a line."""
    values = residuals["bivariate"].values
    most = float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")
    types = int(residuals.attrs["types"])
    return f"what {_types(types)} leave unexplained of {_offices(residuals)}; largest residual of a pair {most:.1f}"


def about_bootstrap(found: xr.Dataset) -> str:
    """What a bootstrap is, in a line."""
    done = int(found["converged"].values.astype(bool).sum())
    said = f"{found.attrs['kind']} bootstrap of {_types(found.sizes['type'])}"
    return f"{said}; {done} of {found.sizes['replicate']} replicates converged"


def about_prediction(found: xr.Dataset) -> str:
    """What a prediction is, in a line."""
    shares = ", ".join(f"{100 * share:.0f} %" for share in found["zeta"].mean("voter").values)
    return f"which of {_types(found.sizes['type'])} each of {found.sizes['voter']:,} voters is of ({shares})"


def _ballots(attrs: Mapping[str, object]) -> str:
    number, name = float(str(attrs.get("voters", "nan"))), attrs.get("name")
    return f"{number:,.0f} ballots" + (f" ({name})" if name and name != "ballots" else "")


def _offices(result: xr.Dataset) -> str:
    number = result.sizes["office"]
    return f"{number} office{'' if number == 1 else 's'}"


def _types(number: int) -> str:
    return f"{number} type{'' if number == 1 else 's'}"
