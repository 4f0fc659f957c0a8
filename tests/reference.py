"""The reference in docs/, made from the code: `python -m tests.reference` says what is old, `--write` writes it anew."""

import inspect
import pkgutil
import re
import sys
import tempfile
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import assay
from assay import curation
from assay.curation.filtering.columns import OWN, SAYS_OF_PROPERTY, SIMILARITY
from assay.curation.filtering.conditions import LONGEST
from assay.curation.filtering.functions import ARITHMETIC, CASTS, COMPARISONS, FUNCTIONS, LIKE
from assay.curation.filtering.table import MEMORY, SECONDS
from assay.curation.formats import base as formats
from assay.curation.issues.finders import list_kinds
from assay.curation.media.base import media_types
from assay.curation.media.images import SUFFIXES
from assay.curation.tasks.base import list_tasks
from assay.pipelines.cli.main import make_parser
from assay.pipelines.embedders.base import list_embedders
from assay.pipelines.engines.base import list_engines
from assay.pipelines.experiments.plan import Plan
from assay.pipelines.training.architectures.base import list_architectures
from tests.helpers import ROOT
from tests.layouts.readers import READ_AS

FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- made by `python -m tests.reference --write`: change the code instead -->\n"
DEFAULTS = {"who": "your user name"}  # what would be another on every machine
SHARED = {"help", "bench", "json"}
INTERNAL = {
    "mend",
    "link",
    "damages",
    "labels",
    "table",
    "sample_table",
    "embed",
}  # of Bench, for Assay itself
DOES = dict(
    question="stands above the report",
    versions="what is compared: the others with the first; the verdict is about the last",
    architectures="what is trained on each version",
    seeds="how often each version is trained with each architecture",
    test="whose test labels judge",
    control="does as much at random as the last version does by choice",
    ceiling="what could be had at best",
    margin="effects below it are called too small to matter",
    effect="the size that the report says how to show",
    effects="what is tested and shown; all that is tested shares Holm's correction",
    epochs="passes over the data, for every network",
    slices="parts of the test set to judge apart",
)
CLOSED_BY = {"drop": "dropping it", "review": "a decision on it", "nothing": "nothing"}


def command_line() -> Iterator[str]:
    """Every verb, with what it says of itself and its options."""
    yield "# Command line\n"
    yield "`assay VERB`, or `python -m assay VERB`. `assay VERB --help` says the same as this page.\n"
    yield "Every verb takes `-b BENCH` (`--bench`: the folder of the bench; else `$ASSAY_BENCH`, else the current folder),"
    yield "`--json` (print the same as data: [what each prints](json.md)) and `-h` (`--help`).\n"
    yield "The exit status is 0 for done, 1 for a check that failed, 2 for what you can mend, and 130 for Ctrl-C.\n"
    for name, parser in list_verbs().items():
        yield f"## assay {name}\n"
        yield f"{parser.description.strip()}\n"
        yield f"```text\n{usage(parser)}\n```\n"
        own = [action for action in parser._actions if action.dest not in SHARED]
        yield from (f"- {describe_option(action)}" for action in own)
        yield ""


def list_verbs() -> dict:
    """{verb: its parser}."""
    (verbs,) = [action for action in make_parser()._actions if action.choices]
    return verbs.choices


