"""Where networks train: device, seed and precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assay.curation.system.extras import require
from assay.pipelines.training.architectures.recipes import find_recipe
from assay.pipelines.training.data import LazyRows

if TYPE_CHECKING:
    import torch


@contextmanager
def seeded_device(arch: str, seed: int) -> Iterator[torch.device]:
    """Yield the device, with all draws inside made from `seed`.

    The caller's generators and threads come back as they were.
    """
    require("train", "torch")
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    threads = torch.get_num_threads()
    if find_recipe(arch).input == "embedding":
        # its products are too small to share: beside a busy process, two threads took 8 times as long
        torch.set_num_threads(1)
    try:
        with (
            torch.random.fork_rng(range(torch.cuda.device_count())),
            torch.backends.cudnn.flags(deterministic=True),
        ):
            torch.manual_seed(seed)
            yield device
    finally:
        torch.set_num_threads(threads)


def use_bfloat16(device: torch.device, rows: LazyRows) -> bool:
    """Whether to compute in bfloat16.

    Images alone, and only where the chip does.
    A CPU that emulates it is three times slower than in float32.
    """
    import torch

    if len(rows.shape) == 2 or device.type == "cuda":
        return len(rows.shape) == 4 and torch.cuda.is_bf16_supported(including_emulation=False)
    abilities = torch.cpu.get_capabilities()
    return any(abilities.get(unit, False) for unit in ("avx512_bf16", "amx_bf16"))
