"""What the figures of all wings share, figures by name, and figures of sweeps."""

import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from electjax.data.errors import ElectionDataError
from electjax.report.draw import (
    dot,
    heatmap,
    legend,
    look,
    new_figure,
    panels,
    sample_bins,
    save_figure,
    seat_bins,
    weighted_quantiles,
)
from electjax.report.plots import Plot, axes_of, plotted
from electjax.report.sweep import loss_surface, sweep_figure


def test_figures_change_no_global_setting_and_need_no_pyplot():
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False}):
        with look():
            title = new_figure(2, 2).subplots().set_title("title")
        assert matplotlib.rcParams["font.size"] == 30
    assert title.get_fontsize() == 9.0
    assert dict(matplotlib.rcParams) == before
    code = "import sys, electjax.report.sweep; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_saving_leaves_a_whole_file_or_the_old_one(tmp_path, monkeypatch):
    figure = new_figure(1, 1)
    path = save_figure(figure, tmp_path / "new" / "a.png")
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert content.endswith(b"IEND\xaeB`\x82")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_figure(figure, path)
    assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_weighted_quantiles_equal_those_of_the_repeated_sample():
    rng = np.random.default_rng(4)
    sample, counts = rng.normal(size=(40, 3)), rng.integers(1, 6, size=40)
    levels = [0.05, 0.5, 0.95]
    expected = np.quantile(np.repeat(sample, counts, axis=0), levels, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(weighted_quantiles(sample, counts.astype(float), levels), expected)


def test_bins_hold_every_value():
    wide = np.array([0, 312, 540])
    for sample in (np.array([5, 5]), np.array([0, 3, 9]), wide):
        bins = seat_bins(sample)
        assert np.histogram(sample, bins)[0].sum() == sample.size
        assert (bins % 1 == 0.5).all()
        assert len(bins) <= 42
    assert np.histogram(np.full(9, 0.3), sample_bins(np.full(9, 0.3)))[0].sum() == 9


def test_panels_beyond_those_wanted_are_empty_and_a_long_legend_has_lines():
    figure, axes = panels(5, 2, 2, across=3)
    assert len(axes) == 5
    assert [ax.axison for ax in figure.axes] == [True] * 5 + [False]
    legend(figure, [dot("red", "a rather long label of a dot") for _ in range(9)])
    assert figure.legends[0]._ncols == 2
    image = heatmap(axes[0], np.array([[0.0, np.nan]]), ["a", "b"], cell=1.0, rows=["r"])
    assert image.get_array().mask.tolist() == [[False, True]]


def test_a_figure_is_found_by_its_name():
    def drawn(name):
        figure, axes = panels(1, 1, 1, across=1)
        axes[0].set_title(name)
        return figure

    plots = {name: Plot((name,), lambda _, name=name: drawn(name)) for name in "abc"}
    data = xr.Dataset({"b": 1, "c": 2})
    assert plotted(plots, data, None, where="it.plot").get_title() == "b"
    assert plotted(plots, data, "c", where="it.plot").get_title() == "c"
    for kind, says in (("a", "'a' needs a, which are not"), ("d", "found 'd'; expected one of b, c; known: a, b, c")):
        with pytest.raises(ElectionDataError, match=says) as error:
            plotted(plots, data, kind, where="it.plot")
        assert str(error.value).startswith("it.plot(kind=): ")
    with pytest.raises(ElectionDataError, match="without figures"):
        plotted(plots, xr.Dataset(), None, where="it.plot")
    with pytest.raises(ElectionDataError, match="found list; expected a Dataset"):
        plotted(plots, [], None, where="it.plot")


def test_axes_of_a_figure_are_shown_by_pyplot_where_it_is_used(monkeypatch):
    figure, _ = panels(2, 1, 1, across=2)
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    assert axes_of(figure).shape == (2,)
    assert "matplotlib.pyplot" not in sys.modules
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", plt)
    assert axes_of(figure)[0].figure is figure is plt.gcf()
    plt.close(figure)


def test_sweep_over_values_words_and_seeds():
    x = [0.99, 0.6, 0.8]
    mean = {"AAP": [38.0, 70.0, 66.0], "others": [32.0, 0.0, 4.0]}
    figure = sweep_figure(x, mean, label="gamma", observed={"AAP": 62}, seats_min=mean, seats_max=mean)
    line = figure.axes[0].lines[0]
    assert line.get_xdata().tolist() == sorted(x)
    assert line.get_ydata().tolist() == [70, 66, 38]
    words = sweep_figure(["agent", "leap", "x"], mean, label="engine").axes[0]
    assert [text.get_text() for text in words.get_xticklabels()] == ["agent", "leap", "x"]
    seeds = sweep_figure([0, 1, 2], mean, label="seed").axes[0]
    assert seeds.lines[0].get_linestyle() == "None"


def test_the_surface_marks_the_best_and_the_planted_value():
    loss = np.array([[1.0, 0.5], [0.75, np.nan]])
    figure = loss_surface(loss, ("rho", [0.3, 0.5]), ("lambda", [0.1, 1.0]), planted=0.5)
    assert [text.get_text() for text in figure.axes[0].texts] == ["5.00", "best", "2.50"]
    assert [label.get_text() for label in figure.legends[0].get_texts()] == ["planted", "lambda = 0.1", "lambda = 1"]
