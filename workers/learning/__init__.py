"""Learning tasks: the study, its trials, the final training, promotion, report, tracking."""
