# pyright: reportMissingImports=false
"""Turn a standard pre-norm transformer stack into a reversible one with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from torch import nn

from ridgeline.errors import SpecError
from ridgeline.mixing.reversible.blocks import ReversibleBlock
from ridgeline.mixing.reversible.sequence import ReversibleSequence

if TYPE_CHECKING:
    import torch

__all__ = ["ReversibleStack", "from_prenorm"]

#: keywords of a call that self-attention takes; the feed-forward layer takes none
_ATTENTION_KEYWORDS = ("attn_mask", "key_padding_mask", "is_causal")

Split = Callable[[nn.Module], tuple[nn.Module, nn.Module]]


class _Attention(nn.Module):
    """The first residual branch of `nn.TransformerEncoderLayer`: norm, attention, dropout."""

    def __init__(self, layer: nn.TransformerEncoderLayer) -> None:
        super().__init__()
        self.norm, self.attention, self.dropout = layer.norm1, layer.self_attn, layer.dropout1

    def forward(
        self,
        x: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        key_padding_mask: torch.Tensor | None = None,
        is_causal: bool = False,
    ) -> torch.Tensor:
        """What the branch adds to the residual stream."""
        h = self.norm(x)
        out, _ = self.attention(
            h,
            h,
            h,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            is_causal=is_causal,
            need_weights=False,
        )
        return self.dropout(out)


class _Feedforward(nn.Module):
    """The second residual branch of `nn.TransformerEncoderLayer`."""

    def __init__(self, layer: nn.TransformerEncoderLayer) -> None:
        super().__init__()
        self.norm, self.up, self.down = layer.norm2, layer.linear1, layer.linear2
        self.dropout_inside, self.dropout = layer.dropout, layer.dropout2
        self.activation: Callable[[torch.Tensor], torch.Tensor] = layer.activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the branch adds to the residual stream."""
        h = self.dropout_inside(self.activation(self.up(self.norm(x))))
        return self.dropout(self.down(h))


def _split_encoder_layer(layer: nn.Module) -> tuple[nn.Module, nn.Module]:
    if not isinstance(layer, nn.TransformerEncoderLayer):
        raise SpecError(
            f"{type(layer).__name__} is not nn.TransformerEncoderLayer. Give split=, a function "
            "that returns its two residual branches, each with its norm and without the addition."
        )
    if not layer.norm_first:
        raise SpecError(
            "The layer normalises after the addition (norm_first=False). Only a pre-norm layer is "
            "x + f(x) and can be made reversible with its own weights."
        )
    return _Attention(layer), _Feedforward(layer)


class ReversibleStack(nn.Module):
    r"""A reversible stack with the outside of a standard one: d_model in, d_model out.

    Both halves start as the input; the output is their mean, normalised if the standard stack was.

    Parameters
    ----------
    sequence : ReversibleSequence
    norm : nn.Module or None   After the stack.
    """

    def __init__(self, sequence: ReversibleSequence, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.sequence, self.norm = sequence, norm

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Output of the stack; arguments as the branches take them."""
        y1, y2 = self.sequence((x, x), *args, **kwargs)
        y = (y1 + y2) / 2
        return y if self.norm is None else self.norm(y)


def from_prenorm(
    layers: nn.TransformerEncoder | Iterable[nn.Module],
    *,
    split: Split = _split_encoder_layer,
    f_keywords: Iterable[str] | None = _ATTENTION_KEYWORDS,
    g_keywords: Iterable[str] | None = (),
    norm: nn.Module | None = None,
    **options: Any,
) -> ReversibleStack:
    r"""Make a reversible stack of a pre-norm one. It computes another function.

    A pre-norm layer is ``x + A(x)``, then ``+ M`` of that. The reversible one keeps two streams:
    ``y1 = x1 + A(x2)``, ``y2 = x2 + M(y1)``. Both start as x. Weights are shared with the original,
    so it trains and saves under its own parameters; but the output differs, and a trained standard
    stack must be trained on before it is of use.

    Parameters
    ----------
    layers : TransformerEncoder or iterable   Pre-norm layers; an encoder brings its final norm.
    split : callable                          Layer to its two residual branches, each with its
                                              norm and without the addition. The default knows
                                              `nn.TransformerEncoderLayer(norm_first=True)`.
    f_keywords, g_keywords : names            Keywords of a call that each branch takes.
    norm : nn.Module or None                  After the stack.
    options                                   Of `ReversibleSequence`.

    Raises
    ------
    SpecError   A layer is not known, or not pre-norm.

    Notes
    -----
    For one layer y1 + y2 - x is the standard layer's output exactly; from two layers on no
    combination of the streams is.

    References
    ----------
    .. [1] Kitaev, Kaiser and Levskaya, "Reformer: The Efficient Transformer", 2020, sec. 3.

    Examples
    --------
    >>> layer = nn.TransformerEncoderLayer(8, 2, 16, norm_first=True, batch_first=True)
    >>> stack = from_prenorm([layer])
    >>> sum(p.numel() for p in stack.parameters()) == sum(p.numel() for p in layer.parameters())
    True
    """
    found: Any = layers
    if isinstance(found, nn.TransformerEncoder):
        norm = norm or found.norm
        found = found.layers
    blocks = [
        ReversibleBlock(*split(layer), f_keywords=f_keywords, g_keywords=g_keywords)
        for layer in found
    ]
    return ReversibleStack(ReversibleSequence(blocks, **options), norm)
