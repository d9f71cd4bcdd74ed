#!/usr/bin/env python3
"""Writes helm/ownership/files/dashboard.json: helm/dashboard.py

A panel is a line here and thirty in Grafana's JSON, of which all but the line are the same. Libraries that make dashboards write the same
thirty lines in Python.
"""

import json
from pathlib import Path

OUTPUT = Path(__file__).parent / "ownership" / "files" / "dashboard.json"
SOURCE = {"type": "prometheus", "uid": "$datasource"}

# How often something happens. Titles say what does; Grafana's own units for it say "c" or "ops".
PER_SECOND = "count:/s"

# --- queries

# What every query is narrowed to: one installation, so that no line has to say whose it is.
WHERE = 'namespace="$namespace", job="$job"'
CALLS = "rpc_server_call_duration_seconds"
# A stream takes as long as its caller wants, and a watch has no end that is good.
UNARY = 'rpc_method=~"leadflip[.]ownership[.].+", rpc_method!~".+/(Watch.+|StreamSenders)"'
# How many methods have a line of their own: more than that nobody can tell apart.
TOP = 7
# Between two points, and between the ends of what is shown: by the latter it is decided once which methods those are.
STEP, WHOLE = "[$__rate_interval]", "[$__range] @ end()"


def selected(metric, where=""):
    return f"{metric}{{{', '.join(filter(None, [WHERE, where]))}}}"


def rate(metric, by="", where="", over=STEP):
    return f"sum by ({by}) (rate({selected(metric, where)}{over}))"


def measured(ratio):
    """Without what is no number, because there was nothing to measure."""
    return f"{ratio} >= 0"


def quantile(q, metric, by="", where="", over=STEP):
    return measured(f"histogram_quantile({q}, {rate(metric + '_bucket', ', '.join(filter(None, ['le', by])), where, over)})")


def mean(metric):
    return measured(f"{rate(metric + '_sum')} / {rate(metric + '_count')}")


def quantiles(metric):
    return {"p50": quantile(0.5, metric), "p99": quantile(0.99, metric)}


def each(function, metric, by="", where=""):
    return f"{function} by ({by}) ({selected(metric, where)})"


def of_pods(metric, where):
    """What kube-state-metrics says about the pods, where it is there: the same for all of them."""
    return f'max({metric}{{namespace="$namespace", container="ownership", {where}}} and on (namespace, pod) {selected("ownership_ready")})'


# --- queries by method


def short(query):
    """With the method by its own name alone: that of its service would fill the legend."""
    return f'label_replace({query}, "method", "$1", "rpc_method", "(?:.*/)?(.+)")'


def most(ranking):
    return f"topk({TOP}, {ranking} > 0)"


def calls_by_method(where=""):
    metric = f"{CALLS}_count"
    calls, shown = rate(metric, "rpc_method", where), most(rate(metric, "rpc_method", where, WHOLE))
    return {"{{method}}": short(f"{calls} and {shown}"), "others": f"sum({calls} unless {shown})"}


def duration_by_method(q):
    buckets, shown = rate(f"{CALLS}_bucket", "le, rpc_method", UNARY), most(quantile(0.99, CALLS, "rpc_method", UNARY, WHOLE))
    others = f"sum by (le) ({buckets} unless on (rpc_method) {shown})"
    return {
        "{{method}}": short(measured(f"histogram_quantile({q}, {buckets} and on (rpc_method) {shown})")),
        "others": measured(f"histogram_quantile({q}, {others})"),
    }


# --- panels


def panel(kind, title, meaning, defaults, options, queries, overrides=()):
    return {
        "type": kind,
        "title": title,
        "description": meaning,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": options,
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for at, (legend, query) in enumerate(queries.items())
        ],
    }


