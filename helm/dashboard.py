#!/usr/bin/env python3
"""Writes helm/ownership/files/dashboard.json: helm/dashboard.py

A panel is a line here and thirty in Grafana's JSON, of which all but the line are the same. Libraries that make dashboards write the same
thirty lines in Python.
"""

import json
from pathlib import Path

OUTPUT = Path(__file__).parent / "ownership" / "files" / "dashboard.json"
SOURCE = {"type": "prometheus", "uid": "$datasource"}

# --- queries

# What every query is narrowed to.
WHERE = 'namespace=~"$namespace"'
CALLS = "rpc_server_call_duration_seconds"
# A stream takes as long as its caller wants, and a watch has no end that is good.
UNARY = 'rpc_method=~"leadflip[.]ownership[.].+", rpc_method!~".+/(Watch.+|StreamSenders)"'


def selected(metric, where=""):
    return f"{metric}{{{', '.join(filter(None, [WHERE, where]))}}}"


def rate(metric, by="", where=""):
    return f"sum by ({by}) (rate({selected(metric, where)}[$__rate_interval]))"


def quantile(q, metric, by="", where=""):
    return f"histogram_quantile({q}, {rate(metric + '_bucket', ', '.join(filter(None, ['le', by])), where)})"


def mean(metric):
    return f"{rate(metric + '_sum')} / {rate(metric + '_count')}"


def quantiles(metric):
    return {"p50": quantile(0.5, metric), "p99": quantile(0.99, metric)}


def each(function, metric, by="pod"):
    return f"{function} by ({by}) ({selected(metric)})"


def short(query):
    """With the method by its own name alone: that of its service would fill the legend."""
    return f'label_replace({query}, "method", "$1", "rpc_method", "(?:.*/)?(.+)")'


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
    defaults = {"unit": unit, "min": 0, "custom": {"fillOpacity": 10, "showPoints": "never"}}
    options = {"legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    dashed = [{"id": "custom.lineStyle", "value": {"fill": "dash"}}, {"id": "custom.fillOpacity", "value": 0}]
    overrides = [{"matcher": {"id": "byName", "options": limit}, "properties": dashed}] if limit else []
    if right:
        legend, its_unit = right
        own_axis = [{"id": "custom.axisPlacement", "value": "right"}, {"id": "unit", "value": its_unit}, {"id": "min"}, {"id": "custom.fillOpacity", "value": 0}]
        overrides.append({"matcher": {"id": "byName", "options": legend}, "properties": own_axis})
    return panel("timeseries", title, meaning, defaults, options, queries, overrides)


def latency(title, meaning, queries):
    """As a chart; what takes milliseconds on most days and seconds on a bad one can be read on both."""
    made = chart(title, meaning, "s", queries)
    defaults = made["fieldConfig"]["defaults"]
    del defaults["min"]
    defaults["custom"] |= {"scaleDistribution": {"type": "log", "log": 10}, "fillOpacity": 0}
    return made


def number(title, meaning, unit, query, *steps):
    """How it is now, in the colour of the highest step that it reaches."""
    thresholds = [{"color": color, "value": value} for color, value in steps or [("text", None)]]
    defaults = {"unit": unit, "min": 0, "color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": thresholds}}
    options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area", "textMode": "value"}
    return panel("stat", title, meaning, defaults, options, {title: query})


GOOD = [("green", None)]
FAILED = f"""({rate(f"{CALLS}_count", where=f'{UNARY}, error_type!=""')} or vector(0)) / {rate(f"{CALLS}_count", where=UNARY)}"""

