"""How much of candidate affinity do cell features and parties explain already? (calm.md section 6: collinearity)"""

import os
from typing import Any

import jax
import numpy as np
import xarray as xr

from electjax.calm.diagnosis import FOUND, need_affinity, setting_of
from electjax.calm.model.rank import affinity_rank, rank_sentence, variance_inflation
from electjax.calm.options import FitOptions
from electjax.data.options import with_options
from electjax.data.schema import Schema, Variable
from electjax.data.verdict import Doubt
from electjax.numerics.host import double_precision

HIGH = 10.0  # variance inflation from which the data tell little
_ETA = (("axis",), ("party", "axis"))
SCHEMA = Schema(
    "calm collinearity",
    {
        "rank_without": Variable((), "count", "rank without g", required=True),
        "rank_with": Variable((), "count", "rank with g", required=True),
        "identified": Variable(_ETA, "flag", "whether the data tell it"),
        "variance_inflation": Variable(_ETA, "number", "variance inflation over cells", required=True),
        "variance_inflation_booths": Variable(_ETA, "number", "variance inflation over booths"),
    },
    build="calm.collinearity",
    attrs=FOUND,
)


@with_options
def collinearity(booths: xr.Dataset | str | os.PathLike[str], options: FitOptions) -> xr.Dataset:
    """Rank with and without g, and variance inflation of its components (calm.md section 6).

    Args:
        booths: a Dataset of booths, or the path of what `calm.read` reads. With `affinity="party"` the components are
            by party and axis.

    Returns:
        `rank_without`, `rank_with`; `identified(axis)`, whether data rather than penalty choose a component of eta;
        `variance_inflation(axis)`, 1 / (1 - R^2) given the features times party and the other components, as if cells
        were observed; `variance_inflation_booths(axis)`, the same of booth means, which is what booth totals can tell;
        inf where all is explained. attrs: finding; sentences, one line each; verdict.

    Raises:
        ElectionDataError: invalid booths or options.

    Example:
        >>> import electjax
        >>> found = electjax.calm.collinearity(electjax.calm.simulate("tiny"))
        >>> int(found.rank_with - found.rank_without)
        4
    """
    setting = setting_of(booths, options)
    need_affinity(setting, "calm.collinearity", eta=True)
    by_party = setting.design.affinity == "party"
    with double_precision():
        problem = setting.posed()
        g, frame = np.asarray(problem.affinity.g), jax.tree.map(np.asarray, problem.frame)
    flat = jax.tree.map(np.asarray, setting.booths)
    # a penalty holds constituency effects unless it is 0
    effects = setting.design.constituency_effects and setting.options.lambda_constituency == 0
    given: dict[str, Any] = {"effects": effects, "by_party": by_party}
    rank = affinity_rank(frame, g, **given)
    cells = variance_inflation(frame, g, **given)
    totals = variance_inflation(frame, g, booths=flat, **given)
    axes, parties = list(setting.labels.axes), list(setting.labels.parties)
    said = rank_sentence(rank, axes, parties)
    sentences = [] if said is None else [said]
    for place in np.argwhere(rank.identified & (totals > HIGH)):
        name = axes[place[-1]] if not by_party else f"{parties[place[0]]}, {axes[place[-1]]}"
        sentences.append(
            f"Collinear: the data tell little of eta[{name}]. Cell features, parties and the other components explain "
            f"{100 * (1 - 1 / totals[tuple(place)]):.1f} % of its component of g in the booths "
            f"(variance inflation {totals[tuple(place)]:.3g}); more constituencies with different candidates tell more."
        )
    finding = " ".join(sentences) or (
        f"The data tell every component of eta: g adds {rank.with_g - rank.without} to a rank of {rank.without}, "
        f"and the largest variance inflation is {totals.max():.2g}."
    )
    dims = ("party", "axis") if by_party else ("axis",)
    found = xr.Dataset(
        {
            "rank_without": rank.without,
            "rank_with": rank.with_g,
            "identified": (dims, rank.identified),
            "variance_inflation": (dims, cells),
            "variance_inflation_booths": (dims, totals),
        },
        coords={"axis": axes} | ({"party": parties} if by_party else {}),
    )
    doubts = [Doubt("with care", sentence) for sentence in sentences]
    return setting.examined(found, SCHEMA, finding, [], doubts, sentences=sentences)