def chart(title, meaning, unit, queries, limit=None, right=None):
    """Lines over time: queries by legend. One may be a limit of the others, and one, with its unit, belong to an axis of its own."""
    defaults = {"unit": unit, "min": 0, "custom": {"fillOpacity": 0, "showPoints": "never"}}
    options = {"legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    dashed = [{"id": "custom.lineStyle", "value": {"fill": "dash"}}]
    overrides = [{"matcher": {"id": "byName", "options": limit}, "properties": dashed}] if limit else []
    if right:
        legend, its_unit = right
        own_axis = [{"id": "custom.axisPlacement", "value": "right"}, {"id": "unit", "value": its_unit}, {"id": "min"}]
        overrides.append({"matcher": {"id": "byName", "options": legend}, "properties": own_axis})
    return panel("timeseries", title, meaning, defaults, options, queries, overrides)


def latency(title, meaning, queries):
    """As a chart; what takes milliseconds on most days and seconds on a bad one can be read on both."""
    made = chart(title, meaning, "s", queries)
    defaults = made["fieldConfig"]["defaults"]
    del defaults["min"]
    defaults["custom"] |= {"scaleDistribution": {"type": "log", "log": 10}}
    return made


def number(title, meaning, unit, query, *steps):
    """How it is now, in the colour of the highest step that it reaches. How it was is on the charts."""
    thresholds = [{"color": color, "value": value} for color, value in steps or [("text", None)]]
    defaults = {"unit": unit, "min": 0, "noValue": "none", "color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": thresholds}}
    options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "none", "textMode": "value"}
    return panel("stat", title, meaning, defaults, options, {title: query})


GOOD = [("green", None)]
FAILED = measured(f"""({rate(f"{CALLS}_count", where=f'{UNARY}, error_type!=""')} or vector(0)) / {rate(f"{CALLS}_count", where=UNARY)}""")

