"""Units with row and column margins, whose cross-tables are to be estimated; the labelled side of cell estimation."""
