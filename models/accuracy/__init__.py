"""What a map is worth against what is known on the ground. NumPy, SciPy and Shapely alone; no torch.

- `scores`: all figures of one map in a dictionary, for validation and comparison.
- `confusion`: confusion matrices; overall, user's and producer's accuracy, IoU, F1, kappa.
- `boundaries`: boundary F1 within a tolerance (`boundary_f1`), with counts that add up over blocks.
- `regression`: R² over all pixels at once, RMSE, MAE, bias (`regression_scores`), with sums that add up over blocks.
- `objects`: mapped fields against true ones (`match_objects`): precision, recall, F1, over- and under-segmentation.
- `areas`: error-adjusted areas and accuracies with 95 % intervals (`estimate_areas`), of a stratified sample.
- `bootstrap`: 95 % intervals where pixels are not independent (`bootstrap_by_group`).
"""

from .areas import estimate_areas
from .bootstrap import bootstrap_by_group
from .boundaries import boundary_f1
from .objects import match_objects
from .regression import regression_scores
from .summary import class_figures, scores

__all__ = [
    "bootstrap_by_group",
    "boundary_f1",
    "class_figures",
    "estimate_areas",
    "match_objects",
    "regression_scores",
    "scores",
]
