"""Damaged files are read or refused in one line; benchmarks/data/fuzz.py does it by the thousand."""

import numpy as np
import pytest

from benchmarks.data.fuzz import FORMATS, damage, read_once


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, name):
    form = FORMATS[name]
    source = form.make(tmp_path)
    assert read_once(form, source) == "read"
    said = [read_once(form, damage(source, tmp_path / "damaged", np.random.default_rng([7, k]))) for k in range(12)]
    assert "refused" in said
