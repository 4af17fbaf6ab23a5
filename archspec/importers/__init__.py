"""Specs written from what people have: PyTorch modules, ONNX files, Hugging Face configurations.

Each importer turns its source into a :class:`~archspec.importers.calls.Network` of plain entries;
folding and writing, shared by all, turn that into a spec that a person would have written.
Importers never count: the analysis of the spec does.
"""
