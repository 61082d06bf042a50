#!/usr/bin/env python3
"""Reads the Keras files of write_files and write_trainings with h5py, runs them by NumPy alone, and compares the outputs.

  check_keras.py FOLDER TRAININGS
"""
import io
import json
import math
import sys
import zipfile

import h5py
import numpy as np

erf = np.vectorize(math.erf)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


activations = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "softmax": softmax,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * 0.5 * (1 + erf(x / math.sqrt(2))),
    "swish": lambda x: x * sigmoid(x),
    "silu": lambda x: x * sigmoid(x),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
}


def windows(x, kernel, strides, padding, value):
    """All windows: (n, rows, columns, kernel height, kernel width, channels)."""
    pads = [(0, 0)]
    for size, k, s in zip(x.shape[1:3], kernel, strides):
        total = max((-(-size // s) - 1) * s + k - size, 0) if padding == "same" else 0
        pads.append((total // 2, total - total // 2))
    x = np.pad(x, pads + [(0, 0)], constant_values=value)
    view = np.lib.stride_tricks.sliding_window_view(x, kernel, (1, 2))[:, ::strides[0], ::strides[1]]
    return view.transpose(0, 1, 2, 4, 5, 3)


def depthwise(x, config, kernel):
    w = windows(x, config["kernel_size"], config["strides"], config["padding"], 0)
    y = np.einsum("nrckli,klim->nrcim", w, kernel)
    return y.reshape(y.shape[:3] + (-1,))


def run(layer, weights, x, *others):
    config, kind = layer["config"], layer["class_name"]
    assert not others or kind in ("Add", "Multiply", "Concatenate")
    if kind == "InputLayer":
        shape = config.get("batch_shape") or config["batch_input_shape"]
        return x.reshape([-1] + shape[1:])
    if kind == "Dense":
        x = x @ weights[0] + (weights[1] if config["use_bias"] else 0)
    elif kind == "Conv2D":
        assert config["data_format"] == "channels_last" and config["dilation_rate"] == [1, 1]
        w = windows(x, config["kernel_size"], config["strides"], config["padding"], 0)
        x = np.einsum("nrckli,klif->nrcf", w, weights[0]) + (weights[1] if config["use_bias"] else 0)
    elif kind == "DepthwiseConv2D":
        x = depthwise(x, config, weights[0]) + (weights[1] if config["use_bias"] else 0)
    elif kind == "SeparableConv2D":
        x = depthwise(x, config, weights[0]) @ weights[1][0, 0] + (weights[2] if config["use_bias"] else 0)
    elif kind == "LayerNormalization":
        weights = list(weights)
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + config["epsilon"])
        x = x * (weights.pop(0) if config["scale"] else 1) + (weights.pop(0) if config["center"] else 0)
    elif kind == "GroupNormalization":
        assert config["axis"] == -1
        weights = list(weights)
        groups = x.reshape(len(x), -1, config["groups"], x.shape[-1] // config["groups"])
        mean, variance = groups.mean((1, 3), keepdims=True), groups.var((1, 3), keepdims=True)
        x = ((groups - mean) / np.sqrt(variance + config["epsilon"])).reshape(x.shape)
        x = x * (weights.pop(0) if config["scale"] else 1) + (weights.pop(0) if config["center"] else 0)
    elif kind == "Add":
        x = sum(others, x)
    elif kind == "Multiply":
        x = x * others[0]
    elif kind == "Concatenate":
        x = np.concatenate((x, *others), config["axis"])
    elif kind == "MaxPooling2D":
        x = windows(x, config["pool_size"], config["strides"], config["padding"], -np.inf).max((3, 4))
    elif kind == "AveragePooling2D":
        w = windows(x, config["pool_size"], config["strides"], config["padding"], np.nan)
        x = np.nanmean(w, (3, 4))
    elif kind == "GlobalAveragePooling2D":
        x = x.mean((1, 2))
    elif kind == "BatchNormalization":
        assert config["axis"] in (-1, [x.ndim - 1])
        weights = list(weights)
        gamma = weights.pop(0) if config["scale"] else 1
        beta = weights.pop(0) if config["center"] else 0
        mean, variance = weights
        x = gamma * (x - mean) / np.sqrt(variance + config["epsilon"]) + beta
    elif kind == "Flatten":
        x = x.reshape(len(x), -1)
    elif kind == "Reshape":
        x = x.reshape([-1] + config["target_shape"])
    elif kind == "ZeroPadding2D":
        x = np.pad(x, [(0, 0)] + config["padding"] + [(0, 0)])
    elif kind == "Rescaling":
        x = x * config["scale"] + config["offset"]
    elif kind == "LeakyReLU":
        x = np.where(x > 0, x, config.get("negative_slope", config.get("alpha")) * x)
    elif kind == "ELU":
        x = np.where(x > 0, x, config["alpha"] * np.expm1(np.minimum(x, 0)))
    elif kind == "ReLU":
        x = np.maximum(x, 0)
    elif kind == "Softmax":
        x = softmax(x)
    elif kind not in ("Dropout", "SpatialDropout2D", "GaussianNoise", "Activation", "RandomFlip", "RandomRotation",
                      "RandomTranslation", "RandomZoom"):
        raise ValueError(kind)
    return activations[config.get("activation", "linear")](x)


def inbound(node):
    """The layers that a functional model's layer gets its inputs from, in Keras 2's notation or in 3's."""
    if isinstance(node, dict):
        history = node["config"]["keras_history"] if "config" in node else None
        return [history[0]] if history else inbound(node["args"])
    if len(node) >= 3 and isinstance(node[0], str):
        return [node[0]]
    return [name for part in node for name in inbound(part)]


def run_model(config, weights, x):
    results, last = {}, None
    for layer in config["config"]["layers"]:
        name = layer["config"]["name"]
        sources = inbound(layer["inbound_nodes"]) if "inbound_nodes" in layer else [last]
        inputs = [results[source] for source in sources if source] or [x]
        results[name] = run(layer, weights.get(name, []), *inputs)
        last = name
    if config["class_name"] == "Functional":
        assert config["config"]["input_layers"] == [["input_layer", 0, 0]]
        assert config["config"]["output_layers"] == [[last, 0, 0]]
    return results[last]


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def whole_h5(path):
    file = h5py.File(path)
    for name in ("keras_version", "backend"):
        assert text(file.attrs[name])
    weights = file["model_weights"]
    config = json.loads(text(file.attrs["model_config"]))
    names = [text(name) for name in weights.attrs["layer_names"]]
    assert names == [layer["config"]["name"] for layer in config["config"]["layers"][1:]]
    assert list(weights["top_level_model_weights"].attrs["weight_names"]) == []
    by_name = {name: [weights[name][text(w)][()] for w in weights[name].attrs["weight_names"]] for name in names}
    return config, by_name


def stored(file, config):
    by_name = {}
    assert "vars" in file
    for layer in config["config"]["layers"][1:]:
        name = layer["config"]["name"]
        group = file["layers"][name]["vars"]
        by_name[name] = [group[str(i)][()] for i in range(len(group))]
    return by_name


def check_outer_object(config):
    """Keras 3 finds a model's class by these."""
    functional = config["class_name"] == "Functional"
    assert config["module"] == ("keras.src.models.functional" if functional else "keras")
    assert config["registered_name"] == ("Functional" if functional else None)
    shape = config["config"]["layers"][0]["config"]["batch_shape"]
    assert config["build_config"] == {"input_shape": None if functional else shape}
    for layer in config["config"]["layers"]:
        assert layer["module"] == "keras.layers" and layer["registered_name"] is None
        # Keras' constructor takes no other settings there.
        if layer["class_name"] == "SpatialDropout2D":
            assert sorted(layer["config"]) == ["data_format", "dtype", "name", "rate", "seed"]


def archive(path):
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert "keras_version" in json.loads(file.read("metadata.json"))
        config = json.loads(file.read("config.json"))
        check_outer_object(config)
        return config, stored(h5py.File(io.BytesIO(file.read("model.weights.h5"))), config)


folder, trainings = sys.argv[1:]
worst = 0
for model in ("every_layer", "pooled", "branches", "combinators", "grouped", "ann", "cnn"):
    x = np.fromfile(f"{folder}/{model}.input", np.float32).astype(np.float64).reshape(50, -1)
    wanted = np.fromfile(f"{folder}/{model}.output", np.float32).reshape(50, -1)
    files = {".h5": whole_h5(f"{folder}/{model}.h5"), ".keras": archive(f"{folder}/{model}.keras")}
    config = files[".keras"][0]
    files[".weights.h5"] = config, stored(h5py.File(f"{folder}/{model}.weights.h5"), config)
    for ending, (config, weights) in files.items():
        y = run_model(config, weights, x)
        difference = np.abs(y - wanted).max()
        worst = max(worst, difference)
        print(f"{model}{ending}: largest difference {difference:.2g}")
        assert y.shape == wanted.shape and difference < 1e-5
print(f"largest of all {worst:.2g}")


def training(name, optimizer, slots, loss):
    """Keras' variables of an optimizer in .keras and .h5, in its order, and what it calls the loss."""
    with zipfile.ZipFile(f"{trainings}/{name}.keras") as file:
        compiled = json.loads(file.read("config.json"))["compile_config"]
        store = h5py.File(io.BytesIO(file.read("model.weights.h5")))["optimizer/vars"]
    whole = h5py.File(f"{trainings}/{name}.h5")
    trained = json.loads(text(whole.attrs["training_config"]))
    assert compiled["optimizer"]["module"] == "keras.optimizers"
    assert compiled["optimizer"]["class_name"] == trained["optimizer_config"]["class_name"] == optimizer
    assert compiled["optimizer"]["config"] == trained["optimizer_config"]["config"]
    for found in (compiled["loss"], trained["loss"]):
        assert found == loss or found["config"] == loss, found
    names = [text(variable) for variable in whole["optimizer_weights"].attrs["weight_names"]]
    prefix = names[0].split("/")[0]
    assert names == [f"{prefix}/{variable}" for variable in ["iteration", "learning_rate"] + slots], names
    assert len(store) == len(names)
    for i, variable in enumerate(names):
        value = store[str(i)][()]
        assert np.array_equal(value, whole["optimizer_weights"][variable][()]) and np.any(value)
    assert store["0"][()] == 3 and store["0"].dtype == np.int64
    assert store["1"][()] == np.float32(compiled["optimizer"]["config"]["learning_rate"])
    return compiled["optimizer"]["config"]


def slots_of(*lists):
    """For each list of slots, those of all parameters, one parameter after the other."""
    return [f"dense_{weight}_{slot}" for slots in lists for weight in ("kernel", "bias") for slot in slots]


mse = "mean_squared_error"
training("optimizer_sgd", "SGD", [], mse)
training("optimizer_sgd_momentum", "SGD", slots_of(["momentum"]), mse)
training("optimizer_rmsprop_all", "RMSprop", slots_of(["velocity"], ["momentum"], ["average_gradient"]), mse)
training("optimizer_adagrad", "Adagrad", slots_of(["accumulator"]), mse)
training("optimizer_amsgrad", "Adam", slots_of(["momentum", "velocity"], ["velocity_hat"]), mse)
assert training("optimizer_adamw", "AdamW", slots_of(["momentum", "velocity"]), mse)["weight_decay"] == 0.25
config = training("optimizer_adamw_undecayed", "AdamW", slots_of(["momentum", "velocity"], ["velocity_hat"]), mse)
assert config["weight_decay"] == 0
training("optimizer_nadam", "Nadam", slots_of(["momentum", "velocity"]) + ["variable"], mse)
training("optimizer_lion", "Lion", slots_of(["momentum"]), mse)
adam, mean = slots_of(["momentum", "velocity"]), {"reduction": "sum_over_batch_size"}
training("loss_categorical", "Adam", adam, "categorical_crossentropy")
training("loss_categorical_smooth", "Adam", adam, {"name": "categorical_crossentropy", "label_smoothing": 0.3, **mean})
training("loss_categorical_logits", "Adam", adam,
         {"name": "categorical_crossentropy", "from_logits": True, "label_smoothing": 0.2, **mean})
training("loss_binary_logits", "Adam", adam,
         {"name": "binary_crossentropy", "from_logits": True, "label_smoothing": 0.1, **mean})
training("loss_absolute", "Adam", adam, "mean_absolute_error")
training("loss_huber", "Adam", adam, "huber")
training("loss_huber_delta", "Adam", adam, {"name": "huber", "delta": 0.125, **mean})
training("loss_regularized", "Adam", adam, mse)
with zipfile.ZipFile(f"{trainings}/loss_regularized.keras") as file:
    dense = json.loads(file.read("config.json"))["config"]["layers"][1]["config"]
assert dense["kernel_regularizer"]["config"] == {"l1": 0.1, "l2": 0.3}
assert dense["bias_regularizer"]["config"] == {"l1": 0.0, "l2": 0.5}
