"""The metrics: a registry, and a module for each that counts it."""
