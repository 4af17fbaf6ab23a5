"""Specs from configurations of Hugging Face, by mappings in the headers of the zoo's specs."""
