"""CALM, the candidate-aware aggregated likelihood model: turnout and party choice of cells from booth totals.

Arrays only (jax and numpy). `data` says what goes in, `design` which terms the model has, `heads` the formulas of a
booth, `objective` what is minimised, `estimate` how.
"""
