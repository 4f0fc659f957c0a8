"""A person's own model: its probabilities and embeddings, read from a file, matched to samples and classes, and doubted before they judge."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np

from assay.curation.errors import UserError
from assay.curation.label_quality import scoring
from assay.curation.storage.arrays import Shards, save

ENDINGS = (".npy", ".npz", ".csv", ".parquet", ".feather")
NAMES = (
    "sample sample_id id source_id key path uri file file_name filename image".split()
)  # what a column of ids is called, the likeliest first
ORDER = "the order of the rows"
SURE = 2  # standard errors above chance at which agreement with the given labels is more than luck
FAR = 0.1  # what another order must agree better by to be named


def read_own(path, bench, what):
    """The numbers of a file, a frame by sample id: npy, npz, CSV, Parquet or Feather, its rows keyed by id, key or path, or in the bench's order.
    `attrs` of the frame: matched, by what the rows were. UserError where rows are missing twice, unknown, or no finite numbers."""
    state, frame = bench.state(), table_of(path, what)
    column = key_column(frame)
    if column is None:
        out, how = by_order(frame, state, path, what), f"{ORDER}, which nothing vouches for"
    else:
        out, how = by_key(frame, column, state, path)
    out = numbers_of(out, path, what)
    out.attrs["matched"] = how
    return out


# ---- what is in the file


def table_of(path, what):
    """What a file holds, a frame."""
    import pandas as pd

    ending = Path(path).suffix.lower()
    readers = {
        ".npy": lambda: pd.DataFrame(
            two_dimensional(np.load(path, allow_pickle=False), path, what)
        ),
        ".npz": lambda: of_arrays(path, what),
        ".csv": lambda: pd.read_csv(
            path, dtype={c: str for c in pd.read_csv(path, nrows=0) if is_called(c)}
        ),  # 007 is no 7
        ".parquet": lambda: pd.read_parquet(path),
        ".feather": lambda: pd.read_feather(path),
    }
    hint = "write it with numpy.save, numpy.savez or DataFrame.to_parquet"
    if ending not in readers:
        raise UserError(f"expected {what} as {', '.join(ENDINGS)}, found {path}", hint)
    try:
        frame = readers[ending]()
    except UserError:
        raise
    except (OSError, ValueError, EOFError) as e:  # pyarrow's and pandas' own are ValueErrors
        raise UserError(
            f"expected {what} as {', '.join(ENDINGS)}, found {path}: {e}", hint
        ) from None
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names=frame.index.name or "key")
    if ending == ".csv" and str(frame.columns[0]).startswith(
        "Unnamed"
    ):  # pandas wrote its index: ids, or a count of rows
        counted = frame.iloc[:, 0].tolist() == [str(i) for i in range(len(frame))]
        frame = frame.iloc[:, 1:] if counted else frame.rename(columns={frame.columns[0]: "key"})
    return listed(frame)


def is_called(column):
    """Is this what a column of ids is called? One that pandas wrote without a name is."""
    return str(column).lower() in NAMES or str(column).startswith("Unnamed")


def two_dimensional(array, path, what):
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise UserError(
            f"expected {what} as rows of numbers in {path}, found {array.dtype} of shape {array.shape}",
            "one row a sample",
        )
    return array


def of_arrays(path, what):
    """The one matrix of an .npz as a frame, with its columns named by an array of as many texts, and its rows by one of as many ids."""
    import pandas as pd

    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    tables = {name: a for name, a in arrays.items() if a.ndim == 2 and a.dtype.kind in "fiu"}
    if len(tables) != 1:
        found = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise UserError(
            f"expected one array of {what}, (samples, numbers), in {path}, found {found}",
            "leave the others out",
        )
    (name, table), *_ = tables.items()
    lists = {n: a for n, a in arrays.items() if n != name and a.ndim == 1}
    ids = next(
        (n for n in NAMES + [f"{n}s" for n in NAMES] if n in lists and len(lists[n]) == len(table)),
        None,
    )
    ids = ids or next(
        (
            n
            for n, a in lists.items()
            if a.dtype.kind in "US" and len(a) == len(table) != table.shape[1]
        ),
        None,
    )
    names = next(
        (
            n
            for n, a in lists.items()
            if n != ids and a.dtype.kind in "US" and len(a) == table.shape[1]
        ),
        None,
    )
    frame = pd.DataFrame(table, columns=None if names is None else lists[names].astype(str))
    if ids is not None:
        frame.insert(
            0, "sample", lists[ids].astype(str) if lists[ids].dtype.kind in "US" else lists[ids]
        )
    return frame


def listed(frame):
    """A frame with a column of lists, all of one length, in as many columns of numbers."""
    import pandas as pd

    lists = [c for c in frame if len(frame) and np.ndim(frame[c].iloc[0]) == 1]
    if len(lists) != 1:
        return frame
    try:
        wide = pd.DataFrame(np.stack(frame[lists[0]].to_numpy()), index=frame.index)
    except ValueError:
        raise UserError(
            f"expected lists of one length in the column {lists[0]}, found others",
            "one number for each class or dimension",
        ) from None
    return pd.concat([frame.drop(columns=lists), wide], axis=1)


# ---- whose each row is


def key_column(frame):
    """The column that says whose a row is: one that is called so, else the first of texts; None where there is none."""
    texts = [
        c
        for c in frame
        if frame[c].dtype.kind in "OUST" or str(frame[c].dtype) in ("str", "string", "category")
    ]
    called = [c for name in NAMES for c in frame if str(c).lower() == name]
    return next(iter([c for c in called if c in texts] + texts + called), None)


def by_order(frame, state, path, what):
    """A frame whose rows are those of the bench, all or the kept ones (as the manifest of `assay export` lists them)."""
    kept = state.index[state.keep]
    for ids in (state.index, kept):
        if len(frame) == len(ids):
            return frame.set_index(ids)
    raise UserError(
        f"expected {len(state):,} rows of {what} (the bench's order), found {len(frame):,} rows in {path} and no column that names samples",
        "add a column `sample`, `key` or `path`: assay export writes a manifest with all three",
    )


def by_key(frame, column, state, path):
    """(the frame by sample id, what its column matched): ids, keys or paths, whichever most of its rows are."""
    import pandas as pd

    said = frame[column].astype(str).str.replace("\\", "/", regex=False)
    ways = dict(id=state.index, key=state.key, path=state.uri)
    ways |= {"file name": state.key.astype(str).str.split("/").str[-1]}
    tried = []
    for way, names in ways.items():
        names = pd.Series(
            state.index,
            index=pd.Index(np.asarray(names, object).astype(str)).str.replace(
                "\\", "/", regex=False
            ),
        )
        asked = said if way != "file name" else said.str.split("/").str[-1]
        tried.append((asked.isin(names.index), asked, names, way))
    hits, said, names, way = max(tried, key=lambda t: t[0].sum())  # the first of equals
    lost = frame[column][~hits]
    twice = said[said.duplicated()]
    if len(lost) or len(twice):
        found = [f"{len(lost):,} unknown, for example {lost.iloc[0]!r}"] if len(lost) else []
        found += (
            [f"{len(twice):,} that come again, for example {twice.iloc[0]!r}"] if len(twice) else []
        )
        raise UserError(
            f"expected each row of {path} to be a sample, by its {way}, once, found {' and '.join(found)}",
            "take ids from `assay export`",
        )
    names = names[names.index.isin(said)]
    if names.index.has_duplicates:
        some = names.index[names.index.duplicated()][0]
        raise UserError(
            f"expected each {way} in {path} to be of one sample, found {some!r}, which several samples have",
            "say ids: assay export",
        )
    ids = names.loc[said].to_numpy(object)
    return frame.drop(columns=column).set_index(
        pd.Index(ids, name="sample")
    ), f"{way} (column {column})"


def numbers_of(frame, path, what):
    """A frame all of finite numbers."""
    import pandas as pd

    if not len(frame) or not len(frame.columns):
        raise UserError(
            f"expected rows and columns of {what} in {path}, found {frame.shape[0]} and {frame.shape[1]}",
            "one row a sample",
        )
    if frame.columns.has_duplicates:
        raise UserError(
            f"expected each column of {path} once, found {frame.columns[frame.columns.duplicated()][0]!r} twice",
            "leave one out",
        )
    odd = [
        c
        for c in frame
        if not pd.api.types.is_numeric_dtype(frame[c]) or frame[c].dtype.kind in "bc"
    ]
    if odd:
        raise UserError(
            f"expected columns of numbers in {path} beside the one that names samples, found {', '.join(map(str, odd[:5]))}",
            "leave it out",
        )
    if not np.isfinite(frame.to_numpy("f8", na_value=np.nan)).all():
        raise UserError(
            f"expected finite numbers in {path}, found NaN or infinity", "mend the file"
        )
    return frame


# ---- probabilities: which column is which class, and whether they can be right


def of_classes(probs, state):
    """(the probabilities (m, k) of a frame by sample id, classes in lexicographic order, what to say of them) for the labels of a state. UserError
    where columns or rows are others, they are no probabilities, or they agree with the given labels no better than chance."""
    part = scoring.judged(state)
    classes, _ = scoring.targets(part)
    names, how, guessed = columns_of(probs, classes)
    array = probs.to_numpy("f8")[:, [names.index(c) for c in classes]]
    if (array < 0).any() or (array > 1 + 1e-3).any() or (abs(array.sum(1) - 1) > 1e-3).any():
        what = f"numbers from {array.min():.3g} to {array.max():.3g}, rows that sum to {array.sum(1).min():.3g} to {array.sum(1).max():.3g}"
        raise UserError(
            f"expected rows of probabilities that sum to 1, found {what}",
            "apply a softmax to logits first",
        )
    needed = part.index[part.keep & part.split.isin(("train", "val")) & part.label.notna()]
    missing = needed.difference(probs.index)
    if len(missing):
        some = part.key[missing[0]]
        raise UserError(
            f"expected probabilities for {len(needed):,} train and val samples, found none for {len(missing):,}, such as {some}",
            "add them",
        )
    y = scoring.indices(part.label[needed], classes)
    needed, y = needed[y >= 0], y[y >= 0]
    others = orders(state, probs.index, needed) if ORDER in probs.attrs.get("matched", "") else {}
    said = doubted(array, probs.index.get_indexer(needed), y, classes, guessed, others)
    how = f"{how}; rows by {probs.attrs['matched']}" if "matched" in probs.attrs else how
    return array, classes, f"{how}; {said}"


def columns_of(probs, classes):
    """(the class of each column, how that is known, whether it is a guess)."""
    names = [str(c) for c in probs.columns]
    counted, named = (
        names == [str(i) for i in range(len(names))],
        any(isinstance(c, str) for c in probs.columns),
    )
    if set(names) == set(classes) and (named or not counted):
        return names, "columns by name", False
    if not counted or len(names) != len(classes):
        lost, more = sorted(set(classes) - set(names)), sorted(set(names) - set(classes))
        found = (
            f"{len(names)} columns"
            if counted
            else f"{', '.join(names[:12])}{' ...' * (len(names) > 12)}"
        )
        if not counted and (lost or more):
            found += "".join(
                f"; {word} {', '.join(some[:5])}"
                for word, some in (("none for", lost), ("unknown", more))
                if some
            )
        raise UserError(
            f"expected a column for each of the {len(classes)} classes {', '.join(classes[:12])}{' ...' * (len(classes) > 12)}, found {found}",
            "name the columns by class, in any order, and leave all others out; classes are those of the kept, labelled train samples",
        )
    whole = all(
        c.lstrip("-").isdecimal() for c in classes
    )  # counted by who trained on them, so never 0, 1, 10, 11, 2
    order = sorted(classes, key=int) if whole else classes
    return (
        order,
        f"columns have no names: taken as {', '.join(order[:12])}{' ...' * (len(order) > 12)}, {'by number' if whole else 'by alphabet'}",
        True,
    )


def doubted(p, rows, y, classes, guessed, others):
    """What to say of how the rows (m,) of p (n, k) agree with given labels y (m,). UserError where it is no better than chance, or where columns that
    were guessed, or rows, in another order (others: {name: rows (m,)}) agree far better."""
    from scipy.optimize import linear_sum_assignment

    n, k, best = len(y), len(classes), p.argmax(1)
    confusion = np.bincount(best[rows] * k + y, minlength=k * k).reshape(k, k)
    share = confusion.trace() / n
    chance = float(confusion.sum(0) @ confusion.sum(1)) / n**2
    luck = SURE * np.sqrt(chance * (1 - chance) / n) if n >= 30 else 0
    swapped = linear_sum_assignment(-confusion)[1]
    better = confusion[np.arange(k), swapped].sum() / n
    moved = [f"{classes[i]} as {classes[j]}" for i, j in enumerate(swapped) if i != j]
    found = (
        [
            (
                better,
                f"with its columns in another order ({', '.join(moved[:5])}{' ...' * (len(moved) > 5)})",
            )
        ]
        if moved
        else []
    )
    found += [
        ((best[at] == y).mean(), f"with its rows in another order ({name})")
        for name, at in others.items()
    ]
    other, how = max(found, default=(0, ""))
    clear = other > share + max(FAR, 3 / np.sqrt(n)) and other > chance + luck
    says = f"it would agree with {other:.0%} {how}" if clear else ""
    if k > 1 and share <= chance + luck or clear and (guessed or "rows" in how):
        raise UserError(
            f"expected probabilities that agree with the given labels beyond chance ({chance:.0%}), found {share:.0%} of {n:,}"
            + (f"; {says}" if says else ""),
            "name the columns by class and the rows by sample: a column `sample`, `key` or `path`",
        )
    return f"{share:.0%} of {n:,} given labels are the likeliest class, {chance:.0%} by chance" + (
        f"; note: {says}" if says else ""
    )


def orders(state, ids, asked):
    """{name: rows (m,)} of other orders in which a file without names may list the samples `ids`: where its row for each of `asked` would be."""
    frame, at, rows = state.loc[ids], ids.get_indexer(asked), np.arange(len(ids))
    keys = {
        "sorted by key": frame.key,
        "sorted by path": frame.uri,
        "sorted by id": ids,
        "grouped by split": frame["split"],
    }
    ranks = {
        name: np.argsort(np.argsort(np.asarray(by, object).astype(str), kind="stable"))
        for name, by in keys.items()
    }
    ranks |= {
        "from last to first": rows[::-1],
        "one row later": (rows + 1) % len(ids),
        "one row earlier": (rows - 1) % len(ids),
    }
    return {name: rank[at] for name, rank in ranks.items()}


# ---- a person's own model


def store_own(bench, state, vectors):
    """A person's embeddings as shards of their own; every sample needs one."""
    missing = state.index.difference(vectors.index)
    if len(missing):
        raise UserError(
            f"expected embeddings of all {len(state):,} samples, found none for {len(missing):,}",
            "add them: the graph needs every image",
        )
    array = vectors.loc[state.index].to_numpy("f4")
    folder = f"own-{sha256(array.tobytes()).hexdigest()[:12]}"
    shards = Shards(bench.arrays / "embeddings" / folder)
    hashes, first = np.unique(np.asarray(state.content_hash, "S32"), return_index=True)
    if (shards.find(hashes) < 0).any():
        shards.append(hashes, array[first])
    return folder


def store_second(bench, ids, probs, classes):
    """A person's probabilities (n, k), as own.of_classes has them, as the second opinion."""
    save(
        bench.arrays / "second.npz",
        key=np.array("own"),
        classes=np.array(json.dumps(classes)),
        ids=np.asarray(ids, "S32"),
        probs=probs.astype("f4"),
    )
