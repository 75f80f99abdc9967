"""What holds for every figure."""

import re


def check_figure(fig):
    assert fig.get_size_inches()[0] <= 9
    for ax in fig.axes:
        assert all(label.get_text() == "" or label.get_fontsize() >= 7 for label in ax.get_xticklabels())
    labels = [ax.get_ylabel() for ax in fig.axes] + [ax.get_xlabel() for ax in fig.axes]
    assert any(re.search(r"\((ms|min|s|Hz|µm|µV|%)\)|units", label) for label in labels)
    return fig
