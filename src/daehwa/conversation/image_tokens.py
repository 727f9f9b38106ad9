"""How many tokens an image is: what is reserved for one, and what is guessed where nobody counts. Pure, for turns and
the gateway alike.
"""

from collections.abc import Iterable
from typing import Final

IMAGE_TOKENS: Final = 15_000
"""What a photograph of 12 million pixels is for models that look at all of them where nothing else is asked: a patch of
32 by 32 pixels is 1.2 tokens. Others make it smaller first, and count 1,000 to 4,000.
"""
LIKELY_IMAGE_TOKENS: Final = 1_500
"""What one of the size that the page sends is for most models: it counts so in the context window, and where an
upstream counts nothing.
"""
_TILED: Final = "gpt-4o-mini"
_TILES: Final = 33_000
"""It counts 5,667 tokens for each of up to six tiles."""


def images_beyond(images: int, model: str) -> int:
    """Return how many tokens more than they are counted as so many images may be for a model of this name."""
    return images * _TILES if _TILED in model else 0


def reserved_for_images(images: int, models: Iterable[str]) -> int:
    """Return how many tokens so many images are at most for the dearest of these models, by their names."""
    return images * IMAGE_TOKENS + max((images_beyond(images, model) for model in models), default=0)
