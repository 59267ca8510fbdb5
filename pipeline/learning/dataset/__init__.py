"""The dataset of a study: the labelled tracks, their rows, and checks of both."""
