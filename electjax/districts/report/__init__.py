"""Figures, tables and page of the report."""
