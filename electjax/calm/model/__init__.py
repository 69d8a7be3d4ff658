"""The mathematics, on arrays alone."""
