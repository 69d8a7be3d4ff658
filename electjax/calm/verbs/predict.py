"""What a CALM fit expects of booths: those it was fitted to, others, or the same with another electorate."""

import os
from collections.abc import Callable

import jax
import numpy as np
import xarray as xr

import electjax
from electjax.calm.basis import Basis, basis_of, bounds, check_draws, posterior_of
from electjax.calm.model.heads import Totals
from electjax.calm.model.predict import Effects, expected, simulate
from electjax.numerics.host import double_precision

MEANING = {
    "turnout": ("expected turnout", "1"),
    "share": ("expected share among the votes of the booth", "1"),
    "votes": ("expected votes", "votes"),
    "constituency_votes": ("expected votes", "votes"),
}
_RULES = {
    "known": "booths of the fit have their own effects; others the mean of their constituency, in draws those of one of"
    " its booths; constituencies that the fit has not seen have none",
    "mean": "every booth has the mean effects of its constituency's booths in the fit, or none where it has none",
    "zero": "no booth has effects",
}


def predict(
    fit: xr.Dataset,
    booths: xr.Dataset | str | os.PathLike[str],
    *,
    booth_effects: Effects = "known",
    draws: int = 0,
    seed: int = 0,
    level: float = 0.95,
    progress: Callable[[int, int, str], None] | None = None,
) -> xr.Dataset:
    """Expected turnout, shares and votes of booths (calm.md section 0), g standardised as it was in the fit.

    Args:
        fit: what `calm.fit` returned.
        booths: a booths Dataset or the path of one, with the axes, parties and covariates of the fit. Their votes do
            not matter, except that booths which have those of the fit get narrower intervals.
        booth_effects: known: of the fit for its own booths, and for others the mean of their constituency's; mean: that
            mean for all; zero: none. A constituency that the fit has not seen has no effects.
        draws: from the normal approximation of the posterior, for intervals; 0 for none.
        seed: of the draws.
        level: of the intervals.
        progress: called with draws done, of how many, and a line.

    Returns:
        turnout(booth), share(booth, party), votes(booth, party) and constituency_votes(constituency, party) at the
        estimate; with draws, the ends of their intervals <name>_low, <name>_high: of what is expected, without the
        chance of single votes. known(booth): whether the booth's own effects were used.

    Raises:
        ElectionDataError: booths that do not fit the schema or the fit, or an argument out of range.
    """
    check_draws("predict", draws, level, booth_effects)
    with double_precision():
        basis = basis_of(fit, booths)
        rule: Effects = booth_effects if basis.design.booth_effects else "zero"
        at = expected(basis.point, basis.to, basis.problem, basis.design, rule)
        values = _named(jax.tree.map(np.asarray, at), basis)
        ends: dict[str, dict[str, np.ndarray]] = {}
        joint = 0
        if draws:
            posterior, joint = posterior_of(basis)
            key = jax.random.key(seed)
            drawn = simulate(
                key,
                posterior,
                basis.to,
                basis.problem,
                basis.design,
                draws=draws,
                effects=rule,
                progress=progress,
            )
            each = _named(drawn, basis)  # type: ignore[arg-type]
            for end, where in bounds(level).items():
                ends[end] = {name: np.quantile(value, where, axis=0) for name, value in each.items()}
    found = xr.Dataset(coords=_coords(basis))
    for name, value in values.items():
        meaning, units = MEANING[name]
        dims = _dims(name)
        found[name] = (dims, value, {"long_name": meaning, "units": units})
        for end, own in ends.items():
            note = f"{meaning}: {bounds(level)[end]:.4g} quantile over draws of the parameters"
            found[f"{name}_{end}"] = (dims, own[name], {"long_name": note, "units": units})
    known = (np.asarray(basis.to.own) >= 0) & (booth_effects == "known") & basis.design.booth_effects
    found["known"] = ("booth", known, {"long_name": "whether the booth's own effects were used", "units": "1"})
    unseen = [str(basis.booths["constituency"].values[a]) for a in np.flatnonzero(basis.areas < 0)]
    found.attrs = {
        "title": str(basis.booths.attrs.get("name", "")),
        "effects": _RULES[booth_effects] if basis.design.booth_effects else "the model has no booth effects",
        "unseen_booths": int((~known).sum()) if booth_effects == "known" else found.sizes["booth"],
        "unseen_constituencies": ", ".join(unseen),
        "draws": draws,
        "jointly_drawn_booths": joint,
        "level": level,
        "seed": seed,
        "electjax_version": electjax.__version__,
    }
    return found


def _named(found: Totals, basis: Basis) -> dict[str, np.ndarray]:
    """What is reported, whatever stands before the axis of booths."""
    electors = np.asarray(basis.encoded.booths.sizes).sum(axis=1)
    votes = (electors * found.turnout)[..., None] * found.shares
    area = np.asarray(basis.encoded.booths.constituency)
    member = (area == np.arange(len(basis.areas))[:, None]).astype(float)  # [a, i]
    return {
        "turnout": np.asarray(found.turnout),
        "share": np.asarray(found.shares),
        "votes": votes,
        "constituency_votes": np.einsum("ai,...ik->...ak", member, votes, optimize=True),
    }


def _dims(name: str) -> tuple[str, ...]:
    first = "constituency" if name.startswith("constituency") else "booth"
    return (first,) if name == "turnout" else (first, "party")


def _coords(basis: Basis) -> dict[str, object]:
    booths = basis.booths
    own = {name: booths[name].values for name in ("booth", "constituency", "party")}
    return own | {"booth_constituency": ("booth", booths["booth_constituency"].values)}
