#!/usr/bin/env python3
"""Draws the dashboards as a reader of Grafana would see them, from a Prometheus that has the data.

usage: grafana/draw.py [--prometheus URL] [--minutes N] [--until UNIX_TIME] [--out FOLDER]

For documentation, and for machines where Grafana can't be had: every panel's own queries are run over the
N minutes until then (now) and drawn into one PNG a dashboard, in Grafana's grid on a screen 1440 pixels wide.
Needs matplotlib.
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
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, MultipleLocator

HERE = pathlib.Path(__file__).resolve().parent
# Pixels: the screen, the bar above the panels, and Grafana's grid.
WIDTH, BAR, COLUMNS, ROW, GAP = 1440, 44, 24, 38, 8
LETTER, LINE = 6.3, 17
STEP_SECONDS = 5
# Over this a line is broken, as the panels' spanNulls has it.
GAP_SECONDS = 60
# What Grafana makes of a scrape interval of 15 s.
RATE_INTERVAL = "1m"
VARIABLES = {"$color": ".+", "$instance": ".+", "$__rate_interval": RATE_INTERVAL}
INK, PAPER, PANEL, EDGE, FAINT = "#d8d9da", "#111217", "#181b1f", "#2c3235", "#9a9aa0"
SHADES = {
    "blue": ["#5794f2", "#8ab8ff", "#1f60c4", "#c0d8ff", "#3274d9"],
    "green": ["#73bf69", "#96d98d", "#37872d", "#c8f2c2", "#56a64b"],
}
OTHERS = ["#ff9830", "#b877d9", "#f2495c", "#fade2a", "#8ab8ff", "#96d98d", "#ffcb7d", "#ca95e5"]
NAMED = {"text": INK, "green": "#73bf69", "yellow": "#fade2a", "red": "#f2495c", "purple": "#b877d9", "orange": "#ff9830"}


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


class Box:
    """A rectangle of the picture in pixels, from its upper left corner."""

    def __init__(self, figure, x, y, w, h):
        self.figure, self.x, self.y, self.w, self.h = figure, x, y, w, h
        self.height = figure.get_figheight() * figure.dpi

    def frame(self):
        at = (self.x / WIDTH, 1 - (self.y + self.h) / self.height)
        self.figure.add_artist(Rectangle(at, self.w / WIDTH, self.h / self.height, facecolor=PANEL, edgecolor=EDGE, linewidth=0.8, zorder=-1))

    def text(self, x, y, text, **style):
        self.figure.text((self.x + x) / WIDTH, 1 - (self.y + y) / self.height, text, va="center", **style)

    def axes(self, left, top, right, bottom):
        at = [self.x + left, self.height - self.y - self.h + bottom, self.w - left - right, self.h - top - bottom]
        return self.figure.add_axes([at[0] / WIDTH, at[1] / self.height, at[2] / WIDTH, at[3] / self.height], facecolor=PANEL)


def draw(dashboard, prometheus, target):
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 8, "text.color": INK, "axes.edgecolor": EDGE})
    rows = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in dashboard["panels"])
    figure = plt.figure(figsize=(WIDTH / 100, (BAR + rows * ROW) / 100), dpi=100, facecolor=PAPER)
    marks = annotations(dashboard, prometheus)
    bar(Box(figure, 0, 0, WIDTH, BAR), dashboard)
    for panel in dashboard["panels"]:
        box = place(figure, panel["gridPos"])
        box.frame()
        box.text(10, 14, panel["title"], fontsize=9, weight="bold")
        DRAW[panel["type"]](box, panel, prometheus, marks)
    figure.savefig(target, facecolor=PAPER)
    plt.close(figure)


def place(figure, grid):
    column = (WIDTH - GAP) / COLUMNS
    return Box(figure, GAP + grid["x"] * column, BAR + grid["y"] * ROW, grid["w"] * column - GAP, grid["h"] * ROW - GAP)


def bar(box, dashboard):
    """The title, what the marks are, and what the page is for."""
    box.text(GAP + 2, BAR / 2, dashboard["title"], fontsize=13, weight="bold")
    x = 330
    for a in dashboard["annotations"]["list"]:
        box.text(x, BAR / 2, "\u250a " + a["name"], color=NAMED[a["iconColor"]])
        x += LETTER * len(a["name"]) + 30
    box.text(WIDTH - GAP, BAR / 2, dashboard["description"], color=FAINT, ha="right")


def annotations(dashboard, prometheus):
    """(from, until, color) of each: a moment that a series tells, or the time in which it has a value."""
    marks = []
    for a in dashboard["annotations"]["list"]:
        color = NAMED[a["iconColor"]]
        for _, points in prometheus.series(a["expr"]):
            if a["useValueForTime"]:
                marks += [(v / 1000, v / 1000, color) for v in {v for _, v in points} if v / 1000 > prometheus.start]
                continue
            for i, (t, _) in enumerate(points):
                if i == 0 or t - points[i - 1][0] > STEP_SECONDS:
                    marks.append((t, t, color))
                marks[-1] = (marks[-1][0], t, color)
    return marks


def draw_timeseries(box, panel, prometheus, marks):
    defaults, legend = panel["fieldConfig"]["defaults"], panel["options"]["legend"]
    lines = []
    for target in panel["targets"]:
        for labels, points in prometheus.series(target["expr"]):
            lines.append((named(target["legendFormat"], labels), [(t, v) for t, v in points if not math.isnan(v)]))
    lines = colored(sorted((line for line in lines if line[1]), key=lambda line: line[0]))
    right, bottom = (table if legend["placement"] == "right" else below)(box, lines, defaults["unit"])
    axes = box.axes(66, 28, 12 + right, 22 + bottom)
    for _, points, color in lines:
        plot(axes, points, color)
    for begin, end, color in marks:
        axes.axvline(at_date(begin), color=color, linewidth=0.9, linestyle="--")
        axes.axvspan(at_date(begin), at_date(end), color=color, alpha=0.06, linewidth=0)
    scale(axes, prometheus, max((v for _, points, _ in lines for _, v in points), default=0), defaults)
    if not lines:
        axes.text(0.5, 0.5, defaults.get("noValue", "No data"), transform=axes.transAxes, ha="center", color=FAINT, fontsize=11)


def colored(lines):
    palettes = {name: itertools.cycle(shades) for name, shades in SHADES.items()}
    others = itertools.cycle(OTHERS)
    return [(name, points, next(palettes.get(name.split(" ")[0], others))) for name, points in lines]


def plot(axes, points, color):
    x, y = [at_date(t) for t, _ in points], [v for _, v in points]
    for i in range(len(points) - 1, 0, -1):
        if points[i][0] - points[i - 1][0] > GAP_SECONDS:
            x.insert(i, math.nan)
            y.insert(i, math.nan)
    axes.plot(x, y, color=color, linewidth=1.4)
    axes.fill_between(x, y, color=color, alpha=0.08, linewidth=0)


def scale(axes, prometheus, most, defaults):
    """Both axes, and the thresholds that lie between them."""
    top = 1.08 * most or 1
    ticks = max(2, int(axes.bbox.height / 34))
    axes.set_ylim(0, top)
    if defaults["unit"] == "bytes":
        axes.yaxis.set_major_locator(MultipleLocator(2 ** math.ceil(math.log2(top / ticks))))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(lambda v, _: unit(v, defaults["unit"]))
    for step in defaults["thresholds"]["steps"]:
        if defaults["custom"]["thresholdsStyle"]["mode"] == "dashed" and step["value"] is not None and step["value"] < top:
            axes.axhline(step["value"], color=NAMED[step["color"]], linewidth=1, linestyle=(0, (6, 4)))
    times(axes, prometheus)
    axes.grid(color=EDGE, linewidth=0.5)


def times(axes, prometheus):
    minutes = (prometheus.end - prometheus.start) / 60
    every = next(n for n in (1, 2, 5, 10, 30, 60, 360) if minutes / n < axes.bbox.width / 55)
    axes.set_xlim(at_date(prometheus.start), at_date(prometheus.end))
    locator = dates.MinuteLocator(byminute=range(0, 60, every)) if every < 60 else dates.HourLocator(interval=every // 60)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    axes.tick_params(colors=FAINT, labelsize=7, length=0)


def table(box, lines, as_unit):
    """The legend at the right: name, last and highest value. Returns the room that it takes, right and below."""
    values = 70
    width = min(box.w / 2, 36 + LETTER * max((len(name) for name, _, _ in lines), default=0) + 2 * values)
    left = box.w - width
    if lines:
        box.text(box.w - values - 12, 36, "Last", color=FAINT, ha="right", fontsize=7)
        box.text(box.w - 12, 36, "Max", color=FAINT, ha="right", fontsize=7)
    for i, (name, points, color) in enumerate(lines[: int((box.h - 50) / LINE)]):
        y = 36 + (i + 1) * LINE
        box.text(left + 8, y, "\u2501", color=color, weight="bold")
        box.text(left + 24, y, name, color=INK)
        box.text(box.w - values - 12, y, unit(points[-1][1], as_unit), ha="right")
        box.text(box.w - 12, y, unit(max(v for _, v in points), as_unit), ha="right")
    return (width if lines else 0), 0


def below(box, lines, _):
    """The legend below: names, from left to right."""
    x, rows, placed = 12, 1, []
    for name, _, color in lines:
        width = 34 + LETTER * len(name)
        if placed and x + width > box.w:
            x, rows = 12, rows + 1
        placed.append((x, rows, name, color))
        x += width
    for x, row, name, color in placed:
        y = box.h - 12 - (rows - row) * LINE
        box.text(x, y, "\u2501", color=color, weight="bold")
        box.text(x + 16, y, name)
    return 0, (rows * LINE if lines else 0)


def draw_stat(box, panel, prometheus, _marks):
    defaults = panel["fieldConfig"]["defaults"]
    points = next((p for t in panel["targets"] for _, p in prometheus.series(t["expr"])), [])
    values = [v for _, v in points if not math.isnan(v)]
    if not values:
        box.text(box.w / 2, box.h * 0.55, defaults.get("noValue", "No data"), ha="center", color=FAINT)
        return
    color = INK
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is None or values[-1] >= step["value"]:
            color = NAMED[step["color"]]
    color = SHADES.get(panel["targets"][0]["legendFormat"], [color])[0]
    axes = box.axes(1, box.h * 0.68, 1, 1)
    axes.fill_between(range(len(values)), values, color=color, alpha=0.2, linewidth=0)
    axes.set_ylim(0, max(max(values), 1e-9))
    axes.margins(x=0)
    axes.axis("off")
    value = round(values[-1], defaults["decimals"]) if "decimals" in defaults else values[-1]
    box.text(box.w / 2, box.h * 0.5, unit(value, defaults["unit"]), ha="center", fontsize=20, color=color)


def draw_heatmap(box, panel, prometheus, _marks):
    buckets = sorted(
        ((float(labels["le"]), points) for labels, points in prometheus.series(panel["targets"][0]["expr"])),
        key=lambda bucket: bucket[0],
    )
    axes = box.axes(66, 28, 12, 22)
    if not buckets:
        axes.text(0.5, 0.5, "No data", transform=axes.transAxes, ha="center", color=FAINT, fontsize=11)
        return
    moments = sorted({t for _, points in buckets for t, _ in points})
    below_it = dict.fromkeys(moments, 0.0)
    rows = []
    for _, points in buckets:
        at = dict(points)
        rows.append([max(at.get(t, 0) - below_it[t], 0) or math.nan for t in moments])
        below_it = {t: at.get(t, 0) for t in moments}
    axes.pcolormesh([at_date(t) for t in moments], range(len(rows)), rows, cmap="turbo", norm=PowerNorm(0.5), shading="nearest")
    names = ["more" if le == math.inf else unit(le, panel["options"]["yAxis"]["unit"]) for le, _ in buckets]
    axes.set_yticks(range(0, len(rows), 2), names[::2])
    times(axes, prometheus)


DRAW = {"timeseries": draw_timeseries, "stat": draw_stat, "heatmap": draw_heatmap}


def named(template, labels):
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
