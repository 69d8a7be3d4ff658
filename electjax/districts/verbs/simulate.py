"""`electjax.districts.simulate`: elections under a district model, labelled."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from electjax.data.finished import finished
from electjax.data.labels import strings
from electjax.data.options import with_options
from electjax.data.progress import Progress
from electjax.data.schema import conform
from electjax.districts.builders import leads
from electjax.districts.codec import Encoded, encode, encode_params, plain_params, provenance, seed_key
from electjax.districts.models import get_simulator
from electjax.districts.models.base import Outcome, Plan, check_options, make_plan, simulate_runs
from electjax.districts.options import SimulateOptions
from electjax.districts.results import SIMULATION
from electjax.districts.store import Stored, election_of
from electjax.numerics.parallel import ordered_map

CHUNK_RUNS = 128
CHUNK_BYTES = 2**28


@with_options
def simulate(
    election: Stored,
    model: str = "dpm",
    params: Mapping[str, Any] | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    asked: SimulateOptions,
) -> xr.Dataset:
    """Simulate an election many times under one district model (Mitra, section 4, eqs. 1 to 6).

    Args:
        election: an election Dataset, the name of an embedded one, or the path of a saved one.
        model: name of the model, one of `districts.list_models()`.
        params: parameter values; a number, or one per district (or party) where the model allows it. Its
            defaults fill the rest.
        options: readings of the model, such as {"bookkeeping": "none"}.
        progress: called as progress(done, runs, text).

    Returns:
        Dataset with votes(run, district, party) int32, winner(run, district), a party label, margin(run, district),
        the winner's share of the votes, lead(run, district), how much more of them than the runner-up it has,
        seats(run, party), vote_fraction(run, party), mwm(run) and swm(run), mean and sd of the winner's share, and
        mean_lead(run).

    Raises:
        ValueError: unknown model, parameter or reading, or a value out of range.
        ElectionDataError: an invalid election, an unknown option or one out of range.

    Examples:
        >>> import electjax
        >>> election = electjax.districts.uniform({"A": 0.55, "B": 0.45}, districts=20, electors=20_000)
        >>> simulated = electjax.districts.simulate(election, "dm", {"concentration": 2.0}, runs=4, seed=1)
        >>> simulated["votes"].shape, simulated["seats"].sum("party").values.tolist()
        ((4, 20, 2), [20, 20, 20, 20])
        >>> simulated["winner"].values[0, 0] in ("A", "B")
        True
    """
    election = election_of(election)
    simulator = get_simulator(model)
    settings = check_options(simulator, dict(options or {}))
    encoded = encode(election)
    values = encode_params(simulator, params, settings, encoded)
    plan = make_plan(simulator, encoded.contest, options=settings, engine=asked.engine)
    size = runs_a_call(encoded, plan, asked.chunk)
    key = seed_key(asked.seed)

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

    whole = in_chunks(work, asked.runs, size, progress)
    attrs = provenance(election, simulator, settings, asked.seed)
    attrs |= {"engine": asked.engine, "parameters": plain_params(values)}
    about = f"{asked.runs:,} elections of {attrs['election'] or 'an election'} simulated with {simulator.name.upper()}"
    return finished(conform(decode_runs(whole, encoded, attrs), SIMULATION), about=about)


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
    lead = leads(np.asarray(whole.votes), np.asarray(whole.winner))
    return xr.Dataset(
        {
            "votes": (("run", "district", "party"), whole.votes),
            "winner": (("run", "district"), strings(encoded.parties)[whole.winner]),
            "margin": (("run", "district"), whole.margin),
            "lead": (("run", "district"), lead),
            "seats": (("run", "party"), whole.summary.seats),
            "vote_fraction": (("run", "party"), whole.summary.vote_fraction),
            "mwm": ("run", whole.summary.mwm),
            "swm": ("run", whole.summary.swm),
            "mean_lead": ("run", lead.mean(axis=1)),
        },
        coords={"run": np.arange(len(whole.summary.mwm)), "district": encoded.districts, "party": encoded.parties},
        attrs=attrs,
    )
