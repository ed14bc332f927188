"""Results of evaluations: statistics, comparisons, groups and leaderboards."""
