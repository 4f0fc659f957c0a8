"""A person's labelling function: `package.module:function`.

It takes a list of samples and returns as many labels, None where it abstains: function(batch) -> [label | None, ...].
A sample is what its medium gives: a PIL image (the bench's own copy), a text, or a row as a dict.
"""

from __future__ import annotations

import io
import sys
import tokenize
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import invalidate_caches, util
from pathlib import Path
from typing import Any

import numpy as np

from assay.curation.errors import UserError, suggest_names
from assay.curation.media.base import give_samples
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count

FORM = "package.module:function"
AT_ONCE = 256  # samples in a batch
NO_CODE = frozenset(
    (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
)
TAKES = "it takes a list of samples and returns a label or None for each, in their order"


@dataclass(frozen=True)
class LabellingFunction:
    """A labelling function, and the code that it is."""

    name: str  # package.module:function
    function: Callable[[list[Any]], Sequence[str | None]]
    code: str  # hash of its file
    lines: int  # of its file, without blank lines and comments


def load_function(name: str) -> LabellingFunction:
    """Load a labelling function by its name.

    Code that changed is loaded anew. Raises UserError where the name leads to no function.
    """
    return _run_file(name, read_code(name))


def hash_code(name: str) -> str:
    """Hash the file of a labelling function, without running it."""
    return sha256(read_code(name)).hexdigest()[:12]


def read_code(name: str) -> bytes:
    """Read the file of a labelling function; UserError where there is none."""
    try:
        module, _ = name.split(":")
        invalidate_caches()
        spec = util.find_spec(module)
        if spec is None or not (spec.origin or "").endswith(".py"):
            raise ImportError(f"no Python file is called {module}")
        return Path(spec.origin).read_bytes()
    except (ValueError, ImportError, AttributeError, OSError) as e:
        raise UserError(
            f"expected a labelling function, {FORM}, found {name!r}",
            f"is its folder on PYTHONPATH? ({e})",
        ) from None


@cache
def _run_file(name: str, source: bytes) -> LabellingFunction:
    """Run the very bytes that are hashed: a compiled file may be older than its source."""
    module, function = name.split(":")
    spec = util.find_spec(module)
    made = util.module_from_spec(spec)
    before = sys.modules.get(module)
    sys.modules[module] = made  # dataclasses and pickle look there
    try:
        exec(compile(source, spec.origin, "exec"), made.__dict__)
        call = getattr(made, function)
        if not callable(call):
            raise TypeError(f"{function} is no function but {type(call).__name__}")
    except Exception as e:
        if before is None:
            del sys.modules[module]
        else:
            sys.modules[module] = before
        raise UserError(
            f"expected {name} to load, found {type(e).__name__}: {e}", "mend the file"
        ) from e
    return LabellingFunction(name, call, sha256(source).hexdigest()[:12], count_lines(source))


def count_lines(source: bytes) -> int:
    """Count the lines of Python that are no blank line and no comment."""
    found: set[int] = set()
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type not in NO_CODE and token.string and token.type != tokenize.ENCODING:
            found.update(range(token.start[0], token.end[0] + 1))
    return len(found)


def read_batches(bench: Bench, hashes: Sequence[str]) -> Iterator[list[Any]]:
    """Read samples by their content hashes, in batches as a labelling function takes them."""
    hashes = list(hashes)
    for at in range(0, len(hashes), AT_ONCE):
        yield give_samples(bench, hashes[at : at + AT_ONCE])


def ask_labels(
    labeller: LabellingFunction, batch: list[Any], names: Sequence[str], classes: Collection[str]
) -> list[str | None]:
    """Ask a labelling function about a batch.

    names: of the samples, for messages; classes: what it may answer. Returns a label or None for each sample. Raises
    UserError for a function that crashes, answers too few or too many, or names another class.
    """
    try:
        answers = labeller.function(list(batch))
    except Exception as e:
        raise _crashed(labeller, batch, names, e) from e
    sized = isinstance(answers, Sequence | np.ndarray) and not isinstance(answers, str)
    if not sized or len(answers) != len(batch):
        found = f"{len(answers):,}" if sized else type(answers).__name__
        n = format_count(len(batch), "label")
        raise UserError(f"expected {n} from {labeller.name}, found {found}", TAKES)
    out = [str(a) if isinstance(a, str) else a for a in answers]
    for name, answer in zip(names, out):
        if answer is not None and not (isinstance(answer, str) and answer in classes):
            known = ", ".join(sorted(classes)[:12])
            meant = suggest_names(answer, classes) if isinstance(answer, str) else []
            raise UserError(
                f"expected one of the classes {known} or None from {labeller.name}, "
                f"found {answer!r} ({type(answer).__name__}) for sample {name}",
                f"did you mean {meant[0]}?" if meant else TAKES,
            )
    return out


def _crashed(
    labeller: LabellingFunction, batch: list[Any], names: Sequence[str], e: Exception
) -> UserError:
    """Name the first sample on which a labelling function crashes by itself."""
    where = f"on a batch of {len(batch):,} from sample {names[0]}"
    for name, sample in zip(names, batch):
        try:
            labeller.function([sample])
        except Exception as own:
            e, where = own, f"on sample {name}"
            break
    return UserError(
        f"expected labels from {labeller.name}, found {type(e).__name__}: {e} {where}",
        "mend it, or return None where it cannot tell",
    )
