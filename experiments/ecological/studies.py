"""The studies: what is tried on a set of contests, and what on generated ones alone."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.progress import track
from sets import Case, case_of, checked, climbed, error_of, fitted, here_of, parts_of, tried, widened

import electjax
from electjax.ecological.keys import SOLO, pooling_keys
from electjax.ecological.model.balance import balance
from electjax.ecological.model.data import Blocks, over_blocks
from electjax.ecological.model.estimate import Mode, curvature, expected_tables, in_contests, mode, unit_tables
from electjax.ecological.model.problem import (
    Problem,
    in_surroundings,
    inverse_and_log_determinant,
    of_contest,
    regular,
    row_variance,
    value,
    within_rows,
)
from electjax.ecological.options import EstimateOptions
from electjax.ecological.schema import DID_NOT_VOTE, OTHER
from electjax.numerics.arrow import eliminate
from electjax.numerics.host import double_precision

NO_CONTEXT: dict[str, Any] = {"context": 0.0, "context_sd": 0.0, "contexts": ()}
NO_PAIRS = {"pair_sd": 1e-3}
ABLATION: dict[str, dict[str, Any]] = {
    "default": {},
    "no pooling (tau 1, no pairs, fixed levels)": {"pooled": False},
    "no pooled pairs": NO_PAIRS,
    "no overdispersion": {"overdispersed": False},
    "no context": NO_CONTEXT,
    "pooling without context, tau 1": NO_CONTEXT | {"tau": (1.0, 1.0, 1.0)},
    "neither pooled pairs nor context": NO_CONTEXT | NO_PAIRS,
    "neither pooling nor context": NO_CONTEXT | {"pooled": False},
    "no own-party mean (pairs alone)": {},  # the kind of cell is taken away, which is no option
    "context .3": {"context": 0.3},
    "context .8": {"context": 0.8},
    "tau halved": {"tau": (0.075, 0.075, 0.15)},
    "tau doubled": {"tau": (0.3, 0.3, 0.6)},
    "tau 1": {"tau": (1.0, 1.0, 1.0)},
    "inflation 1": {"inflation": 1.0},
    "context_sd 0": {"context_sd": 0.0},
    "context_sd .3": {"context_sd": 0.3},
}
ALONE = "no own-party mean (pairs alone)"
GROUP_SIZES = (1, 6, 12, 24, 0)  # 0: all contests
GROUP_OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "no pooling": {"pooled": False},
    "no pooling, context .45": {"pooled": False, "context": 0.45},
}
TAU_SCALES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
CONTEXTS = (0.0, 0.3, 0.6, 0.9, 1.2)
PLANTED = (0.0, 0.5, 1.0)  # affinity; and for exponents:
EXPONENTS = (0.0, 0.3, 0.6, 0.9)


def ablation(case: Case, *, only: tuple[str, ...] = tuple(ABLATION), draws: int = 200) -> dict[str, Any]:
    """One thing taken away or changed at a time."""
    found = {}
    for name in track(only, description=f"ablation, {case.name}"):
        code = case.code
        if name == ALONE:
            kind = np.where(code.contests.kind == 0, 1, code.contests.kind)
            code = code._replace(contests=code.contests._replace(kind=kind))
        found[name] = tried(case, code, draws=draws, **ABLATION[name])
    return found


def context(case: Case, *, draws: int = 200) -> dict[str, Any]:
    """Error against the exponent, and what truth-known contests would choose."""
    curve = electjax.ecological.calibrate_context(case.data)
    names = ("context", "context_se", "context_spread", "mean_ei")
    return {
        "calibrated": {name: float(curve.attrs[name]) for name in names},
        "curve": dict(zip(curve["context"].values.tolist(), curve["mean_ei"].values.tolist(), strict=True)),
        "intervals": {f"{beta:g}": tried(case, draws=draws, context=beta) for beta in (0.3, 0.6, 0.8)},
    }


def planted_contexts(*, small: bool) -> dict[str, Any]:
    """Generated contests with a known exponent: what `calibrate_context` says, and what margins alone would say."""
    size: dict[str, Any] = {"contests": 6, "units": 12, "rows": 3, "parties": 3, "fielded": 1.0} if small else {}
    found = {}
    for beta in EXPONENTS[1:2] if small else EXPONENTS:
        case = case_of("generated", electjax.ecological.simulate(context=beta, merge_below=0.0, seed=1, **size))
        curve = electjax.ecological.calibrate_context(case.data)
        row = {name: float(curve.attrs[name]) for name in ("context", "context_se", "mean_ei")}
        row["ei_at_default"] = error_of(case, fitted(case.code, draws=0, contexts=()).contests)
        if not small:
            grid = chosen(case, {f"{value:g}": {"context": value} for value in CONTEXTS})
            row |= {name: float(grid[name]) for name in ("held_out", "evidence")}
        found[f"{beta:g}"] = row
    return found


def groups(case: Case, *, sizes: tuple[int, ...] = GROUP_SIZES, draws: int = 200) -> dict[str, Any]:
    """Contests fitted in groups of so many, as they follow each other in the file."""
    number = case.data.sizes["contest"]
    found: dict[str, dict[str, Any]] = {}
    for size in sizes:
        if size > number:
            continue
        codes = parts_of(case, size or number)
        for name in track(GROUP_OPTIONS, description=f"groups of {size or number}, {case.name}"):
            tables = [fitted(code, draws=draws, **GROUP_OPTIONS[name]) for code in codes]
            cells = np.concatenate([own.contests for own in tables])
            drawn = np.concatenate([own.draws for own in tables], axis=1)
            row = checked(cells, drawn, case.truth, here_of(case.code))
            found.setdefault(name, {})["all" if not size else str(size)] = row | {"groups": len(codes)}
    return found


def names(case: Case, *, draws: int = 200, seed: int = 0) -> dict[str, Any]:
    """Parties of candidates as named, blanked (matched by votes then), and dealt out anew within each contest."""
    name, party = (case.data[f"column_{what}"].values for what in ("name", "party"))
    special = np.isin(name, (OTHER, DID_NOT_VOTE))
    blanked = np.where(special, party, "")
    rng, dealt = np.random.default_rng(seed), party.copy()
    for d, own in enumerate((name != "") & ~special):
        dealt[d, own] = rng.permutation(party[d, own])
    plain = np.array([[own.rsplit(" (", 1)[0] for own in row] for row in name.tolist()])
    right = pooling_keys(case.data).column
    found = {"named": tried(case, draws=draws)}
    for label, given in (("blanked", blanked), ("dealt out anew", dealt)):
        coords = {"column_party": (("contest", "column"), given)}
        if label == "blanked" and all(len(set(own)) == len(own) for own in map(_there, plain)):
            coords["column_name"] = (("contest", "column"), plain)
        data = case.data.assign_coords(coords)
        keys = pooling_keys(data).column
        pairs = [(a, b) for old, new in zip(right, keys, strict=True) for a, b in zip(old, new, strict=True)]
        asked = [(a, b) for a, b in pairs if a not in (OTHER, DID_NOT_VOTE, SOLO)]
        row = tried(case_of(case.name, data), draws=draws)
        found[label] = row | {
            "as_named": float(np.mean([a == b for a, b in asked])),
            "without_party": float(np.mean([b == SOLO for _, b in asked])),
        }
    return found


def _there(names_of_contest: np.ndarray) -> list[str]:
    return [name for name in names_of_contest.tolist() if name]


def penalty(case: Case) -> dict[str, Any]:
    """How strong pooling and context should be by margins alone: held-out units, and the Laplace evidence."""
    default = EstimateOptions().tau
    return {
        "tau": chosen(case, {f"{s:g}": {"tau": tuple(s * np.array(default))} for s in TAU_SCALES}),
        "context": chosen(case, {f"{beta:g}": {"context": beta} for beta in CONTEXTS}),
    }


def chosen(case: Case, grid: dict[str, dict[str, Any]], *, seed: int = 0) -> dict[str, Any]:
    """Criteria of every value, log densities relative to the best, and which value each criterion picks."""
    fold = np.random.default_rng(seed).random(np.shape(case.code.blocks.rows)[:2]) < 0.5
    rows: dict[str, Any] = {}
    with double_precision():
        for name, options in track(grid.items(), description=f"choosing, {case.name}"):
            full = climbed(case, **options)
            beta = full.problem.assumed.context
            held = sum(predicted(full.problem, full, here) for here in (fold, ~fold))
            tables = in_contests(unit_tables(full.eta, beta, full.problem), full.problem)
            rows[name] = {"evidence": evidence(full), "held_out": float(held), "ei": error_of(case, tables)}
    picked = {}
    for criterion in ("held_out", "evidence"):
        best = max(rows, key=lambda name: rows[name][criterion])
        top = rows[best][criterion]
        for row in rows.values():
            row[criterion] -= top
        picked[criterion] = best
    return {"rows": rows, "best_ei": min(rows, key=lambda name: rows[name]["ei"]), **picked}


def evidence(found: Mode) -> float:
    """Laplace approximation to the log density of the columns, but for what does not change with tau or context."""
    known = curvature(found.point, found.problem)
    schur = np.asarray(_eliminated(known))
    parts = np.linalg.slogdet(np.asarray(known.groups))[1].sum() + np.linalg.slogdet(schur)[1]
    return float(-found.value - 0.5 * parts)


def predicted(problem: Problem, full: Mode, here: np.ndarray) -> float:
    """Log density of the units that are `here`, at the mode of the others."""
    others = mode(
        problem._replace(blocks=only(problem.blocks, ~here)),
        full.point,
        tolerance=EstimateOptions().tolerance,
        max_steps=EstimateOptions().max_steps,
    )
    point, none = others.point, np.zeros_like(here)
    return float(_value(point, _with(problem, none)) - _value(point, _with(problem, here)))


def only(blocks: Blocks, here: np.ndarray) -> Blocks:
    """The blocks with the other units empty."""
    keep = jnp.asarray(here)[:, :, None]
    return blocks._replace(rows=blocks.rows * keep, columns=blocks.columns * keep)


def _with(problem: Problem, here: np.ndarray) -> Problem:
    return problem._replace(blocks=only(problem.blocks, here))


_value = jax.jit(value)
_eliminated = jax.jit(lambda known: eliminate(known)[0])


def tables(case: Case) -> dict[str, float]:
    """EI by how contests' tables are made from the same fit."""
    with double_precision():
        found = climbed(case)
        problem, beta = found.problem, found.problem.assumed.context
        blocks = problem.blocks
        plain = expected_tables(found.eta, beta, problem)
        moved = jnp.maximum(updated(found.eta, found.rho, beta, problem), 1e-3 * plain)
        totals = [in_contests(x, problem) for x in (blocks.rows, blocks.columns)]
        result = {}
        for name, own in (("expected", plain), ("updated", moved)):
            result[f"{name}, balanced in each contest"] = error_of(case, balance(in_contests(own, problem), *totals))
            each = balance(own, blocks.rows, blocks.columns, steps=100, tolerance=1e-9)
            result[f"{name}, balanced in each unit"] = error_of(case, in_contests(each, problem))
    return result


