#!/usr/bin/env python3
"""Writes docs/performance.md's tables and plots from the figures in tests/bench/results.

usage: tests/bench/plot.py [--results FOLDER] [--page FILE] [--images FOLDER]

Between `<!-- name -->` and `<!-- /name -->` the page is written anew; the rest is left alone. Without matplotlib the
tables are written and the plots left as they are, which is said.
"""

import argparse
import json
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = {
    "baton": "**Baton**",
    "plain": "plain Fiber, a `SET` a message",
    "no store": "Fiber echo, no store",
    "bare": "Baton's loops and frames, no store",
    "django": "Django Channels, uvicorn, uvloop",
    "node": "Node `ws` + node-redis, 2 workers",
    "nbio": "nbio echo, no store",
    "centrifuge": "centrifuge echo, no store",
}
STORELESS = {"no store", "bare", "nbio", "centrifuge"}
OURS, THEIRS, NO_STORE = "#3274d9", "#8e8e8e", "#c8c8c8"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "tests" / "bench" / "results")
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs" / "performance.md")
    parser.add_argument("--images", type=pathlib.Path, default=ROOT / "docs" / "images")
    args = parser.parse_args()
    found = {path.stem: json.loads(path.read_text()) for path in sorted(args.results.glob("*.json"))}
    page = args.page.read_text()
    for name, write in TABLES.items():
        if name in found:
            page = section(page, name, write(found[name]))
    page = section(page, "targets", targets(found))
    args.page.write_text(page)
    print(args.page)
    try:
        import matplotlib
    except ImportError:
        print("no matplotlib (Debian: python3-matplotlib): the plots are left as they are", file=sys.stderr)
        return
    matplotlib.use("Agg")
    for name, draw in PLOTS.items():
        if name in found:
            print(draw(found[name], args.images))


def section(page, name, text):
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    page, times = pattern.subn(lambda m: m[1] + "\n" + text.rstrip() + "\n\n" + m[2], page)
    if times != 1:
        sys.exit(f"the page has {times} sections {name}, it should have one")
    return page


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def taken(report):
    return (
        f"{report['machine']}; {report['taken']}, commit {report['commit']}, {report['rounds']} rounds, "
        f"load average at the end {report['load_average']}.\n"
    )


def shapes(report):
    return list(dict.fromkeys((row["clients"], row["in_flight"]) for row in report["rows"]))


def middle(values):
    return statistics.median(values)


def around(values):
    return f"±{50 * (max(values) - min(values)) / (middle(values) or 1):.0f} %"


def messages(report):
    parts = [taken(report)]
    for shape in shapes(report):
        rows = [r for r in report["rows"] if (r["clients"], r["in_flight"]) == shape]
        parts.append(f"**{shape[0]:,} connections, {shape[1]} in flight each**\n")
        parts.append(table(
            ["", "messages a second", "server CPU a message", "Redis CPU a message", "p50", "p99"],
            [[NAMES[r["server"]], *cells(r)] for r in rows],
        ))
    return "\n".join(parts)


def cells(row):
    figures = row.get("figures")
    if not figures:
        return ["not installed: " + row.get("absent", "").replace("|", "\\|"), "", "", "", ""]
    store = "" if row["server"] in STORELESS else f"{middle(figures['redis_us']):.2f} µs"
    return [
        f"{middle(figures['rate']):,.0f} {around(figures['rate'])}",
        f"{middle(figures['server_us']):.2f} µs {around(figures['server_us'])}",
        store,
        f"{middle(figures['p50_us']) / 1000:.3g} ms",
        f"{middle(figures['p99_us']) / 1000:.3g} ms",
    ]


def idle(report):
    rows = [[NAMES[name], f"{kb:.2f} KB"] for name, kb in report["rows"].items()]
    return taken(report) + "\n" + table(["idle connections", "RSS a connection"], rows)


def targets(found):
    rows = []
    for report in found.values():
        for t in report["targets"] or []:
            met = t["value"] >= t["bound"] if t["least"] else t["value"] <= t["bound"]
            verdict = "not measured" if not t["value"] else "met" if met else "**missed**"
            sign = "≥" if t["least"] else "≤"
            rows.append([t["what"], f"{t['value']:.3g}{t['unit']} ±{t['spread']:.0f} %",
                         f"{sign} {t['bound']:g}{t['unit']}", verdict])
    return table(["", "measured", "asked", ""], rows)


