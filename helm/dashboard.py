#!/usr/bin/env python3
"""Writes helm/ownership/files/dashboard.json: helm/dashboard.py

A panel is a line here and thirty in Grafana's JSON, of which all but the line are the same. Libraries that make dashboards write the same
thirty lines in Python.
"""

import json
from pathlib import Path

OUTPUT = Path(__file__).parent / "ownership" / "files" / "dashboard.json"

# What every query is narrowed to.
WHERE = 'namespace=~"$namespace"'
CALLS = "rpc_server_call_duration_seconds"


def rate(metric, by="", where=""):
    return f"sum by ({by}) (rate({metric}{{{', '.join(filter(None, [WHERE, where]))}}}[$__rate_interval]))"


def quantile(q, metric, by=""):
    return f"histogram_quantile({q}, {rate(metric + '_bucket', ', '.join(filter(None, ['le', by])))})"


def each(function, metric, by="pod"):
    return f"{function} by ({by}) ({metric}{{{WHERE}}})"


# Title of a row, and its panels: title, what it means, unit, queries by legend.
ROWS = [
    (
        "Calls",
        [
            ("Calls a second", "By method.", "reqps", {"{{rpc_method}}": rate(f"{CALLS}_count", "rpc_method")}),
            ("Failed calls", "By the fault of the service, by method and code. A watch always ends so.", "reqps",
             {"{{rpc_method}} {{rpc_response_status_code}}": rate(f"{CALLS}_count", "rpc_method, rpc_response_status_code", 'error_type!=""')}),
            ("Refused calls", "By the fault of the caller, by code.", "reqps",
             {"{{rpc_response_status_code}}": rate(f"{CALLS}_count", "rpc_response_status_code", 'error_type="", rpc_response_status_code!="OK"')}),
            ("Duration, p50", "By method; of streams to their end.", "s", {"{{rpc_method}}": quantile(0.5, CALLS, "rpc_method")}),
            ("Duration, p99", "By method; of streams to their end.", "s", {"{{rpc_method}}": quantile(0.99, CALLS, "rpc_method")}),
            ("Under way", "Calls that have begun and not ended, watches among them.", "short", {"{{pod}}": each("sum", "ownership_calls_active")}),
        ],
    ),
    (
        "Identity",
        [
            ("Calls of somebody who may not make them", "By reason.", "reqps", {"{{reason}}": rate("ownership_identity_refusals_total", "reason")}),
            ("Certificates and keys", "Replaced, or what kept them from being.", "cps",
             {"{{what}} {{outcome}}": rate("ownership_identity_renewals_total", "what, outcome")}),
        ],
    ),
    (
        "Business",
        [
            ("Changes of owners", "By the door they came through.", "cps", {"{{source}}": rate("ownership_changes_total", "source")}),
            ("What they did", "Assigned, reassigned, unassigned and so on.", "cps", {"{{kind}}": rate("ownership_changes_total", "kind")}),
            ("Open leads without an owner", "Of the accounts in memory.", "short", {"leads": each("max", "ownership_unassigned_leads", "namespace")}),
            ("The longest wait for an owner", "Of those leads.", "s", {"wait": each("max", "ownership_unassigned_age_seconds", "namespace")}),
        ],
    ),
    (
        "Door",
        [
            ("Writes", "Requests that succeeded, by what they do.", "reqps", {"{{action}}": rate("ownership_writes_total", "action")}),
            ("Writes that share a transaction", "", "short",
             {"p50": quantile(0.5, "ownership_door_batch_size"), "p99": quantile(0.99, "ownership_door_batch_size")}),
            ("Wait for a transaction", "", "s", {"p50": quantile(0.5, "ownership_door_wait_seconds"), "p99": quantile(0.99, "ownership_door_wait_seconds")}),
            ("Wait for the lock of the account", "High where several replicas write one account.", "s",
             {"p50": quantile(0.5, "ownership_head_lock_wait_seconds"), "p99": quantile(0.99, "ownership_head_lock_wait_seconds")}),
        ],
    ),
    (
        "Books",
        [
            ("Memory of accounts", "As accounted to the budget.", "bytes", {"{{pod}}": each("sum", "ownership_books_memory_bytes")}),
            ("Accounts in memory", "", "short", {"{{pod}}": each("sum", "ownership_books_resident")}),
            ("Accounts that come and go", "Many loads: the budget is too small.", "cps",
             {"loaded": rate("ownership_book_load_duration_seconds_count"), "dropped": rate("ownership_book_evictions_total")}),
            ("Time to load an account", "", "s",
             {"p50": quantile(0.5, "ownership_book_load_duration_seconds"), "p99": quantile(0.99, "ownership_book_load_duration_seconds")}),
            ("Wait of strict reads", "Until the head of the account is known and reached.", "s",
             {"p50": quantile(0.5, "ownership_read_index_wait_seconds"), "p99": quantile(0.99, "ownership_read_index_wait_seconds")}),
        ],
    ),
    (
        "Database",
        [
            ("Connections", "In use and idle, and how many there may be.", "short",
             {"{{pod}} {{state}}": each("sum", "ownership_store_connections", "pod, state"), "{{pod}} at most": each("max", "ownership_store_connections_max")}),
            ("Transactions tried again", "By name.", "cps", {"{{transaction}}": rate("ownership_store_retries_total", "transaction")}),
            ("Changes of the schema that are missing", "", "short", {"{{pod}}": each("max", "ownership_store_migrations_pending")}),
            ("Rows removed for their age", "By table.", "cps", {"{{table}}": rate("ownership_trimmed_rows_total", "table")}),
            ("Replicas that take calls", "", "short", {"replicas": each("sum", "ownership_ready", "namespace")}),
        ],
    ),
    (
        "Watches",
        [
            ("Open watches", "", "short", {"{{pod}}": each("sum", "ownership_watch_active")}),
            ("From a change to its watches", "", "s", {"p50": quantile(0.5, "ownership_watch_lag_seconds"), "p99": quantile(0.99, "ownership_watch_lag_seconds")}),
        ],
    ),
    (
        "Events",
        [
            ("Events", "That NATS has acknowledged.", "cps", {"{{pod}}": rate("ownership_events_published_total", "pod")}),
            ("Accounts that wait to be published", "", "short", {"accounts": each("max", "ownership_outbox_accounts", "namespace")}),
            ("The oldest change that waits", "", "s", {"age": each("max", "ownership_outbox_age_seconds", "namespace")}),
            ("Failures and losses", "Attempts that failed, by kind; accounts that are published again, by what happened.", "cps",
             {"{{kind}}": rate("ownership_events_failures_total", "kind"), "{{how}}": rate("ownership_events_lost_total", "how")}),
            ("Time of NATS for an event", "", "s",
             {"p50": quantile(0.5, "ownership_events_append_duration_seconds"), "p99": quantile(0.99, "ownership_events_append_duration_seconds")}),
            ("Connected to NATS", "", "short", {"{{pod}}": each("max", "ownership_events_connected")}),
        ],
    ),
]

WIDTH, HEIGHT, COLUMNS = 24, 8, 3
SOURCE = {"type": "prometheus", "uid": "$datasource"}


def panel(number, place, title, meaning, unit, queries):
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "description": meaning,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 10, "showPoints": "never"}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for at, (legend, query) in enumerate(queries.items())
        ],
    }


def panels():
    number, y = 0, 0
    for row, content in ROWS:
        number += 1
        yield {"id": number, "type": "row", "title": row, "collapsed": False, "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}, "panels": []}
        y += 1
        for first in range(0, len(content), COLUMNS):
            line = content[first : first + COLUMNS]
            for column, described in enumerate(line):
                number += 1
                width = WIDTH // len(line)
                yield panel(number, {"x": column * width, "y": y, "w": width, "h": HEIGHT}, *described)
            y += HEIGHT


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
