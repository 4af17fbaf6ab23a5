"""Documents whose tables are generated: markers, the commands in them, and pages on disk."""
