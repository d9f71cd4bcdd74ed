"""The image is built from what the build needs, and nothing else."""

import os
import re
import shutil
import subprocess
import tomllib

from chart import ROOT

HADOLINT = os.environ.get("OWNERSHIP_TEST_HADOLINT", "hadolint")
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def allowed():
    """What .dockerignore lets into the build."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*" and all(line.startswith("!") for line in lines[1:])
    return [ROOT / line[1:] for line in lines[1:] if (ROOT / line[1:]).exists()]


def test_hadolint_finds_nothing():
    done = subprocess.run([HADOLINT, "--failure-threshold", "info", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_has_the_toolchain_that_is_pinned():
    channel = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    assert re.search(r"^FROM rust:(\S+)-bookworm AS build$", DOCKERFILE, re.M)[1] == channel
    assert f"ENV RUSTUP_TOOLCHAIN={channel}\n" in DOCKERFILE


def test_what_runs_is_nobody_without_a_shell_who_can_be_asked_how_he_is():
    _, last = DOCKERFILE.rsplit("\nFROM ", 1)
    assert re.match(r"\S+/distroless/cc-debian12:nonroot\n", last)
    assert "\nUSER 65532:65532\n" in last and "\nRUN " not in last
    assert re.search(r"^HEALTHCHECK .*CMD \[\"ownership\", \"healthcheck\"", last, re.M)


def test_the_build_gets_every_file_that_the_program_is_built_from(tmp_path):
    for path in allowed():
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, tmp_path / path.name)
    assert (tmp_path / ".cargo" / "config.toml").exists(), "it says how jemalloc gives memory back"
    done = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--locked", "--offline", "--format-version", "1"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for source in tmp_path.rglob("*.rs"):
        for included in re.findall(r'include_(?:str|bytes)!\(concat!\(env!\("CARGO_MANIFEST_DIR"\), "(.+?)"\)\)', source.read_text()):
            assert (tmp_path / included.lstrip("/")).exists(), f"{source} takes {included} in"


def test_the_build_gets_nothing_that_was_built_or_belongs_to_git():
    assert not {path.name for path in allowed()} & {"target", ".git", "docs", "tests", "helm"}
