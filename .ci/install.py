"""Install what requirements.txt pins, and Assay: by uv where pip can fetch it, else by pip.

uv does not read pip's configuration, so it is told what pip is configured with. Where pip is told something that uv
has no word for, pip installs.
"""

import ast
import os
import subprocess
import sys
import time

UV = "uv==0.13.9"  # not in requirements.txt, or what cannot have uv could not install
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
REQUIREMENTS = ["-r", "requirements.txt"]

# a setting of pip, and uv's word for it; in the environment, since addresses may hold passwords
WORDS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "constraint": "UV_CONSTRAINT",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}
# settings of pip that are about its output and its own cache, or that uv takes from its environment
HARMLESS = set(
    "config-file default-timeout timeout retries disable-pip-version-check no-color progress-bar quiet verbose"
    " cache-dir no-input require-virtualenv no-warn-script-location root-user-action".split()
)


def read_pip_settings() -> dict[str, str]:
    """Read what pip is configured with, by files and environment: setting -> value."""
    out = subprocess.run(
        [*PIP, "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, dict[str, str]] = {}
    for line in out.splitlines():
        name, value = line.split("=", 1)
        section, setting = name.split(".", 1)
        found.setdefault(section, {})[setting] = ast.literal_eval(value)
    # the later wins, as in pip
    return found.get("global", {}) | found.get("install", {}) | found.get(":env:", {})


def uv_environment(settings: dict[str, str]) -> dict[str, str] | None:
    """Say pip's settings as uv's; None where uv has no word for one of them."""
    if settings.keys() - WORDS.keys() - HARMLESS:
        return None
    told = {WORDS[setting]: value for setting, value in settings.items() if setting in WORDS}
    if "UV_FIND_LINKS" in told:
        told["UV_FIND_LINKS"] = ",".join(told["UV_FIND_LINKS"].split())
    # pip takes the best version of all indexes, uv that of the first which knows the package
    return dict(UV_INDEX_STRATEGY="unsafe-best-match") | told


def install() -> str:
    """Install everything; returns the name of the installer that did."""
    environment = uv_environment(read_pip_settings())
    if environment is not None and can_fetch_uv():
        print(
            "installing 180 packages (3 GB) into .venv with uv: one to two minutes on two free cores",
            flush=True,
        )
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
        if not subprocess.run([*uv, *REQUIREMENTS], env=environment | os.environ).returncode:
            return "uv"
        print("uv could not install them, as said above; pip tries", flush=True)
    print(
        "installing 180 packages (3 GB) into .venv with pip: two to four minutes on two free cores",
        flush=True,
    )
    subprocess.run([*PIP, "install", "--quiet", "--no-compile", *REQUIREMENTS], check=True)
    return "pip"


def can_fetch_uv() -> bool:
    """Whether pip can fetch uv here; says so where not."""
    done = subprocess.run([*PIP, "install", "--quiet", UV], capture_output=True, text=True)
    if done.returncode:
        print(f"uv is not to be had here: {done.stderr.strip().splitlines()[-1]}", flush=True)
    return not done.returncode


def compile_all() -> None:
    """Compile on all cores, for the first start; what does not compile is left to its own import."""
    skip = ["-x", "/tests?/|/testing/"]
    command = [sys.executable, "-m", "compileall", "-q", "-j", "0", *skip, ".venv/lib"]
    subprocess.run(command, capture_output=True)


if __name__ == "__main__":
    start = time.perf_counter()
    by = install()
    own = [*PIP, "install", "--quiet", "--no-deps", "--no-build-isolation", "-e", "."]
    subprocess.run(own, check=True)
    print(f"compiling, after {time.perf_counter() - start:.0f} s", flush=True)
    compile_all()
    print(f"installed with {by} in {time.perf_counter() - start:.0f} s", flush=True)
