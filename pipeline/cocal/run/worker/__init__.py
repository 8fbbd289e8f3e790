"""What a worker does with a tile: it knows no plan, no state and no stage.

tiles         the fused work of one block and one tile: read, mask, composite, features, classify, write
prior         how probable the target is, from an earlier map
mosaic        maps of several tiles on one window     design_tiles  the design's work on one tile
memory        what a worker needs at most             warm          every kernel compiled once
sums          sums of one tile, without zeros
"""
