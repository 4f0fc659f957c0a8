"""The text half of an image-text model: `package.module:function`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from assay.curation.errors import UserError

Texts = Callable[[Sequence[str]], np.ndarray]  # texts to vectors (n, d)
HINT = "it takes a list of texts and returns one vector each, (n, d) of finite floats"


@dataclass(frozen=True)
class TextEmbedder:
    """A function list[str] -> (n, d), in the space of the bench's vectors.

    It runs in this process, so that its model is loaded once. Its length is checked where it meets the vectors.
    """

    function: Texts
    name: str = "the text embedder"

    def __call__(self, text: str) -> np.ndarray:
        """Embed one text as a vector (d,); UserError for what is none."""
        try:
            found = np.asarray(self.function([text]), "f4")
        except UserError:
            raise
        except Exception as e:
            raise UserError(
                f"expected {self.name} to embed the words, found {type(e).__name__}: {e}",
                f"mend it: {HINT}",
            ) from None
        sound = found.ndim == 2 and len(found) == 1 and np.isfinite(found).all()
        if not sound or not found.any():
            shape = " x ".join(map(str, found.shape)) or "one number"
            one = found.ndim == 2 and len(found) == 1
            what = "NaN, infinity or zeros alone" if one else f"an array of {shape}"
            raise UserError(f"expected one vector (1, d) from {self.name}, found {what}", HINT)
        return found[0]


@cache
def load_text_embedder(name: str) -> TextEmbedder:
    """Import a text embedder by its name; it stays loaded."""
    try:
        module, function = name.split(":")
        return TextEmbedder(getattr(importlib.import_module(module), function), name)
    except (ValueError, ImportError, AttributeError) as e:
        raise UserError(
            f"expected a text embedder, package.module:function, found {name!r} ({e})",
            "is the module on PYTHONPATH?",
        ) from None


def find_text_embedder(given: str | Texts | None) -> TextEmbedder | None:
    """Find a text embedder by its name, or wrap a function.

    None for none.
    """
    if given is None or given == "":
        return None
    return load_text_embedder(given) if isinstance(given, str) else TextEmbedder(given)
