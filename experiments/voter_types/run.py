"""Do the intervals cover, which types does a county have, and are few restarts enough? Writes result.json.

    python experiments/voter_types/run.py [--studies coverage yuma landscape] [--voters 8000] [--types 5 8] [--small]
                                          [--out PATH]

coverage: ballots of three known types with menus, missing votes and two covariates, voted again and fitted again by the
public verb; how often the 95 % intervals hold the truth, per parameter. yuma: the types of a county's cast ballots (not
part of the repository; ELECTJAX_SHARED says where they are). landscape: what 10,000 restarts without pruning reach on
the same ballots beside the 200 restarts of the public verb, K = 1..8. Studies that are not asked for keep their figures
in the file.
"""

import argparse
import functools
import json
import os
import time
import warnings
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import xarray as xr
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.special import logit

import electjax
from electjax.data.programs import start_cache
from electjax.numerics.covariance import interval
from electjax.numerics.host import double_precision
from electjax.run.folder import atomic_path
from electjax.voter_types.em.mixture import Types, match_types
from electjax.voter_types.em.simulate import simulate_choices

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("ELECTJAX_SHARED", HERE.parents[2] / "shared"))
TICKET = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]], bool)  # menus of section 4.1, 0 not on the ballot
STUDIES = ("coverage", "yuma", "landscape")
OFFICES, TYPES = 8, 3
TERMS = ("intercept", "age", "income")
LEVEL = 0.95
MOST_TYPES = 8


class County:
    """Three types whose shares are far enough apart for their order to be known, and voters whose ballots differ."""

    def __init__(self, seed, voters):
        rng = np.random.default_rng(seed)
        self.mu = rng.dirichlet(np.full(3, 1.5), (TYPES, OFFICES)) * 0.85 + 0.05
        self.gamma = np.array([[0.0, -0.6, -1.3], [0.0, 0.6, -0.4], [0.0, -0.3, 0.5]])
        self.design = np.column_stack([np.ones(voters), rng.normal(size=(voters, 2))])
        self.menu = rng.choice(4, (voters, OFFICES), p=[0.2, 0.15, 0.25, 0.4]).astype(np.int8)
        self.known = rng.random((voters, OFFICES)) > 0.05
        self.types = Types(self.gamma, np.log(self.mu), np.zeros((TYPES, 0)))
        share = np.exp(self.design @ self.gamma)
        self.truth = {
            "pi": (share / share.sum(1, keepdims=True)).mean(0),
            "mu": self.mu,
            "psi": np.log(self.mu / self.mu[..., :1]),
            "gamma": self.gamma,
        }

    def vote(self, seed):
        """All of them vote again; a share of the votes is lost."""
        context = np.where(self.menu == 0, -1, self.menu)
        with double_precision():
            choice, _ = simulate_choices(
                jax.random.key(seed), self.types, context, np.tile(TICKET, (OFFICES, 1, 1)), design=self.design
            )
        return xr.Dataset(
            {
                "choice": (("voter", "office"), np.where(self.known, choice, -1)),
                "menu": (("voter", "office"), self.menu),
                "covariate": (("voter", "term"), self.design[:, 1:]),
            },
            coords={"term": list(TERMS[1:])},
        )


def lined_up(fit, county):
    """The fit with its types in the order of the truth; None if the truth's first type is not gamma's baseline."""
    own = Types(fit["gamma"].values, np.log(np.maximum(fit["mu"].values, 1e-40)), np.zeros((TYPES, 0)))
    order = match_types(own, county.types)
    return fit.isel(type=order) if order[0] == 0 else None


