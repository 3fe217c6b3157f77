"""What can be trained: the contract of a recipe, and the list of recipes by name. Imports no PyTorch by itself."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from vestiary.errors import InputError, MissingExtraError
from vestiary.training.config import FOLDER, INSTALL, RecipeConfig

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.utils.data import Dataset

GROUP = "vestiary.recipes"
DIFFUSION = "Type: pip install 'vestiary[train,diffusion]'"
NEEDS = ("torch", "accelerate", "yaml", "onnx")


class Recipe(Protocol):
    """Networks, samples and losses of one thing to be trained; `Recipe(config, folder)` makes it, without its data.

    Data is opened in `samples` and `validate`, so that a checkpoint can be exported where the data is not. PyTorch is
    seeded before the constructor is called, and again before every step.

    It may have these methods too:
        advance(step, progress, averaged) -> bool: called before each step with the share of the run that is done;
            True: ask for `samples("train")` again.
        state() -> dict, restore(dict): what else a checkpoint has to hold, as plain values and tensors.
        exported(networks) -> vestiary.training.export.Exported: lets `vestiary export` compare, quantise and score.
        save_folder(networks, folder) -> card: what `vestiary export` calls instead where the result is a model folder.
        answering(file) -> dict: networks for `validate` that ask the ONNX file, where its outputs are neither the
            network's own nor their sigmoid or softmax.
    """

    Config: ClassVar[type[RecipeConfig]]
    name: ClassVar[str]
    networks: dict[str, nn.Module]

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One per pass, in the order of the passes of a step; asked for when the networks are on their device."""

    def samples(self, split: str) -> Dataset[dict[str, Any]]:
        """Of "train" or "validation". `samples[i]`, a dict of arrays or tensors, is a pure function of (seed, i).

        For "train", i runs on without end (`loader.Shuffled` makes that of a finite data set). A picture that cannot
        be read raises an ImageError or OSError that names the file, and the loop takes another sample.

        Raises:
            InputError: the data is missing or in another layout.
        """

    def losses(self, which: str, batch: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """The losses of the pass `which`, already weighted; their sum is back-propagated into its optimizer's weights.

        Networks of the other passes take no gradient meanwhile. Runs under autocast where the precision is mixed.
        """

    def validate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """Figures of these (averaged) networks, in evaluation mode without gradients; "score": higher is better."""

    def export(self, networks: dict[str, nn.Module], path: Path) -> None:
        """Write the ONNX file of these networks (`vestiary.training.export.write_onnx` does most of it)."""


@dataclass(frozen=True)
class RecipeSpec:
    """A recipe that can be loaded: its class as `module:Class`, and what it trains in one line."""

    name: str
    target: str
    summary: str

    @property
    def config(self) -> Path | None:
        """Its default configuration, if one is shipped."""
        path = FOLDER / f"{self.name}.yaml"
        return path if path.is_file() else None


BUILT_IN = (
    RecipeSpec("parser", "vestiary.training.parser:ParserRecipe", "parts of a person, pixel by pixel"),
    RecipeSpec("landmarks", "vestiary.training.garment:LandmarksRecipe", "mask and landmarks of a garment"),
    RecipeSpec(
        "attributes", "vestiary.training.attributes:AttributesRecipe", "what kind of garment it is, and its vector"
    ),
    RecipeSpec("refiner", "vestiary.training.refiner:RefinerRecipe", "light, folds and skin of a coarse fitting"),
    RecipeSpec(
        *("autoencoder", "vestiary.training.autoencoder:AutoencoderRecipe"), "latents in which the diffusion works"
    ),
    RecipeSpec(*("diffusion", "vestiary.training.diffusion:DiffusionRecipe"), "people dressed by a denoising UNet"),
    RecipeSpec(*("controlnet", "vestiary.training.controlnet:ControlRecipe"), "a branch that holds the UNet to a pose"),
    RecipeSpec(*("distil", "vestiary.training.distil:DistilRecipe"), "the same pictures in fewer steps, or smaller"),
)


def list_recipes() -> dict[str, RecipeSpec]:
    """Every recipe by name: the built-in ones, and those of the entry point group `vestiary.recipes`."""
    found = {spec.name: spec for spec in BUILT_IN}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        found.setdefault(point.name, RecipeSpec(point.name, point.value, "from another package"))
    return found


def find_recipe(name: str) -> RecipeSpec:
    """The recipe of that name, or of a `module:Class` of your own.

    Raises:
        InputError: there is none; the message lists the names.
    """
    if ":" in name:
        return RecipeSpec(name.rpartition(":")[2].lower(), name, "your own")
    recipes = list_recipes()
    if name not in recipes:
        hint = f"Choose one of: {', '.join(recipes)}; or name a class of your own as module:Class."
        raise InputError(f"no recipe is called {name!r}.", hint=hint)
    return recipes[name]


def load_recipe(spec: RecipeSpec) -> type[Recipe]:
    """The recipe's class.

    Raises:
        MissingExtraError: PyTorch or another part of the extra `train` is not installed.
        InputError: there is no such module or class.
    """
    check_installed()
    module, _, attribute = spec.target.partition(":")
    try:
        found: type[Recipe] = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as problem:
        if not module.startswith(problem.name or "?"):
            hint = DIFFUSION if problem.name in ("diffusers", "peft", "transformers", "safetensors") else INSTALL
            raise MissingExtraError(f"the recipe {spec.name} needs {problem.name}.", hint=hint) from None
        raise InputError(f"there is no module {module}.", hint="Put its folder on PYTHONPATH.") from None
    except AttributeError:
        raise InputError(f"{module} has no class {attribute}.") from None
    return found


def check_installed() -> None:
    """Find out whether the extra `train` is installed.

    Raises:
        MissingExtraError: it is not, or in part.
    """
    missing = [module for module in NEEDS if importlib.util.find_spec(module) is None]
    if missing:
        raise MissingExtraError(f"training needs {', '.join(missing)}.", hint=INSTALL)


def make_recipe(kind: type[Recipe], config: RecipeConfig, folder: Path) -> Recipe:
    """The recipe with its networks, whose first weights depend on the configuration's seed alone."""
    import torch

    torch.manual_seed(config.seed)
    return kind(config, folder)  # type: ignore[call-arg]
