"""The graph with shapes and costs on every node."""
