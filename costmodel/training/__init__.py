"""Training: what is kept for the backward pass, its products, and the optimizer's state."""
