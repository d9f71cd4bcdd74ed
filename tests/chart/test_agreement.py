"""The chart names the metrics and the keys of configuration that the service has."""

import json
import re
import tomllib

import pytest
import yaml

from chart import CASES, CHART, ROOT, Refused, kind, objects, with_values

# Keys that follow from other values, and those that no installation of the chart uses.
FROM_VALUES = {
    "server.listen", "server.allow_insecure", "server.drain", "server.drain_delay",
    "server.tls.certificate_file", "server.tls.key_file", "server.tls.client_ca_file",
    "admin.listen", "database.url", "auth.services", "auth.admins",
    "auth.jwt.issuer", "auth.jwt.audience", "auth.jwt.algorithms", "auth.jwt.keys_file", "auth.jwt.keys_url",
    "events.url", "events.credentials_file", "events.ca_file", "events.client_certificate_file", "events.client_key_file",
}  # fmt: skip
UNUSED = {"admin.enabled", "database.migrate_on_start", "events.user", "events.password"}


def page(name):
    return (ROOT / "docs" / f"{name}.md").read_text()


def metrics():
    """What Prometheus finds at the admin port."""
    return set(re.findall(r"`((?:ownership|rpc|process)_[a-z_]+)`", page("metrics")))


def metrics_in(queries):
    # Names stand before what narrows them down, labels stand within or are arguments; `ownership:...` is made by the rules themselves.
    bare = [re.sub(r"\{.*?\}|by \(.*?\)|on \(.*?\)|\".*?\"|#.*", " ", query) for query in queries]
    names = {name for query in bare for name in re.findall(r"\b(?:ownership|rpc|process)_[a-z_]+\b", query)}
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}


def on_alerts():
    groups = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    return metrics_in(rule["expr"] for group in groups for rule in group["rules"])


def on_panels():
    panels = json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]
    return metrics_in(target["expr"] for panel in panels for target in panel.get("targets", []))


def in_runbooks():
    return metrics_in(path.read_text() for path in (ROOT / "docs" / "runbooks").glob("Ownership*.md"))


def keys():
    return set(re.findall(r"^\| `([a-z_.]+)`<br>", page("configuration"), re.M))


def leaves(value, path=""):
    """The paths of what is no table."""
    if not isinstance(value, dict):
        return {path}
    return {leaf for key, below in value.items() for leaf in leaves(below, f"{path}.{key}".lstrip("."))}


def keys_of_schema(of, path=""):
    if "properties" not in of:
        return {path}
    return {key for name, below in of["properties"].items() for key in keys_of_schema(below, f"{path}.{name}".lstrip("."))}


@pytest.mark.parametrize("looked_at", [on_alerts, on_panels, in_runbooks])
def test_every_metric_that_is_looked_at_is_there(looked_at):
    assert looked_at() and looked_at() <= metrics(), looked_at() - metrics()


def test_every_metric_that_is_there_is_on_a_panel():
    assert on_panels() == metrics(), metrics() - on_panels()


def test_every_key_of_the_configuration_has_its_value():
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    free = keys_of_schema(schema["definitions"]["config"])
    assert not free & (FROM_VALUES | UNUSED)
    assert free | FROM_VALUES | UNUSED == keys()


@pytest.mark.parametrize("key", ["door.writers", "database.max_connections"])
def test_what_the_chart_compares_has_the_default_of_the_service(key):
    default = re.search(rf"^\| `{key}`<br>.*?\| number \| `(\d+)`", page("configuration"), re.M)[1]
    section, name = key.split(".")
    assert f'dig "{section}" "{name}" {default} .Values.config' in (CHART / "templates" / "validate.yaml").read_text()


@pytest.mark.parametrize("key", sorted(FROM_VALUES))
def test_no_variable_comes_over_what_follows_from_values(key):
    variable = f"OWNERSHIP__{key.upper().replace('.', '__')}"
    with pytest.raises(Refused, match=f"extraEnv: {variable} follows from other values"):
        with_values({"extraEnv": [{"name": variable, "value": "x"}]})


@pytest.mark.parametrize("case", CASES)
def test_the_configuration_of_every_installation_has_known_keys(case):
    (config,) = [one["data"]["ownership.toml"] for one in kind(objects(case), "ConfigMap") if "ownership.toml" in one["data"]]
    # What is secret may stand in a file of its own.
    known = keys() | {"database.url_file"}
    assert leaves(tomllib.loads(config)) <= known, leaves(tomllib.loads(config)) - known
