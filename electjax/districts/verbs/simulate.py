"""`electjax.districts.simulate`: elections under a district model, labelled."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.districts.codec import Encoded, encode, encode_params, plain_params, provenance, seed_key, with_units
from electjax.districts.models import get_simulator
from electjax.districts.models.base import Outcome, Plan, check_options, make_plan, simulate_runs
from electjax.numerics.parallel import ordered_map

CHUNK_RUNS = 128
CHUNK_BYTES = 2**28

Progress = Callable[[int, int, str], None]


def simulate(
    election: xr.Dataset,
    model: str = "dpm",
    params: Mapping[str, Any] | None = None,
    *,
    runs: int = 100,
    seed: int = 0,
    engine: str = "leap",
    options: Mapping[str, Any] | None = None,
    chunk: int | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Simulate an election many times under one district model.

    Args:
        election: an election Dataset, as from `districts.load` or `districts.read`.
        model: name of the model, one of `list_models()`.
        params: parameter values; a number, or one per district (or party) where the model allows it. The paper's
            defaults fill the rest.
        runs: number of simulated elections. Run r depends on the seed and r alone.
        seed: the same seed gives the same result.
        engine: "leap" (fast) or "agent" (elector by elector, the slow reference).
        options: readings of the model, such as {"bookkeeping": "none"}.
        chunk: runs per compiled call, rounded up to whole batches; the result does not depend on it.
        progress: called as progress(done, runs, text).

    Returns:
        Dataset with votes(run, district, party) int32, winner(run, district) index into party,
        margin(run, district), seats(run, party), vote_fraction(run, party), mwm(run), swm(run).

    Raises:
        ValueError: unknown model, parameter, option or engine, or a value out of range.
        ElectionDataError: an invalid election.
    """
    if runs < 1:
        raise ValueError(f"runs={runs}: expected at least 1")
    simulator = get_simulator(model)
    settings = check_options(simulator, dict(options or {}))
    encoded = encode(election)
    values = encode_params(simulator, params, settings, encoded)
    plan = make_plan(simulator, encoded.contest, options=settings, engine=engine)
    size = runs_a_call(encoded, plan, chunk)
    key = seed_key(seed)

    def work(first: int) -> Outcome:
        return simulate_runs(
            key,
            jnp.arange(first, first + size, dtype=jnp.int32),
            encoded.contest,
            jnp.asarray(encoded.may_win),
            values,
            simulator=simulator,
            options=settings,
            plan=plan,
        )

    whole = in_chunks(work, runs, size, progress)
    attrs = provenance(election, simulator, settings, seed)
    attrs |= {"engine": engine, "parameters": plain_params(values)}
    return with_units(decode_runs(whole, encoded, attrs))


def runs_a_call(encoded: Encoded, plan: Plan, chunk: int | None = None) -> int:
    """Runs that a compiled call simulates: whole batches, about `chunk` or what a call's votes should take."""
    cells = len(encoded.districts) * len(encoded.parties)
    target = chunk or min(CHUNK_RUNS if plan.engine == "leap" else 1, CHUNK_BYTES // (8 * cells))
    return -(-max(target, 1) // plan.batch) * plan.batch


def in_chunks(work: Callable[[int], Outcome], runs: int, size: int, progress: Progress | None) -> Outcome:
    """Runs 0, 1, ... from work(first), which simulates `size` of them; on the host, those beyond the last dropped."""

    def fetch(first: int) -> Outcome:
        return jax.tree.map(lambda leaf: np.asarray(leaf)[: runs - first], work(first))

    parts = []
    for part in ordered_map(fetch, range(0, runs, size)):
        parts.append(part)
        if progress:
            progress(min(len(parts) * size, runs), runs, "")
    whole: Outcome = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
    return whole


def decode_runs(whole: Outcome, encoded: Encoded, attrs: Mapping[str, Any]) -> xr.Dataset:
    """Simulated elections with their labels."""
    return xr.Dataset(
        {
            "votes": (("run", "district", "party"), whole.votes),
            "winner": (("run", "district"), whole.winner),
            "margin": (("run", "district"), whole.margin),
            "seats": (("run", "party"), whole.summary.seats),
            "vote_fraction": (("run", "party"), whole.summary.vote_fraction),
            "mwm": ("run", whole.summary.mwm),
            "swm": ("run", whole.summary.swm),
        },
        coords={
            "run": np.arange(len(whole.summary.mwm)),
            "district": encoded.districts,
            "party": encoded.parties,
        },
        attrs=attrs,
    )