def coverage(small, voters=2000, replicates=600):
    """How often the intervals hold the truth."""
    county, replicates = County(1, voters), 20 if small else replicates
    inside, squares = ({name: [] for name in county.truth} for _ in range(2))
    other_baseline = 0
    begin = time.perf_counter()
    for seed in track(range(replicates), description="coverage"):
        fit = lined_up(electjax.voter_types.fit(county.vote(seed), TYPES, restarts=4, seed=seed, level=LEVEL), county)
        if fit is None:
            other_baseline += 1
            continue
        for name, truth in county.truth.items():
            found, error = fit[name].values, fit[f"{name}_se"].values
            known = np.isfinite(error) & (error > 0)
            error = np.where(known, error, np.nan)
            if f"{name}_low" in fit:  # a probability, whose interval is one of its log odds
                low, high = fit[f"{name}_low"].values, fit[f"{name}_high"].values
                z = (logit(found) - logit(truth)) * found * (1 - found) / error
            else:
                low, high = interval(found, error, level=LEVEL)
                z = (found - truth) / error
            inside[name].append(np.where(known, (low <= truth) & (truth <= high), np.nan))
            squares[name].append(z**2)
    result = {
        "replicates": replicates,
        "voters": voters,
        "other_baseline": other_baseline,
        "seconds": time.perf_counter() - begin,
    }
    for name, held in inside.items():
        each = _mean(held)
        result[name] = {
            "parameters": int(each.size),
            "covered": float(each.mean()),
            "least": float(each.min()),
            "most": float(each.max()),
            # the spread among parameters that chance alone gives intervals that hold the truth in 95 % of the cases
            "standard_error_of_one": float(np.sqrt(LEVEL * (1 - LEVEL) / replicates)),
            "mean_square_z": float(_mean(squares[name]).mean()),
            "without_error": float(np.isnan(np.stack(held)[:, _told(held)]).mean()),
        }
    return result


def _told(values):
    """Parameters that have a standard error in some replicate: no baselines."""
    return ~np.isnan(np.stack(values)).all(0)


def _mean(values):
    """Per such parameter, the mean over the replicates that have one."""
    return np.nanmean(np.stack(values)[:, _told(values)], axis=0)


def real_ballots():
    """The county's ballots: 4,919 voters, 16 offices, menus."""
    table = pd.read_csv(SHARED / "data" / "ballots" / "yuma2020_y_m.csv")
    choice, menu = (table.filter(regex=f"^{letter}_") for letter in "ym")
    cells = ("voter", "office")
    return xr.Dataset(
        {"choice": (cells, choice.fillna(-1).to_numpy(np.int8)), "menu": (cells, menu.to_numpy(np.int8))},
        coords={"office": [name.removeprefix("y_") for name in choice.columns]},
    )


def yuma(small):
    """Criteria for K = 1..8, and the types of the K that BIC chooses."""
    ballots = real_ballots()
    rows = {}
    for types in range(1, MOST_TYPES + 1):
        fit = electjax.voter_types.fit(ballots, types, restarts=20 if small else 200, seed=1)
        names = ("log_likelihood", "parameters", "parameters_free", "aic", "bic", "sabic", "icl", "entropy")
        rows[types] = {name: float(fit.attrs[name]) for name in names}
        if rows[types]["bic"] == min(row["bic"] for row in rows.values()):
            chosen = fit
    contested = (ballots["menu"] == 3).any("voter").values
    mu = chosen["mu"].values[:, contested]
    return {
        "voters": ballots.sizes["voter"],
        "unique_rows": int(chosen.attrs["rows"]),
        "criteria": rows,
        "chosen": int(chosen.sizes["type"]),
        "pi": np.round(chosen["pi"].values, 4).tolist(),
        "pi_se": np.round(chosen["pi_se"].values, 4).tolist(),
        # mean over the contested offices of mu: abstain, split, straight
        "mean_mu": np.round(mu.mean(1), 3).tolist(),
        "abstain_range": np.round([mu[..., 0].min(1), mu[..., 0].max(1)], 3).T.tolist(),
        "split_range": np.round([mu[..., 1].min(1), mu[..., 1].max(1)], 3).T.tolist(),
        "at_boundary": int(chosen["at_boundary"].sum()),
        "verdict": [chosen.attrs["verdict"], *json.loads(chosen.attrs["verdict_reasons"])],
    }


