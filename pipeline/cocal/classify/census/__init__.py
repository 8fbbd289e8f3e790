"""A map that an office has drawn or classified itself, as the map of a run.

settings   files, classes, periods, observed ground, as the user states them
polygons   vector files -> polygons of each period: checked, every loss with its hectares
ground     polygons -> without overlap; the ground that two periods have in common
cut        polygons -> the edges that reach each tile, in whole steps of its pixels
coverage   edges -> the exact share of each pixel that they enclose; kernel: its compiled loop
shares     shares -> areas of the classes in mixed pixels, the dominant class; the overlay of two periods
"""
