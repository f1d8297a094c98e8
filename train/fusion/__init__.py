"""Weights of several models become those of one, tensor by tensor. Arrays and tensors only: no files, no models."""
