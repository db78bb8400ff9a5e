"""Vectorised building blocks: random streams, text columns, identifiers, time stamps.

Times are int64 milliseconds since 1970-01-01 UTC everywhere in the simulator; `NEVER` marks a time that does not exist.
Text columns are built as byte matrices or by dictionary look-up, because a Python loop over millions of rows is what
would make a million leads impractical.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# Later than any real time, so that `time <= until` is false and minimum() ignores it.
NEVER = np.int64(2**62)

_BASE62 = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
_BASE32 = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", dtype=np.uint8)
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_URL_SAFE = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", dtype=np.uint8)


def stream(seed: int, *key: int | str) -> np.random.Generator:
    """Random stream of one purpose: equal for equal (seed, key), independent of every other key.

    Separate streams keep the plan the same when a defect class is switched off or a table gets another column.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *words])))


def mix(values: Ints, salt: int) -> npt.NDArray[np.uint64]:
    """64 well-mixed bits of each value (splitmix64): identifiers that look random and never change."""
    increment = (salt * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64
    with np.errstate(over="ignore"):
        bits = values.astype(np.uint64) + np.uint64(increment)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return bits ^ (bits >> np.uint64(31))


def uniform_hash(values: Ints, salt: int) -> Floats:
    """Number in [0, 1) that depends on the value only."""
    return (mix(values, salt) >> np.uint64(11)).astype(np.float64) / float(2**53)


def text(matrix: Bytes, valid: Bools | None = None) -> pa.Array:
    """String column from a byte matrix with one row a value, shape (n, width); rows that are not valid become null."""
    rows, width = matrix.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    bitmap = None
    nulls = 0
    if valid is not None:
        bitmap = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
        nulls = int(rows - np.count_nonzero(valid))
    data = pa.py_buffer(np.ascontiguousarray(matrix))
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), data, bitmap, nulls)


def pick(words: Sequence[str | None], codes: npt.NDArray[Any], valid: Bools | None = None) -> pa.Array:
    """String column by look-up; null where the code is negative or the row is not valid."""
    mask = codes < 0
    if valid is not None:
        mask = mask | ~valid
    return pa.array(list(words), pa.string()).take(pa.array(codes.astype(np.int32), mask=mask))


def join(*parts: Any, separator: str = "") -> pa.Array:
    """Row-wise concatenation of string columns and constants; null if any part is null."""
    return pc.binary_join_element_wise(*parts, separator)


def constant(value: Any, rows: int, kind: Any) -> pa.Array:
    """Column that repeats one value."""
    return pa.repeat(pa.scalar(value, kind), rows)


def integers(values: Ints, valid: Bools | None = None) -> pa.Array:
    """Bigint column."""
    return pa.array(values, pa.int64(), mask=None if valid is None else ~valid)


def numbers(values: Floats, valid: Bools | None = None) -> pa.Array:
    """Double column."""
    return pa.array(values, pa.float64(), mask=None if valid is None else ~valid)


def flags(values: Bools, valid: Bools | None = None) -> pa.Array:
    """Boolean column."""
    return pa.array(values, pa.bool_(), mask=None if valid is None else ~valid)


def times(milliseconds: Ints, valid: Bools | None = None) -> pa.Array:
    """UTC timestamp column (microseconds, no zone); null where the time is NEVER or the row is not valid."""
    mask = milliseconds == NEVER
    if valid is not None:
        mask = mask | ~valid
    return pa.array(np.where(mask, 0, milliseconds) * 1_000, pa.int64(), mask=mask).cast(pa.timestamp("us"))


