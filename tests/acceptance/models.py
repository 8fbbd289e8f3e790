"""Models that can be trusted, and told when not to be."""

from tests.acceptance import models_ablation, models_ground, models_scores

REQUIREMENTS = (
    *models_scores.REQUIREMENTS,
    *models_ablation.REQUIREMENTS,
    *models_ground.REQUIREMENTS,
)
