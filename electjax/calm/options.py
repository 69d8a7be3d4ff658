"""The options of CALM's verbs, each declared once, in the notation of calm.md.

What a diagnostic adds to the options of a fit is declared in its own file, in `electjax/calm/diagnostics/`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal

import numpy as np

from electjax.calm.model.design import Affinity, Design, Effects, Hyper, Weighting
from electjax.data.axes import Axis, proximity_of
from electjax.data.errors import data_error, suggest
from electjax.data.options import as_json, made, option, options
from electjax.data.reading import TableOptions
from electjax.numerics.registry import names_in

CONTEXT = 0.3  # where rows are demographic cells and nothing better is known
DRAWS = 200  # of the parameters, for the intervals of another world
Model = Literal["literal", "recommended"]
Rest = Literal["others", "drop", "error"]


def _numbers(low: float, high: float) -> Any:
    """Whether a mapping has numbers from low to high only."""

    def good(given: Any) -> bool:
        return isinstance(given, Mapping) and all(
            isinstance(x, int | float | np.number) and not isinstance(x, bool) and low <= x <= high
            for x in given.values()
        )

    return good


def _proximity(of: str) -> Any:
    meaning = f"of neighbouring categories of an ordinal axis, {of}"
    good = {"good": _numbers(0.0, 1.0), "expected": 'a number from 0 to 1 for some axes, as in {"age": 0.5}'}
    return option({}, meaning, **good)


def _axis_weight(of: str) -> Any:
    good = {"good": _numbers(0.0, 1e300), "expected": 'a number of at least 0 for some axes, as in {"age": 1}'}
    return option({}, f"w_A, w_R, ... of the axes in the mobilisation{of}, scaled to add up to 1; {{}}: equal", **good)


@options
class FitOptions:
    """Options of `calm.fit`, and of the diagnostics, which fit too."""

    model: Model = option(
        "literal",
        "literal: the source's; recommended: overdispersed booth totals, constituency effects instead of booth "
        "effects, and a context",
    )
    use_candidate_affinity: bool = option(
        True, "whether candidates are in the model; without, there is no eta, no tower and no mobilisation (section 3)"
    )
    affinity: Affinity = option(
        "shared",
        "eta shared by the parties, one per party, or hierarchical: of constituencies around a shared one "
        "(sections 3, 11)",
    )
    proximity: Mapping[str, float] = _proximity("rho_A of section 2; {}: as the axes have it")
    tower: int = option(0, "rank of the two-tower term x' U z, 0 for none (sections 3, 11)", low=0)
    mobilisation: Literal["none", "previous", "model"] = option(
        "none", "xi m_ic in the turnout, weighted by previous shares or by the model's own (section 4)"
    )
    axis_weight: Mapping[str, float] = _axis_weight("")
    raw_mobilisation: bool = option(False, "m_ic from g as it is, not standardised")
    booth_effects: bool | None = option(None, "random effects of booths in both heads; None: in the literal model")
    constituency_effects: bool | None = option(
        None, "random effects of constituencies in both heads; None: in the recommended model"
    )
    overdispersed: bool | None = option(
        None, "beta-binomial turnout and Dirichlet-multinomial choice; None: in the recommended model"
    )
    context: float | None = option(
        None,
        "exponent of the context: how much more people vote like their booth than like their cell elsewhere, which "
        f"booth totals cannot check; None: 0 in the literal model, {CONTEXT} in the recommended one",
        low=-5,
        high=5,
    )
    integrate: bool | None = option(
        None,
        "after the minimum, a Newton step that integrates booth effects out, and all else out of the dispersion; "
        "None: in the recommended model",
    )
    weighting: Weighting = option("plain", "g is standardised over (i, c, k) plainly, or by cell size (section 2)")
    identification: Literal["sum_to_zero", "reference"] = option(
        "sum_to_zero", "party coefficients add up to 0, or are relative to the first party (section 6)"
    )
    project: bool = option(False, "project g off the cell features (section 6)")
    coding: Literal["one_hot", "reference", "sum_to_zero"] = option(
        "one_hot", "columns of x_c per axis: one per category, all but the first, or such that add up to 0"
    )
    covariates: Sequence[str] | None = option(None, "names of the booth covariates to use; None: all")
    axes: Any = option(None, "other axes or kernels than those of the booths (electjax.data.axes)")
    lambda_T: float = option(1.0, "weight of the loss of the turnout (section 5)", above=0)
    lambda_P: float = option(1.0, "weight of the loss of the party shares (section 5)", above=0)
    lambda_beta: float = option(0.1, "L2 penalty of the coefficients of cells and booths", low=0)
    lambda_b: float = option(8.0, "L2 penalty of booth effects", low=0)
    lambda_eta: float = option(0.01, "L2 penalty of eta, unless each party has its own", low=0)
    lambda_party: float = option(1.0, "L2 penalty of party-specific eta", low=0)
    lambda_tau: float = option(10.0, "L2 penalty of a constituency's eta around the shared one", low=0)
    lambda_tower: float = option(1.0, "L2 penalty of the factors of the two-tower term", low=0)
    lambda_constituency: float = option(0.1, "L2 penalty of constituency effects", low=0)
    epsilon: float = option(1e-12, "added to shares under a logarithm", low=0, high=1e-3)
    penalties: Literal["given", "holdout"] = option(
        "given",
        "as given, or all L2 penalties of the model's terms chosen on held-out booths, beginning with those given; one "
        "that is 0 stays 0",
    )
    holdout: float = option(
        0.0, "share of the booths of each constituency kept out of the fit, for validation", low=0, high=0.9
    )
    tolerance: float = option(1e-6, "stop when a step promises to lower the objective by less", above=0, high=1)
    max_steps: int = option(200, "most steps of the optimiser", low=1)
    chunk: int = option(64, "booths worked off at a time", low=1)
    cache: Literal["none", "booth"] = option("none", "keep g of every booth, or gather it chunk by chunk")
    errors: Literal["laplace", "sandwich", "none"] = option(
        "laplace", "standard errors; sandwich: clustered by constituency"
    )
    level: float = option(0.95, "of the parameters' intervals", above=0, below=1)
    seed: int = option(0, "of held-out booths and of the towers' start", low=0)

    @property
    def design(self) -> Design:
        """Which terms the model has."""
        full, candidates = self.model == "recommended", self.use_candidate_affinity
        return Design(
            affinity=self.affinity if candidates else "none",
            tower=self.tower if candidates else 0,
            mobilisation=self.mobilisation if candidates else "none",
            booth_effects=not full if self.booth_effects is None else self.booth_effects,
            constituency_effects=full if self.constituency_effects is None else self.constituency_effects,
            overdispersed=full if self.overdispersed is None else self.overdispersed,
            context=self.exponent != 0,
            weighting=self.weighting,
            identification=self.identification,
            project=self.project,
            raw_mobilisation=self.raw_mobilisation,
            cache=self.cache,
        )

    @property
    def exponent(self) -> float:
        """The exponent of the context."""
        if self.context is None:
            return CONTEXT if self.model == "recommended" else 0.0
        return self.context

    @property
    def integrates(self) -> bool:
        """Whether a step after the minimum integrates out what `integrate` says."""
        wanted = self.model == "recommended" if self.integrate is None else self.integrate
        return wanted and (self.design.booth_effects or self.design.overdispersed)

    def notes(self) -> list[str]:
        """What options without an effect are to be said of."""
        if self.design.affinity == "party" and self.lambda_eta != FitOptions.lambda_eta:
            return ["lambda_eta has no effect with affinity='party': lambda_party holds the eta of the parties"]
        return []

    def hyper(self, axes: Sequence[Axis]) -> Hyper:
        """Hyperparameters as arrays, for these axes."""
        strengths: dict[str, Any] = {
            name: np.float64(getattr(self, name)) for name in Hyper._fields if name.startswith("lambda_")
        }
        return Hyper(
            rho=proximity_of(axes, self.proximity),
            axis_weight=weight_of(axes, self.axis_weight, "calm.fit"),
            epsilon=np.float64(self.epsilon),
            exponent=np.float64(self.exponent),
            **strengths,
        )

    def json(self) -> str:
        """The options of a fit as JSON, which `read_options` reads back; axes are kept beside it."""
        own = FitOptions(**{item.name: getattr(self, item.name) for item in fields(FitOptions)})
        return as_json(own, without=["axes"])


@options
class NutsOptions(FitOptions):
    """Options of `calm.nuts`: penalties are given, and the fit that the chains start from has Laplace errors."""

    draws: int = option(1000, "draws kept of each chain", low=4)
    chains: int = option(2, "number of chains", low=1)
    warmup: int = option(500, "draws before these, to adapt", low=20)

    def conflicts(self) -> Iterator[tuple[str, Any, str, str]]:
        """What chains cannot do."""
        if self.penalties != "given":
            yield "penalties", self.penalties, "given penalties", "choose them by calm.fit, and give them"
        if self.errors != "laplace":
            yield "errors", self.errors, "laplace, whose coordinates the chains move in", "leave it out"
        if self.tower:
            yield "tower", self.tower, "no two-tower term, whose factors turn without a change", "leave it out"


@options
class PredictOptions:
    """Options of `calm.predict`."""

    booth_effects: Effects = option(
        "known",
        "known: the fit's for its own booths, for others the mean of their constituency's; mean: that mean for all; "
        "zero: none",
    )
    draws: int = option(0, "of the parameters from the normal approximation, for intervals; 0 for none", low=0)
    seed: int = option(0, "of the draws", low=0)
    level: float = option(0.95, "of the intervals", above=0, below=1)


@options
class CounterfactualOptions(PredictOptions):
    """Options of `calm.counterfactual`."""

    draws: int = option(DRAWS, "of the parameters, the same before and after; 0 for no intervals", low=0)


@options
class BootstrapOptions:
    """Options of `calm.bootstrap`."""

    replicates: int = option(200, "fits to booths that are drawn anew", low=2)
    seed: int = option(0, "replicate r depends on it and on r alone", low=0)
    level: float = option(0.95, "of the percentile intervals", above=0, below=1)


def _is_parties(value: Any) -> bool:
    if isinstance(value, int | float):
        return not isinstance(value, bool) and 0 <= value < 1
    return isinstance(value, Sequence) and not isinstance(value, str) and bool(value)


@options
class ReadOptions(TableOptions):
    """Options of `calm.read`."""

    axes: Any = option(
        None, "axes as a mapping, or a file of them (yaml, json); None: of the folder's, else the default ones"
    )
    rest: Rest = option(
        "others",
        "votes polled that votes.csv gives to no party are votes of others; or dropped, so that the votes polled are "
        "those of the parties; or an error",
    )
    votes: bool = option(True, "whether there are votes; false for booths that have not polled yet, where all are 0")
    rescale: bool = option(
        False, "scale cells and margins that do not add up to a booth's electors, instead of refusing them"
    )
    name: str | None = option(None, "of the booths; None: as the folder or file is called")
    state: str | None = option(None, "of a database: 'up' or 'guj'; None: the only one")
    year: int | None = option(None, "of a database: the election; None: the only one")
    rolls: int | None = option(None, "of a database: the year of the electoral rolls; None: that of the election")
    previous: int | None = option(None, "of a database: the election before, for shares of the parties; None: without")
    certainty: float = option(0.0, "of a database: the least certainty of a candidate's religion that counts", low=0)
    parties: Any = option(
        0.01,
        "of a database: share of all votes below which a party is counted for others; or the parties to keep",
        good=_is_parties,
        expected="a number in [0, 1), or a list of parties",
    )
    covariates: Sequence[str] = option((), "of a database: columns of the rolls as covariates, such as age_avg")
    faulty: Literal["drop", "refuse"] = option(
        "drop", "of a database: booths without rolls, with more votes than voters and so on: left out, or an error"
    )


@options
class SimulateOptions:
    """Options of `calm.simulate`: the size, and the truth."""

    constituencies: int | None = option(None, "how many; None: as the scale says", low=1)
    booths: int | None = option(None, "in each constituency; None: as the scale says", low=1)
    parties: Sequence[str] = option(("AAP", "BJP", "INC", "others"), "where the scale is of no real election")
    axes: Any = option(None, "axes as configuration (electjax.data.axes); None: those of the scale")
    eta: Any = option(
        None, "effect of affinity per standard deviation: by axis, in order, or one number; None: of each axis its own"
    )
    eta_sd: float = option(0.0, "how much eta differs between constituencies", low=0)
    proximity: Mapping[str, float] = _proximity("as planted; {}: as the axes have it")
    xi: float = option(0.0, "mobilisation, weighted by previous shares")
    axis_weight: Mapping[str, float] = _axis_weight(" as planted")
    turnout: float = option(0.63, "of an average cell, where totals are not real", above=0, below=1)
    shares: Sequence[float] | None = option(
        None, "of the parties in an average cell, where totals are not real; None: two large ones and a rest"
    )
    coefficient_sd: Sequence[float] = option((0.2, 0.25), "of beta_T and beta_P")
    booth_sd: Sequence[float] = option((0.15, 0.25), "of booth effects on turnout and choice")
    constituency_sd: Sequence[float] = option(
        (0.2, 0.3), "of constituency effects on turnout and choice, where totals are not real"
    )
    correlation_T: float = option(0.002, "of two electors of a booth, turnout; 0 for none", low=0, below=1)
    correlation_P: float = option(0.004, "of two voters of a booth, choice; 0 for none", low=0, below=1)
    context: float = option(0.0, "exponent of the context", low=-5, high=5)
    weighting: Weighting = option("plain", "over what g is standardised, (i, c, k) plainly or by cell size")
    unknown: float = option(0.0, "share of traits that nobody knows, which have no effect either", low=0, below=1)
    absent: float = option(
        0.0, "share of candidates that do not stand, where totals are not real; two always do", low=0, below=1
    )
    cells: bool = option(False, "draw votes cell by cell, and keep them in true_cell_votes(booth, cell, party)")
    seed: int = option(0, "the same seed gives the same booths", low=0)


@options
class TaskOptions:
    """What only the command line has beside the options of a fit."""

    diagnostics: Sequence[str] = option([], "names of diagnostics to run, files of electjax/calm/diagnostics")
    diagnostic_options: Mapping[str, Any] = option({}, "of each by name, as in {placebo: {permutations: 500}}")
    candidates: Mapping[str, Any] = option(
        {}, "of another world, as in {Madipur: {BJP: {caste: SC}}} or {everywhere: {BJP: null}}, where none stands"
    )
    draws: int = option(DRAWS, "of the parameters, for the intervals of the other world; 0 leaves it out", low=0)
    example: bool = option(False, "whether to show the affinity vectors of the document's example")

    def conflicts(self) -> Iterator[tuple[str, Any, str, str]]:
        """Unknown diagnostics, and draws that make no interval."""
        known = diagnostic_names()
        for name in [*self.diagnostics, *self.diagnostic_options]:
            if name not in known:
                yield "diagnostics", name, f"some of {', '.join(known)}", suggest(str(name), known)
        if self.draws == 1:
            yield "draws", self.draws, "at least 2, or 0", "one draw makes no interval"


def diagnostic_names() -> list[str]:
    """The diagnostics there are: the files of `electjax/calm/diagnostics`."""
    return names_in("electjax.calm.diagnostics")


def read_options(text: str) -> FitOptions:
    """The options that `FitOptions.json` wrote."""
    return made(FitOptions, json.loads(text), where="calm.fit")


def weight_of(axes: Sequence[Axis], given: Mapping[str, float], verb: str) -> np.ndarray:
    """Weight of each axis in the mobilisation, [d]: they add up to 1, and are equal where none is given.

    Raises:
        ElectionDataError: no such axis, or weights that are all 0.
    """
    names = [axis.name for axis in axes]
    for name in given:
        if name not in names:
            raise data_error(
                f"no axis {name!r}",
                where=f"{verb}(axis_weight=)",
                expected=f"some of {', '.join(names)}",
                mend=suggest(str(name), names),
            )
    weight = np.array([float(given.get(name, 0.0)) if given else 1.0 for name in names])
    if not weight.sum() > 0:
        raise data_error(
            f"found {dict(given)}",
            where=f"{verb}(axis_weight=)",
            expected="weights of 0 or more, not all 0",
            mend="they are scaled to 1",
        )
    return weight / weight.sum()
