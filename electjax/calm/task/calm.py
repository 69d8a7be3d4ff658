"""Task `calm`: booths fitted by the candidate-aware model, the fit examined, and what other candidates would change."""

import json
import time
import warnings
from collections.abc import Mapping
from typing import Any

import xarray as xr

import electjax
from electjax.calm.fitted_margins import fitted_margins
from electjax.calm.options import JOINT
from electjax.calm.task.metrics import affinity_metrics, calm_metrics, diagnostic_metrics, swap_metrics
from electjax.calm.verbs.counterfactual import changes_of, swap_candidates
from electjax.calm.verbs.madipur import madipur_table
from electjax.data.axes import axes_of
from electjax.data.progress import Stages, silent
from electjax.run.result import Result
from electjax.run.settings import CalmSettings, Settings

VERBS = {  # by the name of a diagnostic in the settings
    "holdout": "calm.holdout",
    "placebo": "calm.placebo",
    "rho": "calm.rho_curve",
    "mobilisation": "calm.mobilisation",
    "stability": "calm.stability",
    "collinearity": "calm.collinearity",
}
EVERYWHERE = "everywhere"  # stands for every constituency among other candidates
_FIT_ONLY = ("errors", "holdout", "penalties")  # options that a diagnostic sets itself


def calm(booths: xr.Dataset, settings: Settings, stage: Stages = silent) -> Result:
    """Fit the model, and do what else the settings ask for.

    The tree has `/fit`, `/margins` (turnout and choice by axis), a node per diagnostic by its name, `/counterfactual`
    where other candidates are given, and `/affinity` for the document's example.
    """
    started = time.perf_counter()
    own, seed = settings.calm, settings.seed
    candidates = everywhere(own.candidates, booths) if own.draws else {}
    if candidates:  # what is not possible is refused before anything is fitted
        axes = axes_of(own.options.get("axes") or booths.attrs["axes"])
        swap_candidates(booths, changes_of(candidates, axes), axes)
    with warnings.catch_warnings():  # the fit says what is to be said, below
        warnings.simplefilter("ignore", UserWarning)
        said = stage("fit")
        fit = electjax.calm.fit(booths, seed=seed, progress=said, **own.options)
        said(1, 1, f"{fit.attrs['steps']} steps")
        nodes = {"/fit": fit, "/margins": fitted_margins(fit)}
        for name in own.diagnostics:
            said = stage(name)
            verb, watched = getattr(electjax, VERBS[name]), {} if name == "collinearity" else {"progress": said}
            nodes[f"/{name}"] = verb(booths, **diagnostic_options(name, own, fit, seed), **watched)
            said(1, 1, "")
        if candidates:
            said = stage("other candidates")
            options: dict[str, Any] = {"draws": own.draws, "seed": seed, "level": fit.attrs["level"], "progress": said}
            if fit.attrs["errors"] == "none":
                options["draws"] = 0  # nothing to draw from
            nodes["/counterfactual"] = electjax.calm.counterfactual(fit, booths, candidates=candidates, **options)
            said(1, 1, "")
    metrics = calm_metrics(fit, booths)
    if own.example:
        nodes["/affinity"] = madipur_table(fit)
        metrics["affinity"] = affinity_metrics(nodes["/affinity"])
    if candidates:
        metrics["counterfactual"] = swap_metrics(nodes["/counterfactual"], own.candidates)
    metrics["diagnostics"] = {name: diagnostic_metrics(nodes[f"/{name}"]) for name in own.diagnostics}
    notes = json.loads(fit.attrs["warnings"])
    for note in notes:
        if note != JOINT:  # that is in the report
            warnings.warn(note, stacklevel=1)
    metrics |= {"warnings": notes, "seconds": time.perf_counter() - started}
    return Result(xr.DataTree.from_dict(nodes), metrics)


def diagnostic_options(name: str, own: CalmSettings, fit: xr.Dataset, seed: int) -> dict[str, Any]:
    """What a diagnostic is called with: the model as it was fitted, at the penalties that were chosen for it."""
    options = {key: value for key, value in own.options.items() if key not in _FIT_ONLY}
    if own.options.get("penalties") == "holdout":
        chosen = json.loads(fit.attrs["options"])
        options |= {key: value for key, value in chosen.items() if key.startswith("lambda_")}
    seeded = {} if name == "collinearity" else {"seed": seed}
    return options | seeded | dict(own.diagnostic_options.get(name, {}))


def everywhere(candidates: Mapping[str, Any], booths: xr.Dataset) -> dict[str, Any]:
    """Other candidates with those of "everywhere" put into every constituency where their party stands."""
    found = {place: parties for place, parties in candidates.items() if place != EVERYWHERE}
    for party, traits in (candidates.get(EVERYWHERE) or {}).items():
        for place in map(str, booths["constituency"].values):
            known = party not in booths["party"].values or bool(booths["fielded"].sel(constituency=place, party=party))
            if known and party not in (found.get(place) or {}):  # a party that is not known is refused below
                found[place] = {**(found.get(place) or {}), party: traits}
    return found
