"""What the arrays of several wings need: random bits, solvers, covariances, threads."""
