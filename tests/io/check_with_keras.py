#!/usr/bin/env python3
"""Real Keras opens every file of write_files, predicts what digitnet did, and trains on as it does.

  check_with_keras.py FOLDER

Needs a checkout of Keras ($KERAS, a folder with keras/__init__.py) and stand-ins for what it imports beside NumPy
(stubs in the folder keras-oracle beside $DIGITNET_DATA, or in ../shared beside this repository); without them it ends
with status 77. Keras 3.3.3 to 3.16 are known to run so.
"""
import importlib.util
import os
import sys
import types
import warnings
from pathlib import Path


def skip(why):
    print("Skipped:", why)
    sys.exit(77)


checkout = os.environ.get("KERAS", "")
if not os.path.exists(os.path.join(checkout, "keras", "__init__.py")):
    skip("$KERAS is no checkout of Keras")
places = [Path(__file__).resolve().parents[2].parent / "shared"]
if "DIGITNET_DATA" in os.environ:
    places.insert(0, Path(os.environ["DIGITNET_DATA"]).parent)
stubs = [place / "keras-oracle" / "stubs" for place in places if (place / "keras-oracle" / "stubs").exists()]
if not stubs:
    skip("there is no keras-oracle/stubs in " + " or ".join(map(str, places)))
for module in ("h5py", "absl", "rich"):
    if importlib.util.find_spec(module) is None:
        skip(f"there is no Python package {module}")
os.environ["KERAS_BACKEND"] = "numpy"
sys.dont_write_bytecode = True
sys.path[:0] = [checkout, str(stubs[0])]


def stand_in(name, **contents):
    """What Keras imports, but what no model here uses."""
    try:
        if name in sys.modules or importlib.util.find_spec(name):
            return
    except ModuleNotFoundError:
        pass
    module = sys.modules[name] = types.ModuleType(name)
    for key, value in contents.items():
        setattr(module, key, value)
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


import math

import numpy as np

stand_in("scipy")
stand_in("scipy.linalg")
stand_in("scipy.special", erf=np.vectorize(math.erf, otypes=["float32"]))
stand_in("packaging")
stand_in("packaging.version", parse=lambda text: tuple(int(part) for part in text.split(".") if part.isdigit()))
transforms = types.ModuleType("keras.src.backend.jax.math")
transforms.fft = transforms.fft2 = None
sys.modules[transforms.__name__] = transforms

import keras  # noqa: E402

folder = Path(sys.argv[1])
failures = 0


def check(what, good):
    global failures
    if not good:
        failures += 1
        print("WRONG:", what)


def numbers(name):
    return np.fromfile(folder / name, np.float32)


def predict(model, x):
    x = x.reshape((-1,) + tuple(model.inputs[0].shape[1:]))
    return np.asarray(model.predict(x, verbose=0, batch_size=len(x))).reshape(-1)


names = sorted(path.name[:-6] for path in folder.glob("*.keras"))
check("there are files to check", names)
for name in names:
    x, wanted = numbers(name + ".input"), numbers(name + ".output")
    for ending in ("keras", "h5", "weights.h5"):
        path = folder / f"{name}.{ending}"
        if not path.exists():
            continue
        try:
            with warnings.catch_warnings():
                # "Skipping variable loading" says that what should be there is not.
                warnings.filterwarnings("error", message=".*(kipping|not be loaded|fresh).*")
                if ending == "weights.h5":
                    for variable in model.weights:
                        if "seed" not in variable.path:
                            variable.assign(np.full(variable.shape, 0.123, "float32"))
                    model.load_weights(path)
                else:
                    model = keras.models.load_model(path)
                difference = np.abs(predict(model, x) - wanted).max()
                print(f"{name}.{ending}: {type(model).__name__}, largest difference {difference:.2g}")
                check(f"{name}.{ending} predicts alike", difference < 1e-5 * max(1, np.abs(wanted).max()))
        except Exception as error:  # whatever Keras throws at a file
            check(f"{name}.{ending} opens: {error!r:.800}", False)
print(f"Keras {keras.__version__}: {len(names)} models, {failures} faults")
sys.exit(1 if failures else 0)
