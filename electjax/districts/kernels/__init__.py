"""Sampling kernels of the district models, on arrays alone."""
