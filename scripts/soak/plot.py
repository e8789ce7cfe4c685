#!/usr/bin/env python3
"""Judges whether the processes of a soak stayed flat, draws them, and writes the soak's section of docs/reliability.md.

usage: scripts/soak/plot.py [--results FOLDER] [--page FILE] [--image FILE]

Flat: over what follows the warm-up, the slope (the median of the slopes between all pairs of samples, Theil and Sen's)
adds no more than GROWTH of the median, or the few units that are noise. Exit code 1: something grew, or a client lost.
"""

import argparse
import collections
import csv
import json
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
WARM_UP = 1 / 6  # of the run: caches fill, the first crowds come
GROWTH = 0.10  # of the median, over the whole run
KINDS = {  # column: title, unit, growth that is noise
    "rss_bytes": ("memory, MB", 2**20, 4),
    "goroutines": ("goroutines", 1, 20),
    "descriptors": ("descriptors", 1, 20),
}
NAMES = {
    "standing": "server, never replaced",
    "colors": "servers, promoted",
    "front": "Traefik",
    "store": "Redis",
    "clients": "clients",
}
FAULTS = ["lost", "duplicated", "reordered", "unverified", "promotions_failed"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "scripts" / "soak" / "results")
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs" / "reliability.md")
    parser.add_argument("--image", type=pathlib.Path, default=ROOT / "docs" / "images" / "soak.png")
    args = parser.parse_args()
    summary = json.loads((args.results / "summary.json").read_text())
    series = read(args.results / "samples.csv")
    verdicts = judge(series)
    write(args.page, section(summary, series, verdicts))
    draw(series, args.image)
    bad = [f"{NAMES[name]}, {KINDS[kind][0]}" for (name, kind), v in verdicts.items() if not v["flat"]]
    bad += [f"{summary[fault]} {fault}" for fault in FAULTS if summary[fault]]
    print("not flat or not exact: " + "; ".join(bad) if bad else "flat, and nothing lost")
    return 1 if bad or not summary["acknowledged"] else 0


def read(file):
    """{(process, kind): [(seconds, value)]}; the colors, one or two at a time, are one process."""
    sums = collections.defaultdict(lambda: collections.defaultdict(float))
    with file.open() as lines:
        for row in csv.DictReader(lines):
            name = "colors" if re.match("blue-|green-", row["process"]) else row["process"]
            for kind, (_, unit, _) in KINDS.items():
                if row[kind]:
                    sums[name, kind][float(row["seconds"])] += float(row[kind]) / unit
    return {key: sorted(points.items()) for key, points in sums.items() if key[0] in NAMES}


def judge(series):
    verdicts = {}
    for key, points in series.items():
        end = points[-1][0]
        settled = [p for p in points if p[0] >= end * WARM_UP]
        median = statistics.median(value for _, value in settled)
        grown = slope(settled) * (end - settled[0][0])
        allowed = max(GROWTH * median, KINDS[key[1]][2])
        verdicts[key] = {"median": median, "grown": grown, "allowed": allowed, "flat": grown <= allowed}
    return verdicts


def slope(points):
    pairs = ((a, b) for i, a in enumerate(points) for b in points[i + 1:])
    return statistics.median([(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs] or [0])


def section(summary, series, verdicts):
    minutes = max(points[-1][0] for points in series.values()) / 60
    lines = [
        f"{minutes:.0f} minutes, {summary['promotions']} promotions ({summary['promotions_failed']} failed), "
        f"{summary['clients']:,} clients in {summary['crowds']} crowds, {summary['reconnects']:,} reconnects, "
        f"longest gap {summary['longest_gap_ms'] / 1000:.2f} s. {summary['sent']:,} messages sent, "
        f"{summary['acknowledged']:,} acknowledged, **{summary['lost']} lost, {summary['duplicated']} duplicated, "
        f"{summary['reordered']} out of order**.", "",
        "| process | what | median | grown over the run | allowed | verdict |", "|---|---|---|---|---|---|",
    ]
    for name in NAMES:
        for kind, (title, _, _) in KINDS.items():
            if v := verdicts.get((name, kind)):
                verdict = "flat" if v["flat"] else "**not flat**"
                lines.append(f"| {NAMES[name]} | {title} | {v['median']:.1f} | {v['grown']:+.1f} | {v['allowed']:.1f} | {verdict} |")
    return "\n".join(lines)


def write(page, text):
    pattern = re.compile(r"(<!-- soak -->\n).*?(<!-- /soak -->)", re.DOTALL)
    content, times = pattern.subn(lambda m: m[1] + "\n" + text + "\n\n" + m[2], page.read_text())
    if times != 1:
        sys.exit(f"{page} has {times} sections soak, it should have one")
    page.write_text(content)


def draw(series, image):
    try:
        import matplotlib
    except ImportError:
        print("no matplotlib (Debian: python3-matplotlib): the plot is left as it is", file=sys.stderr)
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(KINDS), figsize=(13, 4), layout="constrained")
    for axis, (kind, (title, _, _)) in zip(axes, KINDS.items()):
        for name, label in NAMES.items():
            if points := series.get((name, kind)):
                axis.plot([s / 60 for s, _ in points], [v for _, v in points], label=label, linewidth=1)
        axis.set(title=title, xlabel="minutes", ylim=(0, None))
    axes[0].legend(fontsize=8)
    figure.savefig(image, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
