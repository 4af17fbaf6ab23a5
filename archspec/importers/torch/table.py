"""The table of PyTorch's operators: each with the row that makes calls of the language's kinds.

An operator that is called as a kind, with arguments that are called as its fields, needs no row:
`torch_fields.RENAMED` has those that are only called otherwise.
"""

from archspec.importers.torch import pointwise as pointwise
from archspec.importers.torch import shaping as shaping
from archspec.importers.torch import weighted as weighted
from archspec.importers.torch.fields import kind_of
from archspec.importers.torch.graph import Operator, Row
from archspec.layers import KINDS

TABLE: tuple[tuple[Row, str], ...] = (
    # what is learned, and products
    (weighted.conv, "conv1d conv2d conv3d convolution"),
    (weighted.conv, "conv_transpose1d conv_transpose2d conv_transpose3d"),
    (weighted.linear, "linear"),
    (weighted.matmul, "matmul mm bmm mv"),
    (weighted.addmm, "addmm baddbmm"),
    (weighted.grouped, "grouped_mm_fallback _grouped_mm"),
    (weighted.scan, "selective_scan"),
    (weighted.einsum, "einsum"),
    (weighted.attention, "scaled_dot_product_attention"),
    (weighted.recurrent, "lstm gru rnn_tanh rnn_relu"),
    (weighted.embedding, "embedding"),
    (weighted.prelu, "prelu"),
    (weighted.normalised("batchnorm"), "batch_norm native_batch_norm"),
    (weighted.normalised("layernorm"), "layer_norm"),
    (weighted.normalised("groupnorm"), "group_norm"),
    (weighted.normalised("instancenorm"), "instance_norm"),
    (weighted.normalised("rmsnorm"), "rms_norm"),
    # other arrangements of the same elements, and lookups
    (shaping.reshape, "view reshape _unsafe_view view_copy _reshape_alias unflatten"),
    (shaping.flatten, "flatten"),
    (shaping.transposed, "t numpy_T mT"),
    (shaping.movedim, "movedim moveaxis"),
    (shaping.split, "split split_with_sizes chunk tensor_split unsafe_split unsafe_chunk"),
    (shaping.unbind, "unbind"),
    (shaping.item, "getitem"),
    (shaping.slice_, "slice"),
    (shaping.select, "select"),
    (shaping.squeeze, "squeeze"),
    (shaping.expand, "expand expand_as broadcast_to"),
    (shaping.repeat, "repeat tile"),
    (shaping.roll, "roll"),
    (shaping.pad, "pad constant_pad_nd"),
    (shaping.index, "index"),
    (shaping.index_select, "index_select"),
    (shaping.put, "index_put"),
    (shaping.one_hot, "one_hot"),
    (shaping.argsort, "argsort"),
    (shaping.scattered, "scatter scatter_add select_scatter"),
    (shaping.slice_scatter, "slice_scatter"),
    (shaping.copied, "copy"),
    (shaping.filled, "fill zero"),
    (shaping.upsample, "upsample_linear1d upsample_bilinear2d upsample_bicubic2d"),
    (shaping.upsample, "upsample_trilinear3d upsample_nearest1d upsample_nearest2d"),
    (shaping.upsample, "upsample_nearest3d _upsample_bilinear2d_aa _upsample_bicubic2d_aa"),
    (shaping.upsample, "_upsample_nearest_exact1d _upsample_nearest_exact2d"),
    # element by element, and what reduces axes
    (pointwise.same, "contiguous clone to _to_copy type_as detach detach_copy alias set lift"),
    (pointwise.same, "lift_fresh lift_fresh_copy resolve_conj positive"),
    (pointwise.same, "requires_grad _assert_tensor_metadata conj nan_to_num"),
    (pointwise.dropout, "dropout feature_dropout alpha_dropout"),
    (pointwise.pool, "max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d"),
    (pointwise.pool, "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d"),
    (pointwise.pool, "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d"),
    (pointwise.pool, "max_pool2d_with_indices max_pool3d_with_indices"),
    (pointwise.reduced, "mean sum amax amin var std any all argmax argmin logsumexp prod"),
    (pointwise.reduced, "linalg_vector_norm norm"),
    (pointwise.extreme, "max min"),
    (pointwise.with_mean, "var_mean std_mean"),
    (pointwise.reversed_sub, "rsub"),
    (pointwise.addcmul, "addcmul"),
    (pointwise.lerp, "lerp"),
    (pointwise.grid_sample, "grid_sampler grid_sampler_2d grid_sampler_3d"),
    (pointwise.where, "where"),
    (pointwise.masked_fill, "masked_fill"),
)
"""Each row with the operators that it reads."""

ROWS = {name: row for row, names in TABLE for name in names.split()}

UNLIKE = frozenset(("unfold",))
"""Operators that are called as a kind and are another: ``Tensor.unfold`` slides along one axis."""


def row_of(operator: Operator) -> Row | None:
    """Return the row of an operator; None where no kind expresses it."""
    name = operator.name
    if name in ROWS or name in UNLIKE:
        return ROWS.get(name)
    kind = kind_of(name)
    if kind not in KINDS:
        return None
    return pointwise.binary if "other" in KINDS[kind].model_fields else pointwise.by_name
