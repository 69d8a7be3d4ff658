"""Cross-tables of elections from their margins: R x C ecological inference with CALM's components, on arrays."""
