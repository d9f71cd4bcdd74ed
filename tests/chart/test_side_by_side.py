"""Several installations in one cluster, with one Prometheus, do not get in each other's way; test_alerts.py has what their alerts look at."""

import itertools
import json

import pytest

from chart import CASES, kind, objects, only

# Which differ in the release, in the namespace, or in both.
INSTALLATIONS = [{"namespace": "crm", "release": "ownership"}, {"namespace": "crm", "release": "trial"}, {"namespace": "trial", "release": "ownership"}]


@pytest.mark.parametrize("case", CASES)
def test_no_object_is_that_of_another_installation(case):
    # Those that values bring along are named by whoever writes the values.
    brought_along = {"Certificate", "BackendTLSPolicy"}
    names = [
        (installation["namespace"], one["kind"], one["metadata"]["name"])
        for installation in INSTALLATIONS for one in objects(case, **installation) if one["kind"] not in brought_along
    ]  # fmt: skip
    assert len(names) == len(set(names)) > 3 * 4


@pytest.mark.parametrize("case", CASES)
def test_no_pod_is_found_by_what_belongs_to_another_installation_of_the_namespace(case):
    for ours, others in itertools.permutations([objects(case, **installation) for installation in INSTALLATIONS[:2]], 2):
        labels = [one["spec"]["template"]["metadata"]["labels"] for one in others if one["kind"] in ("Deployment", "Job")]
        selectors = [one["spec"]["selector"] for one in ours if one["kind"] == "Service"]
        selectors += [one["spec"]["selector"]["matchLabels"] for one in ours if one["kind"] in ("Deployment", "PodDisruptionBudget", "PodMonitor")]
        selectors += [one["spec"]["podSelector"]["matchLabels"] for one in ours if one["kind"] == "NetworkPolicy"]
        assert len(selectors) > 2 and not [selector for selector in selectors for found in labels if selector.items() <= found.items()]


def test_grafana_takes_the_dashboards_of_all_of_them():
    files = [only(kind(objects("production", **installation), "ConfigMap", "-dashboard"))["data"] for installation in INSTALLATIONS]
    # It keeps them in one directory, and wants no uid and, within a folder, no title twice.
    assert len({name for file in files for name in file}) == len(INSTALLATIONS)
    dashboards = [json.loads(content) for file in files for content in file.values()]
    for unique in ("uid", "title"):
        assert len({dashboard[unique] for dashboard in dashboards}) == len(INSTALLATIONS)