# Title of a row, and its lines of panels.
ROWS = [
    ("Now", [[
        number("Replicas that take calls", "Those that are ready.", "short", each("sum", "ownership_ready"), ("red", None), ("green", 1)),
        number("Calls", "Of all methods.", "reqps", rate(f"{CALLS}_count")),
        number("Calls that fail", "By the fault of the service, of all but streams. Promised is at most one of a thousand.", "percentunit",
               FAILED, *GOOD, ("orange", 0.001), ("red", 0.0144)),
        number("Duration, p99", "Of all but streams. Promised is half a second.", "s",
               quantile(0.99, CALLS, where=UNARY), *GOOD, ("orange", 0.5), ("red", 5)),
        number("Oldest unpublished change", "Consumers of events lag behind by so much.", "s",
               each("max", "ownership_outbox_age_seconds"), *GOOD, ("orange", 60), ("red", 600)),
        number("Longest wait for an owner", "Of the accounts in memory.", "s",
               each("max", "ownership_unassigned_age_seconds"), *GOOD, ("orange", 86400)),
    ]]),
    ("Calls", [[
        chart("Calls", f"By method: the {TOP} that are called most.", "reqps", calls_by_method()),
        chart("Failed calls", f"By the fault of the service, by method: the {TOP} that fail most. A watch always ends so, unless its caller ends it.", "reqps",
              calls_by_method('error_type!=""')),
    ], [
        latency("Duration, p50", f"By method, without streams: the {TOP} that have the highest p99.", duration_by_method(0.5)),
        latency("Duration, p99", f"By method, without streams: the {TOP} that have the highest.", duration_by_method(0.99)),
    ], [
        chart("Codes other than OK", "Of calls that failed, and of those that were refused by the fault of the caller.", "reqps",
              {"{{rpc_response_status_code}}": rate(f"{CALLS}_count", "rpc_response_status_code", 'rpc_response_status_code!="OK"')}),
        chart("Under way", "Calls that have begun and not ended, watches among them.", "short", {"{{pod}}": each("sum", "ownership_calls_active", "pod")}),
    ]]),
    ("Identity", [[
        chart("Calls of somebody who may not make them", "By reason.", "reqps", {"{{reason}}": rate("ownership_identity_refusals_total", "reason")}),
        chart("Certificates and keys", "Replaced, or what kept them from being; and for how long the service's certificate is still good.", PER_SECOND,
              {"{{what}} {{outcome}}": rate("ownership_identity_renewals_total", "what, outcome"),
               "certificate good for": each("min", "ownership_identity_certificate_expires_seconds")}, right=("certificate good for", "s")),
    ]]),
    ("Business", [[
        chart("Changes of owners", "By the door they came through.", PER_SECOND, {"{{source}}": rate("ownership_changes_total", "source")}),
        chart("What they did", "Assigned, reassigned, unassigned and so on.", PER_SECOND, {"{{kind}}": rate("ownership_changes_total", "kind")}),
        chart("What others are to notify of", "Members who got leads, once for each request; leads that nobody has owned for too long.", PER_SECOND,
              {"new owners": rate("ownership_intents_total"), "overdue leads": rate("ownership_unassigned_overdue_total")}),
    ], [
        chart("Open leads without an owner", "Of the accounts in memory.", "short", {"leads": each("max", "ownership_unassigned_leads")}),
        chart("Longest wait for an owner", "Of those leads.", "s", {"wait": each("max", "ownership_unassigned_age_seconds")}),
        chart("Overdue leads are told of late", "By how much. High for long: no replica gets to it.", "s",
              {"late": each("max", "ownership_unassigned_late_seconds")}),
    ]]),
    ("Door", [[
        chart("Writes", "Requests that succeeded, by what they do.", "reqps", {"{{action}}": rate("ownership_writes_total", "action")}),
        chart("Writes of a transaction", "The more wait, the more share one.", "short",
              {"mean": mean("ownership_door_batch_size"), "p99": quantile(0.99, "ownership_door_batch_size")}),
        chart("Transactions tried again, and taken apart", "Tried again for others that were in the way, by name; taken apart for a defect.", PER_SECOND,
              {"{{transaction}}": rate("ownership_store_retries_total", "transaction"), "taken apart": rate("ownership_door_batches_split_total")}),
    ], [
        latency("Wait for a transaction", "From the arrival of a write.", quantiles("ownership_door_wait_seconds")),
        latency("Wait for the lock of the account", "High where several replicas write one account.",
                quantiles("ownership_head_lock_wait_seconds")),
    ]]),
    ("Books", [[
        chart("Memory of accounts", "As accounted to the budget, and the budget of a replica.", "bytes",
              {"{{pod}}": each("sum", "ownership_books_memory_bytes", "pod"), "budget": each("max", "ownership_books_memory_limit_bytes")}, limit="budget"),
        chart("Accounts in memory", "Each replica holds those that it is asked about.", "short", {"{{pod}}": each("sum", "ownership_books_resident", "pod")}),
        chart("Accounts that come and go", "Many loads: the budget is too small. Too large: one account alone is above the budget. Put back: the database lacks what was committed.", PER_SECOND,
              {"loaded": rate("ownership_book_load_duration_seconds_count"), "dropped": rate("ownership_book_evictions_total"),
               "too large": rate("ownership_book_refusals_total"), "put back": rate("ownership_book_losses_total")}),
    ], [
        latency("Time to load an account", "The first call waits for it.", quantiles("ownership_book_load_duration_seconds")),
        latency("Wait of strict reads", "Until the head of the account is known and reached.", quantiles("ownership_read_index_wait_seconds")),
    ]]),
    ("Database", [[
        chart("Connections", "In use by each replica, and how many it may have.", "short",
              {"{{pod}}": each("sum", "ownership_store_connections", "pod", 'state="used"'),
               "at most": each("max", "ownership_store_connections_max")}, limit="at most"),
        chart("Changes of the schema that are missing", "Replicas take no calls before there are none.", "short",
              {"{{pod}}": each("max", "ownership_store_migrations_pending", "pod")}),
        chart("Rows removed for their age", "By table.", PER_SECOND, {"{{table}}": rate("ownership_trimmed_rows_total", "table")}),
    ]]),
    ("Watches", [[
        chart("Open watches", "By replica.", "short", {"{{pod}}": each("sum", "ownership_watch_active", "pod")}),
        latency("From a change to its watches", "Once the replica knows of it.", quantiles("ownership_watch_lag_seconds")),
        chart("Wakes between replicas", "Sent and received, and accounts that were looked at for them. None without NATS: replicas poll.", PER_SECOND,
              {"{{what}}": rate("ownership_wakes_total", "what")}),
    ]]),
    ("Events", [[
        chart("Events", "That NATS has acknowledged, by replica; and those that a replica was about to publish when another one had just done so.", PER_SECOND,
              {"{{pod}}": rate("ownership_events_published_total", "pod"), "another was first": rate("ownership_events_failures_total", where='kind="outrun"')}),
        chart("Accounts that wait to be published", "All of them, where there is no broker.", "short", {"accounts": each("max", "ownership_outbox_accounts")}),
        chart("The oldest change that waits", "Consumers lag behind by so much.", "s", {"age": each("max", "ownership_outbox_age_seconds")}),
    ], [
        chart("Failures and losses", "Attempts that failed, by kind; accounts that are published again, by what happened.", PER_SECOND,
              {"{{kind}}": rate("ownership_events_failures_total", "kind", 'kind!="outrun"'), "{{how}}": rate("ownership_events_lost_total", "how")}),
        latency("Time of NATS for an event", "Until it is acknowledged.", quantiles("ownership_events_append_duration_seconds")),
        chart("Connected to NATS", "1 for yes.", "short", {"{{pod}}": each("max", "ownership_events_connected", "pod")}),
    ]]),
    ("Pods", [[
        chart("Processor", "Processors that each replica keeps busy, counted in whole seconds, and what was requested of them, as kube-state-metrics says.", "suffix: CPU",
              {"{{pod}}": rate("process_cpu_seconds_total", "pod"), "requested": of_pods("kube_pod_container_resource_requests", 'resource="cpu"')}, limit="requested"),
        chart("Memory", "Of each replica, accounts and all else, and its limit, as kube-state-metrics says.", "bytes",
              {"{{pod}}": each("sum", "process_resident_memory_bytes", "pod"), "limit": of_pods("kube_pod_container_resource_limits", 'resource="memory"')}, limit="limit"),
        chart("Open files", "Connections among them.", "short", {"{{pod}}": each("sum", "process_open_fds", "pod")}),
    ]]),
]  # fmt: skip

