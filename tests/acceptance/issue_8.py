"""Issue 8: what people look at: report, interactive map, notebooks."""

import issue_8_map
import issue_8_report

REQUIREMENTS = (*issue_8_report.REQUIREMENTS, *issue_8_map.REQUIREMENTS)
