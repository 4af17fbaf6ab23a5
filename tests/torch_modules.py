"""Small modules of PyTorch that together hold every form of layer which people build."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Convolutions(nn.Module):  # type: ignore[misc]
    """Convolutions of every kind, norms, pools, a residual and a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, (3, 5), padding=(1, 2), groups=8)
        self.pointwise = nn.Conv2d(8, 16, 1)
        self.groups = nn.GroupNorm(4, 16)
        self.up = nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Sigmoid())
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.stem(x)), inplace=True)
        x = x + functional.silu(self.depthwise(x))
        x = functional.max_pool2d(functional.gelu(self.groups(self.pointwise(x))), 2)
        x = functional.interpolate(self.up(x), scale_factor=2.0)
        return self.head((x * self.gate(x)).mean((2, 3)))


class Branches(nn.Module):  # type: ignore[misc]
    """Branches that are concatenated, split, chunked, shuffled and shifted."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide = nn.Conv2d(4, 6, 1), nn.Conv2d(4, 6, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.narrow(x), self.wide(x)], dim=1)
        first, second, third = torch.split(both, [2, 4, 6], dim=1)
        left, right = third.chunk(2, dim=1)
        shifted = torch.roll(second, (1, 1), (2, 3))[:, :3]
        padded = functional.pad(left * right + shifted, (1, 1))
        n, c, h, w = padded.shape
        return torch.cat([first.flatten(2), padded.reshape(n, c, h * w)[:, :, 2:][:, :2]], 2)


class Attention(nn.Module):  # type: ignore[misc]
    """Attention as `nn.MultiheadAttention` has it, and as a function, with a causal mask."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(50, 16), nn.Embedding(64, 16)
        self.norm, self.ready = nn.LayerNorm(16), nn.MultiheadAttention(16, 2, batch_first=True)
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: Tensor) -> Tensor:
        n, t = ids.shape
        x = self.tokens(ids) + self.places(torch.arange(t, device=ids.device))
        x = x + self.ready(self.norm(x), self.norm(x), self.norm(x), need_weights=False)[0]
        q, k, v = self.qkv(x).view(n, t, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + self.out(
            functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            .transpose(1, 2)
            .reshape(n, t, 16)
        )
        return self.head(x)


class Spelled(nn.Module):  # type: ignore[misc]
    """Attention that is spelled out with a learned bias, and a norm that is."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(12, 12) for _ in range(3))
        self.bias = nn.Parameter(torch.zeros(3, 1, 1))
        self.scale = nn.Parameter(torch.ones(12))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (f(x).unflatten(2, (3, 4)).transpose(1, 2) for f in (self.q, self.k, self.v))
        scores = q @ k.transpose(-1, -2) / 2 + self.bias
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
        weights = scores.masked_fill(~mask, -1e9).softmax(-1)
        x = x + (weights @ v).transpose(1, 2).flatten(2)
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.scale


class Masks(nn.Module):  # type: ignore[misc]
    """Attention with a mask that hides nothing, then with one that hides what is later."""

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[1], device=x.device)
        for mask in (places[:, None] + places >= 0, places[:, None] >= places):
            x = functional.scaled_dot_product_attention(x, x, x, attn_mask=mask)
        return x


class Sorted(nn.Module):  # type: ignore[misc]
    """Rows in the order of a list, and back by its inverse, with one element of each."""

    def forward(self, x: Tensor) -> Tensor:
        _, order = x.sum(1).sort()
        back = torch.empty_like(order)
        back[order] = torch.arange(x.shape[0], device=x.device)
        latest = x.argmax(1)
        return x[order].exp()[back] + x[order, latest][:, None]


class Recurrent(nn.Module):  # type: ignore[misc]
    """Recurrent layers, of which only what they say at every step is used."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(10, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(self.lstm(x)[0])[0][:, -1]


class States(nn.Module):  # type: ignore[misc]
    """A writer that begins with the states in which a reader ends, and the states of both ends."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = nn.LSTM(6, 5, num_layers=2, batch_first=True)
        self.writer = nn.LSTM(5, 5, num_layers=2, batch_first=True)
        self.both = nn.GRU(5, 4, bidirectional=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        steps, states = self.reader(x)
        made, (_, cells) = self.writer(steps, states)
        order = made.sum(-1).argsort(-1, descending=True)
        return self.both(made)[1].flatten(1), cells, order


class Several(nn.Module):  # type: ignore[misc]
    """Two inputs and a number, and a dictionary with a tuple in it."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(8, 4), nn.Linear(5, 4)

    def forward(self, x: Tensor, y: Tensor, factor: float = 2.0) -> dict[str, Any]:
        a, b = self.left(x), self.right(y)
        return {"sum": a + b * factor, "both": (a.tanh(), b.exp())}


class Shared(nn.Module):  # type: ignore[misc]
    """A layer that is applied twice, and one of two names."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(6, 6)
        self.norm = nn.LayerNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = functional.relu(self.one(self.norm(x)))
        return x


class Written(nn.Module):  # type: ignore[misc]
    """Tensors that are written in place, one through a view."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(6, 6), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(x)
        x[:, :3] += self.two(x[:, 3:])
        return x.clamp_(min=0)


class Reduced(nn.Module):  # type: ignore[misc]
    """Mathematics, comparisons, reductions and lookups."""

    def __init__(self) -> None:
        super().__init__()
        self.slopes = nn.PReLU(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.slopes(x)
        largest, _ = x.max(dim=2)
        spread, middle = torch.var_mean(x, dim=2)
        kept = torch.where(largest > middle, largest.sqrt(), spread.log1p())
        return (
            torch.gather(kept.cumsum(1), 1, x.argmax(2))
            + x.norm(dim=2)
            + torch.einsum("ncl->nc", x)
        )


class Volumes(nn.Module):  # type: ignore[misc]
    """Layers of one and of three axes."""

    def __init__(self) -> None:
        super().__init__()
        self.solid = nn.Conv3d(2, 4, 3, padding=1)
        self.line = nn.Conv1d(4, 6, 3, dilation=2)
        self.norm = nn.InstanceNorm1d(6, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.avg_pool3d(self.solid(x), 2).mean((3, 4))
        return self.norm(functional.leaky_relu(self.line(x), 0.1))


class Block(nn.Module):  # type: ignore[misc]
    """A block of a stack."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.up = nn.LayerNorm(width), nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(functional.gelu(self.up(self.norm(x))))


def stack(depth: int = 3, width: int = 8) -> nn.Module:
    """Return a stack of blocks."""
    return nn.Sequential(*(Block(width) for _ in range(depth)), nn.Linear(width, 2))


def heads(kind: str = "mean", width: int = 8) -> nn.Module:
    """Return what a word chooses."""
    return nn.Sequential(nn.Linear(4, width), {"mean": nn.Tanh(), "relu": nn.ReLU()}[kind])


class Huge(nn.Module):  # type: ignore[misc]
    """A table that no machine holds."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10**9, 10**4)

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids)


class ReadsNumber(nn.Module):  # type: ignore[misc]
    """It reads a number out of a tensor."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x.sum().item()


class Chooses(nn.Module):  # type: ignore[misc]
    """Its control flow depends on a value."""

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x
        return -x


class Masked(nn.Module):  # type: ignore[misc]
    """Its output's size depends on a value."""

    def forward(self, x: Tensor) -> Tensor:
        return x[x > 0]


class Fourier(nn.Module):  # type: ignore[misc]
    """It has an operator that no kind expresses, between two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Linear(8, 8), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(torch.fft.rfft(self.before(x)).abs())


class Pinned(nn.Module):  # type: ignore[misc]
    """It takes one height and one width only."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.zeros(1, 16, 4))
        self.patch = nn.Conv2d(3, 4, 8, stride=8)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] != 32 or x.shape[3] != 32:
            raise ValueError("it takes 32 × 32")
        return self.patch(x).flatten(2).transpose(1, 2) + self.places


class Outer(nn.Module):  # type: ignore[misc]
    """It holds another."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)