def dates(milliseconds: Ints, valid: Bools | None = None) -> pa.Array:
    """Date column (UTC date); null where the time is NEVER or the row is not valid."""
    mask = milliseconds == NEVER
    if valid is not None:
        mask = mask | ~valid
    days = np.where(mask, 0, milliseconds // DAY).astype(np.int32)
    return pa.array(days, pa.int32(), mask=mask).cast(pa.date32())


def synced(recorded: Ints) -> Ints:
    """When the loader's next run wrote the row: runs start every 15 minutes and take up to four."""
    run = (recorded // (15 * MINUTE) + 1) * (15 * MINUTE)
    return run + 20 * SECOND + (mix(recorded, 15) % np.uint64(200 * SECOND)).astype(np.int64)


def _digits(values: Ints, alphabet: Bytes, width: int) -> Bytes:
    matrix = np.empty((len(values), width), dtype=np.uint8)
    rest = values.astype(np.int64, copy=True)
    for column in range(width - 1, -1, -1):
        rest, digit = np.divmod(rest, len(alphabet))
        matrix[:, column] = alphabet[digit]
    return matrix


def salesforce_id(prefix: str, counter: Ints, valid: Bools | None = None) -> pa.Array:
    """18-character Salesforce id: key prefix, instance, nine base-62 digits, and the suffix that encodes the case."""
    matrix = np.empty((len(counter), 18), dtype=np.uint8)
    matrix[:, :6] = np.frombuffer((prefix + "5g0").encode(), dtype=np.uint8)
    matrix[:, 6:15] = _digits(counter, _BASE62, 9)
    upper = (matrix[:, :15] >= ord("A")) & (matrix[:, :15] <= ord("Z"))
    weights = np.array([1, 2, 4, 8, 16], dtype=np.int64)
    for block in range(3):
        matrix[:, 15 + block] = _BASE32[upper[:, block * 5 : block * 5 + 5] @ weights]
    return text(matrix, valid)


def uuid(counter: Ints, salt: int, valid: Bools | None = None) -> pa.Array:
    """UUID-shaped identifier, 36 characters, a function of (counter, salt)."""
    matrix = np.empty((len(counter), 36), dtype=np.uint8)
    halves = (mix(counter, salt), mix(counter, salt + 1))
    columns = [column for column in range(36) if column not in (8, 13, 18, 23)]
    matrix[:, [8, 13, 18, 23]] = ord("-")
    for position, column in enumerate(columns):
        half = halves[position // 16]
        matrix[:, column] = _HEX[((half >> np.uint64(4 * (position % 16))) & np.uint64(15)).astype(np.intp)]
    return text(matrix, valid)


def token(counter: Ints, salt: int, width: int) -> pa.Array:
    """URL-safe random-looking text of the given width: click ids, cookie values."""
    matrix = np.empty((len(counter), width), dtype=np.uint8)
    bits = mix(counter, salt)
    for column in range(width):
        if column % 10 == 0 and column > 0:
            bits = mix(bits.view(np.int64), salt + column)
        matrix[:, column] = _URL_SAFE[((bits >> np.uint64(6 * (column % 10))) & np.uint64(63)).astype(np.intp)]
    return text(matrix)


def digits(values: Ints, width: int) -> Bytes:
    """Decimal digits with leading zeros, shape (n, width)."""
    return _digits(values, np.frombuffer(b"0123456789", dtype=np.uint8), width)


def offset_text(milliseconds: Ints, offset: Ints) -> pa.Array:
    """ISO 8601 text in local time with offset and milliseconds, e.g. 2024-03-05T14:23:11.250+01:00.

    Args:
        milliseconds: UTC times.
        offset: local minus UTC, milliseconds, whole minutes.
    """
    local = milliseconds + offset
    days, rest = np.divmod(local, DAY)
    # One short string a day of the period: cheaper than calendar arithmetic per row.
    first = int(days.min()) if len(days) else 0
    span = (int(days.max()) - first + 1) if len(days) else 1
    calendar = np.datetime_as_string(np.arange(first, first + span).astype("datetime64[D]"))
    table = np.frombuffer("".join(calendar.tolist()).encode(), dtype=np.uint8).reshape(span, 10)
    matrix = np.empty((len(local), 29), dtype=np.uint8)
    matrix[:, :10] = table[days - first]
    matrix[:, 10] = ord("T")
    matrix[:, 11:13] = digits(rest // HOUR, 2)
    matrix[:, 13] = ord(":")
    matrix[:, 14:16] = digits(rest // MINUTE % 60, 2)
    matrix[:, 16] = ord(":")
    matrix[:, 17:19] = digits(rest // SECOND % 60, 2)
    matrix[:, 19] = ord(".")
    matrix[:, 20:23] = digits(rest % SECOND, 3)
    matrix[:, 23] = np.where(offset < 0, ord("-"), ord("+"))
    minutes = np.abs(offset) // MINUTE
    matrix[:, 24:26] = digits(minutes // 60, 2)
    matrix[:, 26] = ord(":")
    matrix[:, 27:29] = digits(minutes % 60, 2)
    return text(matrix)


def spread(counts: Ints) -> tuple[Ints, Ints]:
    """Repeat row numbers by counts: (row of each repetition, position within the row)."""
    rows = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    starts = np.cumsum(counts) - counts
    return rows, np.arange(len(rows), dtype=np.int64) - np.repeat(starts, counts)


def choose(rng: np.random.Generator, weights: Sequence[float], size: int) -> Ints:
    """Codes 0..k-1 drawn with the given weights (they need not sum to 1)."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.searchsorted(edges / edges[-1], rng.random(size), side="right").astype(np.int64)


def sigmoid(values: Floats) -> Floats:
    """Probability from log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-values)), dtype=np.float64)
