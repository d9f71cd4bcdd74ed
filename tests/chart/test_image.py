"""The image is built from what the build needs, and nothing else."""

import os
import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from chart import ROOT

HADOLINT = os.environ.get("OWNERSHIP_TEST_HADOLINT", "hadolint")
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def context(root=ROOT):
    """The files that Docker is sent: the last pattern of .dockerignore that fits a file or a directory above it decides."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    patterns = [(line.lstrip("!"), line.startswith("!")) for line in lines]
    assert patterns[0] == ("*", False) and all((ROOT / pattern).exists() for pattern, allows in patterns if allows)
    for top in sorted(root.iterdir()):
        # What is built is much, and would be looked through for nothing.
        for path in [top] if top.is_file() else top.rglob("*") if is_sent(Path(top.name), patterns) else []:
            if path.is_file() and is_sent(path.relative_to(root), patterns):
                yield path.relative_to(root)


def is_sent(path, patterns):
    above = [path, *path.parents][:-1]
    return [allows for pattern, allows in patterns if any(fits(one, pattern) for one in above)][-1]


def fits(path, pattern):
    return fnmatch(path.name, pattern[3:]) if pattern.startswith("**/") else fnmatch(str(path), pattern) and "/" not in str(path)


def test_hadolint_finds_nothing():
    done = subprocess.run([HADOLINT, "--failure-threshold", "info", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_has_the_toolchain_that_is_pinned():
    channel = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    assert re.search(r"^ARG TOOLCHAIN=rust:(\S+)-bookworm$", DOCKERFILE, re.M)[1] == channel
    assert f"ENV RUSTUP_TOOLCHAIN={channel}\n" in DOCKERFILE


def test_what_runs_is_nobody_without_a_shell_who_can_be_asked_how_he_is():
    _, last = DOCKERFILE.rsplit("\nFROM ", 1)
    assert last.startswith("${RUNTIME}\n") and re.search(r"^ARG RUNTIME=\S+/distroless/cc-debian12:nonroot$", DOCKERFILE, re.M)
    assert "\nUSER 65532:65532\n" in last and "\nRUN " not in last
    assert re.search(r"^HEALTHCHECK .*CMD \[\"ownership\", \"healthcheck\"", last, re.M)


def test_the_build_gets_every_file_that_the_program_is_built_from(tmp_path):
    for path in context():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    assert (tmp_path / ".cargo" / "config.toml").exists(), "it says how jemalloc gives memory back"
    done = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--locked", "--offline", "--format-version", "1"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for source in tmp_path.rglob("*.rs"):
        for included in re.findall(r'include_(?:str|bytes)!\(concat!\(env!\("CARGO_MANIFEST_DIR"\), "(.+?)"\)\)', source.read_text()):
            assert (tmp_path / included.lstrip("/")).exists(), f"{source} takes {included} in"


def test_the_build_gets_nothing_else(tmp_path):
    tracked = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    sent = {str(path) for path in context()}
    assert sent and sent <= set(tracked.stdout.splitlines())
    assert not {path.split("/")[0] for path in sent} & {"target", ".git", "docs", "tests", "helm"}
    private = [".env", "tls.key", "ownership.db", ".git/config", "src/.env", "src/a/tls.key", "client/ca.pem", "client/target/debug/x", "examples/python/__pycache__/x.pyc"]
    for path in [*private, "src/main.rs"]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert [str(path) for path in context(tmp_path)] == ["src/main.rs"]


def test_what_is_copied_is_there():
    copied = re.findall(r"^COPY (?:--from=(\S+) )?(?:--chown=\S+ )?(\S+) \S+$", DOCKERFILE, re.M)
    assert copied == [("", "."), ("build", "/image/ownership"), ("build", "/image/data")]
    build, _ = DOCKERFILE.rsplit("\nFROM ", 1)
    assert "install -D target/release/ownership /image/ownership" in build and "mkdir /image/data" in build
