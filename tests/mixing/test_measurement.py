# pyright: reportMissingImports=false
"""Memory and time measured beside the laws; loss curves; the small GPT; data-parallel training."""

from __future__ import annotations

import math
import socket
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'ridgeline[torch]'")

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from ridgeline.errors import SpecError
from ridgeline.mixing.reversible import (
    GPT,
    FeistelLayer,
    LiveBytes,
    ReversibleSequence,
    gradient_errors,
    loss_curve,
    measure,
    reconstruction_errors,
)
from ridgeline.mixing.reversible.gpt import KINDS, Kind, PreNormBlock, stack_of
from ridgeline.mixing.reversible.live_bytes import metered
from ridgeline.mixing.reversible.measurement import Shape, device_of

torch.set_num_threads(1)
SMALL = Shape(d_model=32, n_heads=2, n_context=32, batch=8)
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(scope="module")
def small():
    return measure(
        (2, 48), shape=SMALL, device="cpu", n_steps=3, repeats=1, precision_depths=(1, 4)
    )


def test_activations_are_what_the_laws_say_to_the_byte(small) -> None:
    for row in small.stacks:
        assert row["alive_bytes"] == row["predicted_alive_bytes"], row


def test_reversible_stays_flat_while_standard_grows_with_depth(small) -> None:
    """The measured bounds of this package: 1.25 x and 10 x from 2 to 48 blocks."""
    assert small.growth("reversible") <= 1.25
    assert small.growth("reversible", "peak_bytes") <= 1.25
    assert small.growth("standard") >= 10
    checkpointed = small.growth("checkpointed", "peak_bytes")
    assert checkpointed < math.sqrt(48 / 2) < small.growth("standard", "peak_bytes")


def test_peaks_are_at_least_the_laws_and_not_far_above(small) -> None:
    for row in small.stacks:
        assert row["predicted_peak_bytes"] <= row["peak_bytes"] <= 1.5 * row["predicted_peak_bytes"]


@pytest.mark.filterwarnings("ignore:.*Profiler clears events")  # some versions; one cycle is ours
@pytest.mark.parametrize("kind", ["standard", "checkpointed", "reversible"])
def test_live_bytes_agree_with_the_profiler(kind: str) -> None:
    """An oracle: what PyTorch's profiler saw the CPU's allocator hand out and take back.

    It sees the states of the random generator too, which checkpoints save and which are the one
    difference: a state a segment. A reversible stack keeps none unless something is drawn.
    """
    stack = stack_of([PreNormBlock(32, 2, 128) for _ in range(6)], kind, per_segment=2)
    x = torch.randn(8, 32, 32)
    stack(x).sum().backward()
    with metered(x.device) as meter:
        y = stack(x)
        counted = meter.alive_bytes()
    del y
    with torch.profiler.profile(profile_memory=True) as profile:
        y = stack(x)
    assert y.requires_grad
    events: Any = profile.events()
    seen = sum(e.self_cpu_memory_usage for e in events)
    states = 3 * torch.get_rng_state().nbytes if kind == "checkpointed" else 0
    assert seen - states == pytest.approx(counted, abs=64)


def test_live_bytes_count_a_storage_once_and_only_while_it_lives() -> None:
    before = torch.ones(100)
    with LiveBytes() as count:
        view = before[10:]
        assert count.alive_bytes == 0
        twice = view * 2
        same = twice.view(9, 10).t()
        assert count.alive_bytes == 360
        del twice
        assert count.alive_bytes == 360
        same.add_(1)
        del same
        assert count.alive_bytes == 0
    assert count.peak_bytes == 360


@pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS")  # after gradients on the CPU
@pytest.mark.parametrize("device", DEVICES)
def test_memory_is_measured_on_every_device(device: str) -> None:
    found = measure((2, 24), shape=SMALL, device=device, n_steps=0, repeats=1, precision_depths=())
    assert found.growth("reversible") <= 1.25
    assert found.growth("standard") >= 6


def test_randomness_costs_memory_only_where_it_is_drawn() -> None:
    """A generator's state is kept a round with dropout, and not without."""
    for dropout, kept in ((0.0, 0), (0.5, 3)):
        layers = [FeistelLayer(nn.Dropout(dropout)) for _ in range(3)]
        pair = torch.ones(4, requires_grad=True), torch.ones(4)
        y = ReversibleSequence(layers)(pair)[0]
        nodes, states, todo = set(), 0, [y.grad_fn]
        while todo:
            node = todo.pop()
            if node is None or node in nodes:
                continue
            nodes.add(node)
            states += getattr(getattr(node, "replay", None), "random", None) is not None
            todo += [n for n, _ in node.next_functions]
        assert states == kept


def test_losses_are_those_of_stored_activations() -> None:
    """A few hundred steps in fp64: the same curve within round-off; and it learns."""
    options: Any = {"n_steps": 200, "n_layers": 2, "d_model": 32, "n_context": 16, "batch": 4}
    curves = {k: loss_curve(k, dtype=torch.float64, **options) for k in KINDS}
    assert np.abs(curves["reversible"] - curves["reversible-stored"]).max() < 1e-9
    assert np.abs(curves["checkpointed"] - curves["standard"]).max() < 1e-9
    # Another function, as the documentation says.
    assert np.abs(curves["reversible"] - curves["standard"]).max() > 1e-3
    for curve in curves.values():
        assert curve[-20:].mean() < curve[0] - 1


