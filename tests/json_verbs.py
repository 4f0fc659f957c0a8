"""Run a verb with --json, and check what it prints."""

from assay.pipelines.cli.main import main
from tests.json_outputs import check_json


def run_assay(capsys, *arguments):
    """(exit status, what it printed as data, standard error) of a verb with --json."""
    status = main([*map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    told = check_json(out)
    return status, told if status == 0 else None, err
