"""Packed attention against a loop over the sequences, and the encoder in the shapes of a compiled step."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

import train.model.attention
from train.model.attention import AttentionLayout, build_layout, filled_lengths, packed_attention
from train.model.encoder import Encoder, EncoderConfig
from train.model.feed_forward import CHUNK, gated_feed_forward
from train.model.rotary import rotary_table, rotate, rotate_

CPU = torch.device("cpu")
HEADS, HEAD_DIM = 2, 8
LENGTHS = {
    "mixed": [1, 300, 64, 65, 7, 2, 129, 3, 128, 1],
    "one": [517],
    "one token": [1],
    "all short": [3, 4, 5, 60, 1, 1, 2, 64, 30, 34],
    "nothing": [],
}
CONFIG = EncoderConfig(
    vocab_size=90,
    hidden_size=32,
    intermediate_size=24,
    num_hidden_layers=4,
    num_attention_heads=2,
    max_position_embeddings=64,
    local_attention=10,
)


def oracle(qkv: Tensor, rotary: Tensor, lengths: list[int], window: int | None) -> Tensor:
    """One sequence after the other; a token sees those up to `window` away."""
    split = qkv.view(len(qkv), 3, HEADS, HEAD_DIM)
    turned = torch.cat((rotate(split[:, :2], rotary), split[:, 2:]), 1)
    parts = [turned[:0, 2].flatten(1)]
    for sequence in turned.split(lengths) if lengths else ():
        query, key, value = sequence.permute(1, 2, 0, 3)
        index = torch.arange(len(sequence))
        near = (index[:, None] - index).abs() <= (len(sequence) if window is None else window)
        parts.append(scaled_dot_product_attention(query, key, value, attn_mask=near).transpose(0, 1).flatten(1))
    return torch.cat(parts)


def inputs(tokens: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """(qkv, rotary, gradient of the result)"""
    generator = torch.Generator().manual_seed(tokens)
    qkv, gradient = (torch.randn(tokens, n * HEADS * HEAD_DIM, generator=generator).to(dtype) for n in (3, 1))
    return qkv.requires_grad_(), rotary_table(100.0, 800, HEAD_DIM)[:, :tokens], gradient


@pytest.mark.parametrize("local_attention", [None, 0, 2, 31, 128, 2000])
@pytest.mark.parametrize("name", LENGTHS)
def test_packed_is_one_by_one(name: str, local_attention: int | None) -> None:
    lengths, local = LENGTHS[name], local_attention is not None
    qkv, rotary, gradient = inputs(sum(lengths))
    expected = oracle(qkv, rotary, lengths, local_attention // 2 if local_attention is not None else None)
    (d_expected,) = torch.autograd.grad(expected, qkv, gradient)
    layout = build_layout(np.array(lengths, np.int64), local_attention or 0, CPU, torch.float32)
    found = packed_attention(qkv * 1, HEADS, rotary, layout, local)
    (d_found,) = torch.autograd.grad(found, qkv, gradient)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(d_found, d_expected, atol=1e-5, rtol=0)


def test_tiles_without_the_kernels_of_the_cpu_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of float32 on CUDA."""
    lengths = LENGTHS["mixed"]
    qkv, rotary, gradient = inputs(sum(lengths))
    layout = build_layout(np.array(lengths), 30, CPU, torch.float32)
    results = []
    for device in ("cpu", "elsewhere"):
        monkeypatch.setattr("train.model.tiles.TILE_KERNELS_ON", device)
        found = packed_attention(qkv * 1, HEADS, rotary, layout, True)
        results.append((found, *torch.autograd.grad(found, qkv, gradient)))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_bfloat16_is_near() -> None:
    lengths = LENGTHS["mixed"]
    qkv, rotary, gradient = inputs(sum(lengths), torch.bfloat16)
    layout = build_layout(np.array(lengths), 30, CPU, torch.bfloat16)
    found = packed_attention(qkv * 1, HEADS, rotary, layout, True)
    exact = qkv.detach().float().requires_grad_()
    expected = oracle(exact, rotary, lengths, 15)
    assert found.dtype == torch.bfloat16
    (d_found,) = torch.autograd.grad(found, qkv, gradient)
    (d_expected,) = torch.autograd.grad(expected, exact, gradient.float())
    for ours, theirs in ((found, expected), (d_found, d_expected)):
        assert (ours.float() - theirs).norm() <= 0.01 * theirs.norm()