@jax.jit
def updated(eta: jax.Array, rho: jax.Array, beta: jax.Array, problem: Problem) -> jax.Array:
    """Units' expected tables given their columns too: normal conditioning on the sums of rows, [B, m, R, C]."""

    def of_block(block: Blocks) -> jax.Array:
        own = of_contest(problem.contests, block.contest)
        logits, rate = eta[block.contest], jax.nn.sigmoid(rho[block.contest])

        def of_unit(rows: jax.Array, columns: jax.Array) -> jax.Array:
            shares = in_surroundings(logits, rows, own.mix, own.column_here, beta)
            spread = jax.vmap(lambda v, s: within_rows(v[None], s[None]))(row_variance(rows, rate), shares)
            mean = rows[:, None] * shares
            inverse, _ = inverse_and_log_determinant(regular(spread.sum(axis=0), columns))
            return mean + spread @ (inverse @ (columns - mean.sum(axis=0)))

        return jax.vmap(of_unit)(block.rows, block.columns)

    return over_blocks(of_block, problem.blocks)


def pooled(case: Case, *, draws: int = 200) -> dict[str, Any]:
    """Contests' tables added up by party, and the draws likewise: EI of the sum and coverage of its intervals."""
    code = case.code
    result = fitted(code, draws=draws)
    known = np.isfinite(case.truth).any(axis=(1, 2))
    sides = []
    for labels, size in ((code.keys.row, code.contests.kind.shape[1]), (code.keys.column, code.contests.kind.shape[2])):
        keys = list(dict.fromkeys(key for own in labels for key in own))
        of = np.zeros((len(labels), size, len(keys)))
        for d, own in enumerate(labels):
            of[d, np.arange(len(own)), [keys.index(key) for key in own]] = 1.0
        sides.append(of * known[:, None, None])

    def summed(values: np.ndarray) -> np.ndarray:
        return np.einsum("...drc,drk,dcl->...kl", np.nan_to_num(values), *sides, optimize=True)[..., None, :, :]

    truth = summed(case.truth)
    here = np.broadcast_to((truth.sum(axis=2, keepdims=True) > 0), truth.shape)
    return checked(summed(result.contests), summed(result.draws), truth, here)


