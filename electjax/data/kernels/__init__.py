"""Kernels of axes: how near a cell's category is to a candidate's. A file here is a kernel, by the file's name.

It has `EXAMPLE`, an axis's entry in the configuration; `CATEGORIES`, whether its axes have categories; `START`, the
proximity of neighbours to begin with where a fit may choose another, else None; `read(found, size, fault)`, which
checks the key `proximity` of an axis with so many categories and returns what the axis keeps; and
`matrices(size, kept)`, the fixed part and the band of A(rho) = fixed + rho * band (calm.md section 2), a row per
category of cells and a column per category of candidates.
"""
