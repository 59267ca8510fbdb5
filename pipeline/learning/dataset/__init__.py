"""What a study learns from: the labelled tracks, their rows, and checks of both."""
