"""The kernels of `qhal_cim.kernels` compiled by numba; the same arithmetic, row by row.

All state is (n, R) float32 in C order, one column a replica, so that the innermost loops run over
replicas and vectorise. Signatures are explicit: everything is compiled (or loaded from numba's
cache) on import, never inside a timed call. Nothing calls BLAS, so results do not depend on its
threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from qhal_cim.compiled_descent import descend_dense as descend_dense
from qhal_cim.compiled_descent import descend_sparse as descend_sparse

_f32 = np.float32

# Most replicas in a batch. A constant stride between the sums of four rows lets the compiler see
# that they do not overlap.
WIDTH = 128

_MAT, _VEC, _INT = "float32[:,::1]", "float32[::1]", "int32[::1]"
_INDEX = "uint64[::1]"
_STATE = f"{_VEC}, {_VEC}, {_MAT}, {_MAT}, int64, {_MAT}, {_MAT}"
_BEST = f"{_VEC}, float64[::1], {_MAT}, int64, int64, int8[:,::1], float64[::1]"
_LOOK = "int64, int64, float64[::1], int8[:,::1], float64[::1]"


@njit(inline="always")
def _aligned(size, kind):
    """`size` numbers from a cache line's beginning on: vectors that straddle two lines are slow."""
    memory = np.empty(size + 64, kind)
    skip = (64 - memory.ctypes.data % 64) % 64 // memory.itemsize
    return memory[skip : skip + size]


@njit(inline="always", fastmath=True)
def _update(x, y, force, num_cac, pump, constants):
    """Advance one row by one step; see `qhal_cim.kernels` for the equations."""
    gain, dt, target = constants[0], constants[1], constants[2]
    beta, limit = constants[3], constants[4]
    for w in range(num_cac):
        v = x[w]
        v += dt[w] * (v * (pump[w] - _f32(1) - v * v) + gain[w] * y[w] * force[w])
        v = min(max(v, -limit[w]), limit[w])
        error = y[w] * (_f32(1) - beta[w] * dt[w] * (v * v - target[w]))
        y[w] = min(max(error, _f32(1e-3)), _f32(1000))
        x[w] = v
    # Views, because loops that do not start at 0 are not vectorised.
    position, momentum, f = x[num_cac:], y[num_cac:], force[num_cac:]
    p, gain, dt = pump[num_cac:], gain[num_cac:], dt[num_cac:]
    for w in range(position.size):
        push = momentum[w] + dt[w] * ((p[w] - _f32(1)) * position[w] + gain[w] * f[w])
        v = position[w] + dt[w] * push
        momentum[w] = push if abs(v) <= _f32(1) else _f32(0)
        position[w] = min(max(v, _f32(-1)), _f32(1))


@njit(inline="always", fastmath=True)
def _row_product(indptr, indices, data, i, x, out):
    """out += row i of the CSR matrix times x; four entries a pass spare loads and stores of out."""
    start, stop = indptr[i], indptr[i + 1]
    fours = start + (stop - start) // 4 * 4
    for k in range(start, fours, 4):
        a, b, c, d = x[indices[k]], x[indices[k + 1]], x[indices[k + 2]], x[indices[k + 3]]
        va, vb, vc, vd = data[k], data[k + 1], data[k + 2], data[k + 3]
        for w in range(out.size):
            out[w] += va * a[w] + vb * b[w] + vc * c[w] + vd * d[w]
    for k in range(fours, stop):
        a, va = x[indices[k]], data[k]
        for w in range(out.size):
            out[w] += va * a[w]


@njit(inline="always", fastmath=True)
def _four_products(matrix, start, x, out):
    """out[k * WIDTH + w] = (row start + k of the matrix) times x, k < 4, beyond the end anything.

    Four rows by four columns at a time, so that what is loaded is used four times.
    """
    n, columns = x.shape
    a, b = matrix[start], matrix[min(start + 1, n - 1)]
    c, d = matrix[min(start + 2, n - 1)], matrix[min(start + 3, n - 1)]
    for w in range(4 * WIDTH):
        out[w] = 0
    fours = n // 4 * 4
    for j in range(0, fours, 4):
        x0, x1, x2, x3 = x[j], x[j + 1], x[j + 2], x[j + 3]
        a0, a1, a2, a3 = a[j], a[j + 1], a[j + 2], a[j + 3]
        b0, b1, b2, b3 = b[j], b[j + 1], b[j + 2], b[j + 3]
        c0, c1, c2, c3 = c[j], c[j + 1], c[j + 2], c[j + 3]
        d0, d1, d2, d3 = d[j], d[j + 1], d[j + 2], d[j + 3]
        for w in range(columns):
            p, q, r, s = x0[w], x1[w], x2[w], x3[w]
            out[w] += a0 * p + a1 * q + a2 * r + a3 * s
            out[WIDTH + w] += b0 * p + b1 * q + b2 * r + b3 * s
            out[2 * WIDTH + w] += c0 * p + c1 * q + c2 * r + c3 * s
            out[3 * WIDTH + w] += d0 * p + d1 * q + d2 * r + d3 * s
    for j in range(fours, n):
        xj, aj, bj, cj, dj = x[j], a[j], b[j], c[j], d[j]
        for w in range(columns):
            out[w] += aj * xj[w]
            out[WIDTH + w] += bj * xj[w]
            out[2 * WIDTH + w] += cj * xj[w]
            out[3 * WIDTH + w] += dj * xj[w]


