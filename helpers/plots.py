"""The figures that several lessons draw: heat map, map of points, bars with intervals.

    figure = bars(["TF-IDF", "BM25"], [0.39, 0.47], [(0.34, 0.44), (0.42, 0.52)],
                  title="BM25 finds more than TF-IDF", axis_label="nDCG@10")
    show(figure, alt="Bars of nDCG@10: TF-IDF 0.39, BM25 0.47; the intervals overlap.")

Importing this module sets the course's style, so figures drawn directly with matplotlib look the
same. Every function takes `axes=` for a panel of a larger figure, and returns the figure.
"""

import textwrap

import numpy as np
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from helpers.figure_style import COLOURS, DIVERGING, SEQUENTIAL, ink_on, new_axes, show, use_style

__all__ = ["COLOURS", "bars", "heat_map", "scatter_map", "show", "use_style"]

MARKERS = "osD^vPX*"  # one per colour: a second way to tell groups apart
LONG_LABEL = 14  # characters; longer labels are numbered along the top of a heat map


def heat_map(matrix, labels, column_labels=None, *, title, colour_label="cosine similarity",
             decimals=2, limits=None, diverging=False, axes=None):  # fmt: skip
    """Draw a matrix as coloured cells with the numbers in them.

    matrix: (n_rows, n_columns). labels: n_rows texts; also the columns' unless column_labels is
    given (long ones are numbered there). limits: (lowest, highest) of the colour scale.
    diverging: two hues that part at zero, for signed quantities. Raises ValueError if sizes differ.
    """
    matrix = np.asarray(matrix, dtype=float)
    rows = [str(label) for label in labels]
    columns = rows if column_labels is None else [str(label) for label in column_labels]
    if matrix.size == 0 or matrix.shape != (len(rows), len(columns)):
        raise ValueError(f"the matrix has shape {matrix.shape}, but there are {len(rows)} × {len(columns)} labels")
    wrapped = [textwrap.fill(label, 36) for label in rows]
    if column_labels is None and max(map(len, rows)) > LONG_LABEL:
        wrapped = [f"{label}  {number}" for number, label in enumerate(wrapped, 1)]
        columns = [str(number) for number in range(1, len(rows) + 1)]
    width = 2.2 + 0.08 * min(36, max(map(len, rows))) + 0.68 * len(columns)
    axes = _axes(axes, (width, 1.4 + 0.52 * len(rows)), title)

    lowest, highest = limits or (np.nanmin(matrix), np.nanmax(matrix))
    reach = max(abs(lowest), abs(highest)) or 1.0
    norm = TwoSlopeNorm(0, -reach, reach) if diverging else Normalize(lowest, highest)
    colours = DIVERGING if diverging else SEQUENTIAL
    image = axes.imshow(matrix, cmap=colours, norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(matrix):
        if np.isfinite(value):
            ink = ink_on(colours(norm(value)))
            axes.text(column, row, _number(value, decimals), ha="center", va="center", color=ink, fontsize=11)

    turned = max(map(len, columns)) > 6
    axes.set_xticks(range(len(columns)), columns, rotation=35 * turned, ha="left" if turned else "center",
                    rotation_mode="anchor")  # fmt: skip
    axes.set_yticks(range(len(rows)), wrapped)
    axes.set_xticks(np.arange(1, len(columns)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(rows)) - 0.5, minor=True)
    axes.tick_params(which="both", length=0, labeltop=True, labelbottom=False)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.spines[:].set_visible(False)
    axes.figure.colorbar(image, ax=axes, label=colour_label, fraction=0.05, pad=0.02).outline.set_visible(False)
    return axes.figure


def scatter_map(points, groups=None, *, title, labels=None, axis_labels=("", ""), legend_title=None, axes=None):
    """Draw points in the plane, coloured by group, with a legend (largest group first) and names beside some points.

    points: (n, 2). groups: n names, at most eight different ones besides "other", which is grey.
    labels: n texts, "" or None where a point has no name. Names keep out of each other's way.
    Raises ValueError if sizes differ or there are too many groups to tell apart.
    """
    points = np.asarray(points, dtype=float)
    groups = [""] * len(points) if groups is None else [str(group) for group in groups]
    if points.ndim != 2 or points.shape[1] != 2 or len(groups) != len(points):
        raise ValueError(f"points must be (n, 2) with n groups, not {points.shape} with {len(groups)} groups")
    if labels is not None and len(labels) != len(points):
        raise ValueError(f"there are {len(points)} points, but {len(labels)} labels")
    names = sorted(set(groups) - {"other"}, key=lambda name: (-groups.count(name), name))
    if len(names) > len(MARKERS):
        raise ValueError(f"{len(names)} groups cannot be told apart: fold the small ones into 'other'")
    looks = dict(zip(names, zip(COLOURS.values(), MARKERS, strict=False), strict=False))
    if "other" in groups:
        looks["other"] = (COLOURS["grey"], "o")

    axes = _axes(axes, (8.5, 5.6), title)
    crowded = len(points) > 150
    size = np.clip(24_000 / len(points), 9, 28) if crowded else 70
    for name, (colour, marker) in looks.items():
        member = np.array([group == name for group in groups])
        axes.scatter(*points[member].T, s=size, color=colour, marker=marker, label=name, linewidth=0,
                     alpha=0.65 if crowded else 0.95, zorder=1 if name == "other" else 2)  # fmt: skip
    axes.set(xlabel=axis_labels[0], ylabel=axis_labels[1], xticks=[], yticks=[])
    axes.margins(0.08)
    if len(looks) > 1:
        legend = axes.legend(title=legend_title, loc="center left", bbox_to_anchor=(1.01, 0.5), alignment="left")
        for handle in legend.legend_handles:
            handle.set(sizes=[75], alpha=1)
    if labels is not None:
        _name_points(axes, points, labels)
    return axes.figure


def bars(names, values, intervals=None, *, title, axis_label, highlight=(), decimals=2, limits=None, axes=None):
    """Draw horizontal bars, the first on top, with their values and, where given, intervals.

    values: (n,). intervals: (n, 2), the lower and upper ends in the values' own unit.
    highlight: names of the bars to stress; the others turn grey. Raises ValueError if sizes differ.
    """
    names, values = [str(name) for name in names], np.asarray(values, dtype=float)
    ends = np.stack([values, values], axis=1) if intervals is None else np.asarray(intervals, dtype=float)
    if values.shape != (len(names),) or ends.shape != (len(names), 2):
        raise ValueError(f"{len(names)} names do not go with values {values.shape} and intervals {ends.shape}")
    axes = _axes(axes, (8.5, 1.5 + 0.48 * len(names)), title)
    stressed = {highlight} if isinstance(highlight, str) else set(highlight)
    places = np.arange(len(names))
    colours = [COLOURS["grey"] if stressed and name not in stressed else COLOURS["blue"] for name in names]
    axes.barh(places, values, height=0.66, color=colours)
    if intervals is not None:
        for colour, linewidth in [("white", 4.5), (COLOURS["ink"], 2)]:  # a white rim, to be seen on the bar
            axes.hlines(places, *ends.T, color=colour, linewidth=linewidth)
    for name, place, value, (low, high) in zip(names, places, values, ends, strict=True):
        x, side, ha = (max(value, high), 1, "left") if value >= 0 else (min(value, low), -1, "right")
        axes.annotate(_number(value, decimals), (x, place), (7 * side, 0), textcoords="offset points", ha=ha,
                      va="center", fontweight="bold" if name in stressed else "normal")  # fmt: skip
    axes.set_yticks(places, [textwrap.fill(name, 32) for name in names])
    axes.set(xlabel=axis_label, ylim=(len(names) - 0.5, -0.5))
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="x")
    axes.axvline(0, color="#808080", linewidth=1)
    axes.margins(x=0.1)
    axes.set_xlim(limits)
    return axes.figure