# Title of a row, and its lines of panels.
ROWS = [
    ("Now", [[
        number("Replicas that take calls", "Those that are ready.", "short", each("sum", "ownership_ready", ""), ("red", None), ("green", 1)),
        number("Calls", "Of all methods.", "reqps", rate(f"{CALLS}_count")),
        number("Calls that fail", "By the fault of the service, of all but streams. Promised is at most one of a thousand.", "percentunit",
               FAILED, *GOOD, ("orange", 0.001), ("red", 0.0144)),
        number("Duration, p99", "Of all but streams. Promised is half a second.", "s",
               quantile(0.99, CALLS, where=UNARY), *GOOD, ("orange", 0.5), ("red", 5)),
        number("Oldest unpublished change", "Consumers of events lag behind by so much.", "s",
               each("max", "ownership_outbox_age_seconds", ""), *GOOD, ("orange", 60), ("red", 600)),
        number("Longest wait for an owner", "Of the accounts in memory.", "s",
               each("max", "ownership_unassigned_age_seconds", ""), *GOOD, ("orange", 86400)),
    ]]),
    ("Calls", [[
        chart("Calls", "By method.", "reqps", {"{{method}}": short(rate(f"{CALLS}_count", "rpc_method"))}),
        chart("Failed calls", "By the fault of the service, by method. A watch always ends so, unless its caller ends it.", "reqps",
              {"{{method}}": short(rate(f"{CALLS}_count", "rpc_method", 'error_type!=""'))}),
    ], [
        latency("Duration, p50", "By method, without streams.", {"{{method}}": short(quantile(0.5, CALLS, "rpc_method", UNARY))}),
        latency("Duration, p99", "By method, without streams.", {"{{method}}": short(quantile(0.99, CALLS, "rpc_method", UNARY))}),
    ], [
        chart("Codes other than OK", "Of calls that failed, and of those that were refused by the fault of the caller.", "reqps",
              {"{{rpc_response_status_code}}": rate(f"{CALLS}_count", "rpc_response_status_code", 'rpc_response_status_code!="OK"')}),
        chart("Under way", "Calls that have begun and not ended, watches among them.", "short", {"{{pod}}": each("sum", "ownership_calls_active")}),
    ]]),
    ("Identity", [[
        chart("Calls of somebody who may not make them", "By reason.", "reqps", {"{{reason}}": rate("ownership_identity_refusals_total", "reason")}),
        chart("Certificates and keys", "Replaced, or what kept them from being; and for how long the service's certificate is still good.", "cps",
              {"{{what}} {{outcome}}": rate("ownership_identity_renewals_total", "what, outcome"),
               "certificate good for": each("min", "ownership_identity_certificate_expires_seconds", "namespace")}, right=("certificate good for", "s")),
    ]]),
    ("Business", [[
        chart("Changes of owners", "By the door they came through.", "cps", {"{{source}}": rate("ownership_changes_total", "source")}),
        chart("What they did", "Assigned, reassigned, unassigned and so on.", "cps", {"{{kind}}": rate("ownership_changes_total", "kind")}),
        chart("What others are to notify of", "Members who got leads, once for each request; leads that nobody has owned for too long.", "cps",
              {"new owners": rate("ownership_intents_total"), "overdue leads": rate("ownership_unassigned_overdue_total")}),
    ], [
        chart("Open leads without an owner", "Of the accounts in memory.", "short", {"leads": each("max", "ownership_unassigned_leads", "namespace")}),
        chart("Longest wait for an owner", "Of those leads.", "s", {"wait": each("max", "ownership_unassigned_age_seconds", "namespace")}),
        chart("Overdue leads are told of late", "By how much. High for long: no replica gets to it.", "s",
              {"late": each("max", "ownership_unassigned_late_seconds", "namespace")}),
    ]]),
    ("Door", [[
        chart("Writes", "Requests that succeeded, by what they do.", "reqps", {"{{action}}": rate("ownership_writes_total", "action")}),
        chart("Writes of a transaction", "The more wait, the more share one.", "short",
              {"mean": mean("ownership_door_batch_size"), "p99": quantile(0.99, "ownership_door_batch_size")}),
        chart("Transactions tried again, and taken apart", "Tried again for others that were in the way, by name; taken apart for a defect.", "cps",
              {"{{transaction}}": rate("ownership_store_retries_total", "transaction"), "taken apart": rate("ownership_door_batches_split_total")}),
    ], [
        latency("Wait for a transaction", "From the arrival of a write.", quantiles("ownership_door_wait_seconds")),
        latency("Wait for the lock of the account", "High where several replicas write one account, or connections are scarce.",
                quantiles("ownership_head_lock_wait_seconds")),
    ]]),
    ("Books", [[
        chart("Memory of accounts", "As accounted to the budget, and the budget of a replica.", "bytes",
              {"{{pod}}": each("sum", "ownership_books_memory_bytes"), "budget": each("max", "ownership_books_memory_limit_bytes", "namespace")}, limit="budget"),
        chart("Accounts in memory", "Each replica holds those that it is asked about.", "short", {"{{pod}}": each("sum", "ownership_books_resident")}),
        chart("Accounts that come and go", "Many loads: the budget is too small. Too large: one account alone is above the budget. Put back: the database lacks what was committed.", "cps",
              {"loaded": rate("ownership_book_load_duration_seconds_count"), "dropped": rate("ownership_book_evictions_total"),
               "too large": rate("ownership_book_refusals_total"), "put back": rate("ownership_book_losses_total")}),
    ], [
        latency("Time to load an account", "The first call waits for it.", quantiles("ownership_book_load_duration_seconds")),
        latency("Wait of strict reads", "Until the head of the account is known and reached.", quantiles("ownership_read_index_wait_seconds")),
    ]]),
    ("Database", [[
        chart("Connections", "In use and idle, and how many there may be.", "short",
              {"{{pod}} {{state}}": each("sum", "ownership_store_connections", "pod, state"),
               "at most": each("max", "ownership_store_connections_max", "namespace")}, limit="at most"),
        chart("Changes of the schema that are missing", "Replicas take no calls before there are none.", "short",
              {"{{pod}}": each("max", "ownership_store_migrations_pending")}),
        chart("Rows removed for their age", "By table.", "cps", {"{{table}}": rate("ownership_trimmed_rows_total", "table")}),
    ]]),
    ("Watches", [[
        chart("Open watches", "By replica.", "short", {"{{pod}}": each("sum", "ownership_watch_active")}),
        latency("From a change to its watches", "Once the replica knows of it.", quantiles("ownership_watch_lag_seconds")),
        chart("Wakes between replicas", "Sent and received, and accounts that were looked at for them. None without NATS: replicas poll.", "cps",
              {"{{what}}": rate("ownership_wakes_total", "what")}),
    ]]),
    ("Events", [[
        chart("Events", "That NATS has acknowledged, by the replica that was first; and how often others came later.", "cps",
              {"{{pod}}": rate("ownership_events_published_total", "pod"), "later": rate("ownership_events_failures_total", where='kind="outrun"')}),
        chart("Accounts that wait to be published", "All of them, where there is no broker.", "short", {"accounts": each("max", "ownership_outbox_accounts", "namespace")}),
        chart("The oldest change that waits", "Consumers lag behind by so much.", "s", {"age": each("max", "ownership_outbox_age_seconds", "namespace")}),
    ], [
        chart("Failures and losses", "Attempts that failed, by kind; accounts that are published again, by what happened.", "cps",
              {"{{kind}}": rate("ownership_events_failures_total", "kind", 'kind!="outrun"'), "{{how}}": rate("ownership_events_lost_total", "how")}),
        latency("Time of NATS for an event", "Until it is acknowledged.", quantiles("ownership_events_append_duration_seconds")),
        chart("Connected to NATS", "1 for yes.", "short", {"{{pod}}": each("max", "ownership_events_connected")}),
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


def dashboard():
    return {
        "uid": "ownership",
        "title": "Ownership",
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
                variable("namespace", "Namespace", "query", "label_values(ownership_ready, namespace)", datasource=SOURCE, refresh=2,
                         includeAll=True, multi=True, allValue=".*", current={"text": "All", "value": "$__all"}),
            ]
        },
    }


def text():
    """A panel on each line, so that a difference is one."""
    lines = ",\n".join(f"    {json.dumps(one)}" for one in panels())
    return f"{json.dumps(dashboard(), indent=2)[:-2]},\n  \"panels\": [\n{lines}\n  ]\n}}\n"


if __name__ == "__main__":
    OUTPUT.write_text(text())
