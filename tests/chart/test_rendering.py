"""Each supported installation is what it was, and what Kubernetes takes."""

import os
import re

import kubernetes_validate
import pytest
import yaml

from chart import CASES, CHART, GOLDEN, HELM_3, ROOT, helm, objects, text, values_of, with_values

# The oldest that the chart is for, the newest, and one between.
VERSIONS = ["1.29", "1.33", "1.37"]
# Of the Gateway API, the Prometheus Operator and cert-manager, which have their schemas elsewhere.
FOREIGN = {"GRPCRoute", "ServiceMonitor", "PodMonitor", "PrometheusRule", "Certificate", "BackendTLSPolicy"}


@pytest.mark.parametrize("case", CASES)
def test_lint_finds_nothing(case):
    found = helm("lint", "--strict", CHART, "--values", values_of(case))
    assert "1 chart(s) linted, 0 chart(s) failed" in found, found
    assert "[WARNING]" not in found and "[ERROR]" not in found, found


@pytest.mark.parametrize("case", CASES)
def test_what_is_rendered_is_what_was_looked_at(case):
    golden, rendered = GOLDEN / f"{case}.yaml", text(case)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(rendered)
    assert rendered == golden.read_text(), "look at the difference; UPDATE_GOLDEN=1 tests/run --only chart takes it over"


def test_there_is_nothing_rendered_of_cases_that_are_gone():
    assert sorted(path.stem for path in GOLDEN.glob("*.yaml")) == CASES


@pytest.mark.parametrize("case", CASES)
def test_helm_3_renders_the_same(case):
    assert helm("version", program=HELM_3).startswith('version.BuildInfo{Version:"v3.')
    rendered = helm("template", "ownership", CHART, "--namespace", "crm", "--values", values_of(case), program=HELM_3)
    assert [one for one in yaml.safe_load_all(rendered) if one] == objects(case)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_kubernetes_knows_every_field(case, version):
    rendered = objects(case, "--kube-version", version)
    known = [one for one in rendered if one["kind"] not in FOREIGN]
    assert known
    for one in known:
        kubernetes_validate.validate(one, version, strict=True)


def test_an_unknown_field_would_be_seen():
    deployment = next(one for one in objects("defaults") if one["kind"] == "Deployment")
    deployment["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)


def test_an_older_kubernetes_is_refused():
    with pytest.raises(Exception, match="1.28"):
        objects("defaults", "--kube-version", "1.28.0")


def test_the_schema_has_the_values_and_what_a_chart_above_adds():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    assert values.keys() | {"global", "enabled"} == schema["properties"].keys()
    with_values({"global": {"region": "eu"}, "enabled": True})


def closed(schema, path=""):
    """The objects whose keys the chart knows, but for those of the configuration and of probes, which are the service's and Kubernetes'."""
    if schema.get("additionalProperties") is False:
        yield path, schema
    for name, below in (schema.get("properties", {}) | schema.get("definitions", {})).items():
        if name not in ("config", "probe"):
            yield from closed(below, f"{path}/{name}")


def test_no_value_can_be_taken_away_by_null():
    free = {"/global", "/enabled", "/migrations/ttlSecondsAfterFinished"}
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    missing = {f"{path}/{key}" for path, one in closed(schema) for key in one["properties"].keys() - set(one.get("required", []))}
    assert missing == free


@pytest.mark.parametrize("case", CASES)
def test_an_upgrade_renders_what_an_installation_does(case):
    assert text(case, "--is-upgrade") == text(case)


@pytest.mark.parametrize("case", CASES)
def test_the_notes_say_how_to_make_the_first_call(case):
    notes = helm("install", "ownership", CHART, "--namespace", "crm", "--values", values_of(case), "--dry-run=client").partition("\nNOTES:\n")[2]
    way, call = ("exec deployment/ownership -- ownership", "ownership list --any") if case == "defaults" else ("port-forward service/ownership 50051:", "OwnershipService/CountByOwner")
    assert f"kubectl --namespace crm {way}" in notes and call in notes
    assert ("DEVELOPMENT" in notes) == (case == "defaults")
    assert ("-plaintext" in notes) == (case == "external-migrations")


def test_the_notes_show_the_contract_to_grpcurl_where_the_service_does_not():
    def call(reflection):
        values = ["--values", values_of("postgres"), "--set", f"config.server.reflection={reflection}"]
        return helm("install", "ownership", CHART, *values, "--dry-run=client").partition("\n  grpcurl ")[2]

    assert "-proto" in call("false") and "-proto" not in call("true")
    imports, contract = re.findall(r"-import-path (\S+)", call("false")), re.search(r"-proto (\S+)", call("false"))[1]
    missing, seen = [contract], set()
    while missing:
        seen.add(one := missing.pop())
        (there,) = [ROOT / path / one for path in imports if (ROOT / path / one).exists()]
        # Those of protobuf itself are in grpcurl.
        wanted = set(re.findall(r'^import "(.+)";', there.read_text(), re.M))
        missing += {name for name in wanted if not name.startswith("google/protobuf/")} - seen
