"""The options beside a spec: conventions, number types, devices, memory, training."""
