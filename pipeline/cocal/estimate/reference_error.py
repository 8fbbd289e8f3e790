"""What errors of the observers could do to an area: the sensitivity band beside an estimate.

One percent of false coca labels at half a percent of prevalence triples the hectares, and no interval of
sampling error shows it.
"""

from __future__ import annotations

from itertools import product

from cocal.errors import UsageError


def sensitivity_band(
    low_ha: float,
    high_ha: float,
    frame_ha: float,
    *,
    sensitivity: tuple[float, float],
    specificity: tuple[float, float],
) -> tuple[float, float]:
    """(low, high) hectares that the class may have if the labels err within the stated ranges.

    Each end of the interval is corrected by Rogan and Gladen (1978, doi:10.1093/oxfordjournals.aje.a112510),
    true = (seen - (1 - specificity) frame) / (sensitivity + specificity - 1), at all four corners of the
    ranges; the smallest and the largest result, within 0 and `frame_ha`, are the band. With both ranges
    (1, 1) it is the interval itself.

    Raises
    ------
    UsageError : a range is not ordered within 0 to 1, or labels would be no better than chance.
    """
    ordered = all(0 <= a <= b <= 1 for a, b in (sensitivity, specificity))
    if not ordered or sensitivity[0] + specificity[0] <= 1:
        raise UsageError(
            "the sensitivity band cannot be made",
            "ranges (low, high) within 0 to 1 whose low ends sum to more than 1",
            f"sensitivity {sensitivity}, specificity {specificity}",
            "state what the observers' agreement supports",
        )
    corners = [
        (seen - (1 - sp) * frame_ha) / (se + sp - 1)
        for seen, se, sp in product((low_ha, high_ha), sensitivity, specificity)
    ]
    return max(0.0, min(corners)), min(frame_ha, max(corners))
