"""Do the intervals of CALM cover? Writes result.json.

    python experiments/calm/run.py [--model literal] [--replicates 200] [--constituencies 24] [--booths 8] [--out PATH]

An electorate is generated once, with its candidates. Then the model itself draws booth effects (as wide as their
penalty says), votes polled and votes, is fitted to them, and says how sure it is of eta and xi: how often do 95 %
intervals hold the truth? Three kinds: around the joint minimum of the objective, as calm.md has it, with Laplace
errors; around the estimate with booth effects integrated out (`calm.model.integrate`), with Laplace errors; and the
same with the sandwich, clustered by constituency. The recommended model has constituency effects, which are parameters,
and overdispersed totals, the correlations rho_T and rho_P of which are in the table. Fits start at the truth and share
one compiled program.
"""

import argparse
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table
from scipy.special import logit, ndtri

import electjax
from electjax.calm.model.estimate import information, newton
from electjax.calm.model.integrate import integrated
from electjax.calm.model.problem import fitted
from electjax.calm.model.uncertainty import laplace_covariance, sandwich_covariance
from electjax.calm.options import FitOptions
from electjax.calm.verbs.fit import fit_arrays
from electjax.data.files import atomic_path
from electjax.numerics.arrow import Point, begin
from electjax.numerics.host import double_precision

HERE = Path(__file__).resolve().parent
AXES = {
    "age": {"categories": ["18-35", "36-60", "61+"], "kernel": "ordinal"},
    "religion": {"categories": ["Hindu", "Muslim"]},
    "caste": {"categories": ["General", "OBC", "SC"], "within": {"religion": "Hindu"}},
    "income": {"categories": ["Low", "High"]},
}
ETA = {"age": 0.15, "religion": 0.3, "caste": 0.2, "income": 0.0}
XI = 0.4
LAMBDA_B = 8.0  # booth effects with a standard deviation of 0.25
RHO = (0.004, 0.002)  # correlation of two electors' choices within a booth, of turnout and of party
LEVEL = 0.95
KINDS = ("joint", "integrated", "sandwich")
OPTIONS = {
    "literal": {"lambda_b": LAMBDA_B},
    "recommended": {"model": "recommended", "context": 0.3, "lambda_constituency": 0.1},
}
GENERATED = {"literal": {}, "recommended": {"context": 0.3, "booth_sd": (0.0, 0.0)}}


class World:
    """An electorate, and the model that its votes are drawn from."""

    def __init__(self, constituencies=24, booths=8, seed=0, model="literal"):
        data = electjax.calm.simulate(
            "tiny",
            constituencies=constituencies,
            booths=booths,
            parties=["A", "B", "C"],
            axes=AXES,
            eta=ETA,
            seed=seed,
            **GENERATED[model],
        )
        own = {"mobilisation": "previous", "coding": "reference", "errors": "none", "tolerance": 1e-9}
        options = FitOptions(**own | OPTIONS[model])
        fit = fit_arrays(data, options)
        self.design, self.problem = options.design, fit.found.problem
        self.axes, self.rows = fit.encoded.labels.axes, len(fit.encoded.labels.booths)
        self.area = np.asarray(fit.encoded.booths.constituency)
        self.electors = np.asarray(fit.encoded.booths.sizes).sum(axis=1).astype(int)
        with double_precision():
            eta = jnp.asarray([ETA[axis] for axis in self.axes])
            truth = fit.found.shared._replace(eta=eta, xi=jnp.asarray(XI))
            if model == "recommended":
                truth = truth._replace(dispersion=jnp.asarray(logit(RHO)))
            self.truth, self.unravel = jax.flatten_util.ravel_pytree(truth)
        self.model = model
        self.names = [*(f"eta[{axis}]" for axis in self.axes), "xi"]
        self.names += ["logit rho_T", "logit rho_P"] if model == "recommended" else []
        self.values = self.focus(self.truth)

    def focus(self, vector):
        """eta, xi and the dispersion of a flat vector."""
        with double_precision():
            shared = self.unravel(jnp.asarray(vector))
            rest = [] if shared.dispersion is None else shared.dispersion
            return np.array([*shared.eta, shared.xi, *rest], dtype=float)

    def draw(self, rng):
        """The problem of votes drawn anew, and the parameters they are drawn with."""
        width = self.problem.frame.fielded.shape[1] if self.model == "literal" else 0
        effects = rng.normal(0.0, (2 * LAMBDA_B) ** -0.5, (self.problem.booths.weight.size, width))
        point = Point(self.truth, jnp.asarray(effects))
        expected = jax.tree.map(lambda x: np.asarray(x)[: self.rows], _expected(point, self.problem, self.design))
        turnout, shares = expected.turnout, expected.shares / expected.shares.sum(axis=1, keepdims=True)
        if self.model == "recommended":  # rates of booths scatter around what is expected of them
            size_T, size_P = 1 / np.array(RHO) - 1
            turnout = rng.beta(size_T * turnout, size_T * (1 - turnout))
            gammas = rng.gamma(size_P * shares)
            shares = gammas / gammas.sum(axis=1, keepdims=True)
        polled = rng.binomial(self.electors, turnout)
        votes = rng.multinomial(polled, shares).astype(float)
        booths = self.problem.booths
        rest = booths.weight.size - self.rows
        booths = booths._replace(
            polled=jnp.asarray(np.pad(polled.astype(float), (0, rest))).reshape(booths.polled.shape),
            votes=jnp.asarray(np.pad(votes, ((0, rest), (0, 0)))).reshape(booths.votes.shape),
        )
        return self.problem._replace(booths=booths), point


