"""What a run learns: its study, trials, final training, promotion, report and tracking."""
