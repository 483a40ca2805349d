"""Training frameworks: found by what tables call them, each release with its own facts."""

from __future__ import annotations

import pytest

from ridgeline import catalog
from ridgeline.errors import CatalogError


def test_each_has_a_source_and_names_of_its_own() -> None:
    found = catalog.frameworks()
    names = [n.casefold() for f in found.values() for n in (f.id, *f.names)]
    eras = [era.id for f in found.values() for era in f.eras]
    doubled = {n for n in names if names.count(n) > 1} - set(found)
    assert not doubled
    assert len(set(eras)) == len(eras)
    assert all(f.source for f in found.values())
    assert set(catalog.framework().stands_for) <= set(eras)


@pytest.mark.parametrize(
    ("cell", "date", "framework", "era"),
    [
        ("NeMo (dgxc v25.04.02)", "2025-07-23", "nemo", "nemo-2025"),
        ("NeMo-Launcher 24.05", "2024-06", "nemo", "nemo-2024"),
        ("NeMo 24.07 +vboost", "", "nemo", "nemo-2024"),
        ("Megatron-DeepSpeed", "2022-02", "megatron-deepspeed", "megatron-deepspeed-2022"),
        ("Megatron-LM", "2022-05", "megatron-lm", "megatron-lm-2022"),
        ("llm-foundry (Composer, PyTorch FSDP)", "2024-04-22", "llm-foundry", "llm-foundry-2023"),
        ("torchtitan", "2025-06", "torchtitan", "torchtitan-2025"),
        ("MLPerf v4.1 (Dell)", "2024-11", "mlperf-nvidia", "mlperf-nvidia-2024"),
        ("MLPerf v4.0 (Google)", "2024-06", "maxtext", "maxtext-2024"),
        ("nanotron", "", "nanotron", "nanotron-2025"),
        ("nanotron job 13436293", "", "nanotron", "nanotron-2024"),
    ],
)
def test_cells_of_tables_are_understood(cell: str, date: str, framework: str, era: str) -> None:
    found, version = catalog.framework_of(cell)
    assert (found.id, found.era(version, date).id) == (framework, era)


def test_releases_before_flash_attention_write_their_scores() -> None:
    fused = [
        catalog.framework(name).era(date=date).fused_attention
        for name, date in (
            ("megatron-lm", "2022-05"), ("megatron-deepspeed", "2022-02"),
            ("megatron-deepspeed", "2024-09-26"), ("megatron-lm", "2024-06"),
            ("llm-foundry", "2024-04-22"),
        )
    ]  # fmt: skip
    assert fused == [False, False, False, True, True]


def test_fsdp_keeps_weights_wide_and_megatron_a_copy() -> None:
    assert not catalog.framework("torchtitan").master
    assert catalog.framework("megatron-lm").master
    assert catalog.framework("nemo").reduce_bytes == 2.0


def test_unknown_names_are_told_near_ones() -> None:
    with pytest.raises(CatalogError, match="Did you mean 'megatron-lm'"):
        catalog.framework("megatron-lmm")


def test_constants_of_memory_are_of_frameworks_and_eras_that_there_are() -> None:
    places = {p for f in catalog.frameworks().values() for p in (f.id, *(e.id for e in f.eras))}
    constants = catalog.training_memory()
    for name in type(constants).model_fields:
        one = getattr(constants, name)
        assert set(one.frameworks) <= places, name
        assert one.unit in ("1", "bytes")
        assert one.what
        assert one.source


def test_the_constant_of_an_era_comes_before_that_of_its_framework() -> None:
    logit = catalog.training_memory().logit
    torchtitan = catalog.framework("torchtitan")
    eras = [torchtitan.era(date=d) for d in ("2024-12", "2025-06")]
    assert [logit.of("torchtitan", era) for era in eras] == [
        logit.frameworks[era.id] for era in eras
    ]
    assert logit.of("megatron-lm", catalog.framework("megatron-lm").era()) == logit.value
