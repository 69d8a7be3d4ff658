"""One file per task: each takes an election and plain settings and returns labelled results."""
