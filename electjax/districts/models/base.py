"""The contract of a district model, and its batched execution.

A `Simulator` is a NamedTuple of module-level pure functions. Its numeric parameters are a traced dict of arrays:
sweeping their values compiles once. Its readings are a frozen dataclass of static options.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from electjax.districts.kernels import outcome
from electjax.numerics import random

ENGINES = ("leap", "agent")
Bookkeeping = Literal["none", "interleaved", "by_district"]
Params = dict[str, Array]
DISTRICTS, PARTIES = "districts", "parties"
Group = TypeVar("Group")


def option(
    default: Any,
    meaning: str,
    *,
    low: float | int | None = None,
    high: float | int | None = None,
    above: float | int | None = None,
    below: float | int | None = None,
) -> Any:
    """Declare an option of a model or of a method, in the terms of `electjax.data.options.option`."""
    facts = {"meaning": meaning, "low": low, "high": high, "above": above, "below": below, "good": None, "expected": ""}
    return field(default=default, metadata=facts)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option,))
def options(group: type[Group]) -> type[Group]:
    """Make a class a group of options: a frozen dataclass that `electjax.data.options` knows as one."""
    made = dataclass(frozen=True, kw_only=True)(group)
    made.is_options = True  # type: ignore[attr-defined]
    return made


def filled(group: type[Group], **values: Any) -> Group:
    """The options of a group: these, and defaults for the rest."""
    return group(**values)


class Parameter(NamedTuple):
    """A numeric parameter: its symbol and default in the source, its support and its default prior."""

    name: str
    symbol: str
    default: float | tuple[float, ...]
    support: tuple[float, float]
    meaning: str
    prior: tuple[float, float] | None = None  # range searched by calibration; None: held at the default
    scale: Literal["linear", "log"] = "linear"
    per: tuple[str, ...] = ()  # shapes that may be given besides one number: "district", "party", "community party"
    each: str = ""  # of those, the shape in which calibration searches it


# what calibration may search in every model that takes the popularity as given; not one of the model's own
POPULARITY = Parameter(
    name="popularity",
    symbol="θ",
    default=float("nan"),
    support=(0.0, 1.0),
    meaning="share of the nation's votes; the parties' totals follow from it",
    per=("party",),
    each="party",
)


class Contest(NamedTuple):
    """An election as arrays: who may vote where, and how popular the parties are."""

    electors: Int[Array, " S"]  # votes polled in each district, n_s
    popularity: Float[Array, " K"]  # theta, sums to one
    totals: Int[Array, " K"]  # v_k, the parties' national totals; they sum to the electors


class Polled(NamedTuple):
    """What a simulator returns; `strength` decides the winners where it is not the votes."""

    votes: Int[Array, "S K"]
    strength: Float[Array, "S K"] | None = None


class Plan(NamedTuple):
    """Static sizes, worked out on the host from the electorates."""

    engine: str
    schedule: Any  # what the model's leap engine needs: most often a polling.Schedule
    largest: int  # electors of the largest district, for the agent engine where districts poll on their own
    total: int
    batch: int  # runs simulated together


class Simulator(NamedTuple):
    """A district model; see CONTRIBUTING for how to add one.

    poll(key, contest, params, *, options, plan) -> Polled: one election, under either engine.
    schedule(contest, *, options) -> Any: the static plan of the leap engine, hashable, from concrete arrays.
    holds(options) -> {"districts", "parties"} or less: which sums are exact. "districts": every elector votes at
    home, sum_k V_sk = n_s. "parties": sum_s V_sk = v_k.
    poll_batch(keys[B], contest, params[B, ...], *, options, plan) -> Polled of [B, S, K]: many elections side by side,
    in place of mapping `poll` over them, for the leap engine; the contest's popularity and totals may be [B, K].
    one_by_one(options): whether the agent engine takes all electors of the nation in one sequence, as most do.
    dims(options): sizes of the model's own dimensions, besides district and party.
    check(params, options): raises ValueError where values make no sense together; params are concrete.
    width: cells (districts times parties) that the leap engine should have in a batch on a CPU.
    permits(params[B, ...], options) -> bool[B]: where a prior over the parameters named in `permits_of` is not zero;
    on the host. None: everywhere.
    takes_popularity: whether the parties' popularity goes in (or comes out, as it does in SIM).
    log_likelihood(votes[S, K], contest, params, options) -> scalar: log probability of these votes, where there is a
    closed form: has_likelihood(options).
    """

    name: str
    title: str
    source: str
    parameters: tuple[Parameter, ...]
    options: type[Any]
    poll: Callable[..., Polled]
    schedule: Callable[..., Any]
    holds: Callable[[Any], frozenset[str]]
    one_by_one: Callable[[Any], bool] = lambda options: True
    poll_batch: Callable[..., Polled] | None = None
    dims: Callable[[Any], dict[str, int]] = lambda options: {}
    check: Callable[[Any, Any], None] = lambda params, options: None
    width: int = 2**14
    permits: Callable[[Any, Any], np.ndarray] | None = None
    permits_of: tuple[str, ...] = ()
    takes_popularity: bool = True
    log_likelihood: Callable[..., Array] | None = None
    has_likelihood: Callable[[Any], bool] = lambda options: False

    def parameter(self, name: str) -> Parameter:
        """The parameter called `name`, `popularity` among them."""
        return next(p for p in (*self.parameters, POPULARITY) if p.name == name)

    @property
    def defaults(self) -> dict[str, float | tuple[float, ...]]:
        """The default value of every parameter."""
        return {p.name: p.default for p in self.parameters}


def check_options(simulator: Simulator, options: dict[str, Any] | None) -> Any:
    """The simulator's options dataclass, filled and checked; ValueError names a wrong key or value."""
    options = dict(options or {})
    hints = get_type_hints(simulator.options)
    for key, value in options.items():
        if key not in hints:
            raise ValueError(f"model {simulator.name}: unknown option '{key}'; it has {', '.join(hints)}")
        if get_origin(hints[key]) is Literal and value not in get_args(hints[key]):
            choices = " | ".join(map(str, get_args(hints[key])))
            raise ValueError(f"model {simulator.name}: option {key}={value!r} is not one of {choices}")
    return simulator.options(**{f.name: options[f.name] for f in fields(simulator.options) if f.name in options})


