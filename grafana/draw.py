#!/usr/bin/env python3
"""Draws the dashboards as a reader of Grafana would see them, from a Prometheus that has the data.

usage: grafana/draw.py [--prometheus URL] [--minutes N] [--until UNIX_TIME] [--out FOLDER]

For documentation, and for machines where Grafana can't be had: every panel's own queries are run over the
N minutes until then (now) and drawn into one PNG a dashboard. Needs matplotlib.
"""

import argparse
import datetime
import itertools
import json
import math
import pathlib
import time
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.dates as dates
import matplotlib.pyplot as plt
from matplotlib.colors import PowerNorm

HERE = pathlib.Path(__file__).resolve().parent
COLUMNS, ROWS = 24, 20
STEP_SECONDS = 5
# Over this a line is broken, as the panels' spanNulls has it.
GAP_SECONDS = 60
# What Grafana makes of a scrape interval of 15 s.
RATE_INTERVAL = "1m"
VARIABLES = {"$color": ".+", "$instance": ".+", "$__rate_interval": RATE_INTERVAL}
INK, PAPER, PANEL, FAINT = "#d8d9da", "#111217", "#181b1f", "#8e8e8e"
SHADES = {
    "blue": ["#5794f2", "#8ab8ff", "#1f60c4", "#c0d8ff", "#3274d9"],
    "green": ["#73bf69", "#96d98d", "#37872d", "#c8f2c2", "#56a64b"],
}
OTHERS = ["#ff9830", "#b877d9", "#f2495c", "#fade2a", "#8ab8ff", "#96d98d", "#ffcb7d", "#ca95e5"]
STEPS = {"text": INK, "green": "#73bf69", "yellow": "#fade2a", "red": "#f2495c"}


class Prometheus:
    """Range queries over one window of time."""

    def __init__(self, base, minutes, until):
        self.base = base
        self.end = until
        self.start = self.end - 60 * minutes

    def series(self, expr):
        for name, value in VARIABLES.items():
            expr = expr.replace(name, value)
        query = {"query": expr, "start": self.start, "end": self.end, "step": STEP_SECONDS}
        address = f"{self.base}/api/v1/query_range?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=20) as answer:
            result = json.load(answer)["data"]["result"]
        return [(s["metric"], [(t, float(v)) for t, v in s["values"]]) for s in result]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--until", type=float, default=time.time())
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "docs" / "images")
    args = parser.parse_args()
    prometheus = Prometheus(args.prometheus, args.minutes, args.until)
    for path in sorted((HERE / "dashboards").glob("*.json")):
        target = args.out / f"dashboard-{path.stem}.png"
        draw(json.loads(path.read_text()), prometheus, target)
        print(target)


def draw(dashboard, prometheus, target):
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 7, "text.color": INK})
    figure = plt.figure(figsize=(14.4, 8.4), facecolor=PAPER)
    figure.text(0.012, 0.975, dashboard["title"], fontsize=12, weight="bold", va="center")
    figure.text(0.988, 0.975, dashboard["description"], fontsize=8, color=FAINT, va="center", ha="right")
    marks = annotations(dashboard, prometheus)
    for panel in dashboard["panels"]:
        axes = figure.add_axes(place(panel["gridPos"]), facecolor=PANEL)
        axes.set_title(panel["title"], fontsize=8, loc="left", color=INK, pad=4)
        DRAW[panel["type"]](axes, panel, prometheus, marks)
    figure.savefig(target, dpi=100, facecolor=PAPER)
    plt.close(figure)


def place(grid):
    """A panel's place in the figure, with room for its title and its axes."""
    width, height = 1 / COLUMNS, 0.95 / ROWS
    left, bottom = grid["x"] * width, 0.95 - (grid["y"] + grid["h"]) * height
    return [left + 0.032, bottom + 0.028, grid["w"] * width - 0.04, grid["h"] * height - 0.062]


def annotations(dashboard, prometheus):
    """When Traefik took a configuration, and when a color drained."""
    marks = []
    for a in dashboard["annotations"]["list"]:
        for _, points in prometheus.series(a["expr"]):
            if a["useValueForTime"]:
                marks += [(v / 1000, "#b877d9") for v in {v for _, v in points} if v / 1000 > prometheus.start]
            else:
                marks += [(t, "#ff9830") for t, _ in points]
    return marks


