"""Cast ballots as Datasets: their schema, readers, recoding and streams, and the verbs that fit voter types to them."""