# --- where they stand

WIDTH = 24
HEIGHTS = {"row": 1, "stat": 4, "timeseries": 8}


def lines():
    for title, content in ROWS:
        yield [{"type": "row", "title": title, "collapsed": False, "panels": []}]
        yield from content


def panels():
    number, y = 0, 0
    for line in lines():
        width, height = WIDTH // len(line), HEIGHTS[line[0]["type"]]
        for column, one in enumerate(line):
            number += 1
            yield {"id": number, **one, "gridPos": {"x": column * width, "y": y, "w": width, "h": height}}
        y += height


def variable(name, label, kind, query, **more):
    return {"name": name, "label": label, "type": kind, "query": query, "hide": 0, **more}


def chosen(name, label, query, first):
    """One of those that there are. Whoever looks at several at once could not tell their lines apart."""
    return variable(name, label, "query", query, datasource=SOURCE, refresh=2, current={"text": first, "value": first})


def dashboard():
    return {
        # What stands in capitals is put in by templates/dashboard.yaml.
        "uid": "DASHBOARD_UID",
        "title": "Ownership (NAMESPACE/INSTALLATION)",
        "description": "Calls, business, and what carries them: the door, the books, the database, watches and events.",
        "tags": ["ownership"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "utc",
        "templating": {
            "list": [
                variable("datasource", "Data source", "datasource", "prometheus"),
                chosen("namespace", "Namespace", "label_values(ownership_ready, namespace)", "NAMESPACE"),
                chosen("job", "Installation", 'label_values(ownership_ready{namespace="$namespace"}, job)', "INSTALLATION"),
            ]
        },
    }


def text():
    """A panel on each line, so that a difference is one."""
    lines = ",\n".join(f"    {json.dumps(one)}" for one in panels())
    return f"{json.dumps(dashboard(), indent=2)[:-2]},\n  \"panels\": [\n{lines}\n  ]\n}}\n"


if __name__ == "__main__":
    OUTPUT.write_text(text())
