"""The contract of a district model, and its batched execution.

A `Simulator` is a NamedTuple of module-level pure functions. Its numeric parameters are a traced dict of arrays:
sweeping their values compiles once. Its readings are a frozen dataclass of static options.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from electjax.core import agent, outcome, polling, random
from electjax.core.polling import Poll, Schedule

ENGINES = ("leap", "agent")
Bookkeeping = Literal["none", "interleaved", "by_district"]
Params = dict[str, Array]


class Parameter(NamedTuple):
    """A numeric parameter: its symbol and default in the source, its support and its default prior."""

    name: str
    symbol: str
    default: float
    support: tuple[float, float]
    meaning: str
    prior: tuple[float, float] | None = None  # range searched by calibration; None: held at the default
    scale: Literal["linear", "log"] = "linear"
    per: tuple[str, ...] = ()  # a vector may be given per "district" or "party" where named


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
    schedule: Schedule
    largest: int
    total: int
    batch: int


class Simulator(NamedTuple):
    """A district model; see CONTRIBUTING for how to add one."""

    name: str
    title: str
    source: str
    parameters: tuple[Parameter, ...]
    options: type[Any]
    make_poll: Callable[..., tuple[Poll, Any, Array | None]]
    schedule: Callable[..., Schedule]

    def parameter(self, name: str) -> Parameter:
        """The parameter called `name`."""
        return next(p for p in self.parameters if p.name == name)

    @property
    def defaults(self) -> dict[str, float]:
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


def make_plan(simulator: Simulator, electors: np.ndarray, parties: int, *, options: Any, engine: str = "leap") -> Plan:
    """Work out the static sizes of a simulation; `batch` runs are simulated together."""
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r} is not one of {' | '.join(ENGINES)}")
    cells = electors.size * parties
    total = int(electors.sum(dtype=np.int64))
    if total >= 2**31:
        raise ValueError(f"{total:,} electors in all: counts are held in 32 bits, at most {2**31 - 1:,}")
    if engine == "agent" and options.bookkeeping != "none":
        batch = max(1, min(64, 2**26 // max(total, 1)))
    elif engine == "agent" or jax.default_backend() != "cpu":
        batch = max(1, 2**17 // cells)  # many small steps, or a device with many lanes: wide batches hide the overhead
    else:
        batch = max(1, 2**14 // cells)  # fits the cache of a core
    schedule = simulator.schedule(electors, parties, options=options)
    return Plan(engine, schedule, int(electors.max()), total, min(batch, 1024))


def poll_votes(
    key: Key[Array, ""], contest: Contest, params: Params, *, simulator: Simulator, options: Any, plan: Plan
) -> Polled:
    """Simulate one election.

    Parties are put in ascending order of popularity inside, so that the last of a chain of binomials, which
    takes the rest, is a large one.
    """
    order = jnp.argsort(contest.popularity, stable=True)
    back = jnp.argsort(order)
    key_poll, key_local = random.subkey(key, jnp.arange(2))
    electors, totals = contest.electors, contest.totals[order]
    parties, districts = order.shape[0], electors.shape[0]
    poll, local, strength = simulator.make_poll(
        key_local, contest.popularity[order], districts, params, options=options
    )
    lane = jnp.arange(districts, dtype=jnp.int32)
    drive: dict[str, Any] = {"poll": poll}
    rule = options.bookkeeping
    if plan.engine == "agent" and rule == "none":
        votes = agent.electors_open(key_poll, electors, parties, local, largest=plan.largest, **drive)
    elif plan.engine == "agent":
        drive |= {"total": plan.total, "interleaved": rule == "interleaved"}
        votes = agent.electors_bound(key_poll, electors, totals, local, **drive)
    elif rule == "none":
        votes = polling.poll_open(key_poll, lane, electors, parties, local, schedule=plan.schedule, **drive)
    else:
        bound = polling.poll_interleaved if rule == "interleaved" else polling.poll_by_district
        votes = bound(key_poll, lane, electors, totals, local, schedule=plan.schedule, **drive)
    return Polled(votes[back].T, None if strength is None else strength[back].T)


class Outcome(NamedTuple):
    """Everything reported of a run; `votes`, `winner` and `margin` are None where only summaries are kept."""

    summary: outcome.Summary
    votes: Int[Array, "*R S K"] | None = None
    winner: Int[Array, "*R S"] | None = None
    margin: Float[Array, "*R S"] | None = None


@partial(jax.jit, static_argnames=("simulator", "options", "plan", "varying", "keep_votes"))
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
) -> Outcome:
    """Simulate the runs numbered `runs`; run r depends on the key and r alone.

    The number of runs must be a multiple of plan.batch. varying: params carry a leading run axis, one set of values per
    run (calibration); otherwise all runs share them.
    """
    key = random.threefry_key(key)

    def one(run: Array, own: Params) -> Outcome:
        key_poll, key_ties = random.subkey(random.subkey(key, run), jnp.arange(2))
        polled = poll_votes(key_poll, contest, own, simulator=simulator, options=options, plan=plan)
        deciding = polled.votes if polled.strength is None else polled.strength
        winner = outcome.winners(deciding, key=key_ties, may_win=may_win)
        summary = outcome.summaries(polled.votes, winner=winner)
        if not keep_votes:
            return Outcome(summary)
        return Outcome(summary, polled.votes, winner, outcome.margins(polled.votes, winner))

    if varying:
        return jax.lax.map(lambda x: one(*x), (runs, params), batch_size=plan.batch)
    return jax.lax.map(lambda run: one(run, params), runs, batch_size=plan.batch)
