"""The classes and functions that an exported module brings along where it uses them."""

HELPERS = {
    "positional_encoding": '''\
def positional_encoding(x):
    """Add sines and cosines of the position (Vaswani et al., 2017)."""
    steps, features = x.shape[1], x.shape[-1]
    rate = 10000.0 ** (-torch.arange(0, features, 2, device=x.device) / features)
    angle = torch.arange(steps, device=x.device)[:, None] * rate
    return x + torch.stack([angle.sin(), angle.cos()], -1).flatten(-2).to(x.dtype)
''',
    "rotary_embedding": '''\
def rotary_embedding(x):
    """Turn pairs of features by the position (Su et al., 2021)."""
    half = x.shape[-1] // 2
    rate = 10000.0 ** (-torch.arange(half, device=x.device) / half)
    angle = torch.arange(x.shape[-2], device=x.device)[:, None] * rate
    one, other = x.chunk(2, -1)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    return torch.cat([one * cos - other * sin, one * sin + other * cos], -1)
''',
    "Scores": '''\
class Scores(nn.Module):
    """Scaled dot-product attention, with what is done to its scores.

    The queries are those of the last of the keys. A row of the table of relative positions stands
    for a distance; distances beyond it have the last row.
    """

    def __init__(
        self, heads, causal=False, window=None, chunk=None, relative_positions=None,
        alibi=False, softcap=None, sinks=False,
    ):
        super().__init__()
        self.causal, self.window, self.chunk = causal, window, chunk
        self.alibi, self.softcap = alibi, softcap
        self.table = self.sinks = None
        if relative_positions is not None:
            self.table = nn.Parameter(torch.zeros(relative_positions, heads))
        if sinks:
            self.sinks = nn.Parameter(torch.zeros(heads))

    def forward(self, q, k, v):
        bias = self.bias(q, k)
        if self.softcap is None and self.sinks is None:
            return functional.scaled_dot_product_attention(q, k, v, bias, enable_gqa=True)
        k, v = (y.repeat_interleave(q.shape[-3] // y.shape[-3], -3) for y in (k, v))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        if self.softcap is not None:
            scores = self.softcap * torch.tanh(scores / self.softcap)
        if bias is not None:
            scores = scores + bias
        if self.sinks is None:
            return scores.softmax(-1) @ v
        sinks = self.sinks[:, None, None].expand(*scores.shape[:-1], 1)
        return torch.cat([scores, sinks], -1).softmax(-1)[..., :-1] @ v

    def bias(self, q, k):
        """What is added to the scores; None where nothing is."""
        if not (self.causal or self.window or self.chunk or self.alibi or self.table is not None):
            return None
        keys = torch.arange(k.shape[-2], device=q.device)
        queries = keys[-q.shape[-2] :, None]
        distance = queries - keys
        seen = torch.ones_like(distance, dtype=torch.bool)
        if self.causal:
            seen = seen & (distance >= 0)
        if self.window:
            reach = self.window if self.causal else self.window // 2 + 1
            seen = seen & (distance.abs() < reach)
        if self.chunk:
            seen = seen & (queries // self.chunk == keys // self.chunk)
        bias = torch.zeros(distance.shape, dtype=q.dtype, device=q.device)
        bias = bias.masked_fill(~seen, float("-inf"))
        if self.alibi:
            heads = torch.arange(1, q.shape[-3] + 1, device=q.device)
            slopes = 2.0 ** (-8.0 * heads / q.shape[-3])
            bias = bias - (slopes[:, None, None] * distance.abs()).to(q.dtype)
        if self.table is not None:
            rows = (distance + self.table.shape[0] // 2).clamp(0, self.table.shape[0] - 1)
            bias = bias + self.table[rows].permute(2, 0, 1)
        return bias
''',
    "Attention": '''\
class Attention(nn.Module):
    """Multi-head attention of queries to keys and values, between four linear layers."""

    def __init__(
        self, features, heads, key_features=None, value_features=None, kv_heads=None,
        head_dim=None, value_dim=None, kv_length=None, q_bias=True, k_bias=True, v_bias=True,
        out_bias=True, qk_norm="none", **scores,
    ):
        super().__init__()
        self.heads, self.kv_heads, self.kv_length = heads, kv_heads or heads, kv_length
        head_dim = head_dim or features // heads
        value_dim = value_dim or head_dim
        key_features = key_features or features
        value_features = value_features or key_features
        self.q = nn.Linear(features, self.heads * head_dim, bias=q_bias)
        self.k = nn.Linear(key_features, self.kv_heads * head_dim, bias=k_bias)
        self.v = nn.Linear(value_features, self.kv_heads * value_dim, bias=v_bias)
        self.out = nn.Linear(self.heads * value_dim, features, bias=out_bias)
        self.norm_of = qk_norm
        if qk_norm != "none":
            q_size, k_size = (1, 1) if qk_norm == "head" else (self.heads, self.kv_heads)
            self.q_norm = nn.RMSNorm(q_size * head_dim, eps=1e-6)
            self.k_norm = nn.RMSNorm(k_size * head_dim, eps=1e-6)
        self.scores = Scores(heads, **scores)

    def forward(self, x, keys=None, values=None):
        keys = x if keys is None else keys
        values = keys if values is None else values
        q, k, v = self.q(x), self.k(keys), self.v(values)
        if self.norm_of == "all":
            q, k = self.q_norm(q), self.k_norm(k)
        q = q.unflatten(-1, (self.heads, -1))
        k, v = k.unflatten(-1, (self.kv_heads, -1)), v.unflatten(-1, (self.kv_heads, -1))
        if self.norm_of == "head":
            q, k = self.q_norm(q), self.k_norm(k)
        if self.kv_length is not None:  # an empty cache of the tokens before
            past = self.kv_length - k.shape[-3]
            k, v = (
                torch.cat([y.new_zeros(*y.shape[:-3], past, *y.shape[-2:]), y], -3) for y in (k, v)
            )
        y = self.scores(*(y.transpose(-2, -3) for y in (q, k, v)))
        return self.out(y.transpose(-2, -3).flatten(-2))
''',
    "LatentAttention": '''\
class LatentAttention(nn.Module):
    """Attention whose keys and values are made of a latent per token (DeepSeek-V2, 2024)."""

    def __init__(
        self, features, heads, kv_rank, head_dim, rope_dim, value_dim=None, q_rank=None,
        absorbed=False, **scores,
    ):
        super().__init__()
        self.heads, self.kv_rank, self.head_dim, self.rope_dim = heads, kv_rank, head_dim, rope_dim
        self.value_dim, self.absorbed = value_dim or head_dim, absorbed
        self.q_down = self.q_norm = None
        if q_rank:
            self.q_down = nn.Linear(features, q_rank, bias=False)
            self.q_norm = nn.RMSNorm(q_rank, eps=1e-6)
        self.q_up = nn.Linear(q_rank or features, heads * (head_dim + rope_dim), bias=False)
        self.kv_down = nn.Linear(features, kv_rank + rope_dim, bias=False)
        self.kv_norm = nn.RMSNorm(kv_rank, eps=1e-6)
        if absorbed:
            self.k_up = nn.Parameter(torch.zeros(heads, head_dim, kv_rank))
            self.v_up = nn.Parameter(torch.zeros(heads, kv_rank, self.value_dim))
        else:
            self.kv_up = nn.Linear(kv_rank, heads * (head_dim + self.value_dim), bias=False)
        self.scores = Scores(heads, **scores)
        self.out = nn.Linear(heads * self.value_dim, features, bias=False)

    def forward(self, x):
        q = self.q_up(x if self.q_down is None else self.q_norm(self.q_down(x)))
        q = q.unflatten(-1, (self.heads, -1)).transpose(-2, -3)
        q, q_turned = q.split([self.head_dim, self.rope_dim], -1)
        latent, k_turned = self.kv_down(x).split([self.kv_rank, self.rope_dim], -1)
        latent, k_turned = self.kv_norm(latent), k_turned.unsqueeze(-3)
        if self.absorbed:
            q = torch.cat([q @ self.k_up, q_turned], -1)
            latent = latent.unsqueeze(-3)
            y = self.scores(q, torch.cat([latent, k_turned], -1), latent) @ self.v_up
        else:
            both = self.kv_up(latent).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
            k, v = both.split([self.head_dim, self.value_dim], -1)
            k = torch.cat([k, k_turned.expand(*k.shape[:-1], -1)], -1)
            y = self.scores(torch.cat([q, q_turned], -1), k, v)
        return self.out(y.transpose(-2, -3).flatten(-2))
''',
    "GroupedLinear": '''\
class GroupedLinear(nn.Module):
    """A matrix for each group of rows; here all groups have as many rows, as near as can be."""

    def __init__(self, groups, in_features, out_features):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(groups, out_features, in_features))

    def forward(self, x):
        parts = x.flatten(0, -2).tensor_split(len(self.weight))
        y = torch.cat([functional.linear(x, w) for x, w in zip(parts, self.weight)])
        return y.unflatten(0, x.shape[:-1])
''',
    "Mixture": '''\
class Mixture(nn.Module):
    """The sum of the best experts of every token, weighed by the router.

    Every expert runs here, on all tokens; what a token did not choose weighs nothing.
    """

    def __init__(self, experts, top_k):
        super().__init__()
        self.experts, self.top_k = nn.ModuleList(experts), top_k

    def forward(self, scores, *inputs):
        best, chosen = scores.topk(self.top_k, -1)
        weights = torch.zeros_like(scores).scatter(-1, chosen, best.softmax(-1))
        return sum(weights[..., i, None] * e(*inputs) for i, e in enumerate(self.experts))
''',
}
"""Name → its source text, in an order in which each comes after those that it uses."""

USES = {"Attention": ("Scores",), "LatentAttention": ("Scores",)}
"""Name → the others that it uses."""
