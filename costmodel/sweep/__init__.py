"""Design spaces: what is varied, the metrics at every point, and what is kept of them."""