def test_rotation_in_place_and_back() -> None:
    x, rotary = torch.randn(20, 2, HEADS, HEAD_DIM), rotary_table(100.0, 20, HEAD_DIM)
    turned = x.clone()
    rotate_(turned, rotary)
    torch.testing.assert_close(turned, rotate(x, rotary))
    rotate_(turned, rotary, back=True)
    torch.testing.assert_close(turned, x)


@pytest.mark.parametrize("tokens", [0, 1, CHUNK, 2 * CHUNK + 3])
def test_feed_forward_in_chunks(tokens: int) -> None:
    generator = torch.Generator().manual_seed(1)
    shapes = (tokens, 6), (16, 6), (6, 8), (tokens, 6)
    *arguments, gradient = (torch.randn(shape, generator=generator, dtype=torch.double) for shape in shapes)
    hidden, weight_in, weight_out = (tensor.requires_grad_() for tensor in arguments)
    value, gate = (hidden @ weight_in.T).chunk(2, 1)
    expected = (torch.nn.functional.gelu(value) * gate) @ weight_out.T
    found = gated_feed_forward(hidden, weight_in, weight_out)
    torch.testing.assert_close(found, expected)
    wanted = torch.autograd.grad(expected, arguments, gradient)
    torch.testing.assert_close(torch.autograd.grad(found, arguments, gradient), wanted)


def test_a_static_layout_has_one_shape() -> None:
    layouts = [
        build_layout(np.array(lengths), 8, CPU, torch.float32, max_sequences=5, longest=16)
        for lengths in ([16, 3, 1], [4, 4, 4, 4, 4])
    ]
    assert layouts[0].cu_seqlens.tolist() == [0, 16, 19, 20, 20, 20]
    assert layouts[1].cu_seqlens.tolist() == [0, 4, 8, 12, 16, 20]
    assert {layout.longest for layout in layouts} == {16}
    with pytest.raises(ValueError, match="6 sequences in a layout of at most 5"):
        build_layout(np.ones(6, np.int64), 8, CPU, torch.float32, max_sequences=5)
    with pytest.raises(ValueError, match="a sequence of 17 tokens in a layout of at most 16"):
        build_layout(np.array([17]), 8, CPU, torch.float32, longest=16)


@pytest.mark.parametrize(
    ("lengths", "tokens", "expected"),
    [([5, 3], 8, [5, 3]), ([5], 8, [5, 3]), ([5], 30, [5, 10, 10, 5]), ([], 10, [10]), ([], 0, [])],
)
def test_padding_comes_in_sequences(lengths: list[int], tokens: int, expected: list[int]) -> None:
    assert filled_lengths(np.array(lengths, np.int64), tokens, 10).tolist() == expected


def test_padding_cannot_be_negative() -> None:
    with pytest.raises(ValueError, match="9 tokens in a batch of 8"):
        filled_lengths(np.array([9]), 8, 10)


def masked_varlen(query: Tensor, key: Tensor, value: Tensor, bounds: Tensor, *_: Any, window_size: Any) -> Tensor:
    """`varlen_attn` by a dense mask, as every shape but that of `bounds` is free of the lengths."""
    index = torch.arange(len(query))
    owner = torch.searchsorted(bounds[1:].contiguous(), index, right=True)
    seen = owner[:, None] == owner
    if window_size != (-1, -1):
        seen = seen & ((index[:, None] - index).abs() <= window_size[0])
    q, k, v = (x.transpose(0, 1) for x in (query, key, value))
    return scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(0, 1)


def encode(encoder: Any, lengths: list[int], static: bool, targets: Tensor | None = None) -> tuple[Tensor, ...]:
    """(hidden, gradient of the embeddings, of a matrix of the first layer) of a sum with fixed weights."""
    tokens = sum(lengths)
    generator = torch.Generator().manual_seed(tokens)
    ids = torch.randint(0, 90, (tokens,), generator=generator)
    positions = torch.cat([torch.arange(n) for n in lengths])
    shape = {"max_sequences": 6, "longest": 64} if static else {}
    layout = build_layout(np.array(lengths), CONFIG.local_attention, CPU, torch.float32, **shape)
    if static:
        layout = AttentionLayout(layout.cu_seqlens, layout.longest, layout.window)
    hidden = encoder(ids, positions, layout, targets)
    weights = torch.randn(hidden.shape, generator=generator)
    parameters = dict(encoder.named_parameters())
    names = "embeddings.tok_embeddings.weight", "layers.0.attn.Wqkv.weight"
    prefix = "_orig_mod." if f"_orig_mod.{names[0]}" in parameters else ""
    loss = (hidden.float() * weights).sum()
    return hidden.detach(), *torch.autograd.grad(loss, [parameters[prefix + name] for name in names])


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(7)
    return Encoder(CONFIG)


