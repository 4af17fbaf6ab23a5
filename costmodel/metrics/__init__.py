"""What is counted: one registry of metrics, and how each is worked out."""
