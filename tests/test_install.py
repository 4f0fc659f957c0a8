"""What the installer of `make` tells uv, which does not read pip's configuration."""

import importlib.util

import pytest

from tests.helpers import ROOT

spec = importlib.util.spec_from_file_location("install", ROOT / ".ci" / "install.py")
install = importlib.util.module_from_spec(spec)
spec.loader.exec_module(install)


@pytest.fixture
def configured(monkeypatch, tmp_path):
    """pip's settings as pip itself reads them from a file and the environment."""
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "CONSTRAINT", "PROXY"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    file = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))

    def write(text):
        file.write_text(text)
        return install.read_pip_settings()

    return write


def test_uv_is_told_what_pip_is_configured_with(configured, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://environment.example/simple")
    settings = configured(
        "[global]\nindex-url = https://file.example/simple\n"
        "extra-index-url =\n    https://one.example/simple\n    file:///two\n"
        "[install]\nfind-links = /wheels /more\n"
    )
    told = install.uv_environment(settings)
    assert told["UV_DEFAULT_INDEX"] == "https://environment.example/simple"
    assert told["UV_INDEX"].split() == ["https://one.example/simple", "file:///two"]
    assert told["UV_FIND_LINKS"] == "/wheels,/more"


def test_pip_installs_where_uv_has_no_word_for_a_setting(configured):
    assert install.uv_environment(configured("[global]\nno-binary = numpy\n")) is None
    assert install.uv_environment(configured("[global]\ntimeout = 60\n")) is not None
