"""Fields and inputs that a layer does not take: each is refused, with its reason.

PyTorch refuses the same, where it is installed; what it takes although we do not is marked.
"""

import importlib.util
from typing import Any, NamedTuple

import pytest
import yaml

from archspec import SpecError
from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.expansion import build_graph
from costmodel.network.propagation import propagate


class Refused(NamedTuple):
    """A layer that is refused.

    Attributes:
        shape: of the input.
        entry: the layer.
        words: what the error says.
        by_torch: whether PyTorch refuses it, too.
    """

    shape: list[int]
    entry: str
    words: str
    by_torch: bool = True


IMAGE = [2, 6, 9, 11]
REFUSED = [
    Refused(IMAGE, "conv2d: {out_channels: 4, kernel_size: 3, groups: 4}", "divisible by groups"),
    Refused(IMAGE, "conv2d: {out_channels: 4, kernel_size: 12}", "must fit the padded"),
    Refused(
        IMAGE,
        "conv2d: {out_channels: 4, kernel_size: 1, padding: 9, padding_mode: reflect}",
        "less than the axis",
    ),
    Refused(
        IMAGE,
        "conv2d: {out_channels: 4, kernel_size: 1, padding: 12, padding_mode: circular}",
        "at most the axis",
    ),
    Refused(
        IMAGE,
        "conv_transpose2d: {out_channels: 4, kernel_size: 3, stride: 2, output_padding: 2}",
        "output_padding",
    ),
    Refused(IMAGE, "maxpool2d: {kernel_size: 3, padding: 2}", "at most half"),
    Refused(IMAGE, "adaptive_avgpool2d: {output_size: -1}", "positive integer"),
    Refused(IMAGE, "groupnorm: {num_groups: 4}", "divisible by num_groups"),
    Refused([4], "batchnorm", "has not 2 to 5 axes"),
    Refused([4, 6], "instancenorm", "has not 3 to 5 axes"),
    Refused(IMAGE, "local_response_norm: {size: 0}", "positive integer"),
    Refused([4, 6], "local_response_norm: {size: 2}", "axis 2"),
    Refused(IMAGE, "channel_shuffle: {groups: 4}", "divisible by groups"),
    Refused([4, 6], "channel_shuffle: {groups: 2}", "axis 2"),
    Refused(IMAGE, "pixel_shuffle: {upscale_factor: 2}", "must be divisible by 4"),
    Refused(IMAGE, "pixel_unshuffle: {downscale_factor: 2}", "must be divisible by 2"),
    Refused(IMAGE, "reshape: {shape: [5, -1]}", "no multiple of 5"),
    Refused(IMAGE, "reshape: {shape: [-1, -1]}", "only one extent"),
    Refused(IMAGE, "permute: {dims: [0, 1, 2]}", "dims has 3"),
    Refused(IMAGE, "permute: {dims: [0, 1, 2, 2]}", "names an axis twice"),
    Refused(IMAGE, "squeeze: {dim: 1}", "extent 1", by_torch=False),
    Refused(IMAGE, "slice: {dim: 1, start: 2, end: 9}", "must lie in", by_torch=False),
    Refused(IMAGE, "slice: {dim: 1, start: 3, end: 3}", "is empty", by_torch=False),
    Refused(IMAGE, "select: {dim: 1, index: 6}", "must lie in"),
    Refused(IMAGE, "split: {sizes: [2, 3]}", "add up to 5"),
    Refused(IMAGE, "pad: {pad: [-12, 5]}", "fewer elements than are cut off"),
    Refused(IMAGE, "pad: {pad: [1]}", "pad has 1 numbers"),
    Refused(IMAGE, "pad: {pad: [1, 1], mode: reflect}", "not 1 of 4 axes"),
    Refused(IMAGE, "pad: {pad: [9, 9, 9, 9], mode: reflect}", "less than the axis"),
    Refused(IMAGE, "upsample: {scale_factor: 2, mode: linear}", "is for 1 spatial axes"),
    Refused(IMAGE, "upsample: {scale_factor: 0.05}", "must be at least 1"),
    Refused(IMAGE, "crop: {size: 12}", "cannot be cropped", by_torch=False),
    Refused(IMAGE, "dropout: {p: 2}", "from 0 to 1"),
    Refused(IMAGE, "rrelu: {lower: 1, upper: 0.5}", "at most upper"),
    Refused(IMAGE, "hardtanh: {min_val: 2, max_val: 1}", "at most max_val"),
    Refused(IMAGE, "celu: {alpha: 0}", "must not be 0"),
    Refused(IMAGE, "softshrink: {lambd: -1}", "at least 0"),
    Refused(IMAGE, "glu: {dim: 2}", "must be even"),
    Refused(IMAGE, "prelu: {num_parameters: 4}", "must be 1 or the channels"),
    Refused(IMAGE, "softmax: {dim: 4}", "axis 4"),
    Refused([2, 5, 6], "self_attention: {heads: 4}", "divisible by heads", by_torch=False),
    Refused([2, 5, 6], "self_attention: {heads: 4, head_dim: 2, kv_heads: 3}", "kv_heads"),
    Refused([2, 5, 6], "self_attention: {heads: 2, kv_length: 4}", "kv_length", by_torch=False),
    Refused([2, 5, 6], "lstm: {hidden_size: 4, proj_size: 4}", "smaller than hidden_size"),
    Refused([2, 6], "lstm: {hidden_size: 4}", "is not (n, t, c)", by_torch=False),
    Refused([2, 5, 5], "positional_encoding", "make no pairs", by_torch=False),
    Refused([2, 5, 6], "positional_embedding: {max_length: 4}", "only 4 positions"),
    Refused([2, 5], "batchnorm: {eps: 'in_shape[9]'}", "has no axis 9", by_torch=False),
]


def refusal(case: Refused) -> SpecError:
    text = f"archspec: 1\nname: net\ninput: {case.shape}\nlayers:\n  - {case.entry}\n"
    if case.entry.startswith("split"):
        text += "  - identity:\n    from: split_1.0\n"
    with pytest.raises(SpecError) as caught:
        propagate(build_graph(read_architecture(parse_document(text))))
    return caught.value


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.entry)
def test_what_a_layer_does_not_take_is_refused(case: Refused) -> None:
    error = refusal(case)
    assert case.words in error.cause
    assert error.origin is not None
    assert error.origin.line == 5


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize(
    "case", [case for case in REFUSED if case.by_torch], ids=lambda case: case.entry
)
def test_torch_refuses_it_too(case: Refused) -> None:
    """On the CPU, where PyTorch checks more than on the meta device."""
    import torch

    from tests.drafts import REFUSALS
    from tests.torch_kinds import TWINS, Call

    entry: Any = yaml.safe_load(case.entry)
    ((kind, fields),) = entry.items() if isinstance(entry, dict) else [(entry, {})]
    refusals = (*REFUSALS, AssertionError, NotImplementedError)
    with torch.no_grad(), pytest.raises(refusals):
        TWINS[kind](Call(kind, [torch.zeros(case.shape)], fields))
