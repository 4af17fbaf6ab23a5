"""Specs from ONNX files: operators, attributes and the shapes of initializers."""
