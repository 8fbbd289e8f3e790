"""The interactive map of finished runs, in a browser, without a network.

runs       the folder of a run -> what of it may be shown      tables   its hectares, outlines, records as JSON
rasters    map tiles: classes, probability, looks, squares     pixel    a pixel's year beside its class
app        paths -> answers        guard    who may ask, and what a browser may do with an answer
server     the port                assets/  the page: ES modules, and MapLibre GL JS
"""

from cocal.serve.app import make_app
from cocal.serve.runs import ShownRun, open_run
from cocal.serve.server import serve_runs

__all__ = ["ShownRun", "make_app", "open_run", "serve_runs"]
