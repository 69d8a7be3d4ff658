"""Do candidates move the turnout? Held-out booths with and without the mobilisation (calm.md sections 4 and 9)."""

import os
from dataclasses import replace

import numpy as np
import xarray as xr

from electjax.calm.codec import known_previous
from electjax.calm.diagnosis import FOUND, Setting, need_pairs, setting_of
from electjax.calm.diagnostics.holdout import VARIABLES, HoldoutOptions, compare, decoded, split_attrs, told, unclear
from electjax.calm.model.diagnose import Fit, inverse_of, without_mobilisation
from electjax.calm.model.estimate import information, names
from electjax.calm.model.problem import unpack
from electjax.calm.verbs.read import read_booths
from electjax.data.errors import data_error
from electjax.data.options import with_options
from electjax.data.progress import Progress
from electjax.data.schema import Schema, Variable
from electjax.numerics.host import double_precision

_XI = {
    "xi": Variable((), "number", "mobilisation", "log-odds", required=True),
    "xi_se": Variable((), "number", "standard error of xi", "log-odds"),
}
SCHEMA = Schema("calm mobilisation", VARIABLES | _XI, build="calm.mobilisation", attrs=FOUND)


@with_options
def mobilisation(
    booths: xr.Dataset | str | os.PathLike[str], options: HoldoutOptions, *, progress: Progress | None = None
) -> xr.Dataset:
    """Predict the turnout of held-out booths with and without the mobilisation xi m_ic (calm.md sections 4 and 9).

    As `calm.holdout`; what decides is the BCE of the turnout weighted by N. Where the options have no mobilisation,
    it is weighted by previous shares, or by the model's own where no booth has any.

    Args:
        booths: a Dataset of booths, or the path of what `calm.read` reads.
        progress: called with fits done, of how many, and a line.

    Returns:
        The same as `calm.holdout`, and `xi` with `xi_se` from all booths, log-odds.

    Raises:
        ElectionDataError: invalid booths or options, or a model without candidates.

    Example:
        >>> import electjax
        >>> found = electjax.calm.mobilisation(electjax.calm.simulate("tiny"), model="recommended", context=0)
        >>> found.attrs["mobilisation"]
        'previous'
    """
    data = read_booths(booths)
    if not options.use_candidate_affinity:
        raise data_error(
            "no candidates in the model",
            where="calm.mobilisation(use_candidate_affinity=)",
            expected="a model with them",
            mend="leave use_candidate_affinity out",
        )
    asked = options.mobilisation != "none"
    if not asked:
        options = replace(options, mobilisation="previous" if known_previous(data)[0].any() else "model")
    setting = setting_of(data, options, progress)
    need_pairs("calm.mobilisation", setting)
    with double_precision():
        found, out, fits = compare(setting, without_mobilisation, options, progress)
        xi, error = _xi(fits[0], setting)
    one = found["BCE"][1]
    finding = f"{told('mobilisation', 'BCE per elector', one)[:-1]}; xi = {xi:.3g} (standard error {error:.2g})."
    # where the model of the user has no such term, nothing rests on it
    doubts = unclear("Held-out booths", "candidates as mobilisation", "BCE of the turnout", one) if asked else []
    how = split_attrs(options) | {"mobilisation": setting.design.mobilisation}
    return setting.examined(
        decoded(setting, found, out).assign(xi=xi, xi_se=error), SCHEMA, finding, fits, doubts, **how
    )


def _xi(fit: Fit, setting: Setting) -> tuple[float, float]:
    shared, _ = unpack(fit.point, fit.problem, setting.design)
    place = names(shared).index("xi")
    inverse = inverse_of(information(fit.point, fit.problem, setting.design).shared)
    return float(fit.point.shared[place]), float(np.sqrt(inverse[place, place]))
