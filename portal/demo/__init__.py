"""Synthetic data of the country's real size: every row is labelled 演示, the same for the same seed.

Reference lists (divisions, bureaus) come from `enterprises`; everything else is made up here, stored in bulk,
and then rolled up, frozen and printed by the same services that an office uses.
"""
