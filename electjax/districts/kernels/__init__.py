"""Arrays only: samplers, the urn, polling with book-keeping, outcomes. Imports jax and numpy, nothing else."""
