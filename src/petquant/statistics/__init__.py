"""Statistics of paired reads: pure functions of arrays.

Every test is two-sided, every interval has the level that it was asked for, and lesions of one patient are
never taken for independent: functions that can take clusters do.
"""
