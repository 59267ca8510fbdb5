"""Labels for files and libraries by a registered model."""

from workers.predict.predictions import Predictions, predict

__all__ = ["Predictions", "predict"]
