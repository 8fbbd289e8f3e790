"""Speed: a laptop maps the border."""

from tests.acceptance import speed_kernels, speed_pipeline

REQUIREMENTS = (*speed_kernels.REQUIREMENTS, *speed_pipeline.REQUIREMENTS)
