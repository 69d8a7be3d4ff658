"""The look of every figure, table and page; knows Datasets and summaries, and no model."""
