"""The options of `ecological.estimate`: one frozen value, checked, which a result keeps."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np

from electjax.data.errors import data_error, suggest
from electjax.ecological.model.data import KINDS, Assumed
from electjax.ecological.model.draws import INFLATION

Method = Literal["context", "goodman", "least_squares", "em", "independence"]
CONTEXT = 0.6  # near the best of the elections whose cross-tables were counted; margins cannot tell it
APART = 1e-3  # standard deviation of what is not to vary


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of `ecological.estimate`.

    Attributes:
        method: context, the model of `ecological.model`; or a baseline: goodman (least squares of shares), that
            with shares in the simplex (least_squares), em (multinomial maximum likelihood), or independence.
        context: exponent beta of the surroundings: how much more people vote like their unit than their group
            elsewhere. An assumption that margins cannot check.
        context_sd: how unsure it is, for the draws: scale of a Student t with four degrees of freedom.
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
    context_sd: float = 0.12
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

    def assumed(self) -> Assumed:
        """What the model assumes."""
        assumed = Assumed(self.context, self.tau, pair_sd=self.pair_sd, feature_sd=self.feature_sd)
        if not self.pooled:  # the loyalty of a party's voters stays what the prior says, nothing else is expected
            assumed = assumed._replace(tau=(1.0,) * len(KINDS), pair_sd=APART, level_sd=APART)
        if not self.overdispersed:
            assumed = assumed._replace(rho=-20.0, rho_sd=APART, rho_spread=APART)
        return assumed

    def json(self) -> str:
        """As text that `settings_of(**json.loads(text))` turns back."""
        return json.dumps(asdict(self))


def settings_of(options: Mapping[str, Any], others: Iterable[str] = ()) -> Settings:
    """Settings of keyword options; `others` are options that a mistaken name may have meant.

    Raises:
        ElectionDataError: an unknown option, or a value out of range.
    """
    known = {field.name: field.default for field in fields(Settings)}
    for name in options:
        if name not in known:
            raise data_error(
                "no such option",
                where=name,
                expected="an option of ecological.estimate",
                mend=suggest(name, [*known, *others]),
            )
    settings = Settings(**{name: _like(value, known[name]) for name, value in options.items()})
    _check(settings)
    return settings


def _like(value: Any, default: Any) -> Any:
    """An option as JSON keeps it: without numpy's types, a float or a tuple where the default is one."""
    if hasattr(value, "item") and not np.ndim(value):
        value = value.item()
    if isinstance(default, tuple):
        many = isinstance(value, Iterable) and not isinstance(value, str)
        return tuple(_like(v, 0.0) for v in (value if many else (value,)))
    return float(value) if isinstance(default, float) and _is_number(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check(settings: Settings) -> None:
    def need(good: bool, name: str, expected: str) -> None:
        if not good:
            found = getattr(settings, name)
            raise data_error(f"found {found!r}", where=name, expected=expected, mend="change it")

    need(settings.method in get_args(Method), "method", f"one of {', '.join(get_args(Method))}")
    for name in ("pooled", "overdispersed", "affinity"):
        need(isinstance(getattr(settings, name), bool), name, "true or false")
    need(len(settings.tau) == len(KINDS), "tau", f"{len(KINDS)} numbers: {', '.join(KINDS)}")
    need(all(_is_number(v) and v > 0 for v in settings.tau), "tau", "numbers above 0")
    need(_is_number(settings.context) and 0 <= settings.context <= 2, "context", "an exponent between 0 and 2")
    need(all(_is_number(v) and 0 <= v <= 2 for v in settings.contexts), "contexts", "exponents between 0 and 2")
    for name in ("pair_sd", "feature_sd", "inflation", "tolerance"):
        need(_is_number(getattr(settings, name)) and getattr(settings, name) > 0, name, "a number above 0")
    need(_is_number(settings.context_sd) and settings.context_sd >= 0, "context_sd", "a number of at least 0")
    need(_is_whole(settings.draws) and settings.draws >= 0, "draws", "a whole number of at least 0")
    need(_is_whole(settings.max_steps) and settings.max_steps > 0, "max_steps", "a whole number above 0")
    need(_is_whole(settings.seed), "seed", "a whole number")