def _axes(axes, size, title):
    if axes is None:
        return new_axes(size, title)
    axes.set_title(title)
    return axes


def _number(value, decimals):
    return f"{value:.{decimals}f}".replace("-", "−")


def _name_points(axes, points, labels):
    """Write names beside their points, each at the first of eight places where it covers no other name or point."""
    axes.figure.canvas.draw()  # fixes the layout, so that places in pixels are final
    frame = axes.bbox.padded(3)
    named = [index for index, label in enumerate(labels) if label]
    pixels = axes.transData.transform(points[named]) if named else []
    taken = []
    for index in named:
        tries = []
        for right, up in [(1, 0), (0, 1), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)]:
            offset = (8 * right, 8 * up) if 0 in (right, up) else (6 * right, 5 * up)  # points
            text = axes.annotate(
                str(labels[index]), points[index], offset, textcoords="offset points", fontsize=11, zorder=3,
                ha={1: "left", 0: "center", -1: "right"}[right], va={1: "bottom", 0: "center", -1: "top"}[up],
                path_effects=[withStroke(linewidth=3, foreground="white")], in_layout=False,
            )  # fmt: skip
            box = text.get_window_extent()
            covered = sum(box.overlaps(other) for other in taken) + sum(box.padded(5).contains(*at) for at in pixels)
            outside = not (frame.contains(*box.min) and frame.contains(*box.max))
            tries.append((covered + 3 * outside, len(tries), text, box))
            if tries[-1][0] == 0:
                break
        best = min(tries)
        for attempt in tries:
            if attempt is not best:
                attempt[2].remove()
        taken.append(best[3])


use_style()
