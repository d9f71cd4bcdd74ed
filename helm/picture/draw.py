#!/usr/bin/env python3
"""Draws the dashboard from its JSON, with what Prometheus answers to the queries of its panels: run by helm/picture/run.

Grafana's own renderer is a server and a browser beside it, which are no packages of PyPI or Debian; so this knows the two kinds of panels and
the few units that the dashboard has, and fails on others.
"""

import argparse
import json
import math
import urllib.parse
import urllib.request
from datetime import datetime, timezone
from pathlib import Path
from xml.sax.saxutils import escape

DASHBOARD = Path(__file__).parents[1] / "ownership" / "files" / "dashboard.json"
# Of each line, about.
POINTS = 120
# What Grafana would put in; a rate is over ten scrapes. These are the labels that helm/picture/run has Prometheus put on.
PUT_IN = {"$__rate_interval": "20s", "$namespace": "crm", "$job": "ownership"}

# Pixels: of a cell of the grid, around everything, and between panels.
CELL_WIDTH, CELL_HEIGHT = 50, 26
MARGIN, GAP, HEADER = 16, 8, 40
COLORS = [
    "#3274d9", "#e0752d", "#37872d", "#c4162a", "#8f3bb8", "#b8860b", "#0a8f8f", "#d6409f", "#6b7280",
    "#5a7d00", "#1f4e9c", "#a0522d", "#00b894", "#7e57c2", "#f06292", "#90a4ae", "#004d40", "#ff8f00",
]  # fmt: skip
STEPS = {"text": "#1f2937", "green": "#37872d", "orange": "#d9730d", "red": "#c4162a"}

# --- what Prometheus knows


class Prometheus:
    def __init__(self, address, start, end):
        self.address, self.start, self.end = address, start, end
        self.step = max((end - start) / POINTS, 1)

    def lines(self, target):
        """The series of a query: legend, and points in time."""
        query = target["expr"]
        for name, value in {**PUT_IN, "$__range": f"{self.end - self.start}s"}.items():
            query = query.replace(name, value)
        parameters = {"query": query, "start": self.start, "end": self.end, "step": self.step}
        with urllib.request.urlopen(f"{self.address}/api/v1/query_range?{urllib.parse.urlencode(parameters)}") as answer:
            series = json.load(answer)["data"]["result"]
        named = [(legend(target["legendFormat"], one["metric"]), points(one["values"])) for one in series]
        return sorted(((name, line) for name, line in named if line), key=lambda one: one[0])


def legend(form, labels):
    for name, value in labels.items():
        form = form.replace(f"{{{{{name}}}}}", value)
    return form


def points(values):
    return [(at, float(value)) for at, value in values if math.isfinite(float(value))]


# --- how numbers are written


def scaled(value, names, base, first=1.0):
    """With the largest unit that is not larger than it."""
    size = first
    for name in names[:-1]:
        if abs(value) < size * base:
            return f"{plain(value / size)}{name}"
        size *= base
    return f"{plain(value / size)}{names[-1]}"


def plain(value):
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def count(value):
    return scaled(value, ["", " K", " Mil", " Bil"], 1000)


def duration(value):
    if value < 60:
        return scaled(value, [" µs", " ms", " s"], 1000, 1e-6) if value else "0 s"
    return f"{plain(value / 60)} min" if value < 3600 else f"{plain(value / 3600)} h"


UNITS = {
    "short": count,
    "reqps": lambda value: f"{count(value)} req/s",
    "count:/s": lambda value: f"{count(value)} /s",
    "suffix: CPU": lambda value: f"{plain(value)} CPU",
    "s": duration,
    "bytes": lambda value: scaled(value, [" B", " KiB", " MiB", " GiB"], 1024),
    "percentunit": lambda value: f"{plain(value * 100)}%",
}


def ticks(highest, unit):
    """From zero to a round number that is not below the highest."""
    if not highest or unit == "short" and highest <= 4:
        return list(range(max(1, math.ceil(highest)) + 1))
    base = 1024 ** int(math.log(highest, 1024)) if unit == "bytes" and highest >= 1 else 1
    if unit == "s" and highest >= 60:
        base = 60
    rough = highest / base / 4
    power = 10 ** math.floor(math.log10(rough))
    step = base * power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [step * at for at in range(math.ceil(highest / step * 0.999) + 1)]


