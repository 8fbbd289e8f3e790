"""Issue 7: models that can be trusted, and told when not to be."""

import issue_7_ablation
import issue_7_ground
import issue_7_models

REQUIREMENTS = (
    *issue_7_models.REQUIREMENTS,
    *issue_7_ablation.REQUIREMENTS,
    *issue_7_ground.REQUIREMENTS,
)
