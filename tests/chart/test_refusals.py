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
        # Values out of range.
        ("defaults", {"replicaCount": -1}, "at '/replicaCount': minimum: got -1, want 0"),
        ("defaults", {"database": {"engine": "mysql"}}, "at '/database/engine': value must be one of 'sqlite', 'postgres'"),
        ("postgres", {"migrations": {"mode": "post-install"}}, "at '/migrations/mode': value must be one of 'hook', 'job', 'initContainer', 'none'"),
        ("defaults", {"drain": {"seconds": 0}}, "at '/drain/seconds': minimum: got 0, want 1"),
        ("defaults", {"config": {"watch": {"poll_interval": "soon"}}}, "at '/config/watch/poll_interval'"),
        ("defaults", {"config": {"database": {"max_connections": 1}}}, "at '/config/database/max_connections': minimum: got 1, want 2"),
        ("defaults", {"resources": {"limits": {"memory": "0.5Gi"}}}, "at '/resources/limits/memory'"),
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
        ("production", {"grpcRoute": {"parentRefs": []}}, "grpcRoute.parentRefs: name the Gateway that the route belongs to"),
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