def powers(values):
    """Powers of ten, from one that is not above the lowest to one that is not below the highest."""
    values = [value for value in values if value > 0] or [1]
    lowest, highest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0**power for power in range(lowest, max(highest, lowest + 1) + 1)]


# --- drawing


class Picture:
    def __init__(self):
        self.parts = []

    def add(self, name, text=None, **attributes):
        written = "".join(f' {key.replace("_", "-")}="{number(value) if isinstance(value, float) else value}"' for key, value in attributes.items())
        self.parts.append(f"<{name}{written}/>" if text is None else f"<{name}{written}>{escape(text)}</{name}>")

    def text(self, x, y, text, **attributes):
        self.add("text", text, x=float(x), y=float(y), **attributes)

    def line(self, places, color, **attributes):
        self.add("polyline", points=joined(places), fill="none", stroke=color, **attributes)


def number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


def joined(places):
    return " ".join(f"{number(x)},{number(y)}" for x, y in places)


def pieces(line, step):
    """A line without what nobody has measured."""
    piece = []
    for at, value in line:
        if piece and at - piece[-1][0] > 1.5 * step:
            yield piece
            piece = []
        piece.append((at, value))
    yield piece


class Frame:
    """Where values stand: between two moments, and between the lowest and the highest mark, by themselves or by their logarithms."""

    def __init__(self, prometheus, box, marks, log=False):
        self.prometheus, (self.x, self.y, self.width, self.height) = prometheus, box
        self.scale = (lambda value: math.log10(max(value, marks[0]))) if log else float
        self.lowest, self.highest = self.scale(marks[0]), self.scale(marks[-1])

    def across(self, at):
        return self.x + self.width * (at - self.prometheus.start) / (self.prometheus.end - self.prometheus.start)

    def up(self, value):
        return self.y + self.height * (self.highest - self.scale(value)) / (self.highest - self.lowest)

    def draw(self, picture, line, color, **style):
        for piece in pieces(line, self.prometheus.step):
            places = [(self.across(at), self.up(value)) for at, value in piece]
            picture.line(places, color, stroke_width=1.3, stroke_linejoin="round", **style)


def wide(text):
    """About how wide a text is, in a wide font."""
    return sum(10 if letter in "mwMW" else 7.6 if letter.isupper() or letter == "_" else 6.1 for letter in text)


def legend_lines(names, width):
    lines, used = [[]], 0
    for name in names:
        needed = 26 + wide(name)
        if lines[-1] and used + needed > width:
            lines.append([])
            used = 0
        lines[-1].append((used, name))
        used += needed
    return lines


def moments(prometheus):
    """Whole minutes, six of them or so."""
    every = 60 * max(1, round((prometheus.end - prometheus.start) / 60 / 6))
    first = math.ceil(prometheus.start / every) * every
    return range(int(first), int(prometheus.end) + 1, every)


def clock(at):
    return datetime.fromtimestamp(at, timezone.utc).strftime("%H:%M")


