"""`electjax.districts.to_inference_data`: a calibration in the layout that ArviZ and its relatives read.

Groups, dimensions and attributes are those of ArviZ's InferenceData schema; ArviZ itself is not needed to write them.
"""

import datetime
from typing import Any

import numpy as np
import xarray as xr

import electjax
from electjax.data.errors import data_error
from electjax.districts.results import SIMULATION, parameter_names
from electjax.districts.store import Stored, election_of, fit_of, result_of
from electjax.districts.verbs.predict import resample

_STATISTICS = ("seats", "vote_fraction", "mwm", "swm")
_RESAMPLING = (
    "posterior: the weighted draws resampled systematically to as many of equal weight, in random order;"
    " sample_stats holds the weight of each before that and its place among the weighted draws"
)


def to_inference_data(fit: Stored, *, prediction: Stored | None = None, election: Stored | None = None) -> xr.DataTree:
    """A calibration as a DataTree with ArviZ's groups and dimensions, ready for `to_netcdf`.

    ArviZ knows no weights: the accepted draws are resampled to equal weights (systematically, then shuffled, so that
    neighbours are independent), and one of large weight comes several times. The number of independent draws to
    believe in is Kish's, ``attrs["kish_ess"]`` of the posterior; ArviZ's counts the copies too.

    Args:
        fit: what `districts.calibrate` returned, or the path where it was saved.
        prediction: elections simulated from it, over `run`, as `districts.predict` returns them.
        election: the election that it was calibrated to: a Dataset, a name or a path.

    Returns:
        DataTree with
        posterior(chain, draw, ...), one chain;
        sample_stats(chain, draw): distance, weight and accepted_draw (place in the argument, closest first);
        prior(chain, draw, ...);
        posterior_predictive(chain, draw, ...): the variables of `prediction` that are no parameters;
        observed_data: the observed summary statistics, and the votes of `election`;
        constant_data: electors per district and popularity of `election`.

    Raises:
        ElectionDataError: no calibration, or one without an accepted draw.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> how = {"method": "rejection", "budget": 256, "accept": 50, "tolerance": 20.0, "seed": 1}
        >>> fit = electjax.districts.calibrate(election, "dm", **how)
        >>> sorted(electjax.districts.to_inference_data(fit, election=election).children)
        ['constant_data', 'observed_data', 'posterior', 'prior', 'sample_stats']
    """
    posterior = fit_of(fit)
    prediction = None if prediction is None else result_of(prediction, SIMULATION)
    election = None if election is None else election_of(election)
    if not posterior.sizes["draw"]:
        raise data_error(
            "no accepted draws", where="calibration", expected="at least one", mend="calibrate with a larger budget"
        )
    names = parameter_names(posterior)
    weight = posterior["weight"].values.astype(np.float64)
    place = resample(weight, len(weight), seed=int(posterior.attrs.get("seed", 0)))
    drawn = posterior.isel(draw=place)
    drawn["accepted_draw"] = ("draw", place, {"long_name": "place among the weighted draws", "units": "1"})
    provenance = _origin(posterior)
    notes = {"kish_ess": float(weight.sum() ** 2 / np.square(weight).sum()), "resampling": _RESAMPLING}
    prior = posterior[[f"prior_{name}" for name in names if f"prior_{name}" in posterior]]
    groups = {
        "posterior": _samples(drawn[names], "draw").assign_attrs(provenance | notes),
        "sample_stats": _samples(drawn[["distance", "weight", "accepted_draw"]], "draw"),
        "prior": _samples(prior.rename({name: str(name).removeprefix("prior_") for name in prior}), "prior_draw"),
    }
    if prediction is not None:
        simulated = [
            name for name in prediction.data_vars if name not in (*names, "draw") and "run" in prediction[name].dims
        ]
        groups["posterior_predictive"] = _samples(prediction[simulated], "run").assign_attrs(_origin(prediction))
    groups["observed_data"] = _observed(posterior, election)
    if election is not None:
        groups["constant_data"] = _constant(election)
    made = {
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "creation_library": "electjax",
        "creation_library_version": electjax.__version__,
        "creation_library_language": "Python",
        "inference_library": "electjax",
        "inference_library_version": electjax.__version__,
    }
    return xr.DataTree.from_dict({name: group.assign_attrs(made) for name, group in groups.items()})


def _origin(result: xr.Dataset) -> dict[str, Any]:
    """How a result came about; who made the tree, and of what kind its groups are, is said of the tree."""
    return {str(k): value for k, value in result.attrs.items() if k not in ("electjax_version", "conventions")}


def _samples(data: xr.Dataset, dim: str) -> xr.Dataset:
    """Variables over one dimension as one chain of draws, numbered from 0."""
    data = data.drop_vars([dim] if dim in data.coords else []).rename({dim: "draw"} if dim != "draw" else {})
    data = data.assign_coords(draw=np.arange(data.sizes.get("draw", 0))).expand_dims(chain=[0])
    return data.transpose("chain", "draw", ...).drop_attrs(deep=False)


def _observed(posterior: xr.Dataset, election: xr.Dataset | None) -> xr.Dataset:
    """The observed summary statistics, and the votes where they are known."""
    observed = posterior[[f"observed_{name}" for name in _STATISTICS if f"observed_{name}" in posterior]]
    observed = observed.rename({name: str(name).removeprefix("observed_") for name in observed}).drop_attrs(deep=False)
    return observed if election is None or "votes" not in election else observed.assign(votes=election["votes"])


def _constant(election: xr.Dataset) -> xr.Dataset:
    """What the simulations took from the election as given."""
    constant = election[["popularity"]].drop_attrs(deep=False)
    if "votes" not in election:
        return constant
    return constant.assign(
        electors=election["votes"].sum("party").assign_attrs(long_name="votes polled", units="votes")
    )
