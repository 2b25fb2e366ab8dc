"""Draws what follow.py saw, as one SVG: load of each server, busiest over mean, tablets and what was done to them."""
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP = 1000, 74, 170, 92
PANELS = (("operations/s of each server", 230), ("busiest server / mean, over 30 s", 130), ("tablets", 130))
ACTION_ROW = 19  # below the panels: one for each kind of what was done
GAP, BOTTOM = 46, 58
COLOURS = ("#1f77b4", "#d95f02", "#2ca02c", "#9467bd", "#b8860b", "#17becf", "#8c564b", "#7f7f7f")
# Kind of action: its colour and its shape, around the origin.
MARKS = {"split": ("#d62728", "M0,-5 L5,4 L-5,4 Z"), "move": ("#1f77b4", "M-4,-4 H4 V4 H-4 Z"),
         "transfer": ("#2ca02c", "M0,-5.5 L5.5,0 L0,5.5 L-5.5,0 Z"), "merge": ("#9467bd", "M0,5 L5,-4 L-5,-4 Z")}
INK, SOFT, GRID = "#222222", "#666666", "#e4e4e4"


class Canvas:
    def __init__(self, height):
        self.height = height
        self.parts = []

    def add(self, part):
        self.parts.append(part)

    def text(self, x, y, text, size=12, colour=INK, anchor="start", weight="normal"):
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
                 f'font-weight="{weight}">{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour, width=1.0, dash=""):
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.add(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" stroke-width="{width}"{dashed}/>'
        )

    def path(self, points, colour, width=1.6):
        if points:
            self.add('<polyline fill="none" stroke="%s" stroke-width="%s" stroke-linejoin="round" points="%s"/>'
                     % (colour, width, " ".join(f"{x:.1f},{y:.1f}" for x, y in points)))

    def mark(self, x, y, kind):
        colour, shape = MARKS[kind]
        self.add(f'<path transform="translate({x:.1f},{y:.1f})" d="{shape}" fill="{colour}" fill-opacity="0.85"/>')

    def done(self):
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" height="{self.height}" '
            'font-family="Helvetica, Arial, sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


