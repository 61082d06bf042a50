#!/usr/bin/env python3
"""Draws which folders of include/digitnet include which: include_graph.py INCLUDE PICTURE.svg (needs graphviz).

An arrow leads to what is included; beside it stands how many includes it is. Arrows of a circle are red. An arrow is
left out where a longer way leads to the same folder. Headers that only say where another one has moved do not count.
"""
import collections
import pathlib
import re
import subprocess
import sys


def includes_of(root):
    """{(folder, included folder): count}, and {folder: (headers, lines)}."""
    arrows, sizes = collections.Counter(), {}
    for header in sorted(root.glob("digitnet/*/**/*.hpp")):
        text = header.read_text()
        if "The header has moved to" in text:
            continue
        folder = header.relative_to(root / "digitnet").parts[0]
        headers, lines = sizes.get(folder, (0, 0))
        sizes[folder] = headers + 1, lines + text.count("\n")
        for included in re.findall(r'^\s*#\s*include ["<]digitnet/([a-z_0-9]+)/', text, re.M):
            if included != folder:
                arrows[folder, included] += 1
    return arrows, sizes


def reachable(arrows, start, without=None):
    found, stack = set(), [start]
    while stack:
        here = stack.pop()
        for arrow in arrows:
            if arrow[0] == here and arrow != without and arrow[1] not in found:
                found.add(arrow[1])
                stack.append(arrow[1])
    return found


def main(include, picture):
    arrows, sizes = includes_of(pathlib.Path(include))
    circular = {arrow for arrow in arrows if arrow[0] in reachable(arrows, arrow[1])}
    # Folders in a circle count as one where longer ways are looked for.
    group = {folder: frozenset({folder} | {a for a, b in circular if b in reachable(circular, folder)}) for folder in sizes}
    between = {(group[a], group[b]) for a, b in arrows if group[a] != group[b]}
    needed = {way for way in between if way[1] not in reachable(between, way[0], way)}
    shown = circular | {(a, b) for a, b in arrows if (group[a], group[b]) in needed}
    lines = [
        "digraph includes {",
        'graph [rankdir=TB, nodesep=0.45, ranksep=0.4, bgcolor=white, margin=0.1]',
        'node [shape=box, style="rounded,filled", fillcolor="#eef3fb", color="#4a6fa5", fontname="DejaVu Sans", fontsize=12]',
        'edge [color="#667788", fontname="DejaVu Sans", fontsize=9, fontcolor="#667788", arrowsize=0.7]',
    ]
    for folder, (headers, count) in sorted(sizes.items()):
        plural = "1 header" if headers == 1 else f"{headers} headers"
        lines.append(f'"{folder}" [label="{folder}\\n{plural}, {count:,} lines"]')
    for arrow in sorted(shown):
        red = ', color="#c0392b", fontcolor="#c0392b", penwidth=1.6' if arrow in circular else ""
        lines.append(f'"{arrow[0]}" -> "{arrow[1]}" [label=" {arrows[arrow]}"{red}]')
    lines.append("}")
    drawn = subprocess.run(["dot", "-T" + pathlib.Path(picture).suffix[1:], "-o", picture], input="\n".join(lines), text=True)
    return drawn.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 3 else __doc__)
