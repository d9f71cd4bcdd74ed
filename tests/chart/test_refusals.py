"""Values that are wrong are refused, with what to do."""

import pytest

from chart import CASES, Refused, with_values

REAL = {"development": False}


@pytest.mark.parametrize(
    "case, values, said",
    [
        # Typing errors, whatever the depth.
        ("defaults", {"replicas": 3}, "additional properties 'replicas' not allowed"),
        ("defaults", {"image": {"name": "x"}}, "at '/image': additional properties 'name' not allowed"),
        ("defaults", {"config": {"wach": {}}}, "at '/config': additional properties 'wach' not allowed"),
        ("defaults", {"config": {"watch": {"per_caler": 1}}}, "at '/config/watch': additional properties 'per_caler' not allowed"),
        ("defaults", {"metrics": {"serviceMonitor": {"interval": 30}}}, "at '/metrics/serviceMonitor/interval': got number, want string"),
        # What the chart itself decides has no second place.
        ("defaults", {"config": {"server": {"listen": "0.0.0.0:1"}}}, "at '/config/server': additional properties 'listen' not allowed"),
        ("defaults", {"config": {"server": {"allow_insecure": True}}}, "at '/config/server': additional properties 'allow_insecure' not allowed"),
        ("defaults", {"config": {"database": {"url": "sqlite:x"}}}, "at '/config/database': additional properties 'url' not allowed"),
        # No secret in values.
        ("postgres", {"database": {"url": "postgres://me:s3cr3t@db/x"}}, "at '/database': additional properties 'url' not allowed"),
        ("postgres", {"database": {"existingSecret": "postgres://me:s3cr3t@db/x"}}, "database.existingSecret: must be the name of a Secret, not what is in it"),
        ("production", {"events": {"url": "nats://me:s3cr3t@nats:4222"}}, "events.url: must be nats://HOST:PORT or tls://HOST:PORT"),
        ("production", {"events": {"url": "nats:4222"}}, "events.url: must be nats://HOST:PORT or tls://HOST:PORT"),
        # What would be another object's name, or no name at all.
        ("defaults", {"nameOverride": "Own_ership"}, "at '/nameOverride'"),
        ("defaults", {"fullnameOverride": "1st"}, 'fullnameOverride: objects cannot be called "1st"'),
        ("defaults", {"serviceAccount": {"name": "A B"}}, "at '/serviceAccount/name'"),
        ("defaults", {"image": {"repository": "leadflip/Ownership"}}, "at '/image/repository'"),
        ("defaults", {"image": {"tag": 1.1}}, "at '/image/tag': got number, want string"),
        ("defaults", {"image": {"tag": "a b"}}, "at '/image/tag'"),
        # What is taken away, and numbers that are text.
        ("defaults", {"image": {"repository": None}}, "at '/image': missing property 'repository'"),
        ("defaults", {"podSecurityContext": None}, "at '': missing property 'podSecurityContext'"),
        ("postgres", {"replicaCount": "2"}, "at '/replicaCount': got string, want integer"),
        ("defaults", {"service": {"port": "50051"}}, "at '/service/port': got string, want integer"),
        ("defaults", {"config": {"watch": {"per_caller": "50"}}}, "at '/config/watch/per_caller': got string, want integer"),
        # What values bring along that the chart has.
        ("defaults", {"extraEnv": [{"name": "POD_NAME", "value": "x"}]}, "extraEnv: POD_NAME is set already"),
        ("defaults", {"extraEnv": [{"name": "A", "value": "x"}, {"name": "A", "value": "z"}]}, "extraEnv: A is set already"),
        ("defaults", {"extraEnv": [{"value": "x"}]}, "at '/extraEnv/0': missing property 'name'"),
        ("defaults", {"extraEnv": [{"name": "A", "value": 1}]}, "at '/extraEnv/0/value': got number, want string"),
        ("postgres", {"extraEnv": [{"name": "OWNERSHIP__EVENTS__PASSWORD", "value": "s3cr3t"}]}, "OWNERSHIP__EVENTS__PASSWORD is a secret. Take it from a Secret"),
        ("postgres", {"extraVolumes": [{"name": "tls", "emptyDir": {}}]}, "extraVolumes: there is a volume tls already"),
        ("defaults", {"extraVolumeMounts": [{"name": "x", "mountPath": "/x"}]}, "extraVolumeMounts: there is no volume x"),
        ("defaults", {"extraVolumeMounts": [{"name": "tmp", "mountPath": "/etc/ownership/config/"}]}, "something is mounted at /etc/ownership/config/ already"),
        ("defaults", {"extraContainers": [{"name": "ownership"}]}, "there is a container ownership already"),
        ("defaults", {"podLabels": {"app.kubernetes.io/name": "x"}}, "podLabels: there is a label app.kubernetes.io/name already"),
        ("production", {"metrics": {"serviceMonitor": {"labels": {"team": "x"}}}}, "metrics.serviceMonitor.labels: there is a label team already"),
        ("defaults", {"commonLabels": {"app.kubernetes.io/instance": "x"}}, "commonLabels: app.kubernetes.io/instance is for the chart"),
        ("defaults", {"podAnnotations": {"checksum/config": "x"}}, "podAnnotations: checksum/config is for the chart"),
        ("gitops", {"migrations": {"annotations": {"helm.sh/hook": "post-install"}}}, "migrations.annotations: whether the Job is a hook, and when, says migrations.mode"),
        ("defaults", {"topologySpreadConstraints": [{"maxSkew": 1}]}, "at '/topologySpreadConstraints/0': missing properties"),
        # Values out of range.
        ("defaults", {"replicaCount": -1}, "at '/replicaCount': minimum: got -1, want 0"),
        ("defaults", {"database": {"engine": "mysql"}}, "at '/database/engine': value must be one of 'sqlite', 'postgres'"),
        ("postgres", {"migrations": {"mode": "post-install"}}, "at '/migrations/mode': value must be one of 'hook', 'job', 'initContainer', 'none'"),
        ("defaults", {"drain": {"seconds": 0}}, "at '/drain/seconds': minimum: got 0, want 1"),
        ("defaults", {"config": {"watch": {"poll_interval": "soon"}}}, "at '/config/watch/poll_interval'"),
        ("defaults", {"config": {"database": {"max_connections": 1}}}, "at '/config/database/max_connections': minimum: got 1, want 2"),
        ("defaults", {"resources": {"limits": {"memory": "0.5Gi"}}}, "at '/resources/limits/memory'"),
        ("defaults", {"resources": {"limits": {"memory": "32Mi"}, "requests": {"memory": "32Mi"}}}, "resources.limits.memory: must be 64Mi at least"),
        ("defaults", {"config": {"memory": {"budget_bytes": 1073741824}}}, "config.memory.budget_bytes: must be less than resources.limits.memory"),
        ("production", {"metrics": {"serviceMonitor": {"interval": "often"}}}, "at '/metrics/serviceMonitor/interval'"),
        ("defaults", {"image": {"digest": "sha256:abc"}}, "at '/image/digest'"),
        # What goes with nothing, or not with each other.
        ("defaults", {"database": {"engine": "postgres", "existingSecret": "db"}}, "development: is for a try-out on SQLite. For Postgres set it to false"),
        ("defaults", {"service": {"type": "LoadBalancer"}}, "development: lets everybody in, so nothing outside of the cluster may reach it"),
        ("defaults", {"grpcRoute": {"enabled": True, "parentRefs": [{"name": "x"}]}}, "development: lets everybody in, so nothing outside of the cluster"),
        ("postgres", {"development": True}, "development: lets everybody in, whatever auth says. Set it to false"),
        ("defaults", REAL, "auth: nobody could prove who they are. Set auth.jwt.issuer or auth.services"),
        ("sqlite", {"replicaCount": 2}, "database.engine: sqlite is one file that one process may open. Set replicaCount to 1"),
        ("sqlite", {"autoscaling": {"enabled": True}}, "database.engine: sqlite is one file that one process may open"),
        ("sqlite", {"database": {"existingSecret": "db"}}, "database.existingSecret: is not read with database.engine sqlite"),
        ("postgres", {"database": {"existingSecret": ""}}, "database.existingSecret: name the Secret that holds the URL of Postgres"),
        ("sqlite", {"migrations": {"existingSecret": "db"}}, "migrations.existingSecret: is not read with database.engine sqlite"),
        ("postgres", {"persistence": {"existingClaim": "data"}}, "persistence.existingClaim: is not used with database.engine postgres"),
        ("production", {"resources": {"requests": {"cpu": None}}}, "autoscaling: follows the processor time that is used of what is requested"),
        ("production", {"autoscaling": {"minReplicas": 11}}, "autoscaling.minReplicas: is above autoscaling.maxReplicas"),
        ("postgres", {"tls": {"existingSecret": ""}}, "tls.existingSecret: name the Secret with tls.crt and tls.key, or set tls.enabled to false"),
        ("sqlite", {"tls": {"enabled": False}}, "tls.clientCASecret: certificates of callers are seen over TLS only. Set tls.enabled to true"),
        ("sqlite", {"tls": {"clientCASecret": ""}}, "auth.services, auth.admins: are told by their certificates. Set tls.clientCASecret"),
        ("sqlite", {"auth": {"services": []}}, "tls.clientCASecret: alone lets nobody in. Name those who may call in auth.services or auth.admins"),
        ("sqlite", {"tests": {"existingSecret": ""}}, "tests.existingSecret: every caller has to show a certificate, and so has helm test"),
        ("postgres", {"auth": {"jwt": {"algorithms": ["HS256"]}}}, "at '/auth/jwt/algorithms/0'"),
        ("postgres", {"auth": {"jwt": {"audience": ""}}}, "auth.jwt.audience: without it a token made for somebody else would be accepted"),
        ("postgres", {"auth": {"jwt": {"keysUrl": ""}}}, "auth.jwt: set one of keysUrl and keysSecret"),
        ("postgres", {"auth": {"jwt": {"keysSecret": "keys"}}}, "auth.jwt: set one of keysUrl and keysSecret"),
        ("postgres", {"auth": {"jwt": {"keysUrl": "http://login.example/keys"}}}, "at '/auth/jwt/keysUrl'"),
        ("production", {"events": {"url": ""}}, "events.url: name the NATS servers that the Secrets of events are for"),
        ("postgres", {"events": {"url": "nats://nats:4222"}}, "events.existingSecret: say who the service is to NATS"),
        ("defaults", {"resources": {"limits": {"memory": "2Gi"}}}, "resources.requests.memory: must be resources.limits.memory"),
        ("production", {"metrics": {"podMonitor": {"enabled": True}}}, "metrics: serviceMonitor and podMonitor would scrape everything twice"),
        ("postgres", {"service": {"externalTrafficPolicy": "Local"}}, "service.externalTrafficPolicy: nothing comes from outside to service.type ClusterIP"),
        ("production", {"service": {"externalTrafficPolicy": "local"}}, "at '/service/externalTrafficPolicy': value must be one of '', 'Cluster', 'Local'"),
        ("postgres", {"service": {"loadBalancerClass": "example.com/internal"}}, "service.loadBalancerClass, service.loadBalancerSourceRanges: are for service.type"),
        ("production", {"service": {"type": "NodePort"}}, "service.loadBalancerClass, service.loadBalancerSourceRanges: are for service.type LoadBalancer"),
        ("production", {"service": {"loadBalancerSourceRanges": ["10.20.0.0"]}}, "at '/service/loadBalancerSourceRanges/0'"),
        ("production", {"grpcRoute": {"parentRefs": []}}, "grpcRoute.parentRefs: name the Gateway that the route belongs to"),
        ("sqlite", {"grpcRoute": {"enabled": True, "parentRefs": [{"name": "x"}]}}, "grpcRoute: certificates of callers end at the Gateway. Set auth.jwt.issuer"),
        ("sqlite", {"auth": {"services": ["a", "ownership"]}}, "auth.services, auth.admins: the service gives itself the names ownership and anonymous"),
        ("sqlite", {"auth": {"admins": ["anonymous"]}}, "auth.services, auth.admins: the service gives itself the names ownership and anonymous"),
        ("sqlite", {"auth": {"admins": ["spiffe://leadflip/ns/crm/sa/board"]}}, "auth.services, auth.admins: a name stands there twice"),
        ("sqlite", {"auth": {"services": ["a", "a"]}}, "auth.services, auth.admins: a name stands there twice"),
        ("postgres", {"config": {"door": {"writers": 10}}}, "config.door.writers: must be less than config.database.max_connections"),
        ("postgres", {"config": {"database": {"max_connections": 4}}}, "config.door.writers: must be less than config.database.max_connections"),
        ("production", {"metrics": {"prometheusRule": {"runbookBaseUrl": ""}}}, "metrics.prometheusRule.runbookBaseUrl: say where docs/runbooks is published"),
        ("production", {"metrics": {"prometheusRule": {"runbookBaseUrl": "docs/runbooks"}}}, "at '/metrics/prometheusRule/runbookBaseUrl'"),
        ("production", {"metrics": {"prometheusRule": {"unassignedAfterSeconds": 0}}}, "at '/metrics/prometheusRule/unassignedAfterSeconds'"),
        ("postgres", {"extraVolumes": [{"name": "x"}], "extraVolumeMounts": [{"name": "x", "mountPath": "/etc/ownership/migration"}]}, "something is mounted at"),
    ],
)
def test_is_refused(case, values, said):
    assert case in CASES
    with pytest.raises(Refused) as refusal:
        with_values(values, case)
    assert said in str(refusal.value)
    assert "s3cr3t" not in str(refusal.value), "a refusal repeats no secret"


def test_everything_that_does_not_fit_is_told_at_once():
    with pytest.raises(Refused) as refusal:
        with_values({"development": False, "replicaCount": 2, "tls": {"enabled": True}})
    assert [said in str(refusal.value) for said in ("auth: ", "database.engine: ", "tls.existingSecret: ")] == [True] * 3
