"""Tiny random models and their goldens, for ../make_models.py: a module for each family (what its models are)
and one for each step (how they are drawn, run and written)."""