def affinity(*, small: bool) -> dict[str, Any]:
    """Candidates' traits on generated contests: with and without, planted and not."""
    size: dict[str, Any] = {"contests": 6, "units": 12, "rows": 3, "parties": 3, "fielded": 1.0} if small else {}
    found = {}
    for planted in PLANTED[-1:] if small else PLANTED:
        made = [
            electjax.ecological.simulate(traits=3, affinity=planted, merge_below=0.0, seed=seed, **size)
            for seed in range(1 if small else 5)
        ]
        drawn = [case_of("generated", data) for data in made]
        shape = tuple(np.max([c.code.contests.kind.shape[1:] for c in drawn], axis=0).tolist())
        blocks, pairs = max(len(c.code.blocks.contest) for c in drawn), max(len(c.code.pairs) for c in drawn)
        errors: dict[str, list[float]] = {"with": [], "without": []}
        effects = []
        for case in track(drawn, description=f"affinity {planted:g}"):
            code = widened(case.code, blocks, pairs, shape)
            rows, columns = case.truth.shape[1:]
            for name, traits in (("with", True), ("without", False)):
                result = fitted(code, draws=0, contexts=(), affinity=traits)
                errors[name].append(error_of(case, result.contests[:, :rows, :columns]))
                if traits:
                    feature = np.asarray(case.code.contests.features)[..., 0][here_of(case.code)]
                    effects.append(float(result.found.point.shared[-2] * np.ptp(feature)))
        found[f"{planted:g}"] = {
            "ei_with": float(np.mean(errors["with"])),
            "ei_without": float(np.mean(errors["without"])),
            "effect": float(np.mean(effects)),
            "effect_se": float(np.std(effects, ddof=1) / np.sqrt(len(effects))) if len(effects) > 1 else float("nan"),
            "replicates": len(effects),
        }
    return found


OF_SETS: dict[str, Callable[..., Any]] = {
    "ablation": ablation,
    "context": context,
    "groups": groups,
    "names": names,
    "penalty": penalty,
    "tables": tables,
    "pooled": pooled,
}
OF_GENERATED: dict[str, Callable[..., Any]] = {"affinity": affinity, "planted": planted_contexts}
STUDIES = (*OF_SETS, *OF_GENERATED)


def suits(study: str, case: Case) -> bool:
    """Whether a study says something about a set: some need parties, or several contests."""
    if study == "names":
        return case.data.attrs["rows"] == "votes"
    return study not in ("groups", "pooled") or case.data.sizes["contest"] > 1