_expected = jax.jit(fitted, static_argnums=2)


def coverage(world, replicates, seed=1, show=lambda items: items):
    """z of what is in focus in every replicate, of each kind, and whether its fit converged: [r, kinds, n], [r]."""
    z, done = np.zeros((replicates, len(KINDS), len(world.names))), np.zeros(replicates, bool)
    with double_precision():
        for r in show(range(replicates)):
            problem, point = world.draw(np.random.default_rng([seed, r]))
            search = newton(problem, begin(point), world.design, 1e-9, 100)
            known = information(search.point, problem, world.design)
            done[r] = bool(search.done)
            moved = integrated(search.point, problem, world.design, known)
            joint = laplace_covariance(known)
            known = information(moved, problem, world.design)
            normal, robust = laplace_covariance(known), sandwich_covariance(known, world.area)
            for n, (at, found) in enumerate(((search.point, joint), (moved, normal), (moved, robust))):
                gap = world.focus(at.shared) - world.values
                z[r, n] = gap / np.sqrt(world.focus(np.diag(found.matrix)))
    return z, done


def summary(world, z, done):
    """Coverage and the distribution of z, by parameter."""
    reach, number = ndtri((1 + LEVEL) / 2), len(z)
    band = 1.96 * np.sqrt(LEVEL * (1 - LEVEL) / number)
    rows = {
        name: {"truth": float(world.values[n])}
        | {
            kind: {
                "coverage": float((np.abs(z[:, k, n]) < reach).mean()),
                "z_mean": float(z[:, k, n].mean()),
                "z_sd": float(z[:, k, n].std(ddof=1)),
            }
            for k, kind in enumerate(KINDS)
        }
        for n, name in enumerate(world.names)
    }
    return {
        "model": world.model,
        "replicates": number,
        "converged": int(done.sum()),
        "booths": world.rows,
        "constituencies": int(world.area.max()) + 1,
        "level": LEVEL,
        "monte_carlo_band": [LEVEL - band, LEVEL + band],
        "pooled": {kind: float((np.abs(z[:, n]) < reach).mean()) for n, kind in enumerate(KINDS)},
        "parameters": rows,
    }


def main():
    """Run the study, print it, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=tuple(OPTIONS), default="literal")
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--constituencies", type=int, default=24)
    parser.add_argument("--booths", type=int, default=8, help="in each constituency")
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    args = parser.parse_args()
    console, started = Console(), time.perf_counter()
    world = World(args.constituencies, args.booths, model=args.model)
    z, done = coverage(world, args.replicates, show=lambda items: track(items, "fits", console=console))
    found = summary(world, z, done) | {"seconds": time.perf_counter() - started, "electjax": electjax.__version__}
    low, high = found["monte_carlo_band"]
    table = Table("parameter", "truth", *KINDS, title="95 % intervals: coverage, mean of z")
    for name, row in found["parameters"].items():
        cells = (f"{row[kind]['coverage']:.1%}, {row[kind]['z_mean']:+.2f}" for kind in KINDS)
        table.add_row(escape(name), f"{row['truth']:g}", *cells)
    console.print(table)
    console.print(f"Monte Carlo band {low:.1%} to {high:.1%}; {found['converged']} of {args.replicates} fits converged")
    with atomic_path(args.out) as partial:
        partial.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
