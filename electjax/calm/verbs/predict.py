"""What a CALM fit expects of booths: those it was fitted to, others, or the same with another electorate."""

import json
import os
from typing import Any

import jax
import numpy as np
import xarray as xr

from electjax.calm.basis import Basis, basis_of, posterior_of
from electjax.calm.model.heads import Totals
from electjax.calm.model.predict import expected, simulate
from electjax.calm.options import Effects, PredictOptions
from electjax.calm.schema import PREDICTION
from electjax.calm.verdict import of_places, on_a_fit
from electjax.data.finished import finished
from electjax.data.options import with_options
from electjax.data.progress import Progress
from electjax.data.schema import conform
from electjax.numerics.covariance import tails
from electjax.numerics.host import double_precision

_RULES = {
    "known": "booths of the fit have their own effects; others the mean of their constituency, in draws those of one of"
    " its booths; constituencies that the fit has not seen have none",
    "mean": "every booth has the mean effects of its constituency's booths in the fit, or none where it has none",
    "zero": "no booth has effects",
}


@with_options
def predict(
    fit: xr.Dataset | str | os.PathLike[str],
    booths: xr.Dataset | str | os.PathLike[str],
    options: PredictOptions,
    *,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Expected turnout, shares and votes of booths (calm.md section 0), g standardised as it was in the fit.

    Args:
        fit: what `calm.fit` returned, or its file.
        booths: a booths Dataset or the path of one, with the axes, parties and covariates of the fit. Their votes do
            not matter, except that booths which have those of the fit get narrower intervals. A constituency that the
            fit has not seen has no effects.
        progress: called with draws done, of how many, and a line.

    Returns:
        turnout(booth), share(booth, party), votes(booth, party) and constituency_votes(constituency, party) at the
        estimate; with draws, the ends of their intervals <name>_low, <name>_high: of what is expected, without the
        chance of single votes. party_votes and party_share(party): of all booths together. known(booth): whether the
        booth's own effects were used. attrs: verdict, that of the fit and of constituencies it has not seen.

    Raises:
        ElectionDataError: booths that do not fit the schema or the fit, or an option out of range.

    Example:
        >>> import electjax
        >>> booths = electjax.calm.simulate("tiny")
        >>> found = electjax.calm.predict(electjax.calm.fit(booths, errors="none"), booths)
        >>> abs(float(found.votes.sum() / booths.votes.sum()) - 1) < 0.01
        True
    """
    with double_precision():
        basis = basis_of(fit, booths)
        rule: Effects = options.booth_effects if basis.design.booth_effects else "zero"
        at = expected(basis.point, basis.to, basis.problem, basis.design, rule)
        values = _named(jax.tree.map(np.asarray, at), basis)
        joint = 0
        if options.draws:
            posterior, joint = posterior_of(basis)
            how: dict[str, Any] = {"draws": options.draws, "effects": rule, "progress": progress}
            key = jax.random.key(options.seed)
            drawn = simulate(key, posterior, basis.to, basis.problem, basis.design, **how)
            each = _named(drawn, basis)  # type: ignore[arg-type]
            for end, where in zip(("low", "high"), tails(options.level), strict=True):
                values |= {f"{name}_{end}": np.quantile(value, where, axis=0) for name, value in each.items()}
    known = (np.asarray(basis.to.own) >= 0) & (options.booth_effects == "known") & basis.design.booth_effects
    found = xr.Dataset(
        {name: (PREDICTION.variables[name].dims, value) for name, value in (values | {"known": known}).items()},
        _coords(basis),
    )
    unseen = [str(basis.booths["constituency"].values[a]) for a in np.flatnonzero(basis.areas < 0)]
    found.attrs = {
        "title": str(basis.booths.attrs.get("name", "")),
        "effects": _RULES[options.booth_effects] if basis.design.booth_effects else "the model has no booth effects",
        "unseen_booths": int((~known).sum()) if options.booth_effects == "known" else found.sizes["booth"],
        "unseen_constituencies": json.dumps(unseen, ensure_ascii=False),
        "draws": options.draws,
        "jointly_drawn_booths": joint,
        "level": options.level,
        "seed": options.seed,
    }
    size, unknown = found.sizes, f" ({len(unseen):,} not in the fit)" if unseen else ""
    about = (
        f"expected turnout and votes of {size['booth']:,} booths in {size['constituency']:,} constituencies{unknown}"
    )
    drawn_by = f"{options.draws:,} draws" if options.draws else "no intervals"
    found = conform(found, PREDICTION)
    return finished(found, about=f"{about}; {drawn_by}", verdict=on_a_fit(basis.fit, of_places(unseen)))


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
        "party_votes": votes.sum(axis=-2),
        "party_share": votes.sum(axis=-2) / np.maximum(votes.sum(axis=(-2, -1)), 1e-30)[..., None],
    }


def _coords(basis: Basis) -> dict[str, object]:
    booths = basis.booths
    own = {name: booths[name].values for name in ("booth", "constituency", "party")}
    return own | {"booth_constituency": ("booth", booths["booth_constituency"].values)}
