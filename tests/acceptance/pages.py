"""What people look at: report, interactive map, notebooks."""

from tests.acceptance import pages_map, pages_report

REQUIREMENTS = (*pages_report.REQUIREMENTS, *pages_map.REQUIREMENTS)
