"""What `chordal predict --labels` says of its answers."""

import numpy as np

from pipeline.learning.evaluation import score
from pipeline.learning.training.prediction import PredictionScores
from workers.cli.runs.prediction_output import summary_lines


def said(truth, predicted):
    scores = score(np.array(truth), np.array(predicted), ("a", "b", "c"))
    return summary_lines({"predicted": len(truth)}, PredictionScores(scores=scores, unsure=0, learned=0, unknown={}))[1]


def test_classes_that_no_file_has_and_none_was_given_do_not_lower_the_macro_f1():
    assert (
        said([0, 1, 0], [0, 1, 0])
        == "accuracy 100.0%, macro F1 1.000 over the 2 of 3 classes that occur, on 3 labelled files"
    )
    assert said([0, 1, 2], [0, 1, 2]) == "accuracy 100.0%, macro F1 1.000, on 3 labelled files"
