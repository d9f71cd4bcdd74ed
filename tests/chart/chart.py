"""Renders the chart with the real Helm, and asks the real Prometheus about it."""

import functools
import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "ownership"
DASHBOARD = CHART / "files" / "dashboard.json"
GOLDEN = Path(__file__).parent / "golden"
# Each installation that is supported.
CASES = sorted(path.stem for path in CHART.glob("ci/*.yaml"))

HELM = os.environ.get("OWNERSHIP_TEST_HELM", "helm")
HELM_3 = os.environ.get("OWNERSHIP_TEST_HELM_3", "helm3")
PROMTOOL = os.environ.get("OWNERSHIP_TEST_PROMTOOL", "promtool")


class Refused(Exception):
    """What Helm says about values that it does not render."""


def helm(*arguments, stdin="", program=HELM):
    done = subprocess.run([program, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


def promtool(*arguments):
    done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def values_of(case):
    return CHART / "ci" / f"{case}.yaml"


@functools.cache
def text(case, *options, release="ownership", namespace="crm"):
    return helm("template", release, CHART, "--namespace", namespace, "--values", values_of(case), *options)


def objects(case, *options, **installation):
    return [one for one in yaml.safe_load_all(text(case, *options, **installation)) if one]


def with_values(values, case="defaults"):
    """The objects of a case whose values some others come over."""
    given = helm("template", "ownership", CHART, "--namespace", "crm", "--values", values_of(case), "--values", "-", stdin=yaml.safe_dump(values))
    return [one for one in yaml.safe_load_all(given) if one]


def kind(all_of_them, wanted, suffix=""):
    """The objects of a kind, or the one whose name ends so."""
    found = [one for one in all_of_them if one["kind"] == wanted]
    return [one for one in found if one["metadata"]["name"].endswith(suffix)] if suffix else found


def only(found):
    assert len(found) == 1, found
    return found[0]


def pod_of(one):
    """The specification of the pods that an object makes; none if it makes none."""
    return {"Pod": lambda: one["spec"], "Deployment": lambda: one["spec"]["template"]["spec"], "Job": lambda: one["spec"]["template"]["spec"]}.get(
        one["kind"], lambda: None
    )()


def labels_of(one):
    """The labels of those pods."""
    return one["metadata"]["labels"] if one["kind"] == "Pod" else one["spec"]["template"]["metadata"]["labels"]


def pods(all_of_them):
    return [pod for one in all_of_them if (pod := pod_of(one))]


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


def ours(all_of_them):
    """Every container of the chart itself, not those that values bring along."""
    everybody = [one for pod in pods(all_of_them) for one in containers(pod)]
    return [one for one in everybody if one["name"] in ("ownership", "migrate", "healthcheck")]


def selects(selector, labels):
    return selector.items() <= labels.items()
