"""The interactive map of finished runs, in a browser, without a network.

runs       finished runs, checked                         tables   hectares, outlines, records as JSON
rasters    map tiles: classes, probability, clear dates,  pixel    the year of a pixel beside its class
           squares of the density grid, relief            palettes colours and legends of the layers
images     images of a date, the median, the dates        data     what is shown of one run
places     degrees and UTM, lengths and areas             counting hectares of a drawn polygon
app        routes and handlers; tools: of no run          guard    Host, token, security headers
server     the port, the log                              connections  how many, how long each may wait
kept       what the server and the browser keep           card     height, maps and record of a place
imagery    the user's own image around a pixel              turns    requests computed at once
assets/    the page: ES modules, and MapLibre GL JS
"""

from cocal.serve.app import make_app
from cocal.serve.guard import Access
from cocal.serve.runs import ShownRun, open_run
from cocal.serve.server import make_server, serve_runs

__all__ = ["Access", "ShownRun", "make_app", "make_server", "open_run", "serve_runs"]