def round_step(most, lines=4):
    """A step of 1, 2 or 5 times a power of ten, of which so many reach `most`."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor * lines >= most:
                return step * factor
        step *= 10


class Panel:
    """One graph: its place, its scale, its grid."""

    def __init__(self, canvas, top, height, title, t_max, low, high, step, form):
        self.canvas, self.top, self.height = canvas, top, height
        self.t_max, self.low, self.high = t_max, low, high
        canvas.text(LEFT, top - 9, title, 13, INK, weight="bold")
        value = low
        while value <= high + step / 1000:
            canvas.line(LEFT, self.y(value), WIDTH - RIGHT, self.y(value), GRID)
            canvas.text(LEFT - 8, self.y(value) + 4, form(value), 11, SOFT, "end")
            value += step
        for t in range(0, int(t_max) + 1, 60):
            canvas.line(self.x(t), top, self.x(t), top + height, GRID)
        canvas.line(LEFT, top + height, WIDTH - RIGHT, top + height, SOFT)

    def x(self, t):
        return LEFT + (WIDTH - LEFT - RIGHT) * max(0.0, min(t, self.t_max)) / self.t_max

    def y(self, value):
        return self.top + self.height * (1 - (min(value, self.high) - self.low) / (self.high - self.low))

    def key(self, row, text, colour):
        x, y = WIDTH - RIGHT + 16, self.top + 12 + 19 * row
        self.canvas.line(x, y - 4, x + 18, y - 4, colour, 2.4)
        self.canvas.text(x + 26, y, text, 12)


def draw_load(panel, samples_rates, servers):
    for number, server in enumerate(servers):
        panel.canvas.path(
            [(panel.x(t), panel.y(rate[server])) for t, rate in samples_rates], COLOURS[number % len(COLOURS)]
        )
        panel.key(number, server, COLOURS[number % len(COLOURS)])
    mean = [(panel.x(t), panel.y(sum(rate.values()) / len(rate))) for t, rate in samples_rates]
    panel.canvas.path(mean, INK, 1.2)
    panel.key(len(servers), "mean", INK)


def draw_imbalance(panel, imbalances, bound):
    panel.canvas.line(LEFT, panel.y(bound), WIDTH - RIGHT, panel.y(bound), "#d62728", 1.4, "6,4")
    pieces, last = [[]], None
    for t, value in imbalances:
        if last is not None and t - last > 5:
            pieces.append([])
        pieces[-1].append((panel.x(t), panel.y(value)))
        last = t
    for piece in pieces:
        panel.canvas.path(piece, INK, 2)
    panel.key(0, "busiest / mean", INK)
    panel.key(1, f"at most {bound}", "#d62728")


def draw_tablets(panel, samples):
    points, last = [], None
    for sample in samples:
        if last is not None:
            points.append((panel.x(sample["t"]), panel.y(last)))
        points.append((panel.x(sample["t"]), panel.y(sample["tablets"])))
        last = sample["tablets"]
    panel.canvas.path(points, INK, 2)
    panel.key(0, "tablets", INK)


def draw_actions(canvas, panel, top, actions, kinds):
    """Below the tablets, on their time axis: a row for each kind, so that none hides another."""
    canvas.text(LEFT, top - 9, "done by the planner", 13, INK, weight="bold")
    for row, kind in enumerate(kinds):
        y = top + ACTION_ROW * (row + 0.5)
        of_kind = [action for action in actions if action["kind"] == kind]
        canvas.line(LEFT, y, WIDTH - RIGHT, y, GRID)
        for action in of_kind:
            canvas.mark(panel.x(action["t"]), y, kind)
        canvas.mark(WIDTH - RIGHT + 25, y, kind)
        canvas.text(WIDTH - RIGHT + 42, y + 4, f"{len(of_kind)} {kind}{'' if len(of_kind) == 1 else 's'}", 12)


def draw(samples, actions, phases, samples_rates, imbalances, bound):
    kinds = [kind for kind in MARKS if any(action["kind"] == kind for action in actions)]
    height = TOP + sum(h for _, h in PANELS) + GAP * len(PANELS) + ACTION_ROW * len(kinds) + BOTTOM
    canvas = Canvas(height)
    canvas.text(LEFT, 24, "One table follows its load over five servers, untouched", 17, INK, weight="bold")
    t_max = samples[-1]["t"]
    servers = sorted(samples[0]["operations"])
    busiest = max((value for _, rate in samples_rates for value in rate.values()), default=1)
    most = max(sample["tablets"] for sample in samples)
    step_load, step_tablets = round_step(busiest), round_step(most)
    scales = ((0, step_load * -(-busiest // step_load), step_load, lambda v: f"{v:,.0f}"),
              (1, 3, 0.5, lambda v: f"{v:.1f}"),
              (0, step_tablets * -(-most // step_tablets), step_tablets, lambda v: f"{v:.0f}"))
    top, panels = TOP, []
    for (title, panel_height), (low, high, step, form) in zip(PANELS, scales):
        panels.append(Panel(canvas, top, panel_height, title, t_max, low, high, step, form))
        top += panel_height + GAP
    draw_load(panels[0], samples_rates, servers)
    draw_imbalance(panels[1], imbalances, bound)
    draw_tablets(panels[2], samples)
    draw_actions(canvas, panels[0], top, actions, kinds)
    bottom = top + ACTION_ROW * len(kinds)
    for phase in phases:
        x = panels[0].x(phase["t"])
        canvas.line(x, TOP - 46, x, bottom, SOFT, 1.2, "3,3")
        canvas.text(x + 6, TOP - 36, phase["name"], 13, SOFT)
    for t in range(0, int(t_max) + 1, 60):
        canvas.text(panels[-1].x(t), bottom + 17, f"{t // 60}", 11, SOFT, "middle")
    canvas.text((LEFT + WIDTH - RIGHT) / 2, bottom + 38, "minutes", 12, SOFT, "middle")
    return canvas.done()
