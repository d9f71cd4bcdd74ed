"""The dashboard is the one that is made, shows what can be shown, and is in the docs as it is."""

import json
import re
import subprocess
import sys
from xml.sax.saxutils import escape

import yaml

from chart import DASHBOARD, ROOT, kind, objects, only, promtool
from test_agreement import metrics

PANELS = [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def queries():
    """By panel and legend, as Grafana asks them for the installation of the tests."""
    put_in = {"$__rate_interval": "5m", "$__range": "30m", "$namespace": "crm", "$job": "ownership"}
    for panel in PANELS:
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in put_in.items():
                query = query.replace(name, value)
            yield (panel["title"], target["legendFormat"]), query


def series(values, job="ownership", **labels):
    """Every metric there is, of one replica."""
    written = "".join(f', {name}="{value}"' for name, value in labels.items())
    names = [(name, "") for name in metrics()]
    names += [(f"{name}_{part}", le) for name in metrics() for part, le in (("count", ""), ("sum", ""), ("bucket", ', le="0.5"'), ("bucket", ', le="+Inf"'))]
    return [{"series": f'{name}{{namespace="crm", job="{job}", pod="a"{written}{le}}}', "values": values} for name, le in names]


def asked(tmp_path, input_series, expected):
    """Asks Prometheus after half an hour: what is expected of each query."""
    tests = [{"expr": query, "eval_time": "30m", "exp_samples": samples} for query, samples in expected]
    case = {"interval": "1m", "input_series": input_series, "promql_expr_test": tests}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [case]}))
    promtool("test", "rules", tmp_path / "test.yaml")


def test_the_installed_dashboard_is_the_one_that_was_made_and_opens_with_its_installation():
    rendered = only(kind(objects("production"), "ConfigMap", "-dashboard"))
    assert rendered["metadata"]["labels"]["grafana_dashboard"] == "1"
    installed = rendered["data"]["crm-ownership.json"]
    uid = json.loads(installed)["uid"]
    assert re.fullmatch("[-a-z0-9]{1,40}", uid), "as Grafana takes it"
    made = DASHBOARD.read_text().replace("NAMESPACE", "crm").replace("INSTALLATION", "ownership").replace("DASHBOARD_UID", uid)
    assert json.loads(installed) == json.loads(made)
    chosen = {one["name"]: one.get("current", {}).get("value") for one in json.loads(installed)["templating"]["list"]}
    assert chosen == {"datasource": None, "namespace": "crm", "job": "ownership"}
    again = subprocess.run([sys.executable, "-B", "-c", "import dashboard; print(dashboard.text(), end='')"], cwd=ROOT / "helm", capture_output=True, text=True)
    assert again.stdout == DASHBOARD.read_text(), "helm/dashboard.py writes it"


def test_every_query_is_of_one_installation(tmp_path):
    others = [*series("0+1x30", job="trial-ownership"), {"series": 'ownership_ready{namespace="crm", job="ownership", pod="a"}', "values": "1x30"}]
    known = [query for (title, _), query in queries() if title != "Replicas that take calls"]
    assert len(known) > 50
    asked(tmp_path, others, [(query, []) for query in known])


def test_where_nothing_happens_nothing_is_drawn_that_is_no_number(tmp_path):
    method = {"rpc_method": "leadflip.ownership.v1.OwnershipService/Assign", "error_type": "INTERNAL", "state": "used"}
    # Only of what is no number can it be said that it is not what it is.
    asked(tmp_path, series("5x30", **method), [(f"({query}) != ({query})", []) for _, query in queries()])


def test_methods_that_are_many_have_few_lines_and_the_rest_has_one(tmp_path):
    methods = [f"leadflip.ownership.v1.OwnershipService/M{number}" for number in range(20)]
    rising = [one for number, name in enumerate(methods) for one in series(f"0+{number + 1}x30", rpc_method=name, error_type="INTERNAL")]
    by_method = {legends: query for legends, query in queries() if legends[0] in ("Calls", "Failed calls", "Duration, p50", "Duration, p99")}
    named = [query for (_, legend), query in by_method.items() if legend == "{{method}}"]
    others = [query for (_, legend), query in by_method.items() if legend == "others"]
    assert (len(named), len(others)) == (4, 4)
    expected = [(f"count({query})", [{"value": 7}]) for query in named] + [(f"count({query})", [{"value": 1}]) for query in others]
    # Those are called most whose number is 13 or more, which is one less than the calls of a minute.
    expected.append((f'count({by_method["Calls", "{{method}}"]} > 13.5 / 60)', [{"value": 7}]))
    asked(tmp_path, rising, expected)


def test_the_dashboard_has_the_rows_and_every_panel_a_place_of_its_own():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    rows = [panel["title"] for panel in panels if panel["type"] == "row"]
    assert rows == ["Now", "Calls", "Identity", "Business", "Door", "Books", "Database", "Watches", "Events", "Pods"]
    cells = [
        (x, y) for panel in panels for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24


def test_the_picture_in_the_docs_has_every_panel():
    picture = (ROOT / "docs" / "dashboard.svg").read_text()
    missing = [panel["title"] for panel in json.loads(DASHBOARD.read_text())["panels"] if f">{escape(panel['title'])}</text>" not in picture]
    assert not missing, "helm/picture/run draws it anew"
    assert "](dashboard.svg)" in (ROOT / "docs" / "operating.md").read_text()


def test_every_panel_says_what_it_shows_and_in_what_unit():
    for panel in PANELS:
        assert panel["description"].endswith(".") and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