def draw_timeseries(axes, panel, prometheus, marks):
    defaults = panel["fieldConfig"]["defaults"]
    lines = []
    for target in panel["targets"]:
        for labels, points in prometheus.series(target["expr"]):
            lines.append((legend(target["legendFormat"], labels), points))
    lines.sort(key=lambda line: -max((v for _, v in line[1] if not math.isnan(v)), default=0))
    plot_lines(axes, lines[:8], defaults["custom"]["stacking"]["mode"] == "normal")
    for at, color in marks:
        axes.axvline(at_date(at), color=color, linewidth=0.8, linestyle="--")
    axes.set_xlim(at_date(prometheus.start), at_date(prometheus.end))
    axes.xaxis.set_major_locator(dates.MinuteLocator())
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    axes.yaxis.set_major_formatter(lambda v, _: unit(v, defaults["unit"]))
    axes.set_ylim(bottom=0)
    axes.grid(color="#2c3235", linewidth=0.5)
    axes.tick_params(colors=FAINT, labelsize=6, length=0)
    if not lines:
        axes.text(0.5, 0.5, defaults.get("noValue", "No data"), transform=axes.transAxes, ha="center", color=FAINT)
    else:
        axes.legend(loc="upper left", fontsize=5.5, frameon=False, labelcolor=INK, ncols=2)


def plot_lines(axes, lines, stacked):
    palettes = {name: itertools.cycle(shades) for name, shades in SHADES.items()}
    others = itertools.cycle(OTHERS)
    base = {}
    for name, points in lines:
        color = next(palettes.get(name.split(" ")[0], others))
        low = [base.get(t, 0) if stacked else 0 for t, _ in points]
        high = [b + v for b, (_, v) in zip(low, points)]
        base.update({t: h for (t, _), h in zip(points, high)})
        x = [at_date(t) for t, _ in points]
        for i in range(len(points) - 1, 0, -1):
            if points[i][0] - points[i - 1][0] > GAP_SECONDS:
                for values in (x, low, high):
                    values.insert(i, math.nan)
        axes.plot(x, high, color=color, linewidth=1.2, label=name)
        axes.fill_between(x, low, high, color=color, alpha=0.35 if stacked else 0.08, linewidth=0)


def draw_stat(axes, panel, prometheus, _marks):
    defaults = panel["fieldConfig"]["defaults"]
    axes.set_xticks([])
    axes.set_yticks([])
    points = next((p for t in panel["targets"] for _, p in prometheus.series(t["expr"])), [])
    values = [v for _, v in points if not math.isnan(v)]
    if not values:
        axes.text(0.5, 0.5, defaults.get("noValue", "No data"), transform=axes.transAxes, ha="center", color=FAINT)
        return
    color = INK
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is None or values[-1] >= step["value"]:
            color = STEPS[step["color"]]
    axes.fill_between(range(len(values)), values, color=color, alpha=0.15, linewidth=0)
    axes.set_ylim(0, 2.5 * max(max(values), 1e-9))
    axes.text(0.5, 0.58, unit(values[-1], defaults["unit"]), transform=axes.transAxes, ha="center", va="center", fontsize=17, color=color)


def draw_heatmap(axes, panel, prometheus, _marks):
    buckets = sorted(
        ((float(labels["le"]), points) for labels, points in prometheus.series(panel["targets"][0]["expr"])),
        key=lambda bucket: bucket[0],
    )
    times = [t for t, _ in buckets[0][1]]
    below = dict.fromkeys(times, 0.0)
    rows = []
    for _, points in buckets:
        at = dict(points)
        rows.append([max(at.get(t, 0) - below[t], 0) or math.nan for t in times])
        below = {t: at.get(t, 0) for t in times}
    axes.pcolormesh([at_date(t) for t in times], range(len(rows)), rows, cmap="turbo", norm=PowerNorm(0.5), shading="nearest")
    axes.set_yticks(range(len(rows)), [unit(le, "s") if le != math.inf else "more" for le, _ in buckets])
    axes.xaxis.set_major_locator(dates.MinuteLocator())
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    axes.tick_params(colors=FAINT, labelsize=5, length=0)


DRAW = {"timeseries": draw_timeseries, "stat": draw_stat, "heatmap": draw_heatmap}


def legend(template, labels):
    for name, value in labels.items():
        template = template.replace("{{" + name + "}}", value)
    return template


def at_date(seconds):
    return dates.date2num(datetime.datetime.fromtimestamp(seconds))


def unit(value, name):
    """A value as Grafana writes it."""
    if name == "bool_yes_no":
        return "Yes" if value else "No"
    if name == "percentunit":
        return f"{100 * value:.3g} %"
    if name == "s":
        return duration(value)
    if name == "bytes":
        return scaled(value, 1024, ["B", "KiB", "MiB", "GiB"])
    suffix = {"cps": " c/s", "ops": " ops/s", "reqps": " req/s"}.get(name, "")
    return scaled(value, 1000, ["", "K", "Mil"]).strip() + suffix


def duration(value):
    for bound, factor, suffix in ((1e-3, 1e6, "µs"), (1, 1e3, "ms"), (60, 1, "s"), (3600, 1 / 60, "min")):
        if value < bound:
            return f"{value * factor:.3g} {suffix}" if value else "0 s"
    return f"{value / 3600:.3g} h"


def scaled(value, base, names):
    for suffix in names[:-1]:
        if abs(value) < base:
            return f"{value:.3g} {suffix}" if base == 1024 else f"{value:.4g} {suffix}"
        value /= base
    return f"{value:.3g} {names[-1]}"


if __name__ == "__main__":
    main()
