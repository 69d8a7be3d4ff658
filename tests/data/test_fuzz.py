"""Damaged files are read or refused in one line; benchmarks/data/fuzz.py does it by the thousand."""

import numpy as np
import pytest

from benchmarks.data.damage import damage
from benchmarks.data.damaged_formats import FORMATS
from benchmarks.data.fuzz import read_once


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, name):
    form = FORMATS[name]
    source = form.make(tmp_path)
    right = form.read(source)
    target = tmp_path / "damaged"
    damages = (damage(source, target, np.random.default_rng([7, k]), not form.sealed) for k in range(12))
    said = [read_once(form, path, right) for path in damages]
    assert "refused" in said
