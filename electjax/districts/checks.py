"""Results of checks and comparisons of calibrations, declared."""

from electjax.data.schema import Schema, Variable
from electjax.data.verdict import ATTRS
from electjax.districts.results import labels

_EACH = ("replicate",)
_PARAMETER = ("parameter",)
_P_VALUES = "p-value of a {} test that the ranks are uniform"
SBC = Schema(
    name="simulation-based calibration",
    variables={
        "fractional_rank": Variable(("replicate", "parameter"), "share", "weight of the draws below the truth"),
        "rank": Variable(("replicate", "parameter"), "count", "rank of the truth among 100", required=True),
        "count": Variable(("parameter", "bin"), "count", "replicates with a rank in the bin", required=True),
        "count_low": Variable(("bin",), "count", "lower end of the band of the counts"),
        "count_high": Variable(("bin",), "count", "upper end of the band of the counts"),
        "ecdf": Variable(("parameter", "point"), "share", "share of the replicates with a rank up to the point"),
        "ecdf_low": Variable(("point",), "share", "lower end of the band of the cumulative shares"),
        "ecdf_high": Variable(("point",), "share", "upper end of the band of the cumulative shares"),
        "p_chi2": Variable(_PARAMETER, "number", _P_VALUES.format("chi-square")),
        "p_ks": Variable(_PARAMETER, "number", _P_VALUES.format("Kolmogorov-Smirnov")),
        **labels("parameter"),
    },
    build="districts.sbc",
    attrs=ATTRS,
)
COVERAGE = Schema(
    name="coverage",
    variables={
        "coverage": Variable(
            ("parameter", "level"), "share", "share of the replicates whose interval holds the truth", required=True
        ),
        "low": Variable(("level",), "share", "lower end of what 95 % of right methods show"),
        "high": Variable(("level",), "share", "upper end of what 95 % of right methods show"),
        "width": Variable(("parameter", "level"), "number", "mean width as a share of that of the prior's interval"),
        "level": Variable(("level",), "share", "nominal probability", coord=True),
        **labels("parameter"),
    },
    build="districts.coverage",
    attrs=ATTRS,
)
TARP = Schema(
    name="TARP",
    variables={
        "fractional_rank": Variable(_EACH, "share", "weight of the draws nearer to the reference than the truth"),
        "coverage": Variable(("credibility",), "share", "expected coverage of balls", required=True),
        "low": Variable(("credibility",), "share", "lower end of the band"),
        "high": Variable(("credibility",), "share", "upper end of the band"),
        "p_chi2": Variable((), "number", _P_VALUES.format("chi-square")),
        "p_ks": Variable((), "number", _P_VALUES.format("Kolmogorov-Smirnov")),
        "credibility": Variable(("credibility",), "share", "nominal probability", coord=True, required=True),
    },
    build="districts.tarp",
    attrs=ATTRS,
)
_STATISTIC = ("statistic",)
CHECK = Schema(
    name="predictive check",
    variables={
        "observed": Variable(_STATISTIC, "number", "observed value", required=True),
        "mean": Variable(_STATISTIC, "number", "mean of the predictions"),
        "sd": Variable(_STATISTIC, "number", "standard deviation of the predictions"),
        "low": Variable(_STATISTIC, "number", "5 % quantile of the predictions"),
        "high": Variable(_STATISTIC, "number", "95 % quantile of the predictions"),
        "p": Variable(_STATISTIC, "number", "share of the predictions above the observed value, ties half"),
        "p_two_sided": Variable(_STATISTIC, "number", "two-sided p-value"),
        "fitted": Variable(_STATISTIC, "flag", "whether the calibration looked at the statistic", required=True),
        **labels("statistic"),
    },
    build="districts.check",
    attrs=ATTRS,
)
_CURVE = ("epsilon", "parameter")
SENSITIVITY = Schema(
    name="sensitivity",
    variables={
        **{
            f"{prefix}{name}": Variable(_CURVE, "number", f"{meaning} of the posterior{said}", required=not prefix)
            for prefix, said in (("", ""), ("unadjusted_", ", before regression adjustment"))
            for name, meaning in (
                ("mean", "mean"),
                ("sd", "standard deviation"),
                ("low", "5 % quantile"),
                ("median", "median"),
                ("high", "95 % quantile"),
            )
        },
        "drift": Variable(
            _PARAMETER, "number", "change of the mean over the range, in sds of the tightest posterior", required=True
        ),
        "share": Variable(("epsilon",), "number", "share of the accepted draws by weight"),
        "ess": Variable(("epsilon",), "number", "effective sample size", "draws"),
        "draws": Variable(("epsilon",), "count", "accepted draws", "draws"),
        "epsilon": Variable(("epsilon",), "number", "tolerance", "tolerances", coord=True),
        **labels("parameter"),
    },
    build="districts.sensitivity",
    attrs=ATTRS,
)
IDENTIFIABILITY = Schema(
    name="identifiability",
    variables={
        "contraction": Variable(_PARAMETER, "number", "1 - posterior over prior variance", required=True),
        "identified": Variable(_PARAMETER, "flag", "whether the contraction is .25 or more", required=True),
        "mean": Variable(_PARAMETER, "number", "mean of the posterior"),
        "sd": Variable(_PARAMETER, "number", "standard deviation of the posterior"),
        "low": Variable(_PARAMETER, "number", "5 % quantile of the posterior"),
        "high": Variable(_PARAMETER, "number", "95 % quantile of the posterior"),
        "prior_sd": Variable(_PARAMETER, "number", "standard deviation of the prior"),
        "said": Variable(_PARAMETER, "label", "the same in words", "text"),
        **labels("parameter"),
    },
    build="districts.identifiability",
    attrs=ATTRS,
)
_MODEL, _MODELS = ("model",), ("model", "epsilon")
COMPARISON = Schema(
    name="comparison",
    variables={
        "probability": Variable(_MODELS, "number", "posterior probability of the model", required=True),
        "probability_se": Variable(_MODELS, "number", "its standard error, by the delta method"),
        "evidence": Variable(_MODELS, "number", "P(distance <= tolerance | model)", required=True),
        "evidence_se": Variable(_MODELS, "number", "its standard error"),
        "draws": Variable(_MODELS, "count", "simulations that carry the estimate"),
        "prior_probability": Variable(_MODEL, "number", "prior probability of the model"),
        "reached": Variable(_MODEL, "number", "smallest tolerance of the search", "tolerances"),
        "simulations": Variable(_MODEL, "count", "simulations of the search"),
        "crps_seats": Variable(("model", "party"), "number", "CRPS of the party's seats, lower is better", "seats"),
        "crps_seats_se": Variable(("model", "party"), "number", "its Monte Carlo standard error", "seats"),
        "energy_seats": Variable(_MODEL, "number", "energy score of the vector of seats", "seats"),
        "energy_seats_se": Variable(_MODEL, "number", "its Monte Carlo standard error", "seats"),
        "energy_statistics": Variable(_MODEL, "number", "energy score of the paper's statistics", "tolerances"),
        "energy_statistics_se": Variable(_MODEL, "number", "its Monte Carlo standard error", "tolerances"),
        "log_score": Variable(_MODEL, "number", "-log P(exactly these seats)", "nats"),
        "log_score_se": Variable(_MODEL, "number", "its Monte Carlo standard error", "nats"),
        "epsilon": Variable(("epsilon",), "number", "tolerance", "tolerances", coord=True),
        **labels("model"),
    },
    build="districts.compare",
    attrs=ATTRS,
)

CHECKS = (SBC, COVERAGE, TARP, CHECK, SENSITIVITY, IDENTIFIABILITY, COMPARISON)
