"""Tables, figures and the html report of a run; knows labelled Datasets and no model."""

from electjax.report.calm import booth_scatter, category_heatmap, coefficient_forest, loss_surface
from electjax.report.calm_diagnostics import gain_strip, permutation_histogram, proximity_curve, stability_strip
from electjax.report.calm_tables import calm_summary
from electjax.report.cells import context_lines, row_forest, tomography, transition_heatmap, unit_scatter
from electjax.report.cells_read import CellTable, contest_table, pooled_table
from electjax.report.cells_tables import (
    cells_summary,
    cells_table,
    check_table,
    context_table,
    coverage_table,
    mean_table,
    method_table,
)
from electjax.report.cells_truth import error_strip, truth_scatter
from electjax.report.counterfactual import scenario_rows, scenario_seats, scenario_table
from electjax.report.figures import geography, main_parties, posterior_predictive, seat_distribution, sweep_figure
from electjax.report.html import calibration_rows, identification_rows, render_report
from electjax.report.posterior import parameter_names, posterior_pairs, posterior_parameters
from electjax.report.style import png_bytes, save_figure
from electjax.report.tables import as_html, election_table, metrics_rows, value_text
from electjax.report.trace import calibration_trace
from electjax.report.trust import coverage_curve, model_probabilities, rank_histogram, tarp_curve
from electjax.report.types import (
    bivariate_residuals,
    local_maxima,
    propensities,
    scree,
    sharpness,
    type_shares,
)
from electjax.report.types_tables import types_summary
from electjax.report.write import run_figures, write_report

__all__ = [
    "CellTable",
    "as_html",
    "bivariate_residuals",
    "booth_scatter",
    "calibration_rows",
    "calibration_trace",
    "calm_summary",
    "category_heatmap",
    "cells_summary",
    "cells_table",
    "check_table",
    "coefficient_forest",
    "contest_table",
    "context_lines",
    "context_table",
    "coverage_curve",
    "coverage_table",
    "election_table",
    "error_strip",
    "gain_strip",
    "geography",
    "identification_rows",
    "local_maxima",
    "loss_surface",
    "main_parties",
    "mean_table",
    "method_table",
    "metrics_rows",
    "model_probabilities",
    "parameter_names",
    "permutation_histogram",
    "png_bytes",
    "pooled_table",
    "posterior_pairs",
    "posterior_parameters",
    "posterior_predictive",
    "propensities",
    "proximity_curve",
    "rank_histogram",
    "render_report",
    "row_forest",
    "run_figures",
    "save_figure",
    "scenario_rows",
    "scenario_seats",
    "scenario_table",
    "scree",
    "seat_distribution",
    "sharpness",
    "stability_strip",
    "sweep_figure",
    "tarp_curve",
    "tomography",
    "transition_heatmap",
    "truth_scatter",
    "type_shares",
    "types_summary",
    "unit_scatter",
    "value_text",
    "write_report",
]
