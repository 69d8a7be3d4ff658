"""Booths: electors by demographic cell, votes by party, candidates by trait; the labelled side of CALM."""
