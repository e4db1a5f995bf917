"""Whether ComfyUI's memory is short after a run, and doing something about it before the next one."""

from collections.abc import Iterator
from dataclasses import dataclass

from gpu_functions.comfyui.client import ComfyClient
from gpu_functions.comfyui.lenient import as_dict, as_list
from gpu_functions.contract import Json

LOW_SHARE = 0.10
"""Free memory below this share of the total is short."""


@dataclass(slots=True)
class Relief:
    """For one ComfyUI process. Drops what its nodes left behind; its models stay.

    Not twice in a row: memory that is as short after the next run is what the runs need, and
    dropping it each time would only load it each time again.
    """

    low_share: float = LOW_SHARE
    _eased: bool = False

    async def after_run(self, client: ComfyClient) -> bool:
        """Ask, and free where needed; True when it did. Raises ComfyUnreachableError."""
        is_short = min(free_shares(await client.system_stats()), default=1.0) < self.low_share
        eases = is_short and not self._eased
        if eases:
            await client.free(unload_models=False)
        self._eased = is_short
        return eases


def free_shares(stats: Json) -> Iterator[float]:
    """The free share of each memory that `/system_stats` names: the machine's and its devices'."""
    system = as_dict(stats.get("system"))
    sizes = [(system.get("ram_free"), system.get("ram_total"))]
    devices = map(as_dict, as_list(stats.get("devices")))
    sizes += [(device.get("vram_free"), device.get("vram_total")) for device in devices]
    for free, total in sizes:
        # A size that the operating system does not tell is 0 or absent.
        if isinstance(free, int | float) and isinstance(total, int | float) and total > 0:
            yield free / total
