"""A network's plain calls as the spec that a person would have written."""
