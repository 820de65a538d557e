# SPDX-License-Identifier: Apache-2.0
"""Draws blackout.json: where the time of a blackout goes, and how it depends on the program's memory."""

from html import escape

WIDTH, HEIGHT = 900, 560
LEFT, RIGHT = 130, 60
# The steps of a swap in which programs stand still, in order.
STEPS = ("freeze", "capture", "jump", "land", "restore")
COLOURS = {"freeze": "#8ecae6", "capture": "#219ebc", "jump": "#b0b7c3", "land": "#ffb703", "restore": "#fb8500",
           "wait": "#e9ecef", "floor": "#6c757d", "naive": "#c1121f"}


def text(x, y, words, anchor="start", size=13):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(str(words))}</text>'


def box(x, y, width, height, colour, title):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height}" fill="{colour}">'
            f'<title>{escape(title)}</title></rect>')


def parts(run):
    """(name, seconds) of a swap: its steps, and what the client waited beyond them."""
    found = [(step["step"], step["duration_us"] / 1e6) for step in run["steps"] if step["step"] in STEPS]
    rest = run["gap_s"] - sum(seconds for _, seconds in found)
    return [*found, ("wait", rest)] if rest > 0 else found


def median_run(runs):
    return sorted(runs, key=lambda run: run["gap_s"])[len(runs) // 2]


def bars(summary):
    """[(label, [(part, seconds)])], of what was measured."""
    rows = []
    for name in ("floor", "segue_64m", "segue_1g", "naive"):
        runs = summary["runs"].get(name)
        if runs:
            run = median_run(runs)
            rows.append((name, parts(run) if "steps" in run else [(name, run["gap_s"])]))
    return rows


def draw_bars(rows, top):
    out = [text(LEFT, top - 14, "what a client waits for (median run), in seconds", size=15)]
    longest = max(sum(seconds for _, seconds in row) for _, row in rows)
    scale = (WIDTH - LEFT - RIGHT) / longest
    for number, (label, row) in enumerate(rows):
        x, y = LEFT, top + number * 34
        out.append(text(LEFT - 8, y + 17, label, "end"))
        for part, seconds in row:
            out.append(box(x, y, seconds * scale, 24, COLOURS[part], f"{part}: {seconds:.2f} s"))
            x += seconds * scale
        out.append(text(x + 5, y + 17, f"{sum(seconds for _, seconds in row):.1f}"))
    x = LEFT
    for part in (*STEPS, "wait"):
        y = top + len(rows) * 34 + 8
        out.append(box(x, y, 12, 12, COLOURS[part], part))
        out.append(text(x + 17, y + 11, {"wait": "until the client is answered"}.get(part, part)))
        x += 95
    return out


def draw_curve(curve, floor, top):
    points = [(int(mib), gap["median"]) for mib, gap in sorted(curve.items(), key=lambda item: int(item[0]))]
    if len(points) < 2:
        return []
    height, most_x = 190, points[-1][0]
    most_y = max(gap for _, gap in points) * 1.2
    def place(mib, gap):
        return LEFT + mib / most_x * (WIDTH - LEFT - RIGHT), top + height - gap / most_y * height
    out = [text(LEFT, top - 14, "seconds that a client waits, by the program's memory in MiB", size=15),
           f'<path d="M{LEFT} {top}V{top + height}H{WIDTH - RIGHT}" fill="none" stroke="currentColor"/>']
    if floor:
        y = place(0, floor)[1]
        out += [f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{COLOURS["floor"]}" stroke-dasharray="5 4"/>',
                text(LEFT - 8, y + 4, f"floor {floor:.1f}", "end")]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    out.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS["restore"]}" stroke-width="2"/>')
    for mib, gap in points:
        x, y = place(mib, gap)
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{COLOURS["restore"]}"/>',
                text(x, y - 9, f"{gap:.1f}", "middle"), text(x, top + height + 18, mib, "middle")]
    return out


def draw(summary):
    """The picture, as SVG."""
    rows = bars(summary)
    floor = summary.get("floor_s", {}).get("median")
    body = draw_bars(rows, 50) + draw_curve(summary["curve"], floor, 100 + len(rows) * 34 + 60)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
            ' fill="currentColor" color="#222">'
            f'<title>The blackout of segue swap</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
            + "".join(body) + "</svg>\n")
