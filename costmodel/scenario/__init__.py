"""What is said beside the spec: conventions, types, devices, memory, training."""