def capacity(report):
    rows = report["rows"]
    parts = [taken(report), table(["connections held", "server RSS", "a connection"],
             [[f"{p['connections']:,}", f"{p['rss_bytes'] / 2**20:.1f} MB", f"{p['rss_bytes'] / p['connections'] / 1024:.2f} KB"]
              for p in rows["memory"]])]
    parts.append(table(["way", "clients × in flight", "messages a second", "p50", "p99"],
                 [[p["way"], f"{p['clients']:,} × {p['in_flight']}", f"{p['rate']:,.0f}",
                   f"{p['p50_us'] / 1000:.3g} ms", f"{p['p99_us'] / 1000:.3g} ms"] for p in rows["curve"]]))
    return "\n".join(parts)


def scaling(report):
    return taken(report) + "\n" + table(
        ["Redis", "masters", "processes", "in flight", "messages a second", "server CPU a message", "Redis CPU a message",
         "sessions a round trip", "p99"],
        [[p["store"], p["masters"], p["processes"], p["in_flight"], f"{middle(p['rate']):,.0f} {around(p['rate'])}",
          f"{middle(p['server_us']):.2f} µs", f"{middle(p['redis_us']):.2f} µs", f"{middle(p['group']):.0f}",
          f"{middle(p['p99_us']) / 1000:.3g} ms"] for p in report["rows"]])


def bars(report, images):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(11, 7), layout="constrained")
    for axis, shape in zip(axes.flat, shapes(report)):
        rows = [r for r in report["rows"] if (r["clients"], r["in_flight"]) == shape and r.get("figures")][::-1]
        rates = [r["figures"]["rate"] for r in rows]
        middles = [middle(r) for r in rates]
        errors = [[m - min(r) for m, r in zip(middles, rates)], [max(r) - m for m, r in zip(middles, rates)]]
        colors = [OURS if r["server"] == "baton" else NO_STORE if r["server"] in STORELESS else THEIRS for r in rows]
        axis.barh([r["server"] for r in rows], middles, xerr=errors, color=colors, ecolor="#555", capsize=2)
        axis.set_xscale("log")
        axis.set_title(f"{shape[0]:,} connections × {shape[1]} in flight", fontsize=10)
        axis.set_xlabel("messages a second (light gray: stores nothing)", fontsize=8)
    return save(figure, images / "performance-messages.png")


def curves(report, images):
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    points = report["rows"]["memory"]
    left.plot([p["connections"] for p in points], [p["rss_bytes"] / 2**20 for p in points], "o-", color=OURS)
    left.set(xlabel="idle connections", ylabel="RSS, MB", ylim=(0, None))
    for way, color in (("direct", OURS), ("Traefik", THEIRS)):
        points = [p for p in report["rows"]["curve"] if p["way"] == way]
        for field, style in (("p50_us", "o-"), ("p99_us", "x--")):
            right.plot([p["rate"] for p in points], [p[field] / 1000 for p in points], style, color=color, label=f"{way}, {field[:3]}")
    right.set(xlabel="messages a second", ylabel="latency, ms", xscale="log", yscale="log")
    right.legend(fontsize=8)
    return save(figure, images / "performance-capacity.png")


def costs(report, images):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
    for axis, in_flight in zip(axes, (16, 1)):
        for store, color in (("one Redis", THEIRS), ("Cluster", OURS)):
            for masters, style in ((1, "o-"), (2, "x--"), (3, "s:")):
                points = [p for p in report["rows"] if (p["store"], p["masters"], p["in_flight"]) == (store, masters, in_flight)]
                if points:
                    axis.plot([p["processes"] for p in points], [middle(p["server_us"]) + middle(p["redis_us"]) for p in points],
                              style, color=color, label=f"{store}, {masters} master{'s'[:masters - 1]}")
        axis.set(xlabel="processes", xticks=[1, 2, 3], ylabel="server and Redis CPU a message, µs", ylim=(0, None))
        axis.set_title(f"1,000 connections × {in_flight} in flight", fontsize=10)
        axis.legend(fontsize=8)
    return save(figure, images / "performance-scaling.png")


def save(figure, path):
    figure.savefig(path, dpi=110, metadata={"Software": None})
    return path


TABLES = {"messages": messages, "idle": idle, "capacity": capacity, "scaling": scaling}
PLOTS = {"messages": bars, "capacity": curves, "scaling": costs}

if __name__ == "__main__":
    main()
