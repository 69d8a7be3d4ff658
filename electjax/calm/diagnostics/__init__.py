"""Diagnostics of CALM: a file here is one, with a verb of its name, and the task `calm` runs it by that name."""
