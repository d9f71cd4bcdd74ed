"""What docs/operating.md shows is what happens, and its links lead somewhere."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from chart import CHART, HELM, ROOT

PAGE = ROOT / "docs" / "operating.md"


def blocks(start):
    """The blocks of code that begin so, as lines without their indentation."""
    found = re.findall(r"(?:^ {4,}.*\n)+", PAGE.read_text(), re.M)
    dedented = [[line[len(block) - len(block.lstrip()) :] for line in block.splitlines()] for block in found]
    return [lines for lines in dedented if lines[0].startswith(start)]


def shown():
    """Commands with what they print."""
    for lines in blocks("$ helm "):
        for command in "\n".join(lines)[2:].split("\n$ "):
            yield command.partition("\n")[::2]


@pytest.fixture
def desk(tmp_path):
    """A directory as its reader has it."""
    (values,) = blocks("development: false")
    (tmp_path / "values.yaml").write_text("\n".join(values))
    (tmp_path / "helm").symlink_to(ROOT / "helm")
    return tmp_path


def printed(command, directory):
    path = f"{Path(HELM).parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", command], cwd=directory, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return "\n".join(line.rstrip() for line in done.stdout.splitlines() if line)


def code():
    """The lines of code of the pages that somebody reads who operates the service."""
    pages = [PAGE, *(ROOT / "docs" / "runbooks").glob("*.md")]
    return [(page.name, line) for page in pages for line in re.findall(r"^ {4,}\S.*$|`[^`\n]+`", page.read_text(), re.M)]


def test_logs_that_are_looked_through_are_whole_and_of_every_pod():
    # By a label kubectl shows the last ten lines of each pod.
    asked = [(page, line) for page, line in code() if "logs -l" in line]
    assert len(asked) > 6
    for page, line in asked:
        component = re.search(r"logs -l (\S+,)?app\.kubernetes\.io/component=(\w+) --prefix --tail -1\b", line)
        assert component and component[2] in ("server", "migration"), f"{page}: {line}"
        assert component[1] == "app.kubernetes.io/name=ownership,", f"{page}: {line}"


def test_helm_waits_longer_than_migrations_may_take():
    deadline = yaml.safe_load((CHART / "values.yaml").read_text())["migrations"]["activeDeadlineSeconds"]
    waiting = [(page, line) for page, line in code() if re.search(r"\bhelm (install|upgrade) .*--wait", line)]
    assert len(waiting) > 1
    for page, line in waiting:
        minutes = re.search(r"--wait --timeout (\d+)m\b", line)
        assert minutes and int(minutes[1]) * 60 > deadline, f"{page}: {line}"


def test_commands_print_what_the_page_says(desk):
    if os.environ.get("UPDATE_GOLDEN"):
        page = PAGE.read_text()
        for command, output in shown():
            margin = re.search(rf"^( +)\$ {re.escape(command)}$", page, re.M)[1]
            before, after = (f"{margin}$ {command}\n" + "".join(f"{margin}{line}\n" for line in text.splitlines()) for text in (output, printed(command, desk)))
            page = page.replace(before, after)
        PAGE.write_text(page)
    commands = dict(shown())
    assert sorted("Error" in output for output in commands.values()) == [False, False, False, True, True]
    assert {command: printed(command, desk) for command in commands} == commands
