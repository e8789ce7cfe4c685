#!/usr/bin/env python3
"""Samples memory, descriptors and goroutines of every process of a local stack into a CSV file, until it is ended.

usage: watch.py --state FOLDER --out FILE [--every SECONDS]

The processes are those with a pid file; goroutines come from the metrics of those that have a port with some.
"""

import argparse
import csv
import http.client
import os
import pathlib
import re
import time
import urllib.request

FIELDS = ["seconds", "process", "pid", "rss_bytes", "goroutines", "descriptors"]
METRICS_TIMEOUT = 5  # seconds
METRICS_PORT = {"front": "front-metrics"}  # Traefik's are on a port of their own
WITHOUT = {"store"}  # speaks no HTTP


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--every", type=float, default=10)
    args = parser.parse_args()
    started = time.monotonic()
    with args.out.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(FIELDS)
        for tick in range(1 << 31):
            time.sleep(max(0, started + tick * args.every - time.monotonic()))
            seconds = round(time.monotonic() - started)
            rows.writerows([seconds, *sample] for sample in samples(args.state))
            file.flush()


def samples(state):
    """One row a living process; one that ends while it is looked at has none."""
    for file in sorted((state / "pids").iterdir()):
        try:
            pid = int(file.read_text().split()[0])
            yield file.name, pid, resident(pid), goroutines(state, file.name), len(os.listdir(f"/proc/{pid}/fd"))
        except (OSError, ValueError, LookupError, http.client.HTTPException):
            continue


def resident(pid):
    found = re.search(r"VmRSS:\s*(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
    if not found:
        raise LookupError(f"{pid} is a zombie")
    return int(found[1]) * 1024


def goroutines(state, name):
    """Empty for what is no Go process with metrics."""
    port = state / "ports" / METRICS_PORT.get(name, name)
    if name in WITHOUT or not port.exists():
        return ""
    url = f"http://127.0.0.1:{port.read_text().strip()}/metrics"
    with urllib.request.urlopen(url, timeout=METRICS_TIMEOUT) as answer:
        found = re.search(r"^go_goroutines (\d+)", answer.read().decode(), re.MULTILINE)
    return int(found[1]) if found else ""


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
