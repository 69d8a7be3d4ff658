"""The truth of generated booths as arrays, and as a model holds it."""

import json

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import Array
from jaxtyping import Int
from scipy.special import logit

from electjax.calm.model.design import Design, Local, Shared
from electjax.calm.model.generate import Truth
from electjax.calm.model.heads import contrast


def truth_of(booths: xr.Dataset) -> Truth:
    """The truth of generated booths as arrays: `electjax.calm.model.generate` draws more votes from it."""
    scalars = json.loads(booths.attrs["truth"])
    areas = booths.sizes["constituency"]
    eta = booths["true_eta"].values
    return Truth(
        alpha=scalars["alpha"],
        beta_T=booths["true_beta_T"].values,
        gamma=booths["true_gamma"].values,
        beta_P=booths["true_beta_P"].transpose("feature", "party").values,
        eta=booths["true_eta_constituency"].values if "true_eta_constituency" in booths else np.tile(eta, (areas, 1)),
        xi=scalars["xi"],
        effect_T=booths["true_effect_T"].values,
        effect_P=booths["true_effect_P"].values,
        b_T=booths["true_b_T"].values,
        b_P=booths["true_b_P"].values,
        axis_weight=np.array([scalars["axis_weight"][name] for name in booths["axis"].values.tolist()]),
        exponent=scalars["context"],
        rho_T=scalars["correlation_T"],
        rho_P=scalars["correlation_P"],
    )


def parameters(truth: Truth, design: Design, constituency: Int[np.ndarray, " i"]) -> tuple[Shared, Local]:
    """The truth as a model holds it: where a fit may start, or what it is compared with.

    Without constituency effects these are part of the booth effects, which is the same but for a context.
    """
    basis = np.asarray(contrast(len(truth.gamma), design.identification))

    def free(values: np.ndarray) -> Array:
        return jnp.asarray((values - values[..., :1] if design.identification == "reference" else values) @ basis)

    own = design.constituency_effects
    effects = np.zeros_like(truth.b_T) if own else truth.effect_T[constituency]
    party_effects = np.zeros_like(truth.b_P) if own else truth.effect_P[constituency]
    eta = jnp.asarray(truth.eta.mean(axis=0))
    rho = np.array([truth.rho_T, truth.rho_P])
    shared = Shared(
        alpha=jnp.asarray(truth.alpha),
        beta_T=jnp.asarray(truth.beta_T),
        gamma=free(truth.gamma),
        beta_P=free(truth.beta_P),
        eta=None if design.affinity == "none" else eta,
        eta_constituency=jnp.asarray(truth.eta) - eta if design.affinity == "hierarchical" else None,
        xi=None if design.mobilisation == "none" else jnp.asarray(truth.xi),
        effect_T=jnp.asarray(truth.effect_T) if own else None,
        effect_P=free(truth.effect_P) if own else None,
        dispersion=jnp.asarray(logit(np.maximum(rho, 1e-9))) if design.overdispersed else None,
    )
    return shared, Local(jnp.asarray(truth.b_T + effects), free(truth.b_P + party_effects))