def draw_chart(picture, panel, box, prometheus):
    x, y, width, height = box
    lines = [line for target in panel["targets"] for line in prometheus.lines(target)]
    named = legend_lines([name for name, _ in lines], width - 24)
    defaults = panel["fieldConfig"]["defaults"]
    unit, log = defaults["unit"], "scaleDistribution" in defaults["custom"]
    values = [value for _, line in lines for _, value in line]
    marks = powers(values) if log else ticks(max(values, default=0), unit)
    left = 12 + max(wide(UNITS[unit](mark)) for mark in marks)
    below = 24 + 15 * len(named)
    frame = Frame(prometheus, (x + left, y + 30, width - left - 14, height - 30 - below), marks, log)
    for mark in marks:
        picture.line([(frame.x, frame.up(mark)), (frame.x + frame.width, frame.up(mark))], "#e5e7eb")
        picture.text(frame.x - 6, frame.up(mark) + 3.5, UNITS[unit](mark), text_anchor="end", fill="#6b7280")
    for at in moments(prometheus):
        picture.line([(frame.across(at), frame.y), (frame.across(at), frame.y + frame.height)], "#f0f1f3")
        picture.text(frame.across(at), frame.y + frame.height + 14, clock(at), text_anchor="middle", fill="#6b7280")
    colors = {name: COLORS[at % len(COLORS)] for at, (name, _) in enumerate(lines)}
    overrides = panel["fieldConfig"]["overrides"]
    limits = {one["matcher"]["options"] for one in overrides if one["properties"][0]["id"] == "custom.lineStyle"}
    style = {name: {"stroke_dasharray": "6 4"} if name in limits else {} for name, _ in lines}
    for name, line in lines:
        frame.draw(picture, line, colors[name], **style[name])
    if not lines:
        picture.text(x + width / 2, y + height / 2, "No data", text_anchor="middle", fill="#9ca3af", font_size=13)
    for row, line in enumerate(named):
        at = y + height - 15 * len(named) + 15 * row + 4
        for offset, name in line:
            picture.line([(x + 12 + offset, at - 3.5), (x + 22 + offset, at - 3.5)], colors[name], stroke_width=3, **style[name])
            picture.text(x + 26 + offset, at, name, fill="#374151")


def draw_number(picture, panel, box, prometheus):
    x, y, width, height = box
    defaults = panel["fieldConfig"]["defaults"]
    lines = prometheus.lines(panel["targets"][0])
    last = lines[0][1][-1][1] if lines else -math.inf
    reached = [step for step in defaults["thresholds"]["steps"] if step["value"] is None or last >= step["value"]]
    color = STEPS[reached[-1]["color"]]
    written = UNITS[defaults["unit"]](last) if lines else defaults["noValue"]
    picture.text(x + width / 2, y + height / 2 + 16, written, text_anchor="middle", fill=color, font_size=26, font_weight="bold")


def draw_panel(picture, panel, prometheus):
    place = panel["gridPos"]
    x, y = MARGIN + place["x"] * CELL_WIDTH, HEADER + place["y"] * CELL_HEIGHT
    width, height = place["w"] * CELL_WIDTH - GAP, place["h"] * CELL_HEIGHT - GAP
    if panel["type"] == "row":
        picture.text(x, y + 17, panel["title"], font_size=14, font_weight="bold", fill="#1f2937")
        return
    picture.add("rect", x=x, y=y, width=width, height=height, rx=3, fill="#fff", stroke="#d8dbe0")
    picture.text(x + 10, y + 18, panel["title"], font_size=11.5, font_weight="bold", fill="#1f2937")
    {"timeseries": draw_chart, "stat": draw_number}[panel["type"]](picture, panel, (x, y, width, height), prometheus)


def svg(dashboard, prometheus):
    picture = Picture()
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    width, height = 2 * MARGIN - GAP + 24 * CELL_WIDTH, HEADER + rows * CELL_HEIGHT + MARGIN - GAP
    picture.add("rect", width=width, height=height, fill="#f4f5f7")
    picture.text(MARGIN, 26, dashboard["title"].replace("NAMESPACE", PUT_IN["$namespace"]).replace("INSTALLATION", PUT_IN["$job"]), font_size=18, font_weight="bold", fill="#1f2937")
    when = datetime.fromtimestamp(prometheus.start, timezone.utc).strftime("%Y-%m-%d")
    picture.text(width - MARGIN, 26, f"{when} {clock(prometheus.start)} to {clock(prometheus.end)} UTC", text_anchor="end", fill="#6b7280", font_size=12)
    for panel in dashboard["panels"]:
        draw_panel(picture, panel, prometheus)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10.5">'
    return "\n".join([head, *picture.parts, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prometheus", required=True, metavar="URL")
    parser.add_argument("--from", dest="start", type=int, required=True, metavar="SECONDS")
    parser.add_argument("--until", type=int, required=True, metavar="SECONDS")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    prometheus = Prometheus(options.prometheus, options.start, options.until)
    options.output.write_text(svg(json.loads(DASHBOARD.read_text()), prometheus))


if __name__ == "__main__":
    main()
