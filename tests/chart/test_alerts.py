"""Alerts fire when they have to, and say what to do."""

import json
import re
from pathlib import Path

import pytest
import yaml

from chart import CHART, DASHBOARD, ROOT, kind, objects, only, promtool, with_values

HERE = Path(__file__).parent
RULES = CHART / "files" / "alerts.yaml"
RUNBOOKS = ROOT / "docs" / "runbooks"

# As they are for the installation of the tests, and a day without an owner.
RULE_TEXT = RULES.read_text().replace("UNASSIGNED_AFTER", "86400").replace("INSTALLATION", 'namespace="crm", job="ownership"')
RULE_GROUPS = yaml.safe_load(RULE_TEXT)["groups"]
ALERTS = sorted({rule["alert"] for group in RULE_GROUPS for rule in group["rules"] if "alert" in rule})


def test_prometheus_takes_the_rules(tmp_path):
    (tmp_path / "rules.yaml").write_text(RULE_TEXT)
    promtool("check", "rules", tmp_path / "rules.yaml")


def rules_of(namespace, release):
    """As an installation brings them along, but without annotations, which promtool would want repeated word by word."""
    groups = only(kind(objects("production", namespace=namespace, release=release), "PrometheusRule"))["spec"]["groups"]
    return [{**group, "rules": [{**rule, "annotations": {}} for rule in group["rules"]]} for group in groups]


def test_alerts_fire_when_they_have_to_and_only_then_and_only_those_of_the_installation_that_it_is_about(tmp_path):
    cases = yaml.safe_load((HERE / "alerts.yaml").read_text())
    for file, installation in cases["rule_files"].items():
        (tmp_path / file).write_text(yaml.safe_dump({"groups": rules_of(**installation)}))
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump({**cases, "rule_files": list(cases["rule_files"])}))
    promtool("test", "rules", tmp_path / "alerts.yaml")


def test_every_rule_looks_at_one_installation_only():
    queries = [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    narrowed = [behind for query in queries for behind in re.findall(r"\b(?:ownership[_:]|rpc_server_)[\w:]+\b(.{13}|)", query)]
    assert len(narrowed) > 50 and set(narrowed) == {"{INSTALLATION"}


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_seen_to_fire_and_to_keep_still(alert):
    seen = [test for case in yaml.safe_load((HERE / "alerts.yaml").read_text())["tests"] for test in case["alert_rule_test"]]
    of_it = [bool(test.get("exp_alerts")) for test in seen if test["alertname"] == alert]
    assert set(of_it) == {True, False}


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_page_that_says_what_to_do(alert):
    page = (RUNBOOKS / f"{alert}.md").read_text()
    assert page.startswith(f"# {alert}\n") and "\n## Look\n" in page and "\n## Do\n" in page
    assert f"[{alert}]({alert}.md)" in (RUNBOOKS / "README.md").read_text()
    for group in RULE_GROUPS:
        for rule in group["rules"]:
            if rule.get("alert") == alert:
                assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
                assert rule["annotations"]["runbook_url"] == f"RUNBOOKS/{alert}.md"
                assert rule["labels"]["severity"] in ("critical", "warning")


def test_no_page_is_left_of_an_alert_that_is_gone():
    assert sorted(page.stem for page in RUNBOOKS.glob("Ownership*.md")) == ALERTS


def test_links_between_pages_lead_somewhere():
    for page in RUNBOOKS.glob("*.md"):
        for target, anchor in re.findall(r"\]\(([^)#:]+)(?:#([a-z-]+))?\)", page.read_text()):
            there = (page.parent / target).read_text()
            headings = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in there.splitlines() if line.startswith("#")}
            assert not anchor or anchor in headings, f"{page.name} leads to {target}#{anchor}"


def panels_by_row():
    rows = {}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] == "row":
            rows[panel["title"]] = of_row = set()
        else:
            of_row.add(panel["title"])
    return rows


@pytest.mark.parametrize("alert", ALERTS)
def test_every_panel_that_a_page_names_is_on_the_dashboard(alert):
    rows = panels_by_row()
    # Commands and code have asterisks of their own.
    page = re.sub(r"^    .*$|`[^`\n]*`", "", (RUNBOOKS / f"{alert}.md").read_text(), flags=re.M)
    for passage in re.split(r"\n\n|\n(?=[0-9]+\.|\|)", page):
        there = set().union(*rows.values())
        for is_row, name in re.findall(r"([Rr]ow )?(?<!\*)\*([^*\n]+)\*(?!\*)", passage):
            assert name in (rows if is_row else there), f"{passage}: {name}"
            there = rows[name] if is_row else there


def test_the_installed_rules_name_their_installation_and_where_the_pages_are():
    spec = only(kind(objects("production"), "PrometheusRule"))["spec"]
    expected = RULE_TEXT.replace("RUNBOOKS", "https://docs.leadflip.example/ownership/runbooks")
    assert spec == yaml.safe_load(expected)


def test_the_installed_rules_have_the_threshold_of_the_values():
    rules = only(kind(with_values({"metrics": {"prometheusRule": {"unassignedAfterSeconds": 2000000}}}, "production"), "PrometheusRule"))["spec"]["groups"]
    (overdue,) = [rule for group in rules for rule in group["rules"] if rule.get("alert") == "OwnershipUnassignedOverdue"]
    assert overdue["expr"].endswith(" > 2000000\n")
