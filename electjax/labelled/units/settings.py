"""The options of `estimate_cells`: one frozen value, checked, which a result keeps."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from electjax.calm.cells.data import KINDS, Assumed
from electjax.calm.cells.draws import INFLATION
from electjax.labelled.errors import data_error, suggest

Method = Literal["context", "goodman", "least_squares", "em", "independence"]
CONTEXT = 0.6  # near the best of the elections whose cross-tables were counted; margins cannot tell it
APART = 1e-3  # standard deviation of what is not to vary


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of `estimate_cells`.

    Attributes:
        method: context, the model of `electjax.calm.cells`; or a baseline: goodman (least squares of shares), that
            with shares in the simplex (least_squares), em (multinomial maximum likelihood), or independence.
        context: exponent beta of the surroundings: how much more people vote like their unit than their group
            elsewhere. An assumption that margins cannot check.
        context_sd: standard deviation of it, for the draws.
        contexts: other values to give the table for.
        pooled: whether contests learn from each other which pairs of parties go together; without, each by itself.
        overdispersed: whether votes of a row within a unit hang together; without, they are multinomial.
        affinity: whether traits and covariates of rows and columns enter.
        tau: standard deviation of a contest's deviation from what is pooled, by kind of cell (own party, cross,
            other). Not to be chosen by fit to margins, which picks too little pooling (experiments/ecological).
        pair_sd, feature_sd: prior standard deviations of pooled pairs and of the effects of features.
        inflation: kappa, by which the covariance of parameters is widened for the draws.
        draws: number of posterior tables; 0 for no uncertainty.
        tolerance, max_steps: of Newton's method: it stops when a step promises to raise the log posterior by less.
        seed: of the draws.
    """

    method: Method = "context"
    context: float = CONTEXT
    context_sd: float = 0.15
    contexts: tuple[float, ...] = (0.3, 0.6, 0.8)
    pooled: bool = True
    overdispersed: bool = True
    affinity: bool = True
    tau: tuple[float, float, float] = (0.15, 0.15, 0.3)
    pair_sd: float = 0.5
    feature_sd: float = 0.5
    inflation: float = INFLATION
    draws: int = 200
    tolerance: float = 0.01
    max_steps: int = 200
    seed: int = 0

    def assumed(self, context: float | None = None) -> Assumed:
        """What the model assumes, perhaps with another context."""
        assumed = Assumed(
            context=np.float64(self.context if context is None else context),
            tau=np.asarray(self.tau, np.float64),
            level=np.array([2.0, 0.0, 0.0]),
            pair_sd=np.float64(self.pair_sd),
            feature_sd=np.float64(self.feature_sd),
        )
        if not self.pooled:  # the loyalty of a party's voters stays what the prior says, nothing else is expected
            assumed = assumed._replace(tau=np.ones(len(KINDS)), pair_sd=np.float64(APART), level_sd=np.float64(APART))
        if not self.overdispersed:
            assumed = assumed._replace(rho=np.float64(-20.0), rho_sd=np.float64(APART), rho_spread=np.float64(APART))
        return assumed

    def json(self) -> str:
        """As text that `settings_of(**json.loads(text))` turns back."""
        return json.dumps(asdict(self))


def settings_of(options: Mapping[str, Any]) -> Settings:
    """Settings of keyword options.

    Raises:
        ElectionDataError: an unknown option, or a value out of range.
    """
    known = [field.name for field in fields(Settings)]
    for name in options:
        if name not in known:
            raise data_error(
                f"no such option{suggest(name, known)}",
                where=name,
                expected=f"one of {', '.join(known)}",
                mend="correct its name",
            )
    given = dict(options)
    for name in ("tau", "contexts"):
        if name in given:
            given[name] = tuple(float(v) for v in np.atleast_1d(given[name]))
    settings = Settings(**given)
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    def need(good: bool, name: str, expected: str) -> None:
        if not good:
            found = getattr(settings, name)
            raise data_error(f"found {found!r}", where=name, expected=expected, mend="change it")

    need(settings.method in get_args(Method), "method", f"one of {', '.join(get_args(Method))}")
    need(len(settings.tau) == len(KINDS), "tau", f"{len(KINDS)} numbers: {', '.join(KINDS)}")
    need(0 <= settings.context <= 2, "context", "an exponent between 0 (no context) and 2")
    need(all(0 <= v <= 2 for v in settings.contexts), "contexts", "exponents between 0 and 2")
    for name in ("pair_sd", "feature_sd", "inflation", "tolerance"):
        need(np.isfinite(getattr(settings, name)) and getattr(settings, name) > 0, name, "a number above 0")
    need(all(np.isfinite(v) and v > 0 for v in settings.tau), "tau", "numbers above 0")
    need(np.isfinite(settings.context_sd) and settings.context_sd >= 0, "context_sd", "a number of at least 0")
    need(isinstance(settings.draws, int) and settings.draws >= 0, "draws", "a whole number of at least 0")
    need(isinstance(settings.max_steps, int) and settings.max_steps > 0, "max_steps", "a whole number above 0")