def test_gpt_is_causal_and_counts_the_same_parameters() -> None:
    numbers = set()
    for kind in KINDS:
        torch.manual_seed(0)
        model = GPT(n_characters=20, n_context=8, d_model=16, n_heads=2, n_layers=3, blocks=kind)
        numbers.add(sum(p.numel() for p in model.parameters()))
        codes = torch.arange(8)[None]
        changed = codes.clone()
        changed[0, -1] = 19
        before, after = model(codes), model(changed)
        assert torch.equal(before[:, :-1], after[:, :-1])
        assert not torch.equal(before[:, -1], after[:, -1])
        assert model.loss(codes).item() == pytest.approx(math.log(20), rel=0.1)
    assert len(numbers) == 1


def test_reconstruction_error_is_of_the_order_of_the_law() -> None:
    rows = reconstruction_errors((2, 16), d_model=32, n_tokens=16)
    for row in rows:
        if row["arithmetic"] in ("fp64", "fp32", "bf16"):
            assert row["predicted_error"] / 10 < row["error"] < 4 * row["predicted_error"]
        if "fixed point" in row["arithmetic"] or "int64" in row["arithmetic"]:
            assert row["is_exact"]
            assert row["error"] == 0
    by = {(r["arithmetic"], r["n_blocks"]): r["error"] for r in rows}
    for name in ("fp64", "fp32", "bf16"):
        assert by[name, 16] > by[name, 2]


def test_steep_branches_break_bf16_first() -> None:
    rows = reconstruction_errors((16,), d_model=32, n_tokens=16, branch_scale=16.0)
    error = {r["arithmetic"]: r["error"] for r in rows}
    assert error["bf16"] > 0.5
    assert error["fp32"] < 1e-3
    assert error["fixed point, bf16 functions"] == 0


def test_reconstruction_leaves_gradients_alone_where_sums_are_exact() -> None:
    rows = {r["arithmetic"]: r for r in gradient_errors((4,), d_model=32, n_tokens=16)}
    assert rows["fp64"]["from_reconstruction"] < 1e-14
    assert rows["fp32"]["from_reconstruction"] < 1e-5
    assert rows["fixed point, bf16 functions"]["from_reconstruction"] < 1e-6
    assert 1e-4 < rows["bf16"]["from_reconstruction"] < 0.1


def test_pictures_and_json(small) -> None:
    for name in ("memory", "time", "losses", "precision", "gradients"):
        text = small.chart(name).to_bytes(".json").decode()
        assert '"values"' in text
    assert set(small.to_dict()) == {"about", "stacks", "losses", "precision", "gradients"}
    with pytest.raises(SpecError, match="Did you mean 'memory'"):
        small.chart("memry")
    bare = measure((2,), shape=SMALL, device="cpu", n_steps=0, repeats=1, precision_depths=())
    with pytest.raises(SpecError, match="Nothing was measured"):
        bare.chart("losses")


BAD = [
    (lambda: measure((), shape=SMALL), "one or more numbers of blocks"),
    (lambda: measure((0, 2), shape=SMALL), "from 1 are expected"),
    (lambda: Shape(d_model=10, n_heads=3), "not divisible by 3 heads"),
    (lambda: Shape(batch=0), "batch is 0"),
    (lambda: device_of("gpu9"), "Choose auto, cpu, cuda"),
    (lambda: stack_of([], "reversable"), "Did you mean 'reversible'"),
    (lambda: loss_curve("standard", n_steps=1, n_context=1), "A context of 2"),
    (
        lambda: GPT(n_characters=9, n_context=2, d_model=8, n_heads=2, n_layers=1)(
            torch.zeros(1, 3, dtype=torch.int64)
        ),
        "longer than the context",
    ),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_is_explained(call, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        call()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _worker(rank: int, folder: str, kind: Kind, port: int) -> None:
    torch.set_num_threads(1)
    where: Any = {"init_method": f"tcp://127.0.0.1:{port}", "timeout": timedelta(seconds=60)}
    dist.init_process_group("gloo", rank=rank, world_size=2, **where)
    model = DistributedDataParallel(_gpt(kind))
    loss = nn.functional.cross_entropy(
        model(_codes()[rank * 2 : rank * 2 + 2, :-1]).flatten(0, 1),
        _codes()[rank * 2 : rank * 2 + 2, 1:].flatten(),
    )
    loss.backward()
    if rank == 0:
        grads = [p.grad for p in model.module.parameters()]
        torch.save(grads, f"{folder}/grads-{kind}.pt")
    dist.barrier()  # nobody leaves while another still waits for it
    dist.destroy_process_group()


def _gpt(kind: Kind) -> GPT:
    torch.manual_seed(0)
    model = GPT(n_characters=20, n_context=8, d_model=16, n_heads=2, n_layers=4, blocks=kind)
    return model.double()


def _codes() -> torch.Tensor:
    return torch.randint(0, 20, (4, 9), generator=torch.Generator().manual_seed(5))


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one(tmp_path) -> None:
    """DistributedDataParallel over gloo, on one machine."""
    spawn(_worker, (str(tmp_path), "reversible", _free_port()), nprocs=2)
    found = torch.load(tmp_path / "grads-reversible.pt")
    for kind in ("reversible", "reversible-stored"):
        model = _gpt(kind)
        model.loss(_codes()).backward()
        for a, b in zip(found, model.parameters(), strict=True):
            assert (a - b.grad).abs().max() < 1e-14
