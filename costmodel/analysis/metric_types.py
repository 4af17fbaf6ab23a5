"""The metrics that come with the package, as a type checker and an editor see them.

``pytest tests/test_typing.py --overwrite`` writes this file from the registry; the values come from
``__getattr__``, which knows the metrics of other distributions, too.
"""

from sympy import Expr

from archspec.arithmetic import Rational


class MetricForms:
    """Metrics as closed forms."""

    params: Expr
    model_size: Expr
    macs: Expr
    flops: Expr
    activations: Expr
    activations_peak: Expr
    memory_peak: Expr
    latency: Expr
    receptive_field: Expr | None
    effective_stride: Expr | None
    effective_padding: Expr | None
    active_params: Expr
    bytes_moved: Expr
    in_out_peak: Expr
    energy: Expr
    energy_arithmetic: Expr
    energy_weights: Expr
    energy_cache: Expr
    energy_activations: Expr
    state: Expr
    kv_cache: Expr
    kv_cache_per_token: Expr
    memory_time: Expr
    compute_time: Expr
    latency_network: Expr
    macs_least: Expr
    memory_peak_best: Expr
    gradients: Expr
    optimizer_state: Expr
    state_size: Expr
    activations_kept: Expr
    training_memory: Expr
    training_macs: Expr
    trainable_params: Expr


class MetricNumbers:
    """Metrics as numbers."""

    params: Rational
    model_size: Rational
    macs: Rational
    flops: Rational
    activations: Rational
    activations_peak: Rational
    memory_peak: Rational
    latency: Rational
    receptive_field: Rational | None
    effective_stride: Rational | None
    effective_padding: Rational | None
    active_params: Rational
    bytes_moved: Rational
    in_out_peak: Rational
    energy: Rational
    energy_arithmetic: Rational
    energy_weights: Rational
    energy_cache: Rational
    energy_activations: Rational
    state: Rational
    kv_cache: Rational
    kv_cache_per_token: Rational
    memory_time: Rational
    compute_time: Rational
    latency_network: Rational
    macs_least: Rational
    memory_peak_best: Rational
    gradients: Rational
    optimizer_state: Rational
    state_size: Rational
    activations_kept: Rational
    training_memory: Rational
    training_macs: Rational
    trainable_params: Rational
