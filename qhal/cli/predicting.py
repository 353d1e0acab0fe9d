"""`qhal predict`: a trained network on new samples."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qhal.cli.files import check_outputs, save
from qhal.cli.options import FilePath
from qhal.cli.output import Output, command, to_json
from qhal.cli.tables import facts, table
from qhal.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

    from qhal.networks import Network

SHOWN_SAMPLES = 10


@command("predict")
@click.argument("model", type=FilePath)
@click.argument("file", metavar="FILE.npz", type=FilePath)
@click.option("--out", type=FilePath, metavar="F", help="Write all predictions to F as JSON.")
def predict(output: Output, seed: int | None, model: Path, file: Path, out: Path | None) -> int:
    """Classify the samples in FILE.npz with a MODEL.

    FILE.npz holds an array x: (num_samples, num_features) within [0, 1], or square images of bytes
    or of numbers within [0, 1]. If it also holds the classes as y, names or their numbers from 0,
    the accuracy is reported.

    \b
    Examples:
      qhal predict coat.npz images.npz
      qhal predict coat.npz images.npz --out predictions.json
    """
    check_outputs(inputs=[model, file], out=out)

    from qhal.atomic import write_atomically
    from qhal.datasets.arrays import read_npz
    from qhal.networks import Network

    network = Network.load(model)
    arrays = read_npz(file)
    features = _features(network, arrays, file)
    names = [network.class_names[index] for index in network.predict(features)]
    truth = _truth(network, arrays.get("y"), len(names), file)
    accuracy = truth and sum(map(str.__eq__, names, truth)) / len(names)
    document = {
        "model": str(model),
        "num_samples": len(names),
        "class_names": list(network.class_names),
        "predictions": names,
        "accuracy": accuracy,
    }
    saved = save(out, lambda: write_atomically(str(out), (to_json(document) + "\n").encode()))
    summary = {"num_samples": len(names), "accuracy": accuracy if truth else "unknown: no y"}
    output.result(document, facts(summary), "", _counts(network, names, truth), "", _some(names))
    return 0 if saved else 1


def _truth(
    network: Network, labels: np.ndarray[Any, Any] | None, num_samples: int, file: Path
) -> list[str] | None:
    """The array y as names of the network's classes, None if there is none.

    Its entries are the names, or their indices from 0.
    """
    if labels is None:
        return None
    known = network.class_names
    if labels.shape != (num_samples,):
        raise InputError(
            f"y in {file} must hold one class for each of the {num_samples} samples, "
            f"but its shape is {labels.shape}."
        )
    given, numbers = labels.tolist(), range(len(known))
    strangers = [label for label in given if str(label) not in known]
    if not strangers:
        return list(map(str, given))
    if labels.dtype.kind in "iufb" and all(label in numbers for label in given):
        return [known[int(label)] for label in given]
    stranger = str(next((label for label in strangers if label not in numbers), strangers[0]))
    raise InputError(
        f"y in {file} has the class {stranger!r}, which the model does not know"
        f"{did_you_mean(stranger, known)} Its classes: {', '.join(known)}, "
        f"or their numbers, 0 to {len(known) - 1}."
    )


def _counts(network: Network, names: list[str], truth: list[str] | None) -> Any:
    """How many samples of each class were predicted, and how many of those rightly."""
    predicted = Counter(names)
    if truth is None:
        rows = [[name, predicted[name]] for name in network.class_names]
        return table(["class", "predicted"], rows)
    actual = Counter(truth)
    right = Counter(name for name, true in zip(names, truth, strict=True) if name == true)
    rows = [[name, predicted[name], actual[name], right[name]] for name in network.class_names]
    return table(["class", "predicted", "in y", "right"], rows)


def _some(names: list[str]) -> str:
    text = ", ".join(f"{index} {name}" for index, name in enumerate(names[:SHOWN_SAMPLES]))
    rest = len(names) - SHOWN_SAMPLES
    return text + (f", and {rest} more (--out writes them all)" if rest > 0 else "")


def _features(
    network: Network, arrays: dict[str, np.ndarray[Any, Any]], file: Path
) -> np.ndarray[Any, Any]:
    """The array x as the (num_samples, num_features) within [0, 1] that the network takes."""
    import numpy as np

    from qhal.datasets.dataset import reduce_images

    x = arrays.get("x")
    if x is None:
        raise InputError(f"{file} must hold an array x; it holds {', '.join(arrays) or 'none'}.")
    if x.ndim not in (2, 3) or x.dtype.kind not in "fiub" or not x.size:
        raise InputError(
            f"x in {file} must hold numbers in the shape (num_samples, num_features) or "
            f"(num_samples, side, side), got {x.dtype} in the shape {x.shape}."
        )
    if not np.isfinite(x).all():
        raise InputError(f"x in {file} holds NaN or infinity; remove or replace those values.")
    scale = 255 if x.dtype == np.uint8 and x.max() > 1 else 1
    if x.min() < 0 or x.max() > scale:
        raise InputError(f"x in {file} has values from {x.min():g} to {x.max():g}, not in [0, 1].")
    wanted = network.spec.layers[0].inputs
    side = math.isqrt(wanted)
    if x.ndim == 3 and side**2 == wanted:
        return reduce_images(x, side, scale)
    features = x.reshape(len(x), -1) / scale
    if features.shape[1] != wanted:
        raise InputError(
            f"the model takes {wanted} features, but the samples in {file} have "
            f"{features.shape[1]}."
        )
    return features
