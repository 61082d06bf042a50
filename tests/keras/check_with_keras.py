#!/usr/bin/env python3
"""Real Keras opens every file of write_files and write_trainings, predicts what digitnet did, and trains on as it does.

  check_with_keras.py FOLDER...

Needs a checkout of Keras ($KERAS, a folder with keras/__init__.py) and stand-ins for what it imports beside NumPy
(stubs in the folder keras-oracle beside $DIGITNET_DATA, or in ../shared beside this repository); without them it ends
with status 77. Keras 3.3.3 to 3.16 are known to run so.
"""
import importlib.util
import json
import math
import os
import struct
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


import numpy as np  # noqa: E402

stand_in("scipy")
stand_in("scipy.linalg")
stand_in("scipy.special", erf=np.vectorize(math.erf, otypes=["float32"]))
stand_in("packaging")
stand_in("packaging.version", parse=lambda text: tuple(int(part) for part in text.split(".") if part.isdigit()))
transforms = types.ModuleType("keras.src.backend.jax.math")
transforms.fft = transforms.fft2 = None
sys.modules[transforms.__name__] = transforms

import keras  # noqa: E402

failures = 0


def check(what, good):
    global failures
    if not good:
        failures += 1
        print("WRONG:", what)


def numbers(path):
    return np.fromfile(path, np.float32)


def predict(model, x):
    x = x.reshape((-1,) + tuple(model.inputs[0].shape[1:]))
    return np.asarray(model.predict(x, verbose=0, batch_size=len(x))).reshape(-1)


def checkpoint(path):
    """The arrays of a training's safetensors file by their names."""
    data = Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    arrays = {}
    for name, about in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__" and about["dtype"] == "F32":
            begin, end = (8 + size + offset for offset in about["data_offsets"])
            arrays[name] = np.frombuffer(data[begin:end], np.float32).reshape(about["shape"])
    return arrays


# Where Keras keeps what digitnet's optimizers keep in their slots.
slot_attributes = {
    "SGD": ["momentums"],
    "RMSprop": ["_velocities", "_average_gradients", "_momentums"],
    "Adagrad": ["_accumulators"],
    "Adam": ["_momentums", "_velocities", "_velocity_hats"],
    "AdamW": ["_momentums", "_velocities", "_velocity_hats"],
    "Nadam": ["_momentums", "_velocities"],
    "Lion": ["_momentums"],
}


def check_slots(what, model, arrays):
    optimizer = model.optimizer
    check(f"{what} has done 3 steps", int(np.asarray(optimizer.iterations.numpy())) == 3)
    lists = [getattr(optimizer, name, []) for name in slot_attributes[type(optimizer).__name__]]
    lists = [slots for slots in lists if slots]
    check(f"{what} has all slots", len(lists) == len({name.split("/")[1] for name in arrays if name[:9] == "optimizer"}))
    for i, variable in enumerate(model.trainable_variables):
        # No two parameters are equal here.
        names = [n for n, a in arrays.items() if n[:9] != "optimizer" and np.array_equal(a, variable.numpy())]
        check(f"{what}: one parameter is {variable.path}", len(names) == 1)
        for number, slots in enumerate(lists):
            wanted = arrays[f"optimizer/{number}/{names[0]}"]
            check(f"{what}: slot {number} of {names[0]}", np.array_equal(slots[i].numpy(), wanted))
            check(f"{what}: slot {number} of {names[0]} is not empty", np.any(wanted))


def check_next_step(what, model, x, target, wanted):
    """For a Dense with the mean squared error, whose gradient is plain."""
    x = x.reshape(len(target), -1)
    error = 2 * (np.asarray(model(x)) - target) / target.size
    model.optimizer.apply([(x.T @ error).astype("float32"), error.sum(0).astype("float32")], model.trainable_variables)
    found = np.concatenate([variable.numpy().reshape(-1) for variable in model.trainable_variables])
    difference = np.abs(found - wanted).max()
    print(f"{what}: after one more step, largest difference {difference:.2g}")
    check(f"{what} trains on alike", difference < 1e-6)


def check_training(what, model, base, slots_are_there):
    x, target = numbers(f"{base}.input"), numbers(f"{base}.target")
    target = target.reshape((-1,) + tuple(model.outputs[0].shape[1:]))
    rows = x.reshape(len(target), -1)
    if model.losses:  # Keras' NumPy backend cannot add penalties to the mean squared error
        loss = np.mean((np.asarray(model(rows)) - target) ** 2) + sum(float(np.asarray(part)) for part in model.losses)
    else:
        loss = model.evaluate(rows, target, batch_size=len(target), verbose=0)
        loss = loss[0] if isinstance(loss, list) else loss
    wanted = numbers(f"{base}.loss")[0]
    check(f"{what}: the loss is {loss}, not {wanted}", abs(loss - wanted) < 1e-5 * max(1, wanted))
    if not slots_are_there:
        return
    check_slots(what, model, checkpoint(f"{base}.checkpoint"))
    if "/optimizer_" in base:
        check_next_step(what, model, x, target, numbers(f"{base}.next"))


version = tuple(int(part) for part in keras.__version__.split(".")[:2])
bases = sorted(str(path)[:-6] for folder in sys.argv[1:] for path in Path(folder).glob("*.keras"))
check("there are files to check", bases)
for base in bases:
    x, wanted = numbers(base + ".input"), numbers(base + ".output")
    is_training = os.path.exists(base + ".target")
    for ending in ("keras", "h5", "weights.h5"):
        path, what = f"{base}.{ending}", f"{os.path.basename(base)}.{ending}"
        if not os.path.exists(path):
            continue
        # Before 3.10 Keras kept one variable in another place.
        compiles = not (base.endswith("_nadam") and version < (3, 10))
        try:
            with warnings.catch_warnings():
                # "Skipping variable loading" says that what should be there is not.
                warnings.filterwarnings("error", message=".*(kipping|not be loaded|fresh).*")
                if ending == "weights.h5":
                    for variable in model.weights:
                        if "seed" not in variable.path:
                            variable.assign(np.full(variable.shape, 0.123, "float32"))
                    model.load_weights(path)
                elif compiles:
                    model = keras.models.load_model(path)
                else:
                    continue
                difference = np.abs(predict(model, x) - wanted).max()
                print(f"{what}: {type(model).__name__}, largest difference {difference:.2g}")
                check(f"{what} predicts alike", difference < 1e-5 * max(1, np.abs(wanted).max()))
                if is_training:
                    # From .h5 Keras 3 makes the optimizer anew, whoever wrote the file.
                    check_training(what, model, base, ending == "keras")
        except Exception as error:  # whatever Keras throws at a file
            check(f"{what} can be used: {error!r:.800}", False)
print(f"Keras {keras.__version__}: {len(bases)} models, {failures} faults")
sys.exit(1 if failures else 0)