def make_plan(simulator: Simulator, contest: Contest, *, options: Any, engine: str = "leap") -> Plan:
    """Work out the static sizes of a simulation on the host.

    Raises:
        ValueError: an unknown engine, or more electors than 32 bits can count.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r} is not one of {' | '.join(ENGINES)}")
    electors = np.asarray(contest.electors)
    cells = electors.size * contest.popularity.size
    total = int(electors.sum(dtype=np.int64))
    if total >= 2**31:
        raise ValueError(f"{total:,} electors in all: counts are held in 32 bits, at most {2**31 - 1:,}")
    if engine == "agent" and simulator.one_by_one(options):
        batch = max(1, min(64, 2**26 // max(total, 1)))
    elif engine == "agent" or jax.default_backend() != "cpu":
        batch = max(1, 2**17 // cells)  # many small steps, or a device with many lanes: wide batches hide the overhead
    else:
        batch = max(1, simulator.width // cells)  # fits the cache of a core
    schedule = simulator.schedule(contest, options=options)
    # only where it is needed: elections that differ in it alone share a program
    largest = int(electors.max()) if engine == "agent" and not simulator.one_by_one(options) else 0
    return Plan(engine, schedule, largest, total, min(batch, 1024))


class Outcome(NamedTuple):
    """Everything reported of a run; `votes`, `winner` and `margin` are None where only summaries are kept."""

    summary: outcome.Summary
    votes: Int[Array, "*R S K"] | None = None
    winner: Int[Array, "*R S"] | None = None
    margin: Float[Array, "*R S"] | None = None
    features: Float[Array, "*R T"] | None = None


@partial(jax.jit, static_argnames=("simulator", "options", "plan", "varying", "keep_votes", "statistic"))
def simulate_runs(
    key: Key[Array, ""],
    runs: Int[Array, " R"],
    contest: Contest,
    may_win: Bool[Array, " K"],
    params: Params,
    *,
    simulator: Simulator,
    options: Any,
    plan: Plan,
    varying: bool = False,
    keep_votes: bool = True,
    statistic: Callable[[Array, Array], Array] | None = None,
) -> Outcome:
    """Simulate the runs numbered `runs`; run r depends on the key and r alone.

    They are taken in batches of plan.batch, the last filled up with repetitions. varying: params carry a leading run
    axis, one set of values per run (calibration); otherwise all runs share them. Varying params may also hold
    `popularity` [R, K] and `totals` [R, K], which then take the place of the contest's. statistic: a pure function of
    votes[S, K] and winner[S] whose vector is kept as `features`.
    """
    key = random.threefry_key(key)

    def finish(key_ties: Array, polled: Polled) -> Outcome:
        deciding = polled.votes if polled.strength is None else polled.strength
        winner = outcome.winners(deciding, key=key_ties, may_win=may_win)
        summary = outcome.summaries(polled.votes, winner=winner)
        features = None if statistic is None else jnp.atleast_1d(statistic(polled.votes, winner))
        if not keep_votes:
            return Outcome(summary, features=features)
        return Outcome(summary, polled.votes, winner, outcome.margins(polled.votes, winner), features)

    def batch(numbers: Array, own: Params) -> Outcome:
        key_poll, key_ties = random.subkey(random.subkey(key, numbers), jnp.arange(2)[:, None])
        shared = {"options": options, "plan": plan}
        own, moved, axes = dict(own), contest, None
        if varying and "totals" in own:
            moved = contest._replace(popularity=own.pop("popularity"), totals=own.pop("totals"))
            axes = Contest(None, 0, 0)  # type: ignore[arg-type]
        if plan.engine == "leap" and simulator.poll_batch is not None:
            if not varying:
                own = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (numbers.shape[0], *leaf.shape)), own)
            polled = simulator.poll_batch(key_poll, moved, own, **shared)
        else:
            one = partial(simulator.poll, **shared)
            polled = jax.vmap(one, in_axes=(0, axes, 0 if varying else None))(key_poll, moved, own)
        return jax.vmap(finish)(key_ties, polled)

    number = runs.shape[0]
    size = min(plan.batch, number)

    def split(leaf: Array) -> Array:
        filled = jnp.pad(leaf, [(0, -number % size)] + [(0, 0)] * (leaf.ndim - 1), mode="edge")
        return filled.reshape(-1, size, *leaf.shape[1:])

    if varying:
        chunks = jax.lax.map(lambda chunk: batch(*chunk), jax.tree.map(split, (runs, params)))
    else:
        chunks = jax.lax.map(lambda numbers: batch(numbers, params), split(runs))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:number], chunks)