@pytest.fixture
def varlen_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train.model.attention, "varlen_attn", masked_varlen, raising=False)


@pytest.mark.usefixtures("varlen_on_cpu")
def test_the_way_of_a_gpu_gives_the_numbers_of_a_cpu(encoder: Encoder) -> None:
    lengths, targets = [40, 1, 64, 23], torch.tensor([0, 3, 40, 127])
    for one, other in zip(encode(encoder, lengths, False), encode(encoder, lengths, True), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-5)
    some = [encode(encoder, lengths, static, targets) for static in (False, True)]
    for one, other in zip(*some, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-5)


@pytest.mark.usefixtures("varlen_on_cpu")
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_graph_for_all_batches(encoder: Encoder, backend: str, dtype: torch.dtype) -> None:
    torch._dynamo.reset()
    encoder.compute_dtype = dtype
    compiled = torch.compile(encoder, backend=backend, fullgraph=True, dynamic=False)
    targets = torch.tensor([5, 9, 100])
    with torch._dynamo.config.patch(error_on_recompile=True):
        for lengths in ([64, 64], [40, 1, 64, 23]):
            tolerance = 1e-5 if dtype == torch.float32 else 0.1
            plain, ours = (encode(model, lengths, True, targets) for model in (encoder, compiled))
            for one, other in zip(plain, ours, strict=True):
                assert (one - other).norm() <= tolerance * one.norm()


def test_targets_are_rows_of_the_whole(encoder: Encoder) -> None:
    ids, positions = torch.arange(50), torch.arange(50)
    layout = build_layout(np.array([50]), CONFIG.local_attention, CPU, torch.float32)
    targets = torch.tensor([3, 0, 49, 3])
    whole = encoder(ids, positions, layout)
    torch.testing.assert_close(encoder(ids, positions, layout, targets), whole[targets], atol=1e-6, rtol=1e-5)
    assert encoder(ids, positions, layout, targets[:0]).shape == (0, 32)


def test_checkpointed_layers_give_the_same_gradients(encoder: Encoder) -> None:
    plain = encode(encoder, [40, 24], False)
    encoder.activation_checkpointing = True
    for one, other in zip(plain, encode(encoder, [40, 24], False), strict=True):
        assert torch.equal(one, other)


def test_a_stream_in_bfloat16_is_one_all_the_way() -> None:
    torch.manual_seed(7)
    encoder = Encoder(CONFIG, torch.bfloat16)
    seen: list[torch.dtype] = []
    for module in encoder.modules():
        if type(module).__name__ in ("Linear", "LayerNorm", "Layer"):
            module.register_forward_hook(lambda _, given, out: seen.extend((given[0].dtype, out.dtype)))
    half = encode(encoder, [40, 24], False)
    assert set(seen) == {torch.bfloat16}
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    encoder.compute_dtype = torch.float32
    for one, other in zip(half, encode(encoder, [40, 24], False), strict=True):
        assert (one - other).norm() <= 0.03 * other.norm()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("local", [False, True])
def test_varlen_attention_on_cuda_is_one_by_one(local: bool) -> None:
    """In bfloat16, with empty sequences at the end of the layout."""
    lengths = [1, 200, 64, 7, 129]
    qkv, rotary, gradient = inputs(sum(lengths), torch.bfloat16)
    exact = qkv.detach().float().requires_grad_()
    expected = oracle(exact, rotary, lengths, 16 if local else None)
    cuda = torch.device("cuda")
    layout = build_layout(np.array(lengths), 32, cuda, torch.bfloat16, max_sequences=9, longest=256)
    assert layout.tiles is None
    on_cuda = qkv.detach().to(cuda).requires_grad_()
    found = packed_attention(on_cuda * 1, HEADS, rotary.to(cuda), layout, local)
    (d_found,) = torch.autograd.grad(found, on_cuda, gradient.to(cuda))
    (d_expected,) = torch.autograd.grad(expected, exact, gradient.float())
    for ours, theirs in ((found, expected), (d_found, d_expected)):
        assert (ours.float().cpu() - theirs).norm() <= 0.02 * theirs.norm()
