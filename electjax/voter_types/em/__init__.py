"""Voter types: mixtures of categorical votes over cast ballots, fitted by EM. Arrays only; labels live elsewhere."""
