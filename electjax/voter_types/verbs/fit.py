"""Voter types from ballots: from a Dataset of ballots to a Dataset of types."""

import warnings

import numpy as np
import xarray as xr

from electjax.data.errors import data_error
from electjax.data.options import with_options
from electjax.data.progress import Progress
from electjax.data.verdict import verdict_of
from electjax.numerics.host import double_precision
from electjax.voter_types.fitted import Ballots, decode_fit, encoded_ballots, fit_arrays, known_fit, whole_ballots
from electjax.voter_types.options import FitOptions


@with_options
def fit(ballots: Ballots, types: int = 3, *, progress: Progress | None = None, options: FitOptions) -> xr.Dataset:
    """Cluster voters into types by what they voted for in every office, by maximum likelihood.

    The model of Kuriwaki, "An EM Algorithm for Clustering Voter Types" (2020), sections 1 to 5. Votes that are
    missing are integrated out; an office that is not on a ballot says nothing of its voter; menus restrict choices as
    in section 4 (independence of irrelevant alternatives); covariates move the shares of the types (section 5).

    Args:
        ballots: a ballots Dataset; or the path of a file for `voter_types.read`, or of a Zarr folder, which like an
            iterable of Datasets (`voter_types.stream`) is read in chunks and never held whole.
        types: number of types, K.
        progress: called with what is done, what there is to do, and a line.

    Returns:
        A Dataset with `pi(type)`, `mu(type, office, option)` (all options on the menu; NaN on no menu), `mu_met`
        (averaged over the menus met), `psi`, `gamma(term, type)` and `delta(type, feature)`, with standard errors
        `*_se` and intervals of pi and mu; `zeta(profile, type)`; the maxima and starts; the trace of EM; and in the
        attributes `log_likelihood` (observed, without constants), the criteria, and the verdict: whether the fit can be
        relied on, and why not, in words, with which its text begins. One that is not usable is also a warning.

    Raises:
        ElectionDataError: ballots that do not fit the schema, an argument out of range.

    Example:
        >>> from electjax import voter_types
        >>> ballots = voter_types.yuma_like(voters=200).isel(office=[0, 3, 11])
        >>> fit = voter_types.fit(ballots, types=1, restarts=1, covariates=False)
        >>> fit["mu"].sel(type=1, office="US Senate").round(2).values.tolist()
        [0.03, 0.07, 0.91]
    """
    if isinstance(types, bool) or not isinstance(types, int | np.integer) or types < 1:
        raise data_error(
            f"found {types!r}",
            where="voter_types.fit(types=)",
            expected="a whole number of at least 1",
            mend="correct it, or compare several numbers with voter_types.select",
        )
    ballots = whole_ballots(ballots)
    fitted = fit_arrays(
        encoded_ballots(ballots, options.covariates, unique=options.collapse),
        ballots if isinstance(ballots, xr.Dataset) else None,
        types=int(types),
        options=options,
        errors=options.errors,
        initial=None if options.initial is None else known_fit(options.initial),
        reference=None if options.reference is None else known_fit(options.reference),
        progress=progress,
    )
    with double_precision():
        found = decode_fit(fitted, options)
    if isinstance(ballots, xr.Dataset) and "option_party" in ballots.coords:
        found = found.assign_coords(option_party=ballots["option_party"])
    judged = verdict_of(found.attrs)
    if judged is not None and judged.level == "not usable":
        warnings.warn(f"voter_types.fit, {types} types: {judged}", stacklevel=3)
    return found
