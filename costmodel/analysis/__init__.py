"""One network: its closed forms, numbers and conditions."""
