#!/usr/bin/env python3
"""Writes torch.hpp: inputs and results of PyTorch, in double, that the tests compare with.

Run with Debian's python3-torch: /usr/bin/python3 make_torch.py > torch.hpp
"""
import torch
import torch.nn.functional as F

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
out = []


def put(name, tensor):
    values = ", ".join(f"{v:.12g}" for v in torch.as_tensor(tensor).detach().reshape(-1).tolist())
    out.append(f"inline const std::vector<double> {name}{{{values}}};")


def single(tensor):
    """Numbers that float32 holds exactly, so that both sides start from the same."""
    return tensor.float().double()


# Convolutions and pooling: channels last here, channels first there.
def nhwc(t):
    return t.permute(0, 2, 3, 1)


def tf_same(x, kernel, stride, value=0.0):
    """TensorFlow's SAME padding, which Keras uses: what is odd goes to the right and the bottom."""
    pads = []
    for size, k, s in ((x.shape[3], kernel[1], stride[1]), (x.shape[2], kernel[0], stride[0])):
        total = max((-(-size // s) - 1) * s + k - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


x = single(torch.randn(2, 3, 7, 6)).requires_grad_()
put("conv_x", nhwc(x))
for name, kernel, stride, same in (("conv_valid", (3, 2), (1, 1), False), ("conv_same", (3, 3), (1, 1), True),
                                   ("conv_stride", (3, 3), (2, 2), True), ("conv_even", (2, 4), (2, 1), True)):
    w = single(torch.randn(5, 3, *kernel) * 0.3).requires_grad_()
    b = single(torch.randn(5)).requires_grad_()
    y = F.conv2d(tf_same(x, kernel, stride) if same else x, w, b, stride)
    dy = single(torch.randn(y.shape))
    x.grad = None
    y.backward(dy)
    put(name + "_kernel", w.permute(2, 3, 1, 0))
    put(name + "_bias", b)
    put(name + "_y", nhwc(y))
    put(name + "_dy", nhwc(dy))
    put(name + "_dx", nhwc(x.grad))
    put(name + "_d_kernel", w.grad.permute(2, 3, 1, 0))
    put(name + "_d_bias", b.grad)
put("max_pool_y", nhwc(F.max_pool2d(x, 2)))
put("max_pool_same_y", nhwc(F.max_pool2d(tf_same(x, (3, 3), (2, 2), float("-inf")), 3, 2)))
put("average_pool_y", nhwc(F.avg_pool2d(x, 2)))
ones = tf_same(torch.ones_like(x), (3, 3), (2, 2))
put("average_pool_same_y",
    nhwc(F.avg_pool2d(tf_same(x, (3, 3), (2, 2)), 3, 2) / F.avg_pool2d(ones, 3, 2)))

# Activations.
a = single(torch.cat([torch.linspace(-8, 8, 41), torch.tensor([-60.0, -3.0, 0.25, 3.0, 60.0])]))
put("activation_x", a)
for name, f in (("relu", F.relu), ("leaky_relu", lambda t: F.leaky_relu(t, float(torch.tensor(0.3, dtype=torch.float32)))),
                ("elu", F.elu), ("gelu", F.gelu), ("gelu_tanh", lambda t: F.gelu(t, approximate="tanh")), ("silu", F.silu),
                ("sigmoid", torch.sigmoid), ("tanh", torch.tanh), ("softplus", F.softplus), ("hard_swish", F.hardswish),
                ("softmax", lambda t: F.softmax(t.reshape(2, 23), 1))):
    put(name + "_y", f(a))

# Losses: each sample's loss and gradient.
logits = single(torch.randn(4, 5) * 2)
labels = torch.tensor([3, 0, 4, 1])
soft = single(F.softmax(torch.randn(4, 5), 1))
values = single(torch.randn(4, 5))
probabilities = single(torch.sigmoid(torch.randn(4, 5)))
put("loss_logits", logits)
put("loss_labels", labels)
put("loss_soft", soft)
put("loss_values", values)
put("loss_probabilities", probabilities)


def put_loss(name, source, f):
    y = source.clone().requires_grad_()
    loss = f(y)
    loss.sum().backward()
    put(name + "_loss", loss)
    put(name + "_gradient", y.grad)


def from_probabilities(p, target):
    p = (p / p.sum(1, keepdim=True)).clamp(1e-7, 1 - 1e-7)
    return -(target * p.log()).sum(1)


smoothing = float(torch.tensor(0.1, dtype=torch.float32))
one_hot = F.one_hot(labels, 5).double()
put_loss("cce_logits", logits, lambda y: F.cross_entropy(y, labels, reduction="none"))
put_loss("cce_logits_soft", logits, lambda y: F.cross_entropy(y, soft, reduction="none"))
put_loss("cce_logits_smooth", logits, lambda y: F.cross_entropy(y, labels, reduction="none", label_smoothing=smoothing))
put_loss("cce_probabilities", probabilities, lambda y: from_probabilities(y, one_hot))
put_loss("cce_probabilities_smooth", probabilities,
         lambda y: from_probabilities(y, one_hot * (1 - smoothing) + smoothing / 5))
put_loss("bce", probabilities, lambda y: F.binary_cross_entropy(y, soft, reduction="none").mean(1))
put_loss("bce_logits", logits, lambda y: F.binary_cross_entropy_with_logits(y, soft, reduction="none").mean(1))
put_loss("mse", logits, lambda y: F.mse_loss(y, values, reduction="none").mean(1))
put_loss("mae", logits, lambda y: F.l1_loss(y, values, reduction="none").mean(1))
put_loss("huber", logits, lambda y: F.huber_loss(y, values, reduction="none", delta=0.75).mean(1))

# Optimizers: eight parameters, twelve steps of given gradients.
start = single(torch.randn(8))
gradients = single(torch.randn(12, 8))
put("optimizer_start", start)
put("optimizer_gradients", gradients)


def put_optimizer(name, make, clip=None):
    w = start.clone().requires_grad_()
    optimizer = make([w])
    for g in gradients:
        w.grad = g.clone()
        if clip:
            clip([w])
        optimizer.step()
    put(name + "_end", w)


O = torch.optim
put_optimizer("sgd", lambda p: O.SGD(p, 0.01))
put_optimizer("sgd_momentum", lambda p: O.SGD(p, 0.01, momentum=0.9))
put_optimizer("sgd_nesterov", lambda p: O.SGD(p, 0.01, momentum=0.9, nesterov=True))
put_optimizer("rmsprop", lambda p: O.RMSprop(p, 0.001, alpha=0.9, eps=1e-14))
put_optimizer("rmsprop_centered", lambda p: O.RMSprop(p, 0.001, alpha=0.9, eps=1e-14, centered=True, momentum=0.5))
put_optimizer("adagrad", lambda p: O.Adagrad(p, 0.01, initial_accumulator_value=0.1, eps=1e-14))
put_optimizer("adam", lambda p: O.Adam(p, 0.001, eps=1e-8))
put_optimizer("adam_amsgrad", lambda p: O.Adam(p, 0.001, eps=1e-8, amsgrad=True))
put_optimizer("adamw", lambda p: O.AdamW(p, 0.001, eps=1e-8, weight_decay=0.04))
put_optimizer("sgd_clip_value", lambda p: O.SGD(p, 0.01), lambda p: torch.nn.utils.clip_grad_value_(p, 0.5))


def exact_clip(p):
    norm = p[0].grad.norm()
    if norm > 1.5:
        p[0].grad *= 1.5 / norm


put_optimizer("sgd_clip_norm", lambda p: O.SGD(p, 0.01), exact_clip)


class Lion(O.Optimizer):
    """The paper's algorithm 2 (Chen and others, 2023); PyTorch has none of its own."""

    def __init__(self, params, lr, b1, b2, decay):
        super().__init__(params, {"lr": lr, "b1": b1, "b2": b2, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                p *= 1 - group["lr"] * group["decay"]
                p -= group["lr"] * torch.sign(group["b1"] * m + (1 - group["b1"]) * p.grad)
                m.mul_(group["b2"]).add_(p.grad, alpha=1 - group["b2"])


class Nadam(O.Optimizer):
    """Dozat's algorithm as in Keras and newer PyTorch. PyTorch 1.13's own multiplies mu into mu_product_next twice."""

    def __init__(self, params, lr, b1, b2, eps, momentum_decay):
        super().__init__(params, {})
        self.settings = lr, b1, b2, eps, momentum_decay
        self.t, self.product = 0, 1.0

    @torch.no_grad()
    def step(self):
        lr, b1, b2, eps, momentum_decay = self.settings
        self.t += 1
        mu = b1 * (1 - 0.5 * 0.96 ** (self.t * momentum_decay))
        mu_next = b1 * (1 - 0.5 * 0.96 ** ((self.t + 1) * momentum_decay))
        self.product *= mu
        for p in self.param_groups[0]["params"]:
            state = self.state[p]
            m = state.setdefault("m", torch.zeros_like(p))
            v = state.setdefault("v", torch.zeros_like(p))
            m.mul_(b1).add_(p.grad, alpha=1 - b1)
            v.mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
            m_hat = mu_next * m / (1 - self.product * mu_next) + (1 - mu) * p.grad / (1 - self.product)
            p -= lr * m_hat / ((v / (1 - b2 ** self.t)).sqrt() + eps)


put_optimizer("nadam", lambda p: Nadam(p, 0.002, 0.9, 0.999, 1e-8, 0.004))
put_optimizer("lion", lambda p: Lion(p, 0.001, 0.9, 0.99, 0.1))

# Schedules: 40 steps.
S = torch.optim.lr_scheduler


def put_schedule(name, rate, make):
    optimizer = O.SGD([torch.zeros(1, requires_grad=True)], rate)
    schedule = make(optimizer)
    rates = []
    for _ in range(40):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    put(name + "_rates", torch.tensor(rates))


put_schedule("step_decay", 0.1, lambda o: S.StepLR(o, 7, 0.5))
put_schedule("exponential", 0.1, lambda o: S.ExponentialLR(o, 0.9))
put_schedule("cosine", 0.1, lambda o: S.CosineAnnealingLR(o, 41))
put_schedule("one_cycle", 0.1, lambda o: S.OneCycleLR(o, 0.1, 41, cycle_momentum=False))
put_schedule("one_cycle_linear", 0.1, lambda o: S.OneCycleLR(o, 0.1, 41, cycle_momentum=False, anneal_strategy="linear"))

# Batch normalization: two steps in training, then inference. PyTorch moves its variance by the unbiased one,
# Keras by the biased one, which is what stands here.
B, C = 12, 3
layer = torch.nn.BatchNorm2d(C, eps=0.001, momentum=0.25)
with torch.no_grad():
    layer.weight.copy_(single(torch.rand(C) + 0.5))
    layer.bias.copy_(single(torch.randn(C)))
put("batch_norm_gamma", layer.weight)
put("batch_norm_beta", layer.bias)
moving_variance = torch.ones(C)
xs = [single(torch.randn(B, C, 2, 3) * 2 + 5), single(torch.randn(B, C, 2, 3) - 1)]
for step, x in enumerate(xs):
    x = x.requires_grad_()
    y = layer(x)
    dy = single(torch.randn(y.shape))
    layer.weight.grad = layer.bias.grad = None
    y.backward(dy)
    moving_variance += 0.25 * (x.detach().var((0, 2, 3), unbiased=False) - moving_variance)
    for name, tensor in (("x", nhwc(x)), ("y", nhwc(y)), ("dy", nhwc(dy)), ("dx", nhwc(x.grad))):
        put(f"batch_norm_{name}_{step}", tensor)
    put(f"batch_norm_d_gamma_{step}", layer.weight.grad)
    put(f"batch_norm_d_beta_{step}", layer.bias.grad)
put("batch_norm_moving_mean", layer.running_mean)
put("batch_norm_moving_variance", moving_variance)
layer.running_var.copy_(moving_variance)
layer.eval()
put("batch_norm_inference_y", nhwc(layer(xs[0])))

# Depthwise and separable convolutions, on conv_x; channel c's results are c * multiplier and on.
x = torch.tensor([float(v) for v in out[0].split("{")[1][:-2].split(", ")]).reshape(2, 7, 6, 3)
x = x.permute(0, 3, 1, 2).contiguous().requires_grad_()


def depthwise_kernel(w, multiplier):  # (channels * multiplier, 1, height, width)
    return w.reshape(3, multiplier, *w.shape[2:]).permute(2, 3, 0, 1)


for name, kernel, stride, multiplier, same in (("depthwise", (3, 3), (1, 1), 1, True),
                                               ("depthwise_wide", (2, 3), (2, 2), 2, False)):
    w = single(torch.randn(3 * multiplier, 1, *kernel) * 0.3).requires_grad_()
    b = single(torch.randn(3 * multiplier)).requires_grad_()
    y = F.conv2d(tf_same(x, kernel, stride) if same else x, w, b, stride, groups=3)
    dy = single(torch.randn(y.shape))
    x.grad = None
    y.backward(dy)
    put(name + "_kernel", depthwise_kernel(w, multiplier))
    put(name + "_bias", b)
    for part, tensor in (("y", y), ("dy", dy), ("dx", x.grad)):
        put(name + "_" + part, nhwc(tensor))
    put(name + "_d_kernel", depthwise_kernel(w.grad, multiplier))
    put(name + "_d_bias", b.grad)
w = single(torch.randn(3, 1, 3, 3) * 0.3).requires_grad_()
p = single(torch.randn(4, 3, 1, 1) * 0.5).requires_grad_()
b = single(torch.randn(4)).requires_grad_()
y = F.conv2d(F.conv2d(tf_same(x, (3, 3), (2, 2)), w, None, 2, groups=3), p, b)
dy = single(torch.randn(y.shape))
x.grad = None
y.backward(dy)
put("separable_depthwise_kernel", depthwise_kernel(w, 1))
put("separable_pointwise_kernel", p.permute(2, 3, 1, 0))
put("separable_bias", b)
for part, tensor in (("y", y), ("dy", dy), ("dx", x.grad)):
    put("separable_" + part, nhwc(tensor))
put("separable_d_depthwise_kernel", depthwise_kernel(w.grad, 1))
put("separable_d_pointwise_kernel", p.grad.permute(2, 3, 1, 0))

# Layer normalization of 4 rows of 6.
x = single(torch.randn(4, 6) * 2 + 1).requires_grad_()
gamma, beta = single(torch.rand(6) + 0.5).requires_grad_(), single(torch.randn(6)).requires_grad_()
y = F.layer_norm(x, (6,), gamma, beta, float(torch.tensor(1e-3, dtype=torch.float32)))
dy = single(torch.randn(y.shape))
y.backward(dy)
for part, tensor in (("x", x), ("gamma", gamma), ("beta", beta), ("y", y), ("dy", dy), ("dx", x.grad),
                     ("d_gamma", gamma.grad), ("d_beta", beta.grad)):
    put("layer_norm_" + part, tensor)

# A residual block in training: convolution, normalization, ReLU, twice, and the input, or its projection.
x = single(torch.randn(3, 4, 6, 5)).requires_grad_()
put("residual_x", nhwc(x))
epsilon = float(torch.tensor(1e-3, dtype=torch.float32))
for name, stride, channels in (("residual", (1, 1), 4), ("projected", (2, 2), 6)):
    parameters = []

    def convolved(t, size, before, s):
        w = single(torch.randn(channels, before, size, size) * 0.3).requires_grad_()
        g, b = single(torch.rand(channels) + 0.5).requires_grad_(), single(torch.randn(channels)).requires_grad_()
        parameters.extend([w, g, b])
        t = F.conv2d(tf_same(t, (size, size), s), w, None, s)
        return F.batch_norm(t, None, None, g, b, True, 0.0, epsilon)

    inner = convolved(F.relu(convolved(x, 3, 4, stride)), 3, channels, (1, 1))
    y = F.relu(inner + (x if channels == 4 else convolved(x, 1, 4, stride)))
    dy = single(torch.randn(y.shape))
    x.grad = None
    y.backward(dy)

    def flat(tensors):
        return torch.cat([(t.permute(2, 3, 1, 0) if t.dim() == 4 else t).reshape(-1) for t in tensors])

    put(name + "_parameters", flat(parameters))
    put(name + "_gradients", flat([t.grad for t in parameters]))
    for part, tensor in (("y", y), ("dy", dy), ("dx", x.grad)):
        put(name + "_" + part, nhwc(tensor))

print("// Made by make_torch.py with PyTorch " + torch.__version__ + ".")
print("#pragma once\n#include <vector>\n\n// clang-format off\nnamespace reference {")
print("\n".join(out))
print("}  // namespace reference")
