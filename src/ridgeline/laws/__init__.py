"""The equations: pure functions of arrays, one module per effect, no I/O, no records, no units.

Letters in formulas follow the lecture this product is built on: B batch, L context, N parameters,
W weight bytes, C multiplies per second, M memory bandwidth, s sparsity, R hardware ratio.
"""