@njit(inline="always", fastmath=True)
def _keep(signs, energies, first, best, best_energy):
    for w in range(energies.size):
        if energies[w] < best_energy[first + w]:
            best_energy[first + w] = energies[w]
            for i in range(signs.shape[0]):
                best[i, first + w] = np.int8(signs[i, w])


@njit(inline="always", fastmath=True)
def _signs(x, first, last):
    signs = _aligned(x.shape[0] * (last - first), np.float32).reshape(x.shape[0], last - first)
    for i in range(x.shape[0]):
        for w in range(last - first):
            signs[i, w] = _f32(1) if x[i, first + w] > 0 else _f32(-1)
    return signs


@njit(f"void({_INT}, {_INT}, {_VEC}, {_BEST})", fastmath=True, cache=True)
def record_sparse(indptr, indices, data, field, weight, x, first, last, best, best_energy):
    """Keep the signs of columns `first` to `last` - 1 that are the best of their replica."""
    signs = _signs(x, first, last)
    energies = np.zeros(last - first)
    force = _aligned(last - first, np.float32)
    for i in range(x.shape[0]):
        for w in range(force.size):
            force[w] = _f32(2) * field[i]
        _row_product(indptr, indices, data, i, signs, force)
        for w in range(force.size):
            energies[w] -= 0.5 * weight[i] * signs[i, w] * force[w]
    _keep(signs, energies, first, best, best_energy)


@njit(f"void({_MAT}, {_BEST})", fastmath=True, cache=True)
def record_dense(matrix, field, weight, x, first, last, best, best_energy):
    """As `record_sparse`."""
    signs = _signs(x, first, last)
    energies = np.zeros(last - first)
    forces = _aligned(4 * WIDTH, np.float32)
    for start in range(0, x.shape[0], 4):
        _four_products(matrix, start, signs, forces)
        for i in range(start, min(start + 4, x.shape[0])):
            at = (i - start) * WIDTH
            force = forces[at : at + energies.size]
            for w in range(energies.size):
                energies[w] -= 0.5 * weight[i] * signs[i, w] * (force[w] + _f32(2) * field[i])
    _keep(signs, energies, first, best, best_energy)


@njit(f"void({_INT}, {_INT}, {_VEC}, {_STATE}, {_LOOK})", fastmath=True, cache=True)
def advance_sparse(
    indptr, indices, data, field, amplitude, x, y, num_cac, pump, constants,
    until_look, look, weight, best, best_energy,
):  # fmt: skip
    """Advance all rows by `len(pump)` steps, each row on the newest values of the others.

    After `until_look` steps, and every `look` from there on, the first `num_cac` columns are
    recorded.
    """
    force = _aligned(x.shape[1], np.float32)
    for t in range(pump.shape[0]):
        for i in range(x.shape[0]):
            for w in range(force.size):
                force[w] = field[i] * amplitude[w]
            _row_product(indptr, indices, data, i, x, force)
            _update(x[i], y[i], force, num_cac, pump[t], constants)
        if num_cac > 0 and (t + 1 - until_look) % look == 0:
            record_sparse(indptr, indices, data, field, weight, x, 0, num_cac, best, best_energy)


@njit(f"void({_MAT}, {_STATE}, {_LOOK})", fastmath=True, cache=True)
def advance_dense(
    matrix, field, amplitude, x, y, num_cac, pump, constants,
    until_look, look, weight, best, best_energy,
):  # fmt: skip
    """As `advance_sparse`, four rows at a time; what they change is added to the rest of the four.

    `x` has at most `WIDTH` columns.
    """
    n, columns = x.shape
    forces = _aligned(4 * WIDTH, np.float32)
    change = _aligned(columns, np.float32)
    for t in range(pump.shape[0]):
        for start in range(0, n, 4):
            _four_products(matrix, start, x, forces)
            for i in range(start, min(start + 4, n)):
                at = (i - start) * WIDTH
                force, row = forces[at : at + columns], x[i]
                for w in range(columns):
                    force[w] += field[i] * amplitude[w]
                    change[w] = row[w]
                _update(row, y[i], force, num_cac, pump[t], constants)
                for w in range(columns):
                    change[w] = row[w] - change[w]
                for j in range(i + 1, min(start + 4, n)):
                    at = (j - start) * WIDTH
                    later, coupling = forces[at : at + columns], matrix[j, i]
                    for w in range(columns):
                        later[w] += coupling * change[w]
        if num_cac > 0 and (t + 1 - until_look) % look == 0:
            record_dense(matrix, field, weight, x, 0, num_cac, best, best_energy)


