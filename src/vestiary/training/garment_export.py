"""The garment network with the answers that the run time wants."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from vestiary.networks.garment import GarmentNetwork

OUTPUTS = ("mask", "heat", "visible", "category", "sleeve", "neckline", "up", "presence")


class Answers(nn.Module):
    """The network with probabilities for logits, as the run time wants them; `heat` stays logits."""

    def __init__(self, network: GarmentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        found = cast(dict[str, Tensor], self.network(image))
        for name in ("mask", "visible", "presence"):
            found[name] = found[name].sigmoid()
        for name in ("category", "sleeve", "neckline"):
            found[name] = found[name].softmax(1)
        return tuple(found[name] for name in OUTPUTS)
