"""What a cache may be asked to keep of a clip: its frames or its sound."""

from typing import Any, TypeAlias

from emorec.data.recipe import Recipe
from emorec.data.sound.sound_recipe import SoundRecipe

AnyRecipe: TypeAlias = Recipe | SoundRecipe


def recipe_of(plain: dict[str, Any]) -> AnyRecipe:
    """The recipe that `plain()` wrote down.

    >>> recipe_of({"sound_rate": 16000, "sound_seconds": 3.0})
    SoundRecipe(sound_rate=16000, sound_seconds=3.0)
    """
    return SoundRecipe.of(plain) if "sound_rate" in plain else Recipe.of(plain)
