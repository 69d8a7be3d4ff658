"""What `task=predict` does with a fit of voter types: other ballots, voter by voter."""

import time
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import electjax
from electjax.data.progress import Stages
from electjax.report.result import Result
from electjax.report.tables import plain
from electjax.voter_types.describing import describe
from electjax.voter_types.frames import voters_frame


def predicted(fit: xr.Dataset, ballots: xr.Dataset, seed: int, stage: Stages) -> Result:
    """Which type each voter of these ballots is of, and how many are of each; nothing is drawn, the seed is not used.

    The tree has `/prediction`; `/types`, how many of these voters are of each type beside those of the fit.
    """
    started = time.perf_counter()
    found = electjax.voter_types.predict(fit, ballots, progress=stage("types of the voters"))
    weight = ballots["weight"].values.astype(float) if "weight" in ballots else np.ones(ballots.sizes["voter"])
    share = np.average(found["zeta"].transpose("voter", "type").values, axis=0, weights=weight)
    likeliest = np.array([weight[found["modal_type"].values == label].sum() for label in found["type"].values])
    types = xr.Dataset(
        {
            "share": ("type", share, {"long_name": "share of these voters, mean of their probabilities"}),
            "likeliest": ("type", likeliest / weight.sum(), {"long_name": "share whose likeliest type it is"}),
            "fitted_share": (
                "type",
                fit["pi"].values,
                {"long_name": "share of the voters that the types were fitted to"},
            ),
            "does": ("type", np.array([each.does for each in describe(fit)], dtype=np.str_)),
        },
        coords={"type": fit["type"].values},
    )
    metrics = {
        "ballots": str(ballots.attrs.get("name", "ballots")),
        "fitted_to": str(fit.attrs.get("name", "ballots")),
        "voters": ballots.sizes["voter"],
        "offices": [str(name) for name in ballots["office"].values],
        "shares": plain(share),
        "likeliest": plain(likeliest / weight.sum()),
        "fitted_shares": plain(fit["pi"].values),
        "does": [str(text) for text in types["does"].values],
        "sure": plain(np.average(found["zeta"].max("type").values, weights=weight)),
        "log_likelihood": plain(float(found["log_likelihood"].values @ weight)),
        "seconds": time.perf_counter() - started,
    }
    return Result(xr.DataTree.from_dict({"/prediction": found, "/types": types}), metrics)


def tables(result: Result) -> dict[str, pd.DataFrame]:
    """Every voter's likeliest type and probabilities, and how many are of each type."""
    types = result.tree["types"].to_dataset()
    shares = pd.DataFrame(
        {str(name): values.values for name, values in types.data_vars.items()},
        index=pd.Index(types["type"].values, name="type"),
    )
    return {"voters": voters_frame(result.tree["prediction"].to_dataset()), "shares": shares}


def report(result: Result) -> Any:
    """The page of a prediction, and its table."""
    from electjax.voter_types.report import prediction

    return prediction.report(result)