def usage(parser) -> str:
    """The usage, whatever the width of the terminal."""
    words = " ".join(parser.format_usage().split()).removeprefix("usage: ")
    words = words.replace(" [-h] [-b BENCH] [--json]", "")
    # break between options, not inside of one
    words = re.sub(r"(?<=\S) (?![\[(-])", "\0", words)
    lines = textwrap.wrap(words, 90, subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join(lines).replace("\0", " ")


def describe_option(action) -> str:
    """An option or argument: how it is written, and what it does."""
    called = action.dest.upper() if action.option_strings else action.dest
    value = action.metavar or (action.nargs != 0 and called) or ""
    if action.choices:
        value = " or ".join(map(str, action.choices))
    value = " ".join(value) if isinstance(value, tuple) else value
    names = [f"`{option} {value}`".replace(" `", "`") for option in action.option_strings]
    default = DEFAULTS.get(action.dest, action.default)
    # as argparse fills in its help
    said = (action.help or "") % (vars(action) | dict(default=default, prog="assay"))
    return f"{', '.join(names) or f'`{value}`'}: {escape(said)}".removesuffix(": ")


def escape(text: str) -> str:
    """Text of the code in Markdown: what a person reads, as it stands."""
    parts = re.split(r"(`[^`]+`)", text)
    parts[::2] = [re.sub(r"([\\`*_<>\[\]|])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def python() -> Iterator[str]:
    """The public names, and the methods of a bench."""
    yield "# Python\n"
    yield "`import assay` has these names. All others are internal, and change without notice.\n"
    for name in sorted(assay.__all__, key=str.lower):
        thing = getattr(assay, name)
        yield f"## assay.{name}\n"
        if inspect.isfunction(thing):
            yield f"`assay.{name}{signature(thing)}`\n"
        yield f"{paragraphs(thing)}\n"
    yield "## Methods of a bench\n"
    for name, method in list_methods().items():
        yield f"### bench.{name}\n"
        yield f"`bench.{name}{signature(method)}`\n"
        yield f"{paragraphs(method)}\n"


def list_methods() -> dict:
    """{name: method} of a bench, without what Assay itself calls."""
    own = {
        name for base in assay.Bench.__mro__ if base.__name__ == "Bench" for name in vars(base)
    } | {"sql"}
    names = sorted(name for name in own - INTERNAL if not name.startswith("_"))
    return {name: getattr(assay.Bench, name) for name in names}


class Raw(str):
    """A type as it is written."""

    __repr__ = str.__str__


def signature(function) -> str:
    """The parameters as they are written, without self."""
    found = inspect.signature(function)
    parameters = [
        p.replace(annotation=Raw(p.annotation)) if isinstance(p.annotation, str) else p
        for p in found.parameters.values()
        if p.name != "self"
    ]
    result = found.return_annotation
    result = Raw(result) if isinstance(result, str) else result
    return str(found.replace(parameters=parameters, return_annotation=result))


def paragraphs(thing) -> str:
    """What it says of itself, then what the functions say that it names: 'see queue.build_queue'."""
    text = inspect.getdoc(thing)
    for name in re.findall(r"see curation\.Bench\.(\w+)", text):  # what it extends
        more = inspect.getdoc(getattr(curation.Bench, name)).split("\n\n", 1)
        text = "\n\n".join([text.replace(f": see curation.Bench.{name}", ""), *more[1:]])
    longer = ""
    for module, name in re.findall(r"\b([a-z_]+)\.([a-z_]+)\b", text):
        if function := find_function(module, name):
            more = inspect.getdoc(function).split("\n\n", 1)[-1]
            if "Returns" in more:  # it says the same at length
                text = re.sub(r"\s*\bReturns [{\[(].*?\.(?=\s|$)", "", text, flags=re.S)
            longer += "\n\n" + more
    text += longer
    text = re.sub(r"\bSee\s+\w+\.\w+( for the \w+)?\.\s*", "", text)
    named = r"[:;]\s+(for its columns )?see\s+\w+\.\w+(, for expressions \w+\.\w+)?\."
    return escape(re.sub(named, ".", text)).strip()


def find_function(module: str, name: str):
    """A function of the module of curation that is called so, or None."""
    for found in pkgutil.walk_packages(curation.__path__, "assay.curation."):
        if found.name.endswith(f".{module}"):
            function = getattr(import_module(found.name), name, None)
            return function if inspect.isfunction(function) else None


def plan() -> Iterator[str]:
    """Every key of the plan of an experiment."""
    yield "# Plan of an experiment\n"
    yield "A TOML file, which `assay experiment` trains. [How to measure a fix](../how-to/measure-a-fix.md) shows one.\n"
    yield "| key | what it does | what it takes | default | example |\n|---|---|---|---|---|"
    for key, field in Plan.model_fields.items():
        default = "must be given" if field.is_required() else f"`{field.default!r}`"
        default = "none" if field.default is None else default
        yield f"| `{key}` | {DOES[key]} | {escape(field.description)} | {default} | `{key} = {field.examples[0]}` |"


def issue_kinds() -> Iterator[str]:
    """Every kind of issue, by its finder."""
    yield "# Kinds of issues\n"
    yield "`assay issues --kind KIND` lists one, `--threshold S` moves its threshold. Scores are 0 to 1, and low is bad.\n"
    yield "The names are those of cleanlab and CleanVision, where these have one.\n"
    yield "| kind | what it is | threshold | is about | settled by |\n|---|---|---|---|---|"
    for name, kind in list_kinds().items():
        threshold = "none to move" if kind.threshold is None else f"{kind.threshold:g}"
        closed = CLOSED_BY["nothing" if kind.whole else kind.closed_by]
        about = "the dataset" if kind.whole else "a sample"
        yield f"| `{name}` | {escape(kind.words)} | {threshold} | {about} | {closed} |"


def format_list() -> Iterator[str]:
    """What is imported and exported."""
    abilities = {
        "imports": formats.ReadableFormat,
        "unpacks": formats.ArchiveFormat,
        "exports": formats.WritableFormat,
        "as pixels, for other tools to read": formats.DecodedFormat,
        "writes its source again": formats.PatchableFormat,
    }
    yield "# Formats\n"
    yield "`assay import PATH` knows the format by looking at it. `assay export --format NAME` writes one.\n"
    yield "| name | what it is | abilities | what is asked or refused |\n|---|---|---|---|"
    for member in formats.list_formats():
        can = [word for word, ability in abilities.items() if isinstance(member, ability)]
        said, _, more = inspect.getdoc(type(member)).partition("\n\n")
        said, more = escape(said.splitlines()[0]), escape(" ".join(more.split()))
        asks = escape(getattr(member, "asks", "")) or more
        yield f"| `{member.name}` | {said} | {', '.join(can)} | {asks} |"
    yield "\nWhat was tried, as its real writer writes it. Each comes back to the byte where nobody"
    yield "changed anything, and differs in the changes alone where somebody did.\n"
    yield "| layout | read as | returned byte-equal | read back by |\n|---|---|---|---|"
    for name, (read_as, reader) in READ_AS.items():
        yield f"| {escape(name)} | `{read_as}` | yes | {escape(reader)} |"
    yield f"\nTables end in {', '.join(formats_of_tables())}. Images end in {', '.join(SUFFIXES)}.\n"
    yield "Pictures of more than 8 bits are read by the range that their source uses."
    yield "Transparency lies on the ground that hides the fewest drawings. Further pages are not read."
    yield "The import says how many there were, and how they were read.\n"
    yield f"Media types: {', '.join(f'`{name}`' for name in media_types())}."
    yield f"Tasks: {', '.join(f'`{task.name}`' for task in list_tasks())}."


def formats_of_tables() -> tuple:
    from assay.curation.formats.table_files import TABLES

    return TABLES


def architectures() -> Iterator[str]:
    """What a plan may train, what a scan may embed with, and where both run."""
    yield "# Architectures, embedders, engines\n"
    yield "A plan names architectures. Options stand in brackets: `cnn(smoothing=0)`, `mlp(loss=gce)`.\n"
    yield "| name | what it is | reads | options and their defaults |\n|---|---|---|---|"
    for member in list_architectures():
        recipe = member.recipe
        shown = "lr smoothing loss epochs side width depth".split()
        options = {o: getattr(recipe, o) for o in shown if getattr(recipe, o) is not None}
        said = escape(inspect.getdoc(type(member)).splitlines()[0])
        listed = ", ".join(f"`{k}={v}`" for k, v in options.items()) or "none"
        yield f"| `{recipe.name}` | {said} | {recipe.input} | {listed} |"
    yield "| `package.module:function` | Your own, called with the number of classes and the shape (3, h, w). | pixels | as `cnn` |"
    yield "\n`epochs=0` is as many passes as the number of rows asks for.\n"
    yield "`assay scan --embedder NAME` describes samples by one of these, or by your own `package.module:function`.\n"
    yield "| embedder | of | what it is |\n|---|---|---|"
    for member in list_embedders():
        said = escape(inspect.getdoc(type(member)).splitlines()[0])
        squares = f"; images become squares of {member.side} pixels" if member.side else ""
        yield f"| `{member.name}` | {member.media or 'image'}s | {said.rstrip('.')}{squares} |"
    yield f"\nEngines, where training runs: {', '.join(f'`{name}`' for name in list_engines())}."


TABLES = dict(
    samples="one row for each sample; its id is made once and never changes",
    edits="the log: every import, decision and undo, in order, each hashed with the one before",
    commits="the versions: names of positions in the log",
    runs="one row for each finished training, written last; its predictions lie in arrays",
    issues="what the last scan found; derived",
    clusters="clusters and places on the map; derived",
    standing="what stands at a position of the log, so that reading begins there; derived",
    looks="when the test labels of which version were looked at",
    left_out="rows of a source that could not be used, and why",
    meta="the schema, and the end of the log",
)
FOLDERS = {
    "assay.duckdb": "the facts, in the tables below; DuckDB",
    "arrays/": "tensors in immutable `.npy` shards, each with an index from content hash to row; with `scan --arrays ADDRESS` a cache of object storage",
    "arrays/pixels/": "images at working size, uint8",
    "arrays/embeddings/NAME/": "vectors, a folder for each embedder and its version; with `kernel` in its name, what the probe reads beside them",
    "arrays/quality/": "CleanVision's measurements",
    "arrays/judges/": "label scores of a version; derived",
    "arrays/stages/": "what shards of a scan were given, and made, until it has merged them; derived",
    "arrays/states/": "of 2,000,000 samples and more: states at versions, in parts of 250,000 samples that versions share; derived",
    "arrays/measured.jsonl": "what imports, and scans by shards, took: `assay estimate` reads it",
    "arrays/*.npz": "neighbour graph, probe, scores, clusters, gaps; derived",
    "backups/": "the last good copies of `assay.duckdb`, one for each commit",
    "experiments/": "the report of each experiment, as it was made",
    "report.html": "the report of the last experiment; its plan lies beside it as `plan.json`",
    "uploads/": "what was uploaded as a zip, unpacked",
    "fiftyone/": "the database of FiftyOne, where it was opened",
}


def sample_columns() -> Iterator[str]:
    """What a condition over samples may ask for, and by which functions."""
    yield "# Columns of samples\n"
    yield "What `assay samples --where`, `assay queue --where`, `bench.samples(...)` and facets know of each sample."
    yield "`assay samples --columns` lists them for a bench, with its metadata and opinions."
    yield "[How to find samples](../how-to/find-samples.md) shows their use.\n"
    yield "| column | kind | for test and guard | what it holds |\n|---|---|---|---|"
    for column in OWN:
        shown = "null" if column.hidden_for_test else "shown"
        yield f"| `{column.name}` | {column.kind} | {shown} | {escape(column.says)} |"
    for name, says in SAYS_OF_PROPERTY.items():
        yield f"| `{name}` | number | shown | {escape(says)} |"
    yield f"| `{SIMILARITY.name}` | number | shown | {escape(SIMILARITY.says)}; with `--like` alone |"
    yield "| `NAME_KIND_score` | number | null | what the second opinion NAME scores, as in `datalab_label_score` |"
    yield "| `NAME_suggestion` | text | null | the label that it suggests |"
    yield "| each key of the metadata | number, text, bool or list | shown | its value; `meta.KEY` where a column above has the name |\n"
    yield "Texts of metadata that are all numbers are numbers. `007` is a text. Numbers are 64-bit floats. A key of nested values is their JSON."
    yield "What no scan has judged is null, and a note says why.\n"
    yield "## What a condition may use\n"
    yield f"- comparisons: `{' '.join(COMPARISONS.values())}`, `between`, `in`, `is null`, `is not null`"
    yield "- `and`, `or`, `not`, brackets, `coalesce(a, b)`"
    yield f"- patterns: {', '.join(f'`{word}`' for word in LIKE.values())}, with `escape`"
    yield f"- arithmetic: `{' '.join(ARITHMETIC)}`, and `||` of texts; a division by 0 is infinite, not a number, or null"
    yield "- `has('KIND')`, which is `has(issues, 'KIND')`, and `has(tags, 'TAG')`"
    yield (
        "- `predicted('MODEL', 'CLASS')`: whether a model, or any seed of it, predicts a class without having trained on "
        "the sample; null where it has predicted none, and for test and guard. A model is `probe`, `probe of VERSION`, "
        "`VERSION/ARCHITECTURE`, or 4 letters or more of a run's key"
    )
    yield f"- functions: {', '.join(f'`{name}`' for name in FUNCTIONS)}"
    yield f"- `cast(x as TYPE)`, `x::TYPE`, `try_cast(x as TYPE)` to {', '.join(f'`{name}`' for name in CASTS)}\n"
    yield "Nothing else: no subquery, table, file, setting, aggregate, window, lambda or random number. A condition has at most"
    yield f"{LONGEST:,} characters, {MEMORY} of memory and {SECONDS:g} s. It runs where no file or network can be reached.\n"
    yield "An order is `KEY, KEY desc, ...`, each a column or an expression over columns. Equal samples stay in the order of their import."


def bench_folder() -> Iterator[str]:
    """What lies in a bench, and the columns of its tables."""
    yield "# Bench folder\n"
    yield "A bench is a folder. Images stay where they are. Edits are never deleted; what is derived can be made again.\n"
    yield "| path | what it holds |\n|---|---|"
    yield from (f"| `{path}` | {text} |" for path, text in FOLDERS.items())
    yield "\n`bench.sql(...)` and the queries of a plan read these tables.\n"
    yield "| table | what it holds | columns |\n|---|---|---|"
    for table, columns in list_columns().items():
        yield f"| `{table}` | {TABLES[table]} | {', '.join(f'`{column}`' for column in columns)} |"
    yield "\nAn edit's `field` is label, keep, split, tag, rule, schema, place or proposal. Its `value` is JSON."
    yield "Its `verdict` is set, confirm or unsure. Its `kind` is import, edit, audit, scan, undo, redo, revert, merge, guard, proposal, labeller, ..."


def list_columns() -> dict[str, list[str]]:
    """{table: its columns, each with its type} of a new bench."""
    with tempfile.TemporaryDirectory() as folder:
        rows = assay.create(Path(folder) / "bench").rows(
            "select table_name, column_name || ' ' || lower(data_type) from duckdb_columns() "
            "where database_name like 'bench%' order by table_name, column_index"
        )
    tables = defaultdict(list)
    for table, column in rows:
        tables[table].append(column)
    return tables


PAGES = {
    "command-line.md": command_line,
    "python.md": python,
    "plan.md": plan,
    "issue-kinds.md": issue_kinds,
    "formats.md": format_list,
    "architectures.md": architectures,
    "bench-folder.md": bench_folder,
    "sample-columns.md": sample_columns,
}


def make_page(name: str) -> str:
    """The text of a page."""
    title, text = "\n".join(PAGES[name]()).rstrip().split("\n", 1)
    return f"{title}\n\n{MADE}{text}\n"


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        file = FOLDER / name
        if not file.exists() or file.read_text() != make_page(name):
            print(f"{file.relative_to(ROOT)} is old")
            if "--write" in sys.argv:
                file.write_text(make_page(name))


if __name__ == "__main__":
    main()