_UNIFORM = f"{_INDEX}, {_INDEX}, {_INDEX}, {_VEC}, {_VEC}"


@njit(inline="always", fastmath=True)
def _signed_sum(start, middle, stop, indices, grid, out):
    """out = Σ grid rows of indices[start:middle] - Σ of those of indices[middle:stop]."""
    one, four = np.uint64(1), np.uint64(4)  # a signed number would make all indices signed
    two, three = np.uint64(2), np.uint64(3)
    for w in range(out.size):
        out[w] = 0
    fours = start + (middle - start) // four * four
    for k in range(start, fours, four):
        a, b = grid[indices[k]], grid[indices[k + one]]
        c, d = grid[indices[k + two]], grid[indices[k + three]]
        for w in range(out.size):
            out[w] = np.int16(out[w] + a[w] + b[w] + c[w] + d[w])
    for k in range(fours, middle):
        a = grid[indices[k]]
        for w in range(out.size):
            out[w] = np.int16(out[w] + a[w])
    fours = middle + (stop - middle) // four * four
    for k in range(middle, fours, four):
        a, b = grid[indices[k]], grid[indices[k + one]]
        c, d = grid[indices[k + two]], grid[indices[k + three]]
        for w in range(out.size):
            out[w] = np.int16(out[w] - a[w] - b[w] - c[w] - d[w])
    for k in range(fours, stop):
        a = grid[indices[k]]
        for w in range(out.size):
            out[w] = np.int16(out[w] - a[w])


@njit(f"void({_UNIFORM}, {_BEST})", fastmath=True, cache=True)
def record_uniform(
    indptr, middles, indices, sizes, halves, field, weight, x, first, last, best, best_energy
):
    """As `record_sparse`, for `advance_uniform`."""
    n, count = x.shape[0], last - first
    signs = _aligned(n * count, np.int8).reshape(n, count)
    for i in range(n):
        for w in range(count):
            signs[i, w] = 1 if x[i, first + w] > 0 else -1
    energies = np.zeros(count)
    sums = _aligned(count, np.int16)
    for i in range(n):
        _signed_sum(indptr[i], middles[i], indptr[i + 1], indices, signs, sums)
        pair, lone = 0.5 * weight[i] * sizes[i], weight[i] * field[i]
        for w in range(count):
            energies[w] -= signs[i, w] * (pair * sums[w] + lone)
    _keep(signs, energies, first, best, best_energy)


@njit(inline="always", fastmath=True)
def _to_grid(x, scale, out):
    for w in range(out.size):
        level = np.int32(x[w] * scale[w] + _f32(128))
        out[w] = np.int8(min(level, np.int32(255)) - np.int32(128))


@njit(f"void({_UNIFORM}, {_STATE}, {_LOOK})", fastmath=True, cache=True)
def advance_uniform(
    indptr, middles, indices, sizes, halves, field, amplitude, x, y, num_cac, pump, constants,
    until_look, look, weight, best, best_energy,
):  # fmt: skip
    """As `advance_sparse`, where the couplings of each row i are ±sizes[i], positive ones first.

    Rows see each other in 8 bits: position (k + 1/2) / 128 of the largest as k, -128 to 127, so
    that not even the smallest position is seen as 0. The sums have 16 bits: a quarter of the memory
    to move, and nothing to multiply. `halves` are the sums of the 1/2.
    """
    n, columns = x.shape
    force, sums = _aligned(columns, np.float32), _aligned(columns, np.int16)
    scale, unit = np.empty(columns, np.float32), np.empty(columns, np.float32)
    for w in range(columns):
        scale[w] = _f32(128) / constants[4, w]
        unit[w] = constants[4, w] / _f32(128)
    grid = _aligned(n * columns, np.int8).reshape(n, columns)
    for i in range(n):
        _to_grid(x[i], scale, grid[i])
    for t in range(pump.shape[0]):
        for i in range(n):
            _signed_sum(indptr[i], middles[i], indptr[i + 1], indices, grid, sums)
            for w in range(columns):
                position = unit[w] * (_f32(sums[w]) + halves[i])
                force[w] = field[i] * amplitude[w] + sizes[i] * position
            _update(x[i], y[i], force, num_cac, pump[t], constants)
            _to_grid(x[i], scale, grid[i])
        if num_cac > 0 and (t + 1 - until_look) % look == 0:
            record_uniform(
                indptr, middles, indices, sizes, halves, field, weight, x, 0, num_cac,
                best, best_energy,
            )  # fmt: skip
