"""Calibration of the district models: likelihood-free (Mitra, section 6), and exact where there is a likelihood."""
