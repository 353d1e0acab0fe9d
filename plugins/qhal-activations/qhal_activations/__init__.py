"""Activation functions for networks trained with qhal, each selected by its name."""
