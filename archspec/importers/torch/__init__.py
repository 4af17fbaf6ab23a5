"""Specs from modules of PyTorch: traced with symbols for sizes, operator by operator."""
