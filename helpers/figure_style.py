"""The look of the course's figures, and how they are shown; lessons take all of it from helpers.plots."""

import io
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from PIL import Image

# Okabe and Ito's palette, which colour-blind readers can tell apart; its black became a dark grey,
# and its yellow, unreadable on white, an olive.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "pink": "#CC79A7",
    "sky": "#56B4E9",
    "ink": "#333333",
    "olive": "#8A8A00",
    "grey": "#A6A6A6",
}
SEQUENTIAL = LinearSegmentedColormap.from_list("course", ["#F1F7FB", "#9CCBE6", "#0072B2", "#003A5C"])
DIVERGING = LinearSegmentedColormap.from_list("course±", ["#8F3F00", "#EBA06A", "#F7F7F7", "#7FBADF", "#004B76"])
DPI = 120
SHORTEST_ALT = 20  # characters

STYLE = {
    "figure.figsize": (8, 4.5),
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "figure.titlesize": 14,
    "figure.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.09,
    "figure.constrained_layout.h_pad": 0.09,
    "savefig.facecolor": "white",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib
    "font.size": 12,
    "text.color": COLOURS["ink"],
    "axes.prop_cycle": plt.cycler(color=list(COLOURS.values())),
    "axes.edgecolor": "#808080",
    "axes.labelcolor": COLOURS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.axisbelow": True,
    "grid.color": "#E0E0E0",
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
    "xtick.color": COLOURS["ink"],
    "ytick.color": COLOURS["ink"],
    "xtick.labelsize": 11.5,
    "ytick.labelsize": 11.5,
    "legend.frameon": False,
    "legend.fontsize": 11.5,
}


def use_style():
    """Set matplotlib's defaults to the course's style; called once when helpers.plots is imported."""
    plt.rcParams.update(STYLE)


def show(figure, *, alt):
    """Display a figure with its alternative text, close it, and return None.

    alt: one or two sentences that say in words what the figure shows, with its numbers. They become
    the output's plain text (which the tests compare) and the image's `alt` in exported pages.
    Raises ValueError if alt is empty or too short to say anything.
    """
    alt = " ".join(str(alt or "").split())
    if len(alt) < SHORTEST_ALT:
        raise ValueError(f"show(figure, alt=…) needs a sentence that says what the figure shows, not {alt!r}")
    png = _png(figure)
    plt.close(figure)
    display({"image/png": png, "text/plain": alt}, metadata={"image/png": {"alt": alt}}, raw=True)


def _png(figure):
    """The figure as PNG of 256 colours: a third of the size, equal to the eye, the same bytes on every run."""
    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png", dpi=DPI)
    with Image.open(full) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def new_axes(size, title):
    """The axes of a new figure of size (width, height) in inches, its title at the left edge, wrapped to the width."""
    figure, axes = plt.subplots(figsize=size)
    figure.suptitle(textwrap.fill(title, int(size[0] * 9)), x=0.09 / size[0], ha="left")
    return axes


def ink_on(colour):
    """Near-black or white, whichever stands out more from the colour (relative luminance as WCAG 2 defines it)."""
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "white" if linear @ [0.2126, 0.7152, 0.0722] < 0.19 else "#111111"
