"""Read a model from the HuggingFace hub: its config and the headers of its weights, never those.

Only for those who ask for it: nothing else in the package touches the network. What is downloaded
lies in the hub client's own cache; its token, endpoint and offline mode apply.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline.errors import ConfigError, MissingExtraError, RidgelineError, first_line
from ridgeline.readers.checkpoint import with_safetensors
from ridgeline.readers.hf_config import read_config
from ridgeline.readers.quantization import SIDECARS
from ridgeline.readers.safetensors_header import INDEX, SafeTensor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ridgeline.specs.model import Model

__all__ = ["is_hub_id", "read_hub"]

_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}(:[\w.-]{1,40})?")
_CONFIGS = ("config.json", "params.json")

#: the first bytes of a GGUF file that are looked at; its vocabulary may need more
_HEADER_BYTES = (16 * 2**20, 128 * 2**20)
_PART = re.compile(r"-(\d{5})-of-\d{5}\.gguf$")
_MOST_SHOWN = 8
_NO_ACCESS = {
    "GatedRepoError": "access is granted by its owner: ask for it on its page, and log in with "
    "'hf auth login'",
    "RepositoryNotFoundError": "there is no such repository, or it is private: log in with 'hf "
    "auth login' if it is yours",
    "RevisionNotFoundError": "it has no main branch",
    "OfflineModeIsEnabled": "the hub's client is set to stay offline (HF_HUB_OFFLINE)",
    "HFValidationError": "that is no name of a repository",
}


def is_hub_id(name: str) -> bool:
    """Whether a name can be one of the hub's: ``org/name``, with ``:Q4_K_M`` for a GGUF file.

    Examples
    --------
    >>> is_hub_id("Qwen/Qwen3-8B"), is_hub_id("org/name-GGUF:Q4_K_M"), is_hub_id("./config.json")
    (True, True, False)
    """
    return _ID.fullmatch(name) is not None


def read_hub(name: str, *, assume_harmless: Collection[str] = ()) -> Model:
    """Fetch and read a model's config and the headers of its weights.

    Parameters
    ----------
    name : str
        ``org/name``; of a repository with several GGUF files ``org/name:Q4_K_M``.
    assume_harmless : collection of str   As for `read_config`.

    Raises
    ------
    MissingExtraError   The library `huggingface_hub` is not installed.
    ConfigError         It cannot be fetched: the sentence says why. Or it is not understood.
    """
    if not is_hub_id(name):
        raise ConfigError(f"{name!r} is no name of the hub: org/name is expected.")
    try:
        import huggingface_hub as hub  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingExtraError("Fetching a model from the HuggingFace hub", "hub") from None
    repository, _, format_ = name.partition(":")
    with _sentences(repository):
        files = list(hub.HfApi().list_repo_files(repository))
    config = next((c for c in _CONFIGS if c in files), None)
    stored = {Path(f).suffix for f in files}
    # A config beside GGUF files alone is that of the original.
    if format_ or config is None or (".gguf" in stored and ".safetensors" not in stored):
        return _gguf(hub, repository, files, format_)
    with _sentences(repository):
        path = Path(hub.hf_hub_download(repository, config))
        for beside in SIDECARS:
            if beside in files:
                hub.hf_hub_download(repository, beside)
    model = read_config(path, id=repository, assume_harmless=assume_harmless)
    if INDEX not in files and "model.safetensors" not in files:
        return model
    with _sentences(repository):
        found = hub.HfApi().get_safetensors_metadata(repository)
        tensors = list(_tensors(found))
    return with_safetensors(model, tensors)


@contextmanager
def _sentences(repository: str) -> Iterator[None]:
    """Turn whatever the hub's client meets into a sentence."""
    try:
        yield
    except RidgelineError:
        raise
    except Exception as error:  # network, proxies, certificates, disks: what it raises varies
        names = [kind.__name__ for kind in type(error).__mro__]
        why = next((_NO_ACCESS[n] for n in names if n in _NO_ACCESS), None)
        raise ConfigError(
            f"{repository} cannot be fetched from the HuggingFace hub: {why or first_line(error)}."
        ) from None


def _tensors(found: Any) -> Iterator[SafeTensor]:
    """Tensors as the client lists them; those of a sharded model by its files."""
    for file in found.files_metadata.values():
        for name, tensor in file.tensors.items():
            start, end = tensor.data_offsets
            yield SafeTensor(name, str(tensor.dtype), int(tensor.parameter_count), end - start)


def _gguf(hub: Any, repository: str, files: list[str], format_: str) -> Model:
    """Read the GGUF files of a repository that are of one format."""
    chosen = _chosen(repository, files, format_)
    from ridgeline.readers.gguf_file import model_of_header  # noqa: PLC0415  (most need no GGUF)
    from ridgeline.readers.gguf_header import GgufHeader  # noqa: PLC0415

    headers = [_beginning(hub, repository, name) for name in chosen]
    tensors = tuple(t for header in headers for t in header.tensors)
    name = repository + (f":{format_}" if format_ else "")
    return model_of_header(GgufHeader(Path(chosen[0]), headers[0].metadata, tensors), name)


def _chosen(repository: str, files: list[str], format_: str) -> list[str]:
    """The files of one model, in order."""
    held = [f for f in files if f.endswith(".gguf") and not Path(f).name.startswith("mmproj")]
    wanted = re.compile(rf"(^|[-._/]){re.escape(format_)}([-._/]|$)", re.IGNORECASE)
    fits = [f for f in held if wanted.search(f)] if format_ else held
    models = sorted({_PART.sub("", f).removesuffix(".gguf") for f in fits})
    if len(models) == 1:
        return sorted(fits)
    if not held:
        raise ConfigError(
            f"{repository} has neither a config.json nor a .gguf file, so there is nothing to read."
        )
    named = ", ".join(Path(m).name for m in (models or held)[:_MOST_SHOWN])
    what = "several" if models else f"no {format_!r} among its"
    raise ConfigError(
        f"{repository} has {what} GGUF files: {named}. Add the format of one, such as "
        f"{repository}:Q4_K_M."
    )


def _beginning(hub: Any, repository: str, name: str) -> Any:
    """The header of a GGUF file, of which the first bytes are fetched."""
    from ridgeline.readers.gguf_header import read_gguf_beginning  # noqa: PLC0415

    wrong = ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "beginning.gguf")
        for most in _HEADER_BYTES:
            path.write_bytes(_first_bytes(hub, f"{repository}/{name}", most))
            try:
                return read_gguf_beginning(path)
            except ConfigError as error:
                wrong = str(error).replace(str(path), f"{repository}/{name}")
                if "cut off" not in wrong:
                    break
    raise ConfigError(wrong)


def _first_bytes(hub: Any, path: str, n_bytes: int) -> bytes:
    with _sentences(path), hub.HfFileSystem().open(path, "rb") as file:
        return file.read(n_bytes)
