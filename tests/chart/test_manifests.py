"""What holds for every supported installation."""

import re
import tomllib

import pytest
import yaml

from chart import CASES, CHART, containers, helm, kind, labels_of, objects, only, ours, pod_of, pods, selects, text, values_of, with_values

every_case = pytest.mark.parametrize("case", CASES)
POSTGRES = [case for case in CASES if case not in ("defaults", "sqlite")]


def config_of(rendered):
    return tomllib.loads(only([one for one in kind(rendered, "ConfigMap") if "ownership.toml" in one["data"]])["data"]["ownership.toml"])


def server_of(rendered):
    return only([one for one in ours(rendered) if one["name"] == "ownership"])


def port_of(address):
    return int(address.rsplit(":", 1)[1])


# --- what a container may


@every_case
def test_nothing_runs_as_root_writes_to_its_image_or_gains_a_privilege(case):
    rendered = objects(case)
    for pod in pods(rendered):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"].get("runAsUser") in (65532, None)
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in ours(rendered):
        may = container["securityContext"]
        assert may == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@every_case
def test_no_pod_gets_a_token_of_the_cluster_or_the_addresses_of_its_services(case):
    rendered = objects(case)
    for pod in pods(rendered):
        assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    for account in kind(rendered, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@every_case
def test_nothing_may_ask_the_cluster_for_anything(case):
    assert not {one["kind"] for one in objects(case)} & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


@every_case
def test_no_container_has_a_processor_limit_and_each_may_use_the_memory_it_asks_for(case):
    for container in ours(objects(case)):
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        assert "cpu" not in limits and "cpu" in requests
        assert limits["memory"] == requests["memory"]


@every_case
def test_accounts_get_half_of_the_memory(case):
    rendered = objects(case)
    limit = server_of(rendered)["resources"]["limits"]["memory"]
    scale = {"Mi": 1024**2, "Gi": 1024**3}[limit[-2:]]
    assert config_of(rendered)["memory"]["budget_bytes"] == int(limit[:-2]) * scale // 2


@every_case
def test_every_image_is_of_a_version(case):
    for container in ours(objects(case)):
        assert container["image"].partition("@")[2].startswith("sha256:") or container["image"].endswith(":0.1.0")
        assert "latest" not in container["image"]


# --- secrets


@every_case
def test_the_chart_makes_no_secret_and_reads_none(case):
    rendered = text(case)
    assert "kind: Secret" not in rendered and "secretKeyRef" not in rendered and "postgres://" not in rendered


@every_case
def test_secrets_are_files_that_only_the_service_reads(case):
    for pod in pods(objects(case)):
        for volume in pod.get("volumes", []):
            if "secret" in volume:
                assert volume["secret"]["defaultMode"] == 0o440 and volume["secret"]["items"]


@every_case
def test_every_file_that_the_configuration_names_is_mounted(case):
    rendered = objects(case)

    def files(value):
        if isinstance(value, dict):
            return [file for one in value.values() for file in files(one)]
        return [value] if isinstance(value, str) and value.startswith("/") else []

    (pod,) = [pod_of(one) for one in kind(rendered, "Deployment")]
    mounts = {mount["name"]: mount["mountPath"] for mount in server_of(rendered)["volumeMounts"]}
    provided = {
        f"{mounts[volume['name']]}/{item['path']}"
        for volume in pod["volumes"] if "secret" in volume and volume["name"] in mounts
        for item in volume["secret"]["items"]
    }
    assert set(files(config_of(rendered))) == provided


# --- ports and probes


@every_case
def test_the_ports_of_the_container_are_those_of_its_configuration(case):
    rendered = objects(case)
    config, ports = config_of(rendered), {port["name"]: port["containerPort"] for port in server_of(rendered)["ports"]}
    assert ports == {"grpc": port_of(config["server"]["listen"]), "admin": port_of(config["admin"]["listen"])}


@every_case
def test_probes_ask_the_admin_port_and_only_readiness_takes_a_pod_out(case):
    server = server_of(objects(case))
    asked = {probe: server[probe]["httpGet"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert asked == {
        "startupProbe": {"path": "/livez", "port": "admin"},
        "readinessProbe": {"path": "/readyz", "port": "admin"},
        "livenessProbe": {"path": "/livez", "port": "admin"},
    }


@every_case
def test_services_lead_to_the_pods_that_serve_and_to_no_other(case):
    rendered = objects(case)
    pods_by_kind = [(one, labels_of(one)) for one in rendered if pod_of(one)]
    for service in kind(rendered, "Service"):
        chosen = [one["kind"] for one, labels in pods_by_kind if selects(service["spec"]["selector"], labels)]
        assert chosen == ["Deployment"]


@every_case
def test_the_service_that_may_be_opened_shows_no_admin_port(case):
    public = only([one for one in kind(objects(case), "Service") if one["spec"].get("clusterIP") != "None"])
    assert [port["name"] for port in public["spec"]["ports"]] == ["grpc"]


def test_a_load_balancer_is_made_by_whom_and_opened_to_whom_the_values_say():
    def public(rendered):
        return only([one for one in kind(rendered, "Service") if one["spec"].get("clusterIP") != "None"])["spec"]

    said = {"externalTrafficPolicy": "Local", "loadBalancerClass": "example.com/internal", "loadBalancerSourceRanges": ["10.20.0.0/16"]}
    assert said.items() <= public(objects("production")).items()
    plain = public(with_values({"service": {"type": "LoadBalancer"}}, "postgres"))
    assert plain["type"] == "LoadBalancer" and not plain.keys() & said.keys()


@every_case
def test_the_headless_service_has_the_port_of_the_pod_and_only_replicas_that_are_ready(case):
    headless = only(kind(objects(case), "Service", "-headless"))
    assert headless["spec"]["clusterIP"] == "None" and headless["spec"]["publishNotReadyAddresses"] is False
    assert {port["name"]: port["port"] for port in headless["spec"]["ports"]} == {"grpc": 50051, "admin": 9464}


@every_case
def test_monitors_find_the_admin_port(case):
    rendered = objects(case)
    deployment = only(kind(rendered, "Deployment"))
    for monitor in kind(rendered, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        service = only([one for one in kind(rendered, "Service") if selects(wanted, one["metadata"]["labels"])])
        assert monitor["spec"]["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]
    for monitor in kind(rendered, "PodMonitor"):
        assert selects(monitor["spec"]["selector"]["matchLabels"], labels_of(deployment))
        assert monitor["spec"]["podMetricsEndpoints"][0]["port"] in [port["name"] for port in server_of(rendered)["ports"]]


@every_case
def test_what_is_scraped_has_the_name_of_the_installation_by_which_its_rules_find_it(case):
    rendered = objects(case, release="trial")
    job = only(kind(rendered, "Deployment"))["metadata"]["name"]
    endpoints = [one["spec"]["endpoints"] for one in kind(rendered, "ServiceMonitor")] + [one["spec"]["podMetricsEndpoints"] for one in kind(rendered, "PodMonitor")]
    assert len(endpoints) == (case in ("production", "init-container"))
    assert all(endpoint["relabelings"] == [{"targetLabel": "job", "replacement": job}] for (endpoint,) in endpoints)
    for rules in kind(rendered, "PrometheusRule"):
        assert f'{{namespace="crm", job="{job}"}}' in str(rules["spec"])


# --- the life of a pod


@every_case
def test_the_grace_period_is_longer_than_the_end_takes(case):
    rendered = objects(case)
    drain = config_of(rendered)["server"]
    seconds = int(drain["drain_delay"].rstrip("s")) + int(drain["drain"].rstrip("s"))
    # Then 5 s for what is left to publish, and 2 s each for the last traces and metrics.
    assert only(kind(rendered, "Deployment"))["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > seconds + 9


@every_case
def test_a_changed_configuration_makes_new_pods(case):
    def checksum(rendered):
        return only(kind(rendered, "Deployment"))["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum(objects(case)) != checksum(with_values({"config": {"watch": {"per_caller": 51}}}, case))
    assert checksum(objects(case)) == checksum(with_values({"replicaCount": 1, "service": {"port": 1}}, case))


@every_case
def test_an_upgrade_takes_no_replica_away_unless_the_database_allows_only_one(case):
    deployment = only(kind(objects(case), "Deployment"))
    if case in POSTGRES:
        assert deployment["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    else:
        assert deployment["spec"]["strategy"] == {"type": "Recreate"} and deployment["spec"]["replicas"] == 1


@every_case
def test_only_one_of_replicas_and_autoscaler_decides_how_many_there_are(case):
    rendered = objects(case)
    deployment, scalers = only(kind(rendered, "Deployment")), kind(rendered, "HorizontalPodAutoscaler")
    assert ("replicas" in deployment["spec"]) == (not scalers)
    for scaler in scalers:
        assert scaler["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"]}


@every_case
def test_several_replicas_are_not_taken_away_at_once_and_lie_apart(case):
    rendered = objects(case)
    deployment = only(kind(rendered, "Deployment"))
    labels, several = labels_of(deployment), deployment["spec"].get("replicas", 2) > 1
    assert len(kind(rendered, "PodDisruptionBudget")) == (several and case != "external-migrations")
    for budget in kind(rendered, "PodDisruptionBudget"):
        assert budget["spec"]["maxUnavailable"] == 1 and selects(budget["spec"]["selector"]["matchLabels"], labels)
    for spread in pod_of(deployment).get("topologySpreadConstraints", []):
        assert selects(spread["labelSelector"]["matchLabels"], labels) and spread["whenUnsatisfiable"] == "ScheduleAnyway"


# --- migrations


def migrations(rendered):
    return [one for one in ours(rendered) if one["name"] == "migrate"]


def test_postgres_is_migrated_by_whom_the_mode_says_and_sqlite_by_the_service_itself():
    assert [migrations(objects(case)) for case in ("defaults", "sqlite", "external-migrations")] == [[], [], []]
    for case in ("postgres", "production", "gitops"):
        assert len(kind(objects(case), "Job")) == 1 == len(migrations(objects(case)))
    rendered = objects("init-container")
    assert kind(rendered, "Job") == []
    assert only(kind(rendered, "Deployment"))["spec"]["template"]["spec"]["initContainers"][0]["name"] == "migrate"


@every_case
def test_no_hook_comes_after_an_install_an_upgrade_or_a_rollback(case):
    hooks = [one["metadata"].get("annotations", {}).get("helm.sh/hook", "") for one in objects(case)]
    assert set(hooks) <= {"", "test", "pre-install,pre-upgrade"}


@pytest.mark.parametrize("case", ["postgres", "production"])
def test_the_hook_needs_nothing_that_the_chart_makes(case):
    job = only(kind(objects(case), "Job"))
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    pod = pod_of(job)
    brought_along = [volume["name"] for volume in yaml.safe_load(values_of(case).read_text()).get("extraVolumes", [])]
    assert "serviceAccountName" not in pod
    assert ["secret"] == [key for volume in pod["volumes"] if volume["name"] not in brought_along for key in volume if key != "name"]
    assert "envFrom" not in pod["containers"][0]


def test_a_job_that_differs_has_another_name_because_jobs_cannot_be_changed():
    def name(values):
        return only(kind(with_values(values, "gitops"), "Job"))["metadata"]["name"]

    assert name({}) == name({"replicaCount": 3}) != name({"image": {"tag": "0.2.0"}})
    # The labels of its pods are part of what cannot be changed.
    assert name({}) != name({"commonLabels": {"team": "crm"}})
    assert only(kind(objects("gitops"), "Job"))["metadata"]["annotations"] == {"argocd.argoproj.io/sync-wave": "-1"}


def test_migrations_may_have_a_role_of_their_own():
    def secret(case):
        return pod_of(only(kind(objects(case), "Job")))["volumes"][0]["secret"]["secretName"]

    assert (secret("postgres"), secret("production")) == ("ownership-db-app", "ownership-db-owner")


@pytest.mark.parametrize("case", ["postgres", "gitops", "init-container"])
def test_migrations_have_the_files_that_the_url_of_the_database_may_name(case):
    volume, mount = {"name": "ca", "configMap": {"name": "ca"}}, {"name": "ca", "mountPath": "/ca", "readOnly": True}
    of_the_service = {"name": "tmp", "mountPath": "/cache"}
    rendered = with_values({"extraVolumes": [volume], "extraVolumeMounts": [mount, of_the_service]}, case)
    (pod,) = [pod for pod in pods(rendered) if any(one["name"] == "migrate" for one in containers(pod))]
    migrate = only(migrations(rendered))["volumeMounts"]
    assert mount in migrate and of_the_service not in migrate and pod["volumes"].count(volume) == 1
    assert of_the_service in server_of(rendered)["volumeMounts"]


# --- where the data is


def test_the_file_of_sqlite_lies_on_a_volume_that_outlives_the_installation():
    rendered = objects("sqlite")
    claim = only(kind(rendered, "PersistentVolumeClaim"))
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "20Gi"}}}
    (data,) = [volume for volume in pod_of(only(kind(rendered, "Deployment")))["volumes"] if volume["name"] == "data"]
    assert data["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    (mount,) = [mount for mount in server_of(rendered)["volumeMounts"] if mount["name"] == "data"]
    assert config_of(rendered)["database"]["url"] == f"sqlite:{mount['mountPath']}/ownership.db"


@pytest.mark.parametrize("case", POSTGRES)
def test_postgres_needs_no_volume(case):
    assert kind(objects(case), "PersistentVolumeClaim") == []


# --- who may reach whom


@every_case
def test_the_service_lets_everybody_in_only_as_a_try_out(case):
    config = config_of(objects(case))
    assert config["server"].get("allow_insecure", False) == (case == "defaults")
    assert ("auth" in config) == (case != "defaults")


@pytest.mark.parametrize("case", ["production", "init-container"])
def test_the_network_policy_covers_every_pod_and_every_port(case):
    rendered = objects(case)
    policy = only(kind(rendered, "NetworkPolicy"))["spec"]
    for one in rendered:
        if pod_of(one):
            assert selects(policy["podSelector"]["matchLabels"], labels_of(one)), one["metadata"]["name"]
    let_in = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    assert let_in == {port["containerPort"] for port in server_of(rendered)["ports"]}
    assert all(rule["from"] for rule in policy["ingress"])
    let_out = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    # 5353 is where the pods of OpenShift's DNS listen.
    assert let_out == {53, 5353, 50051} | {"production": {5432, 4222, 4317}, "init-container": {5432, 4222, 8443}}[case]


def test_what_the_production_example_opens_to_the_outside_lets_the_outside_in():
    rendered = objects("production")
    (callers,) = [rule["from"] for rule in only(kind(rendered, "NetworkPolicy"))["spec"]["ingress"] if rule["ports"] == [{"port": 50051}]]
    spaces = [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in callers if "namespaceSelector" in peer]
    gateways = {parent["namespace"] for parent in only(kind(rendered, "GRPCRoute"))["spec"]["parentRefs"]}
    assert gateways <= set(spaces)
    # Only so do the addresses of callers arrive at all.
    ranges = [peer["ipBlock"]["cidr"] for peer in callers if "ipBlock" in peer]
    balancer = only([one for one in kind(rendered, "Service") if one["spec"].get("clusterIP") != "None"])["spec"]
    assert balancer["externalTrafficPolicy"] == "Local" and balancer["loadBalancerSourceRanges"] == ranges
    # The Gateway encrypts what it sends on, to the name in the certificate.
    policy = only(kind(rendered, "BackendTLSPolicy"))["spec"]
    services = [one["metadata"]["name"] for one in kind(rendered, "Service")]
    assert [target["name"] in services for target in policy["targetRefs"]] == [True]
    assert policy["validation"]["hostname"] in only(kind(rendered, "Certificate"))["spec"]["dnsNames"]


def test_the_test_pod_asks_the_service_by_the_protocol_it_speaks_and_shows_what_it_has_to():
    def asked(case):
        (container,) = ours([only(kind(objects(case), "Pod"))])
        assert container["args"][:2] == ["healthcheck", "--server"]
        return container["args"][2], [variable["name"] for variable in container.get("env", [])]

    certificate = ["OWNERSHIP_CLIENT_CERTIFICATE_FILE", "OWNERSHIP_CLIENT_KEY_FILE"]
    assert asked("defaults") == ("http://ownership.crm.svc:50051", [])
    assert asked("postgres") == ("https://ownership.crm.svc:50051", [])
    assert asked("production") == ("https://ownership.crm.svc:443", ["OWNERSHIP_CA_FILE"])
    assert asked("sqlite") == ("https://ownership.crm.svc:50051", ["OWNERSHIP_CA_FILE", *certificate])
    assert kind(objects("gitops"), "Pod") == []


# --- what values bring along


def test_extensions_arrive_where_they_belong():
    rendered = objects("production")
    server = server_of(rendered)
    assert {"name": "OWNERSHIP__TELEMETRY__LOG", "value": "info,ownership::publish=debug"} in server["env"]
    assert server["envFrom"] == [{"configMapRef": {"name": "proxy", "optional": True}}]
    assert {"name": "trust", "mountPath": "/etc/ssl/certs", "readOnly": True} in server["volumeMounts"]
    pod = pod_of(only(kind(rendered, "Deployment")))
    assert pod["priorityClassName"] == "business" and pod["nodeSelector"] == {"pool": "general"} and pod["tolerations"]
    assert only(kind(rendered, "Certificate"))["spec"]["dnsNames"] == ["ownership.crm.svc", "ownership-headless.crm.svc"]
    for one in rendered:
        if one["kind"] not in ("Certificate", "BackendTLSPolicy"):
            assert one["metadata"]["labels"]["team"] == "crm" and one["metadata"]["annotations"]["contact"] == "crm@leadflip.example"
    pod = pod_of(only(kind(objects("init-container"), "Deployment")))
    assert [one["name"] for one in pod["initContainers"]] == ["migrate", "wait"] and pod["containers"][1]["name"] == "proxy"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("release", ["r" * 53, "my-ownership-of-the-european-customers-of-leadflip-eu"])
def test_names_and_labels_fit_however_long_that_of_the_installation_is(case, release):
    rendered = [one for one in yaml.safe_load_all(helm("template", release, CHART, "--namespace", "crm", "--values", values_of(case))) if one]
    for one in rendered:
        assert re.fullmatch("[a-z]([-a-z0-9]{0,61}[a-z0-9])?", one["metadata"]["name"])
        assert all(len(value) <= 63 for value in (one["metadata"].get("labels") or {}).values())
    assert len({(one["kind"], one["metadata"]["name"]) for one in rendered}) == len(rendered)


@every_case
def test_nothing_is_there_twice_in_a_pod(case):
    for pod in pods(objects(case)):
        for named in (containers(pod), pod.get("volumes", []), *(one.get("env", []) for one in containers(pod))):
            names = [one["name"] for one in named]
            assert len(names) == len(set(names)), names
        for container in containers(pod):
            mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
            assert len(mounts) == len(set(mounts)), mounts


def test_extra_objects_may_be_text():
    rendered = with_values({"extraObjects": ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-x'}"]})
    assert only(kind(rendered, "ConfigMap", "-x"))["metadata"]["name"] == "ownership-x"


# --- the configuration


def test_the_configuration_is_what_the_values_say():
    config = config_of(objects("production"))
    assert config["watch"] == {"per_caller": 50}
    assert config["events"]["stream_replicas"] == 3 and config["events"]["url"] == "tls://nats-0.nats:4222,tls://nats-1.nats:4222"
    assert config["auth"]["services"] == "spiffe://leadflip/ns/crm/sa/board,spiffe://leadflip/ns/crm/sa/import"
    assert config["auth"]["jwt"] == {
        "issuer": "https://login.example", "audience": "ownership", "keys_file": "/etc/ownership/jwt/keys.json",
        "account_claim": "https://leadflip.example/account",
    }
    assert config["telemetry"] == {"log_format": "json", "otlp_endpoint": "http://collector.monitoring:4317"}


def test_every_kind_of_value_is_written_as_toml():
    values = {"server": {"reflection": False, "max_request_bytes": 2097152}, "telemetry": {"log": 'a="\\<\u00fc>'}, "memory": {"budget_bytes": 536870912}}
    config = config_of(with_values({"config": values}))
    for section, keys in values.items():
        assert keys.items() <= config[section].items()
