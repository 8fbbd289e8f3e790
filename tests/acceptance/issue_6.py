"""Issue 6: speed: a laptop maps the border."""

import issue_6_kernels
import issue_6_pipeline

REQUIREMENTS = (*issue_6_kernels.REQUIREMENTS, *issue_6_pipeline.REQUIREMENTS)
