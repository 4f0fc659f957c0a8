"""`python -m assay VERB` is the same as `assay VERB`."""

from assay.pipelines.cli.start import entry

if __name__ == "__main__":
    entry()
