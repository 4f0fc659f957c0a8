"""What a condition may say: everything that a person needs, and nothing that reaches beyond the samples."""

import time

import duckdb
import pytest

from assay.curation.errors import FilterError, UserError

# (condition, the text that is marked, a word of what is said of it)
WRONG = [
    ("lable = 'x'", "lable", "label"),
    ("label = cat", "cat", "single quotes"),
    ("label = 3", "3", "'3'"),
    ("split = 'val' and läbel = 'é' and width > 'wide'", "läbel", "label"),
    ("'é😀' = label and width > 'wide'", "'wide'", "a number"),
    ("width", "width", "a condition"),
    ("width + label > 3", "label", "a number"),
    ("reviewed = 'maybe'", "'maybe'", "true or false"),
    ("tags = 'to do'", "'to do'", "has(tags"),
    ("has(label, 'x')", "label", "a list"),
    ("lenght(key) > 3", "lenght(key)", "length"),
    ("label = 'x' and", "", "its end"),
    ("label == == 'x'", "==", "as SQL writes it"),
    ("label in ('a', 2)", "2", "'2'"),
    ("key like 3", "3", "text"),
    ("similarity > 0.5", "similarity", "a column"),
    ("age between 'x' and 3", "'x'", "a number"),
    ("not label", "label", "a condition"),
    ("substring(key) = 'x' or left(key, 1, 2) = 'x'", "left(key, 1, 2)", "values"),
]
HOSTILE = [
    "1 = 1; drop table samples",
    "true) union select (1",
    "true) limit (1",
    "true) group by (key",
    "key in (select key from samples)",
    "exists (select 1)",
    "(select count(*) from duckdb_settings()) > 0",
    "key = (from read_csv('/etc/passwd'))",
    "read_text('/etc/passwd') = 'x'",
    "getenv('HOME') = 'x'",
    "current_setting('memory_limit') = 'x'",
    "pragma_version() = 'x'",
    "count(*) > 1",
    "row_number() over () > 1",
    "key = ?",
    "key = $1",
    "columns('k.*') = 'x'",
    "*",
    "list_transform(tags, x -> x) = tags",
    "len([x for x in tags]) > 0",
    "key = any(['a'])",
    "{'a': 1} = 1",
    "attach 'x.db'",
    "copy samples to 'x.csv'",
    "pragma database_list",
    "set threads = 1",
    "install httpfs",
    "main.lower(key) = 'x'",
    "system.main.lower(key) = 'x'",
    "samples.key = 'x'",
    "key::blob = 'x'",
    "key::struct(a int) is null",
    "nextval('x') = 1",
    "random() > 0.5",
    "now() > '2020-01-01'",
    "uuid() = key",
    "repeat(key, 1000000000) = 'x'",
    "range(1000000000) is null",
    "key collate nocase = 'X'",
    "interval 1 day is null",
    "lower(distinct key) = 'x'",
    "sum(width) filter (where true) > 1",
    "extract(year from key) = 1",
    "case when true then true end",
    "\0",
    "key = '\ud800'",
    "(" * 3000 + "true" + ")" * 3000,
    "not " * 3000 + "true",
    "width" + " + 1" * 3000 + " > 0",
    "key = '" + "x" * 30_000 + "'",
]


@pytest.mark.parametrize("condition, marked, word", WRONG)
def test_a_mistake_is_marked_at_its_place(table_once, condition, marked, word):
    with pytest.raises(FilterError) as e:
        table_once.select(condition)
    start, end = e.value.place
    assert condition[start:end] == marked and word in f"{e.value.problem} {e.value.hint}"
    line, marks = e.value.problem.splitlines()[1:]
    assert line[marks.index("^") :].startswith(marked), "the marks stand under it"


@pytest.mark.parametrize("condition", HOSTILE, ids=lambda c: ascii(c[:40]))
def test_more_than_a_condition_is_refused(table_once, tmp_path, monkeypatch, condition):
    monkeypatch.chdir(tmp_path)
    for given in (dict(where=condition), dict(sort=condition)):
        with pytest.raises(FilterError) as e:
            table_once.select(**given)
        assert e.value.code == "bad_filter" and len(str(e.value)) < 3000
    assert not list(tmp_path.iterdir()) and len(table_once.select("true")) == len(table_once)


def test_comments_and_line_breaks_are_what_sql_makes_of_them(table_once):
    every = list(table_once.select("split = 'val'"))
    for text in (
        "split = 'val' -- and more",
        "/* x */ split = 'val'",
        "split\n=\n'val'\n",
        " (split = 'val') ",
    ):
        assert list(table_once.select(text)) == every
    assert len(table_once.select("key = '-- no comment; '")) == 0


def test_the_database_itself_reaches_nothing(table_once):
    """Should a word slip through, there is no file to reach and no setting to change."""
    with table_once.con.cursor() as con:
        for sql in (
            "select * from read_text('/etc/passwd')",
            "copy (select 1) to '/tmp/assay-x.csv'",
            "attach '/tmp/assay-x.db'",
            "set enable_external_access = true",
            "set memory_limit = '100GB'",
            "load httpfs",
        ):
            with pytest.raises(duckdb.Error):
                con.execute(sql)


def test_a_slow_condition_ends_at_its_limit_of_time(table_once, monkeypatch):
    from assay.curation.filtering import table

    monkeypatch.setattr(table, "SECONDS", 0.2)
    pattern = "%" + "%".join("a" * 30) + "%b"
    many = "hash(" * 60 + "key" + ")" * 60
    slow = " or ".join(f"concat_words(key) like '{pattern}{i}'" for i in range(3))
    start = time.monotonic()
    with pytest.raises(UserError):
        table_once.select(slow)  # no such function
    table_once.select(f"{many} % 2 = 0 and key like '{pattern}'")
    assert time.monotonic() - start < 20


def test_what_fits_not_every_value_is_said_in_words(table_once):
    with pytest.raises(FilterError) as e:
        table_once.select("label::integer > 3")
    assert "try_cast" in e.value.hint and "fits every value" in e.value.problem
    rows = table_once.rows(table_once.select("try_cast(label as integer) > 3"), ["label"])
    assert set(rows.label) == {"7"}
    assert (
        len(table_once.select("width / 0 > 1 or width % 0 = 1 or ln(0) > 1 or sqrt(-width) > 1"))
        >= 0
    )


def test_a_class_that_nothing_has_is_a_note(table_once):
    notes = table_once.check("label = 'Cafe' and split in ('trian', 'val') and has('dark')")
    assert len(notes) == 3 and "did you mean Café" in notes[0] and "train" in notes[1]
    assert "'dark'" in notes[2]
    assert table_once.check("label = 'Café' and key = 'nowhere'", "score desc") == []
