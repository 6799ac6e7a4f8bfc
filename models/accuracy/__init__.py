"""What a map is worth against what is known on the ground. NumPy, SciPy and Shapely alone; no torch.

- `scores`: all figures of one map in a dictionary, for validation and comparison.
- `confusion`: confusion matrices; overall, user's and producer's accuracy, IoU, F1, kappa.
- `boundaries`: boundary F1 within a tolerance (`boundary_f1`), with counts that add up over blocks.
- `regression`: R² over all pixels at once, RMSE, MAE, bias (`regression_scores`), with sums that add up over blocks.
"""

from .boundaries import boundary_f1
from .regression import regression_scores
from .summary import class_figures, scores

__all__ = ["boundary_f1", "class_figures", "regression_scores", "scores"]
