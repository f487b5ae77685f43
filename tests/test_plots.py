"""Figures are the same bytes on every run, carry words, and refuse data that do not go together."""

import io

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import nbconvert  # noqa: E402
import nbformat  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from IPython.core.interactiveshell import InteractiveShell  # noqa: E402
from IPython.utils.capture import capture_output  # noqa: E402
from matplotlib.colors import to_rgb  # noqa: E402
from PIL import Image  # noqa: E402

from helpers.figure_style import DIVERGING, SEQUENTIAL, ink_on  # noqa: E402
from helpers.plots import COLOURS, bars, heat_map, scatter_map, show  # noqa: E402

ALT = "Two bars: TF-IDF 0.39, BM25 0.47; the intervals overlap."


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    yield
    plt.close("all")


@pytest.fixture
def shown():
    """A function that shows a figure and returns (data, metadata) of the one output."""
    InteractiveShell.instance()

    def call(figure, alt=ALT):
        with capture_output() as captured:
            assert show(figure, alt=alt) is None
        (output,) = captured.outputs
        return output.data, output.metadata

    yield call
    InteractiveShell.clear_instance()


def two_bars():
    return bars(["TF-IDF", "BM25"], [0.39, 0.47], [(0.34, 0.44), (0.42, 0.52)], title="A title", axis_label="nDCG@10")


def texts(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def test_show_gives_words_and_closes_the_figure(shown):
    figure = two_bars()
    data, metadata = shown(figure, f"  {ALT}\n")
    assert data["text/plain"] == ALT and metadata == {"image/png": {"alt": ALT}}
    assert not plt.fignum_exists(figure.number)


def test_the_picture_is_the_same_bytes_every_time_and_small(shown):
    first, second = shown(two_bars())[0]["image/png"], shown(two_bars())[0]["image/png"]
    assert first == second and len(first) < 40_000
    assert b"Software" not in first and b"Date" not in first
    with Image.open(io.BytesIO(first)) as image:
        assert image.convert("RGBA").getpixel((2, 2)) == (255, 255, 255, 255)  # white in a dark theme, too


@pytest.mark.parametrize("alt", ["", None, "   ", "a figure"])
def test_a_figure_without_words_is_refused(alt):
    with pytest.raises(ValueError, match="says what the figure shows"):
        show(two_bars(), alt=alt)


def test_alternative_text_reaches_an_exported_page(shown):
    cell = nbformat.v4.new_code_cell("show(figure)", execution_count=1)
    data, metadata = shown(two_bars())
    cell.outputs = [nbformat.v4.new_output("display_data", {**data, "image/png": "AAAA"}, metadata=metadata)]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    page, _ = nbconvert.HTMLExporter(template_name="classic").from_notebook_node(notebook)
    assert f'alt="{ALT}"' in page


def test_bars_stand_in_the_order_given_with_their_values():
    figure = two_bars()
    axes = figure.axes[0]
    names = {label.get_text(): place for place, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)}
    top, bottom = max(axes.get_ylim()), min(axes.get_ylim())
    assert axes.get_ylim() == (top, bottom) and names["TF-IDF"] < names["BM25"]  # the first is on top
    assert {"0.39", "0.47", "nDCG@10", "A title"} <= set(texts(figure))


def test_highlighted_bars_stand_out():
    axes = bars(["a", "b"], [1, -2], title="A title", axis_label="difference", highlight="b").axes[0]
    assert [to_rgb(bar.get_facecolor()) for bar in axes.patches] == [to_rgb(COLOURS[c]) for c in ("grey", "blue")]
    assert "−2.00" in texts(axes.figure)


def test_a_heat_map_writes_every_number_and_numbers_long_labels():
    figure = heat_map(np.eye(2), ["a rather long sentence", "b"], title="A title", decimals=1)
    assert texts(figure).count("1.0") >= 2 and "a rather long sentence  1" in texts(figure)
    assert "" not in texts(heat_map([[np.nan, 1]], ["a"], ["b", "c"], title="A gap"))


def test_numbers_in_cells_can_be_read():
    def luminance(colour):
        channels = np.array(to_rgb(colour))
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    for colours in (SEQUENTIAL, DIVERGING):
        for place in np.linspace(0, 1, 101):
            low, high = sorted([luminance(ink_on(colours(place))), luminance(colours(place))])
            assert (high + 0.05) / (low + 0.05) >= 4.2, place


def test_a_map_names_its_groups_largest_first_and_other_last():
    groups = ["b", "a", "a", "other", "other", "other"]
    points = np.random.default_rng(0).normal(size=(6, 2))
    figure = scatter_map(points, groups, title="A title", labels=["x"] + [None] * 5)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["a", "b", "other"]
    assert "x" in texts(figure)


def test_names_on_a_map_do_not_cover_each_other():
    points = np.random.default_rng(1).normal(size=(25, 2))
    figure = scatter_map(points, title="A title", labels=[f"word {n}" for n in range(25)])
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    overlaps = sum(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])
    assert len(boxes) == 25 and overlaps <= 1


def test_panels_share_a_figure():
    figure, (left, right) = plt.subplots(1, 2)
    assert bars(["a"], [1], title="Left", axis_label="share", axes=left) is figure
    assert heat_map([[1]], ["a"], title="Right", axes=right) is figure
    assert {"Left", "Right"} <= set(texts(figure))


@pytest.mark.parametrize("draw", [
    lambda: heat_map(np.eye(3), ["a", "b"], title="t"),
    lambda: heat_map(np.empty((0, 0)), [], title="t"),
    lambda: scatter_map(np.ones((3, 3)), title="t"),
    lambda: scatter_map(np.ones((3, 2)), ["a"], title="t"),
    lambda: scatter_map(np.ones((3, 2)), labels=["a"], title="t"),
    lambda: scatter_map(np.ones((9, 2)), list("abcdefghi"), title="t"),
    lambda: bars(["a"], [1, 2], title="t", axis_label="x"),
    lambda: bars(["a"], [1], [(1, 2, 3)], title="t", axis_label="x"),
])  # fmt: skip
def test_what_does_not_go_together_is_refused(draw):
    with pytest.raises(ValueError):
        draw()