def landscape(small, numbers=range(1, MOST_TYPES + 1)):
    """Best log-likelihood of many plain restarts, and of the public verb with 200."""
    ballots, number = real_ballots(), 200 if small else 10_000
    result = {"restarts": number, "types": {}}
    for types in track(numbers, description="landscape"):
        begin = time.perf_counter()
        plain = {"prune": 1.0, "moves": False, "tolerance": 1e-8, "max_maps": 1500, "errors": "none"}
        many = electjax.voter_types.fit(ballots, types, restarts=number, seed=types, **plain)
        ends, seconds = many["start_log_likelihood"].values, time.perf_counter() - begin
        begin = time.perf_counter()
        fit = electjax.voter_types.fit(ballots, types, restarts=200, seed=1, errors="none")
        best = max(float(ends.max()), float(many.attrs["log_likelihood"]))  # the latter ended by Newton's method
        result["types"][types] = {
            "best_of_many": best,
            "seconds_many": seconds,
            "at_best": int((ends > best - 1e-3).sum()),
            "distinct_maxima": len(np.unique(np.round(ends, 2))),
            "median_maps": float(many["start_maps"].median()),
            "public_verb": float(fit.attrs["log_likelihood"]),
            "seconds_public_verb": time.perf_counter() - begin,
            "gap": best - float(fit.attrs["log_likelihood"]),
        }
    return result


def show(result):
    """Print the tables."""
    console = Console(width=120)
    for voters, found in result.get("coverage", {}).items():
        table = Table(title=f"{voters} voters: coverage of {LEVEL:.0%} intervals, {found['replicates']} replicates")
        for heading in ("", "parameters", "covered", "least", "most", "mean z²", "no error"):
            table.add_column(heading, justify="left" if heading == "" else "right")
        for name, row in found.items():
            if isinstance(row, dict):
                figures = ("covered", "least", "most", "mean_square_z", "without_error")
                table.add_row(name, str(row["parameters"]), *(f"{row[figure]:.3f}" for figure in figures))
        console.print(table)
    if "yuma" in result:
        table = Table(title="Yuma: criteria")
        for heading in ("K", *next(iter(result["yuma"]["criteria"].values()))):
            table.add_column(heading, justify="right")
        for types, row in result["yuma"]["criteria"].items():
            table.add_row(str(types), *(f"{value:,.2f}" for value in row.values()))
        console.print(table)
        table = Table(title=f"Yuma: {result['yuma']['chosen']} types, means over the contested offices")
        for heading in ("share", "se", "abstain", "split", "straight", "split from", "to"):
            table.add_column(heading, justify="right")
        columns = (result["yuma"][name] for name in ("pi", "pi_se", "mean_mu", "split_range"))
        for pi, error, mu, reach in zip(*columns, strict=True):
            table.add_row(*(f"{value:.3f}" for value in (pi, error, *mu, *reach)))
        console.print(table)
    if "landscape" in result:
        table = Table(title=f"Yuma: best of {result['landscape']['restarts']:,} restarts and of the public verb")
        for heading in ("K", "best", "of so many", "maxima", "s", "public verb", "s", "gap"):
            table.add_column(heading, justify="right")
        names = (
            "best_of_many",
            "at_best",
            "distinct_maxima",
            "seconds_many",
            "public_verb",
            "seconds_public_verb",
            "gap",
        )
        for types, row in result["landscape"]["types"].items():
            table.add_row(
                str(types), *(f"{row[name]:,.5g}" if name == "gap" else f"{row[name]:,.1f}" for name in names)
            )
        console.print(table)


def main():
    """Run the studies asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", nargs="+", default=list(STUDIES), choices=STUDIES)
    parser.add_argument("--voters", type=int, default=2000, help="of coverage; its figures stand under their number")
    parser.add_argument("--replicates", type=int, default=600, help="of coverage")
    parser.add_argument("--types", nargs="+", type=int, default=list(range(1, MOST_TYPES + 1)), help="of landscape")
    parser.add_argument("--small", action="store_true", help="a check that it runs")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    start_cache()
    warnings.simplefilter("ignore")
    before = json.loads(args.out.read_text("utf-8")) if args.out and args.out.exists() else {}
    covers = functools.partial(coverage, voters=args.voters, replicates=args.replicates)
    work = {
        "coverage": lambda small: before.get("coverage", {}) | {str(args.voters): covers(small)},
        "yuma": yuma,
        "landscape": functools.partial(landscape, numbers=args.types),
    }
    result = before | {"electjax": electjax.__version__} | {name: work[name](args.small) for name in args.studies}
    show(result)
    if args.out:
        with atomic_path(args.out) as partial:
            partial.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
