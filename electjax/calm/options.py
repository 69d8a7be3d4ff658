"""The options of a CALM fit: one frozen value, which the fit keeps and prediction reads back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, cast, get_args

import jax
import numpy as np

from electjax.calm.model.design import Design, Hyper
from electjax.data.axes import Axis, rho_of
from electjax.data.errors import data_error, suggest

Model = Literal["literal", "recommended"]
JOINT = (
    "booth effects are fitted, not integrated out: that biases eta, and with many booths to a constituency its "
    "intervals miss the truth too often (experiments/calm); integrate=True takes the bias off to first order"
)
EXPONENT = 0.3  # of the context where rows are demographic cells and nothing better is known

CHOICES: dict[str, tuple[str, ...]] = {
    "model": get_args(Model),
    "affinity": ("none", "shared", "party", "hierarchical"),
    "mobilisation": ("none", "previous", "model"),
    "weighting": ("plain", "size"),
    "identification": ("sum_to_zero", "reference"),
    "coding": ("one_hot", "reference", "sum_to_zero"),
    "cache": ("none", "booth"),
    "method": ("newton", "lbfgs", "adam"),
    "errors": ("laplace", "sandwich", "none"),
    "penalties": ("given", "holdout"),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `calm.fit`, with the notation of calm.md.

    Attributes:
        model: literal: the source's; recommended: overdispersed booth totals, constituency effects instead of booth
            effects, and a contextual exponent. Each of these can also be set by itself.
        use_candidate_affinity: whether candidates are in the model at all (section 3). Without, there is no eta'g, and
            `affinity`, `tower` and `mobilisation` say nothing.
        affinity: eta shared by the parties, one per party, or hierarchical over constituencies (sections 3, 11).
        rho_age: proximity of adjacent age categories (section 2); `rho` does it for any ordinal axis by name.
        tower: rank of x' U z, 0 for none (sections 3, 11).
        mobilisation: xi m_ic in the turnout: none, weighted by previous shares, or by the model's own (section 4).
        axis_weight: w_A, w_R, ... by axis; made to add up to 1. All equal by default.
        raw_mobilisation: m_ic from g as it is.
        booth_effects, constituency_effects: random effects in both heads.
        integrate: after the minimum of section 5, one Newton step that integrates booth effects out, and all other
            parameters out of the dispersion: with many booths the minimum is biased by more than its standard errors,
            and with few to a constituency the dispersion too small (`experiments/calm`). None: in the recommended
            model. Diagnostics compare joint minima.
        overdispersed: beta-binomial turnout and Dirichlet-multinomial choice.
        exponent: of the context: how much more people vote like their booth than like their cell elsewhere; an
            assumption that booth totals cannot check. None: 0 in the literal model, 0.3 in the recommended one.
        weighting: g is standardised over (i, c, k) plainly, or by cell size (section 2).
        identification: party coefficients add up to 0, or are relative to the first party (section 6).
        project: project g off the cell features (section 6).
        coding: columns of x_c per axis: one_hot, reference (all but the first category), sum_to_zero.
        covariates: names of the booth covariates to use; None: all.
        axes: other axes or kernels than those of the booths.
        lambda_T, lambda_P: weights of the losses (section 5).
        lambda_beta, lambda_b, lambda_eta, lambda_party, lambda_tau, lambda_tower, lambda_constituency: L2 penalties
            of beta, b, eta, party-specific eta_k (instead of lambda_eta), constituencies' eta around the shared one, P
            and Q, and constituency effects.
        epsilon: added to shares under a logarithm.
        penalties: as given, or all L2 penalties of the model's terms chosen on held-out booths, beginning with those
            given; one that is 0 stays 0.
        holdout: share of the booths of each constituency that are kept out of the fit, for validation.
        method: newton, lbfgs or adam; the last takes `batch` random chunks of booths a step.
        tolerance, max_steps: of the optimiser; it stops when a step promises to lower the objective by less.
        chunk: booths worked off at a time.
        cache: keep g of every booth (booth), or gather it chunk by chunk (none).
        errors: laplace, sandwich (clustered by constituency) or none.
        level: of intervals.
        seed: of the hold-out, of Adam and of the towers' start.
    """

    model: Model = "literal"
    use_candidate_affinity: bool = True
    affinity: str = "shared"
    rho_age: float | None = None
    rho: Mapping[str, float] | None = None
    tower: int = 0
    mobilisation: str = "none"
    axis_weight: Mapping[str, float] | None = None
    raw_mobilisation: bool = False
    booth_effects: bool | None = None
    constituency_effects: bool | None = None
    overdispersed: bool | None = None
    exponent: float | None = None
    integrate: bool | None = None
    weighting: str = "plain"
    identification: str = "sum_to_zero"
    project: bool = False
    coding: str = "one_hot"
    covariates: Sequence[str] | None = None
    axes: Any = None
    lambda_T: float = 1.0
    lambda_P: float = 1.0
    lambda_beta: float = 0.1
    lambda_b: float = 8.0
    lambda_eta: float = 0.01
    lambda_party: float = 1.0
    lambda_tau: float = 10.0
    lambda_tower: float = 1.0
    lambda_constituency: float = 0.1
    epsilon: float = 1e-12
    penalties: str = "given"
    holdout: float = 0.0
    method: str = "newton"
    tolerance: float = 1e-6
    max_steps: int = 200
    chunk: int = 64
    batch: int = 8
    learning_rate: float = 0.02
    cache: str = "none"
    errors: str = "laplace"
    level: float = 0.95
    seed: int = 0

    @property
    def design(self) -> Design:
        """Which terms the model has."""
        full, candidates = self.model == "recommended", self.use_candidate_affinity
        return Design(
            affinity=self.affinity if candidates else "none",  # type: ignore[arg-type]
            tower=self.tower if candidates else 0,
            mobilisation=self.mobilisation if candidates else "none",  # type: ignore[arg-type]
            booth_effects=not full if self.booth_effects is None else self.booth_effects,
            constituency_effects=full if self.constituency_effects is None else self.constituency_effects,
            overdispersed=full if self.overdispersed is None else self.overdispersed,
            context=self.context_exponent != 0,
            weighting=self.weighting,  # type: ignore[arg-type]
            identification=self.identification,  # type: ignore[arg-type]
            project=self.project,
            raw_mobilisation=self.raw_mobilisation,
            cache=self.cache,  # type: ignore[arg-type]
        )

    @property
    def integrates(self) -> bool:
        """Whether a step after the minimum integrates out what `calm.integrate` says."""
        wanted = self.model == "recommended" if self.integrate is None else self.integrate
        return wanted and (self.design.booth_effects or self.design.overdispersed)

    @property
    def context_exponent(self) -> float:
        """The exponent of the context."""
        if self.exponent is None:
            return EXPONENT if self.model == "recommended" else 0.0
        return self.exponent

    def notes(self) -> list[str]:
        """What is to be known of a model with these options before its numbers are read."""
        design, found = self.design, []
        if design.affinity == "party" and self.lambda_eta != Options.lambda_eta:
            found.append("lambda_eta has no effect with affinity='party': lambda_party holds the eta of the parties")
        if design.affinity != "none" and design.tower:
            found.append(
                "eta stands beside a two-tower term that can do what eta does: how the pull of candidates is split "
                "between them is chosen by lambda_eta, lambda_party and lambda_tower, not by the data"
            )
        return found

    def remarks(self) -> list[str]:
        """The same of what the document's model is by design."""
        return [JOINT] if self.design.booth_effects and not self.integrates and self.errors != "none" else []

    def hyper(self, axes: Sequence[Axis]) -> Hyper:
        """Hyperparameters as arrays, for these axes."""
        given = dict(self.rho or {})
        if self.rho_age is not None:
            given["age"] = self.rho_age
        names = [axis.name for axis in axes]
        weight = np.ones(len(axes))
        if self.axis_weight is not None:
            for name in self.axis_weight:
                _check(name in names, f"axis_weight.{name}", name, "an axis of these booths", suggest(str(name), names))
            weight = np.array([float(self.axis_weight.get(name, 0.0)) for name in names])
            good = bool((weight >= 0).all() and weight.sum() > 0)
            _check(
                good, "axis_weight", dict(self.axis_weight), "weights of 0 or more, not all 0", "they are scaled to 1"
            )
        strengths = {name: np.float64(getattr(self, name)) for name in Hyper._fields if name.startswith("lambda_")}
        return Hyper(
            rho=cast(jax.Array, rho_of(axes, given)),
            axis_weight=cast(jax.Array, weight / weight.sum()),
            epsilon=np.float64(self.epsilon),
            exponent=np.float64(self.context_exponent),
            **strengths,
        )

    def json(self) -> str:
        """The options as JSON, which `read_options` reads back; axes are kept beside it."""
        return json.dumps(asdict(replace(self, axes=None)), default=lambda value: value.tolist())  # of numpy


