"""The methods by the names that configs give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ridgeline.errors import ConfigError
from ridgeline.readers.config import shown
from ridgeline.readers.quantizers import codebooks, compressed, floats, integers
from ridgeline.readers.quantizers.torchao import torchao

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.readers.scheme import Scheme

__all__ = ["METHODS", "method_of"]


def method_of(config: Mapping[str, Any]) -> str:
    """Name the method of a ``quantization_config``.

    Parameters
    ----------
    config : mapping

    Raises
    ------
    ConfigError   It does not say.
    """
    for key in ("quant_method", "quant_library"):
        method = config.get(key)
        if isinstance(method, str):
            return method.lower()
        if method is not None:
            raise ConfigError(f"{key} is {shown(method)}, and a name is expected.")
    for keys, method in _SIGNS.items():
        if any(config.get(key) is not None for key in keys):
            return method
    if isinstance(config.get("quantization"), Mapping) and "producer" in config:
        return "modelopt"
    if "bits" in config and "group_size" in config:
        return "mlx"  # which repeats its table ``quantization`` under the usual key
    raise ConfigError("quantization_config does not say its quant_method.")


#: keys that tell a method which does not name itself
_SIGNS = {
    ("load_in_4bit", "load_in_8bit", "_load_in_4bit", "_load_in_8bit"): "bitsandbytes",
    ("quant_algo", "kv_cache_quant_algo"): "modelopt",
    ("config_groups", "sparsity_config"): "compressed-tensors",
    ("w_bit",): "awq",
    ("damp_percent", "desc_act"): "gptq",
    ("global_quant_config",): "quark",
    ("qformat_weight",): "mistral",
}

METHODS: dict[str, Callable[[Mapping[str, Any]], Scheme]] = {
    "fp8": floats.fp8,
    "fbgemm_fp8": floats.fp8,
    "finegrained_fp8": floats.fp8,
    "ptpc_fp8": floats.fp8,
    "mistral": floats.mistral,
    "deepgemm_fp8": floats.fp8,
    "w8a8_fp8": floats.fp8,
    "w4afp8": floats.w4afp8,
    "mxfp8": floats.mxfp8,
    "mxfp4": floats.mxfp4,
    "nvfp4": floats.nvfp4,
    "petit_nvfp4": floats.nvfp4,
    "fp_quant": floats.fp_quant,
    "compressed-tensors": compressed.compressed_tensors,
    "compressed_tensors": compressed.compressed_tensors,
    "sparseml": compressed.compressed_tensors,
    "modelopt": floats.modelopt,
    "modelopt_fp4": floats.modelopt,
    "modelopt_mixed": floats.modelopt,
    "quark": floats.quark,
    "awq": integers.gptq,
    "gptq": integers.gptq,
    "gptqmodel": integers.gptq,
    "gptq_marlin": integers.gptq,
    "awq_marlin": integers.gptq,
    "gptq_bitblas": integers.gptq,
    "bitblas": integers.gptq,
    "moe_wna16": integers.gptq,
    "gptq_marlin_24": integers.gptq_24,
    "marlin": integers.marlin,
    "auto-round": integers.auto_round,
    "auto_round": integers.auto_round,
    "intel/auto-round": integers.auto_round,
    "inc": integers.auto_round,
    "bitsandbytes": integers.bitsandbytes,
    "bitnet": integers.bitnet,
    "eetq": integers.eetq,
    "experts_int8": integers.experts_int8,
    "quanto": integers.quanto,
    "hqq": integers.hqq,
    "mlx": integers.mlx,
    "metal": integers.metal,
    "sinq": integers.sinq,
    "qqq": integers.qqq,
    "w8a8_int8": integers.int8,
    "blockwise_int8": integers.int8,
    "torchao": torchao,
    "aqlm": codebooks.aqlm,
    "vptq": codebooks.vptq,
    "higgs": codebooks.higgs,
    "exl2": codebooks.exl2,
    "exl3": codebooks.exl3,
    "gguf": codebooks.gguf,
}