def options_of(given: Mapping[str, Any], base: Options | None = None) -> Options:
    """Options from keywords, checked.

    Raises:
        ElectionDataError: an unknown option or a value that makes no sense, with its name.
    """
    known = [field.name for field in fields(Options)]
    for name in given:
        _check(name in known, name, given[name], "an option of calm.fit", suggest(name, known))
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
    options = replace(base or Options(), **plain)
    for name, allowed in CHOICES.items():
        value = getattr(options, name)
        _check(value in allowed, name, value, " or ".join(allowed), suggest(str(value), allowed))
    for field in fields(Options):
        value = getattr(options, field.name)
        if field.name.startswith("lambda_"):
            least = "a number above 0" if field.name in ("lambda_T", "lambda_P") else "a number of 0 or more"
            good = _is_number(value) and (value > 0 if "above" in least else value >= 0)
            _check(good, field.name, value, least, "penalties are strengths, not variances")
        elif field.type in (bool, bool | None):
            _check(isinstance(value, bool | np.bool_) or value is None, field.name, value, "true or false", "set it so")
    for name, low, high, open_at in (
        ("holdout", 0, 0.9, ""),
        ("level", 0, 1, "both"),
        ("epsilon", 0, 1e-3, ""),
        ("exponent", -5, 5, ""),
        ("rho_age", 0, 1, ""),
        ("tolerance", 0, 1, "low"),
        ("learning_rate", 0, 10, "low"),
    ):
        value = getattr(options, name)
        if value is not None:
            good = _is_number(value) and low <= value <= high
            good = good and not (open_at and value == low) and not (open_at == "both" and value == high)
            _check(good, name, value, f"a number from {low:g} to {high:g}", "leave it out for the default")
    for name, least_whole in (("tower", 0), ("max_steps", 1), ("chunk", 1), ("batch", 1), ("seed", 0)):
        value = getattr(options, name)
        good = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least_whole
        _check(good, name, value, f"a whole number of at least {least_whole}", "leave it out for the default")
    for name in ("rho", "axis_weight"):
        value = getattr(options, name)
        good = value is None or (isinstance(value, Mapping) and all(_is_number(x) for x in value.values()))
        _check(good, name, value, "a number for each of some axes", 'write it like {"age": 0.5}')
    twice = options.rho_age is not None and "age" in (options.rho or {})
    _check(not twice, "rho", options.rho, "no age beside rho_age", "give rho_age or rho, not both")
    return options


def read_options(text: str) -> Options:
    """The options that `Options.json` wrote."""
    return options_of(json.loads(text))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(np.isfinite(value))


def _check(good: bool | np.bool_, name: str, value: Any, expected: str, mend: str) -> None:
    if not good:
        raise data_error(f"found {value!r}", where=f"calm.fit({name}=)", expected=expected, mend=mend)
